-- weft.serve's workers, each test with a program of its own: what forks and is
-- killed is not the test runner.
local case = require "support.case"
local child_process = require "support.child"
local command = require "support.command"
local handshake = require "support.handshake"
local lfs = require "lfs"
local patience = require "support.patience"
local raises = require "support.raises"
local workers = require "support.workers"

local start, dial, both, lives = workers.start, workers.dial, workers.both, workers.lives
local gone, terminate = workers.gone, workers.terminate
local PRELUDE, SIMPLE = workers.PRELUDE, workers.SIMPLE

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
