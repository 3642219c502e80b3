-- weft.serve's workers, each test with a program of its own: what forks and is
-- killed is not the test runner.
local case = require "support.case"
local child_process = require "support.child"
local command = require "support.command"
local handshake = require "support.handshake"
local lfs = require "lfs"
local patience = require "support.patience"
local raises = require "support.raises"

local PRELUDE = [[
  local weft = require "weft"
  io.stdout:setvbuf "line"
  local function pid()
    local shell = io.popen "echo $PPID"
    local number = shell:read "*n"
    shell:close()
    return number
  end
  -- tells "id pid", then echoes; "stop" ends the worker
  local function handler(ws)
    ws:send(("%d %d"):format(weft.worker_id(), pid()))
    for message in ws:messages() do
      if message == "stop" then weft.stop() end
      if message == "hang" then print "hanging" while true do end end
      ws:send(message)
    end
  end
  local function on_worker(n, server, restarts)
    print(("worker %d started %d %s"):format(n, restarts, server:url()))
  end
]]

--- A program that serves, once both of its workers have started; its URL.
local function start(t, script)
  local child = child_process.start(t.weft, PRELUDE .. script)
  child:wait_for "worker 1 started 0"
  child:wait_for "worker 2 started 0"
  return child, child:output():match "started 0 (ws%S+)\n"
end

local SIMPLE = [[
  assert(weft.worker_id() == nil)
  print("served", weft.serve { port = 0, workers = 2, websocket = handler, on_worker = on_worker })
  assert(weft.worker_id() == nil)
]]

--- A connection to the server, and which worker has it: number, pid.
local function dial(t, url, options)
  local ws = t:connect(url, options)
  local id, pid = ws:receive(5):match "^(%d+) (%d+)$"
  return ws, math.tointeger(id), math.tointeger(pid)
end

--- Connections, at least one to each of two workers: by number { ws, pid }.  Who
--- has just been started again may need a moment.
local function both(t, url, options)
  local found, all = {}, {}
  for tries = 1, 500 do
    if tries > 50 then
      t.weft.sleep(0.01)
    end
    local ws, id, pid = dial(t, url, options)
    all[#all + 1] = ws
    found[id] = found[id] or { ws = ws, pid = pid }
    if found[1] and found[2] then
      return found, all
    end
  end
  error "five hundred connections met one worker"
end

local function lives(pid)
  return (os.execute(("kill -0 %d 2>/dev/null"):format(pid)))
end

local function gone(t, pid)
  t:wait_until(function() return not lives(pid) end, "the end of a worker", 10)
end

local function terminate(child)
  child:signal "TERM"
  return child:wait()
end

describe("workers", function()
  it("share the port, and each runs on_worker", case(function(t)
    local child, url = start(t, SIMPLE)
    local found = both(t, url)
    assert.not_equal(found[1].pid, found[2].pid)
    for n, worker in ipairs(found) do
      worker.ws:send("hello " .. n)
      assert.equal("hello " .. n, worker.ws:receive(5))
    end
    local output, status = terminate(child)
    local _, started = output:gsub("worker %d started 0", "")
    assert.equal(2, started)
    local _, served = output:gsub("served\ttrue", "")
    assert.equal(1, served) -- in the parent alone
    assert.equal(0, status)
  end, 25))

  it("share it by poll(2) as well", case(function(t)
    local child, url = start(t, "weft.close() package.loaded.weft = nil" .. [[
      local getenv = os.getenv
      function os.getenv(name) return name == "WEFT_POLLER" and "poll" or getenv(name) end
      weft = require("weft").new()
      assert(weft.loop:backend() == "poll")
    ]] .. SIMPLE)
    both(t, url)
    assert.equal(0, (select(2, terminate(child))))
  end, 25))

  it("share a Unix-domain socket, which the parent removes", case(function(t)
    local path = os.tmpname()
    os.remove(path)
    local child = start(t, SIMPLE:gsub("port = 0", ("unix = %q"):format(path)))
    local found = both(t, "ws://localhost/", { unix = path })
    found[1].ws:send "stop"
    gone(t, found[1].pid)
    assert.equal("socket", lfs.attributes(path, "mode"))
    both(t, "ws://localhost/", { unix = path })
    local _, status = terminate(child)
    assert.is_nil(lfs.attributes(path, "mode"))
    assert.equal(0, status)
  end, 25))

  it("do not hide that somebody else has the port", case(function(t)
    local _, url = start(t, SIMPLE)
    local child = child_process.start(t.weft, PRELUDE .. SIMPLE:gsub("port = 0", "port = " .. url:match ":(%d+)"))
    local output, status = child:wait()
    assert.is_truthy(output:find("weft.serve: listen on 127.0.0.1", 1, true), output)
    assert.is_nil(output:find("worker", 1, true))
    assert.equal(1, status)
    terminate(_)
  end, 25))

  it("resume each other's TLS sessions", case(function(t)
    local child, url = start(t, SIMPLE:gsub("port = 0", 'port = 0, tls = "self-signed"'))
    local _, all = both(t, url, { tls = { verify = false } })
    for i, ws in ipairs(all) do
      assert.equal(i > 1, ws.tls.resumed)
    end
    terminate(child)
  end, 25))

  it("draw random numbers of their own", case(function(t)
    local keys, numbers = {}, {}
    local server = t:listen { websocket = function(ws)
      local number = ws:receive(5)
      keys[#keys + 1] = ws.request.headers["sec-websocket-key"]
      numbers[#numbers + 1] = number
    end }
    local child = start(t, ([[
      local function draw()
        local ws = assert(weft.connect "%s")
        ws:send(tostring(math.random(0)))
        ws:close()
      end
      draw() -- what the parent has in store is not dealt out twice
      weft.serve { port = 0, workers = 2, websocket = handler, on_worker = function(...)
        draw()
        on_worker(...)
      end }
    ]]):format(t:url(server)))
    t:wait_until(function() return #numbers == 3 end, "what all three have drawn")
    for _, list in ipairs { keys, numbers } do
      for i, one in ipairs(list) do
        assert.not_equal(one, list[i % 3 + 1])
      end
    end
    terminate(child)
  end, 25))
end)

describe("a worker that dies", function()
  it("is started again, and the others do not notice", case(function(t)
    local child, url = start(t, SIMPLE)
    local found = both(t, url)
    os.execute("kill -9 " .. found[1].pid)
    child:wait_for "worker 1 started 1"
    child:wait_for(("weft: worker 1 (pid %d) was killed by signal 9; starting it again"):format(found[1].pid))
    found[2].ws:send "still here"
    assert.equal("still here", found[2].ws:receive(5))
    assert.not_equal(found[1].pid, both(t, url)[1].pid)
    assert.equal(0, (select(2, terminate(child))))
  end, 25))

  -- The kernel has dealt some of them to its own socket, where nobody accepts now.
  it("soon after its start does not cost those who wait for it their connections", case(function(t)
    local child, url = start(t, [[
      weft.serve { port = 0, workers = 2, websocket = handler, on_worker = function(n, server, restarts)
        on_worker(n, server, restarts)
        print(("pid %d.%d: %d."):format(n, restarts, pid()))
      end }
    ]])
    local port = tonumber(url:match ":(%d+)")
    for round = 0, 2 do
      local pid = t:wait_until(function()
        return child:output():match(("pid 2.%d: (%%d+)%%."):format(round))
      end, "worker 2")
      os.execute("kill -STOP " .. pid)
      local waiting = {}
      for i = 1, 20 do
        waiting[i] = t:dial(port)
        waiting[i]:send(handshake.request())
      end
      os.execute("kill -9 " .. pid)
      for _, raw in ipairs(waiting) do
        assert.equal(101, raw:parsed_head().status)
        raw:close()
      end
    end
    assert.equal(0, (select(2, terminate(child))))
  end, 25))

  it("is started again when it ended by itself, which weft.stop does to one", case(function(t)
    local child, url = start(t, SIMPLE)
    local found = both(t, url)
    found[2].ws:send "stop"
    repeat
      local message, word = found[2].ws:receive(5)
    until not message and assert.equal("closed", word)
    assert.equal(1001, found[2].ws.close_code)
    child:wait_for "worker 2 started 1"
    found[1].ws:send "still here"
    assert.equal("still here", found[1].ws:receive(5))
    local output = terminate(child)
    assert.is_truthy(output:find(("worker 2 (pid %d) exited with status 0"):format(found[2].pid), 1, true), output)
  end, 25))

  -- It may drain for an hour: who is dealt to its socket meanwhile would wait for that.
  it("slowly, because it was told to, has a successor at once", case(function(t)
    local child, url = start(t, SIMPLE:gsub("port = 0", "port = 0, drain = 3600"))
    local found = both(t, url)
    both(t, url) -- who has two is an hour at it
    both(t, url)
    os.execute("kill -TERM " .. found[1].pid)
    child:wait_for "worker 1 started 1"
    for _ = 1, 20 do
      assert.not_equal(found[1].pid, select(3, dial(t, url)))
    end
    assert.is_truthy(lives(found[1].pid))
    os.execute("kill -9 " .. found[1].pid)
    child:wait_for(("worker 1 (pid %d) was killed by signal 9; another has been started already"):format(found[1].pid))
    child:signal "TERM"
    t.weft.sleep(0.1)
    child:signal "TERM"
    assert.equal(128 + 15, (select(2, child:wait())))
  end, 25))

  it("after another soon, is waited for longer each time", case(function(t)
    local child, url = start(t, [[
      weft.serve { port = 0, workers = 2, websocket = handler, on_worker = function(n, server, restarts)
        on_worker(n, server, restarts)
        if n == 2 then error("oh dear " .. restarts, 0) end
      end }
    ]])
    child:wait_for "oh dear 0"
    child:wait_for "stack traceback"
    local began = t.weft.now()
    child:wait_for "oh dear 3"
    assert.is_true(t.weft.now() - began > 0.5) -- 0.1 + 0.2 + 0.4
    child:wait_for "again in 0.8 s"
    for _ = 1, 20 do -- the other gets all
      assert.equal(1, (select(2, dial(t, url, { timeout = patience(2) }))))
    end
    local output, status = terminate(child)
    local delays = {}
    for delay in output:gmatch "worker 2 %(pid %d+%) exited with status 1; starting it again in ([%d.]+) s\n" do
      delays[#delays + 1] = delay
    end
    assert.same({ "0.1", "0.2", "0.4" }, { table.unpack(delays, 1, 3) })
    assert.equal(0, status)
  end, 25))

  it("of an error in on_worker tells on_error", case(function(t)
    local child = start(t, [[
      weft.on_error(function(err, traceback) print(("[%s] %s"):format(err, traceback:match "traceback")) end)
      weft.serve { port = 0, workers = 2, websocket = handler, on_worker = function(n, ...)
        on_worker(n, ...)
        error("oh dear", 0)
      end }
    ]])
    child:wait_for "[oh dear] traceback"
    assert.equal(0, (select(2, terminate(child))))
  end, 25))
end)

describe("workers with limits", function()
  it("each have all of them, and answer for the port that they share", case(function(t)
    local child, url = start(t, [[
      weft.serve { port = 0, workers = 2, websocket = handler, on_worker = on_worker,
                   max_connections_per_address = 2, hosts = { "127.0.0.1" } }
    ]])
    local open, statuses = {}, {}
    for _ = 1, 500 do
      local ws, _, _, response = t.weft.connect(url)
      if ws then
        open[#open + 1] = ws
      else
        statuses[response.status] = #open
      end
    end
    assert.equal(4, #open)
    assert.same({ [429] = 4 }, statuses)
    for _, ws in ipairs(open) do
      assert.is_true(ws:close())
    end
    terminate(child)
  end, 25))
end)

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

describe("without workers", function()
  it("on_worker runs once, in the process itself, before the first connection", case.blocking(function(t)
    local seen
    t.weft.spawn(function()
      while not seen do
        t.weft.sleep(0.005)
      end
      local ws = t:connect(seen.url)
      assert.equal("1", ws:receive(5))
      t.weft.stop()
    end)
    assert.is_nil(t.weft.worker_id())
    assert.is_true(t.weft.serve {
      port = 0, workers = 1, signals = false,
      on_worker = function(n, server, restarts)
        seen = { n, restarts, t.weft.worker_id(), url = server:url() }
        t.weft.sleep(0.02)
        seen.count = server:stats().accepted
      end,
      websocket = function(ws)
        ws:send(tostring(t.weft.worker_id()))
        ws:wait_closed()
      end,
    })
    assert.same({ 1, 0, 1 }, { table.unpack(seen) })
    assert.equal(0, seen.count)
    assert.is_nil(t.weft.worker_id())
  end))

  it("an error in on_worker is weft.serve's", case.blocking(function(t)
    local server
    local ok, err = pcall(t.weft.serve, { port = 0, websocket = print, on_worker = function(_, it)
      server = it
      error("oh dear", 0)
    end })
    assert.same({ false, "oh dear" }, { ok, err })
    assert.equal("refused", (select(3, t.weft.connect(server:url(), { timeout = patience(5) }))))
  end))
end)

describe("a mistake with workers", function()
  local function serve(t)
    t.weft.serve { port = 0, websocket = print, workers = 2 }
  end

  it("in the options raises", case.blocking(function(t)
    for _, value in ipairs { 0, -1, 1.5, 1025, "2", math.huge, true } do
      raises(function()
        t.weft.serve { port = 0, websocket = print, workers = value }
      end, "weft.serve", "'workers'", "a whole number from 1 to 1024")
    end
    raises(function()
      t.weft.serve { port = 0, websocket = print, on_worker = 5 }
    end, "weft.serve", "'on_worker'", "a function")
    raises(function()
      t.weft.listen { port = 0, websocket = print, workers = 2 }
    end, "weft.listen", "'workers'")
  end))

  it("is to ask for them in a task or a coroutine", case.blocking(function(t)
    local ran = t.weft.run(function()
      raises({ serve, t }, "weft.serve", "'workers'", "main thread")
      return true
    end)
    assert.is_true(ran)
    coroutine.wrap(function()
      raises({ serve, t }, "weft.serve", "'workers'", "main thread")
    end)()
  end))

  it("is to have a task or a server already", case.blocking(function(t)
    local task = t.weft.spawn(t.weft.sleep, 60)
    raises({ serve, t }, "weft.serve", "'workers'", "no task")
    task:cancel()
    t.weft.step(0)
    local server = t:listen { websocket = case.echo }
    raises({ serve, t }, "weft.serve", "'workers'", "server")
    server:close(0)
  end))

  it("is to have a connection already", case(function(t)
    local child = child_process.start(t.weft, PRELUDE .. ([[
      local ws = assert(weft.connect "%s")
      print(pcall(weft.serve, { port = 0, websocket = handler, workers = 2 }))
      ws:close()
    ]]):format(t:url(t:server { websocket = case.echo })))
    local output, status = child:wait()
    assert.equal("false\tweft.serve: option 'workers': there must be no task, server or connection yet:"
      .. " make them in on_worker\n", output)
    assert.equal(0, status)
  end, 25))
end)

describe("weft echo --workers", function()
  it("serves by many, and says once where", case(function(t)
    local child = command.start(t.weft, { "echo", "--port", "0", "--workers", "3" })
    local url = child:wait_for "^listening on (%S+)\n"
    for i = 1, 10 do
      local ws = t:connect(url)
      ws:send("message " .. i)
      assert.equal("message " .. i, ws:receive(5))
    end
    child:signal "TERM"
    assert.same({ "listening on " .. url .. "\n", "", 0 }, { child:wait() })
  end, 25))

  it("says why it does not listen", case(function(t)
    local _, port = t:listen()
    local output, errors, status = command.start(t.weft, { "echo", "--workers", "2", "--port", tostring(port) }):wait()
    assert.same({ "", 1 }, { output, status })
    assert.matches("^weft echo: listen on 127%.0%.0%.1:%d+: [^\n]+\n$", errors)
  end, 25))
end)
