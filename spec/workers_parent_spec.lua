-- The parent of weft.serve's workers: the signals that it gets, and what becomes of
-- them.
local case = require "support.case"
local child_process = require "support.child"
local patience = require "support.patience"
local workers = require "support.workers"

local start, both, lives, gone = workers.start, workers.both, workers.lives, workers.gone
local terminate, SIMPLE = workers.terminate, workers.SIMPLE

describe("the parent of workers", function()
  for _, name in ipairs { "TERM", "INT" } do
    it(("passes SIG%s on: everybody is told 1001, and it returns when all have ended"):format(name), case(function(t)
      local child, url = start(t, SIMPLE)
      local found = both(t, url)
      child:signal(name)
      for _, worker in ipairs(found) do
        assert.same({ n = 4, nil, "closed", 1001, "" }, table.pack(worker.ws:receive(5)))
      end
      local output, status = child:wait()
      assert.is_truthy(output:find("served\ttrue", 1, true), output)
      assert.is_nil(output:find("exited", 1, true), output)
      assert.equal(0, status)
      assert.is_false(lives(found[1].pid) or lives(found[2].pid) or false)
    end, 25))
  end

  it("may get a signal together with its workers, as from a terminal", case(function(t)
    local child, url = start(t, SIMPLE)
    local found = both(t, url)
    os.execute(("kill -INT %d %d"):format(found[1].pid, found[2].pid))
    child:signal "INT"
    for _, worker in ipairs(found) do
      assert.same({ n = 4, nil, "closed", 1001, "" }, table.pack(worker.ws:receive(5)))
    end
    assert.equal(0, (select(2, child:wait())))
  end, 25))

  it("at a second signal kills those that have not ended, and dies of it", case(function(t)
    local child, url = start(t, SIMPLE)
    local found = both(t, url)
    found[1].ws:send "hang"
    child:wait_for "hanging"
    child:signal "TERM"
    assert.same({ n = 4, nil, "closed", 1001, "" }, table.pack(found[2].ws:receive(5)))
    gone(t, found[2].pid)
    assert.is_true(lives(found[1].pid))
    child:signal "TERM"
    local output, status = child:wait()
    assert.equal(128 + 15, status)
    assert.is_nil(output:find("served", 1, true))
    gone(t, found[1].pid)
  end, 25))

  it("does not leave them behind when it is killed", case(function(t)
    local child, url = start(t, SIMPLE)
    local found = both(t, url)
    child:signal "KILL"
    for _, worker in ipairs(found) do
      assert.same({ n = 4, nil, "closed", 1001, "" }, table.pack(worker.ws:receive(5)))
      gone(t, worker.pid)
    end
    assert.equal(128 + 9, (select(2, child:wait())))
  end, 25))

  it("with signals = false dies of them, and its workers end", case(function(t)
    local child, url = start(t, SIMPLE:gsub("port = 0", "port = 0, signals = false"))
    local found = both(t, url)
    child:signal "TERM"
    assert.equal(128 + 15, (select(2, child:wait())))
    gone(t, found[1].pid)
    gone(t, found[2].pid)
  end, 25))

  it("can go on, even serve with workers again", case(function(t)
    local child, url = start(t, SIMPLE .. SIMPLE:gsub("served", "again"))
    child:signal "TERM"
    child:wait_for "served\ttrue"
    t:wait_until(function() return select(2, child:output():gsub("started 0", "")) == 4 end)
    local second = child:output():match ".*started 0 (ws%S+)\n"
    assert.not_equal(url, second)
    both(t, second)
    local output, status = terminate(child)
    assert.is_truthy(output:find("again\ttrue", 1, true), output)
    assert.equal(0, status)
  end, 25))

  it("writes once what the program had written before", case(function(t)
    local child = child_process.start(t.weft, [[
      io.stdout:setvbuf "full"
      io.write "before\n"
      require("weft").serve { port = 0, workers = 2, websocket = print, on_worker = function(n)
        io.stderr:write("worker " .. n .. "\n") -- at once: the other writes too
      end }
    ]])
    child:wait_for "worker 1"
    child:wait_for "worker 2"
    local output = terminate(child)
    assert.equal(1, (select(2, output:gsub("before", ""))), output)
  end, 25))
end)

describe("SIGHUP to the parent of workers", function()
  local REPLACED = "weft: SIGHUP: the workers have been replaced"

  --- Connects in a loop, one at a time, until told to stop: how many of each
  --- outcome there were.
  local function keep_connecting(t, url, options)
    local state = { connected = 0, failed = {} }
    state.task = t:spawn(function()
      while not state.stop do
        local ws, why = t.weft.connect(url, options)
        if ws then
          state.connected = state.connected + 1
          ws:close()
        else
          state.failed[#state.failed + 1] = why
        end
      end
    end)
    return state
  end

  for _, how in ipairs { "TCP", "a Unix-domain socket", "TLS" } do
    it(("replaces them one by one, and refuses nobody (%s)"):format(how), case(function(t)
      local path = os.tmpname()
      os.remove(path)
      local place = how == "TCP" and "port = 0" or how == "TLS" and 'port = 0, tls = "self-signed"' or ("unix = %q"):format(path)
      local child, url = start(t, SIMPLE:gsub("port = 0", place))
      local options = how == "TLS" and { tls = { verify = false } } or how ~= "TCP" and { unix = path } or nil
      url = how == "a Unix-domain socket" and "ws://localhost/" or url
      local before = both(t, url, options)
      local clients = {}
      for i = 1, 4 do
        clients[i] = keep_connecting(t, url, options)
      end
      for round = 1, 2 do
        child:signal "HUP"
        t:wait_until(function()
          return select(2, child:output():gsub(REPLACED, "")) == round
        end, "the last replacement", 10)
      end
      for _, client in ipairs(clients) do
        client.stop = true
        client.task:join(patience(5))
        assert.same({}, client.failed)
        assert.is_true(client.connected > 0)
      end
      for _, worker in ipairs(before) do
        assert.equal(1001, (select(2, worker.ws:wait_closed(5))))
        assert.is_false(lives(worker.pid) or false)
      end
      both(t, url, options)
      local output, status = terminate(child)
      for n = 1, 2 do
        assert.is_truthy(output:find(("worker %d started 1"):format(n), 1, true), output)
        assert.is_truthy(output:find(("worker %d started 2"):format(n), 1, true), output)
      end
      assert.equal(0, status)
    end, 40))
  end

  it("waits for the one before another is replaced, and drains it", case(function(t)
    local child, url = start(t, SIMPLE:gsub("port = 0", "port = 0, drain = 0.3, grace = 0.2"))
    both(t, url)
    both(t, url) -- now each has two: the first is told at once, the other 0.15 s later
    local began = t.weft.now()
    child:signal "HUP"
    child:wait_for(REPLACED)
    assert.is_true(t.weft.now() - began >= 0.3)
    assert.equal(0, (select(2, terminate(child))))
  end, 25))

  it("brings in what the workers load themselves", case(function(t)
    local name = os.tmpname()
    local function write(version)
      local file = assert(io.open(name, "w"))
      file:write(("return function(ws) ws:send %q ws:wait_closed() end"):format(version))
      file:close()
    end
    write "one"
    local child, url = start(t, ([[
      local app
      weft.serve { port = 0, workers = 2, websocket = function(ws) return app(ws) end, on_worker = function(...)
        app = dofile %q
        on_worker(...)
      end }
    ]]):format(name))
    assert.equal("one", (t:connect(url):receive(5)))
    write "two"
    child:signal "HUP"
    child:wait_for(REPLACED)
    for _ = 1, 10 do
      assert.equal("two", (t:connect(url):receive(5)))
    end
    local file = assert(io.open(name, "w")) -- and when that is broken, nothing changes
    file:write "error('oh dear', 0)"
    file:close()
    child:signal "HUP"
    child:wait_for "oh dear"
    child:wait_for "before it could replace another; those that are there stay"
    assert.equal("two", (t:connect(url):receive(5)))
    local output, status = terminate(child)
    assert.equal(1, (select(2, output:gsub(REPLACED, ""))))
    assert.equal(0, status)
    os.remove(name)
  end, 25))

  it("does not keep it from ending, and a worker that dies meanwhile is replaced", case(function(t)
    local child, url = start(t, SIMPLE:gsub("port = 0", "port = 0, drain = 3600"))
    local found = both(t, url)
    both(t, url) -- who has two is an hour at it
    child:signal "HUP"
    child:wait_for "started 1"
    os.execute(("kill -9 %d"):format(found[2].pid))
    child:wait_for "worker 2 started 1"
    found[2].ws:wait_closed(5)
    both(t, url)
    both(t, url)
    child:signal "TERM"
    t.weft.sleep(0.1)
    child:signal "TERM" -- they drain for an hour
    assert.equal(128 + 15, (select(2, child:wait())))
    gone(t, found[1].pid)
  end, 25))
end)
