--- The loop that weft brings: run, and what waits in it, sleep and wait.
local socket = require "socket"
local weft = require "weft"
local case = require "support.case"
local frame = require "support.frame"
local handshake = require "support.handshake"
local raises = require "support.raises"

describe("run with a function", function()
  it("gives the function's results", case.blocking(function(t)
    assert.same({ n = 0 }, table.pack(t.weft.run(function() end)))
    assert.same({ n = 3, 1, nil, "three" }, table.pack(t.weft.run(function(...)
      t.weft.sleep(0.001)
      return ...
    end, 1, nil, "three")))
  end))

  it("raises the function's error again, unchanged and unreported", case.blocking(function(t)
    local thing = {}
    local ok, raised = pcall(t.weft.run, function()
      t.weft.sleep(0.001)
      error(thing)
    end)
    assert.is_false(ok)
    assert.equal(thing, raised)
    assert.same({}, t:reports())
  end))

  it("runs it as a task", case.blocking(function(t)
    t.weft.run(function()
      assert.is_true(not coroutine.isyieldable or coroutine.isyieldable()) -- since 5.3
      assert.is_false((select(2, coroutine.running())))
    end)
  end))

  it("returns when the function does, whatever else goes on", case.blocking(function(t)
    local ticks = 0
    local ticker = t.weft.spawn(function()
      while t.weft.sleep(0.001) do
        ticks = ticks + 1
      end
    end)
    t:listen()
    t.weft.run(function() t.weft.sleep(0.02) end)
    assert.is_true(ticks > 0)
    local before = ticks
    assert.equal(before, ticks)
    t.weft.run(function() t.weft.sleep(0.01) end)
    assert.is_true(ticks > before)
    ticker:cancel()
  end))

  it("raises inside a task", case(function(t)
    raises(function() t.weft.run(function() end) end, "run")
    raises(function() t.weft.run() end, "run")
    raises(function() t.weft.step() end, "step")
  end))

  it("raises inside an event, a handler and an iteration of another run", case(function(t)
    local message
    local server = t:listen { websocket = function()
      message = select(2, pcall(t.weft.step))
    end }
    assert.is_true((t:connect(server):wait_closed(5)))
    assert.is_truthy(message:find("step", 1, true), message)
  end))

  it("works in any coroutine outside a turn", case.blocking(function(t)
    local results = { coroutine.wrap(function()
      assert.is_true(type(t.weft.step()) == "boolean")
      return t.weft.run(function()
        t.weft.sleep(0.001)
        return "from a coroutine"
      end)
    end)() }
    assert.same({ "from a coroutine" }, results)
  end))
end)

describe("run without one", function()
  it("gives true when nothing is left", case.blocking(function(t)
    assert.same({ n = 1, true }, table.pack(t.weft.run()))
    local done = 0
    for i = 1, 3 do
      t.weft.spawn(function()
        t.weft.sleep(i * 0.001)
        done = done + 1
      end)
    end
    assert.same({ n = 1, true }, table.pack(t.weft.run()))
    assert.equal(3, done)
  end))

  it("goes on while a server listens", case.blocking(function(t)
    local server = t:listen()
    t.weft.spawn(function()
      t.weft.sleep(0.01)
      server:close()
    end)
    local began = weft.now()
    t.weft.run()
    assert.is_true(weft.now() - began >= 0.01)
  end))

  it("goes on while a connection has events", case.blocking(function(t)
    local listener = assert(socket.bind("127.0.0.1", 0))
    local _, port = listener:getsockname()
    local log = {}
    t.weft.connect("ws://127.0.0.1:" .. port, { events = {
      open = function() log[#log + 1] = "open" end,
      close = function(_, code) log[#log + 1] = code end,
    } })
    t.weft.step()
    -- a server outside the loop: no task and no listener keeps that going
    local sock = assert(listener:accept())
    listener:close()
    sock:settimeout(0)
    local head = ""
    t:wait_until(function()
      local all, _, partial = sock:receive(65536)
      head = head .. (all or partial)
      return head:find("\r\n\r\n", 1, true)
    end, "the request")
    local key = handshake.parse(head).headers["sec-websocket-key"]
    sock:send(handshake.response(key) .. frame.server.close(4000))
    sock:shutdown "send"
    assert.same({}, log)
    assert.is_true(t.weft.run())
    assert.same({ "open", 4000 }, log)
    sock:close()
  end))

  it("goes on until a close that was begun is finished", case.blocking(function(t)
    local server = t:listen { websocket = function(ws)
      local _, code = ws:wait_closed()
      ws.seen = code
    end }
    local ws = t:connect(server)
    ws:close(4000, "", 0)
    assert.equal("closing", ws.state)
    t.weft.spawn(function() server:close() end)
    t.weft.run()
    assert.equal("closed", ws.state)
  end))

  it("does not wait for connections that nobody waits for", case.blocking(function(t)
    local client, server = t.weft.pair()
    client:try_send "unread"
    assert.is_true(t.weft.run())
    assert.equal("unread", server:receive(5))
    assert.equal("open", client.state)
    client:abort()
  end))

  it("ends at stop, leaving everything as it is", case.blocking(function(t)
    local server = t:listen { websocket = function(ws)
      for message in ws:messages() do
        ws:send(message)
      end
    end }
    t.weft.spawn(function()
      t.weft.sleep(0.005)
      t.weft.stop()
    end)
    assert.is_true(t.weft.run())
    local ws = t:connect(server)
    ws:send "still there"
    assert.equal("still there", ws:receive(5))
    assert.is_true(ws:close())
    t.weft.spawn(function() server:close() end)
    assert.is_true(t.weft.run())
  end))

  it("lets no task's error escape", case.blocking(function(t)
    t.weft.spawn(error, "one", 0)
    t.weft.spawn(error, "two", 0)
    assert.is_true(t.weft.run())
    local reports = t:reports()
    assert.same({ "one", "two" }, { reports[1].error, reports[2].error })
  end))
end)

describe("sleep and now", function()
  it("sleep gives true after the time, not before", case(function(t)
    for _, seconds in ipairs { 0, 0.001, 0.02 } do
      local began = t.weft.now()
      assert.same({ n = 1, true }, table.pack(t.weft.sleep(seconds)))
      assert.is_true(t.weft.now() - began >= seconds)
    end
  end))

  it("sleepers wake in the order of their times", case(function(t)
    local order = {}
    local tasks = {}
    for i, ms in ipairs { 30, 10, 20, 5, 25, 15 } do
      tasks[i] = t:spawn(function()
        t.weft.sleep(ms / 1000)
        order[#order + 1] = ms
      end)
    end
    for _, task in ipairs(tasks) do
      task:join(5)
    end
    assert.same({ 5, 10, 15, 20, 25, 30 }, order)
  end))

  it("sleep(0) lets everyone else run once", case(function(t)
    local ran = 0
    for _ = 1, 5 do
      t:spawn(function() ran = ran + 1 end)
    end
    t.weft.sleep(0)
    assert.equal(5, ran)
  end))

  it("sleep(math.huge) never wakes by itself", case(function(t)
    local task = t:spawn(function() return t.weft.sleep(math.huge) end)
    t.weft.sleep(0.002)
    assert.same({ nil, "timeout" }, { task:join(0) })
    task:cancel()
    assert.same({ true, nil, "cancelled" }, { task:join(5) })
  end))

  it("takes any length of time", case(function(t)
    for _, seconds in ipairs { 1e9, 1e15, 1e300 } do
      local task = t:spawn(t.weft.sleep, seconds)
      t.weft.sleep(0)
      assert.same({ nil, "timeout" }, { task:join(0) })
      task:cancel()
    end
    assert.is_true(t.weft.sleep(1e-9))
    assert.is_true(t.weft.sleep(5e-324))
  end))

  it("now counts seconds and never goes back", case.blocking(function(t)
    local before, by_socket = t.weft.now(), socket.gettime()
    assert.equal("float", math.type(before))
    socket.sleep(0.02)
    local passed = t.weft.now() - before
    assert.is_true(passed >= 0.015, passed)
    assert.is_true(passed <= socket.gettime() - by_socket + 0.05)
  end))
end)

describe("wait", function()
  --- Two connected sockets of LuaSocket's.
  local function connected()
    local listener = assert(socket.bind("127.0.0.1", 0))
    local host, port = listener:getsockname()
    local a = assert(socket.connect(host, port))
    local b = assert(listener:accept())
    listener:close()
    a:settimeout(0)
    b:settimeout(0)
    return a, b
  end

  it("says which of them is ready", case(function(t)
    local a, b = connected()
    assert.equal("w", t.weft.wait(a, "w"))
    assert.equal("w", t.weft.wait(a, "rw"))
    b:send "x"
    assert.equal("r", t.weft.wait(a, "r", 5))
    assert.equal("rw", t.weft.wait(a, "rw", 5))
    a:close()
    b:close()
  end))

  it("takes a number, or an object with getfd or pollfd", case(function(t)
    local a, b = connected()
    local fd = a:getfd()
    assert.equal("w", t.weft.wait(fd, "w", 5))
    assert.equal("w", t.weft.wait({ getfd = function() return fd end }, "w", 5))
    assert.equal("w", t.weft.wait({ pollfd = function() return fd end }, "w", 5))
    assert.equal("w", t.weft.wait(setmetatable({}, { __index = { pollfd = function() return fd end } }), "w", 5))
    a:close()
    b:close()
  end))

  it("gives \"timeout\"", case(function(t)
    local a, b = connected()
    local began = t.weft.now()
    assert.same({ n = 2, nil, "timeout" }, table.pack(t.weft.wait(a, "r", 0.005)))
    assert.is_true(t.weft.now() - began >= 0.005)
    assert.same({ n = 2, nil, "timeout" }, table.pack(t.weft.wait(a, "r", 0)))
    a:close()
    b:close()
  end))

  it("wakes when the other side closes", case(function(t)
    local a, b = connected()
    local waiter = t:spawn(function() return t.weft.wait(a, "r") end)
    t.weft.sleep(0)
    b:close()
    assert.same({ true, "r" }, { waiter:join(5) })
    a:close()
  end))

  it("may be done by several tasks on one descriptor", case(function(t)
    local a, b = connected()
    local reader = t:spawn(function() return t.weft.wait(a, "r") end)
    local other = t:spawn(function() return t.weft.wait(a, "r", 5) end)
    local writer = t:spawn(function() return t.weft.wait(a, "w") end)
    assert.same({ true, "w" }, { writer:join(5) })
    assert.same({ nil, "timeout" }, { reader:join(0.002) })
    b:send "x"
    assert.same({ true, "r" }, { reader:join(5) })
    assert.same({ true, "r" }, { other:join(5) })
    a:close()
    b:close()
  end))

  it("waits on the main thread", case.blocking(function(t)
    local a, b = connected()
    t.weft.spawn(function()
      t.weft.sleep(0.002)
      b:send "x"
    end)
    assert.equal("r", t.weft.wait(a, "r", 5))
    a:close()
    b:close()
  end))

  it("lets other code use the descriptor again and again", case(function(t)
    for _ = 1, 20 do
      local a, b = connected() -- the same numbers, most likely
      local waiter = t:spawn(function() return t.weft.wait(a, "r") end)
      t.weft.sleep(0)
      b:send "x"
      assert.same({ true, "r" }, { waiter:join(5) })
      a:close()
      b:close()
    end
  end))
end)
