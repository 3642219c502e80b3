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

describe("step", function()
  it("does one turn and says whether there is more to do", case.blocking(function(t)
    assert.is_false(t.weft.step())
    local turns = 0
    t.weft.spawn(function()
      for _ = 1, 3 do
        turns = turns + 1
        coroutine.yield()
      end
    end)
    assert.is_true(t.weft.step())
    assert.equal(1, turns)
    assert.is_true(t.weft.step())
    assert.equal(2, turns)
    assert.is_true(t.weft.step())
    assert.equal(3, turns)
    assert.is_false(t.weft.step())
  end))

  it("waits no longer than it may", case.blocking(function(t)
    t:listen()
    local began = t.weft.now()
    assert.is_true(t.weft.step())
    assert.is_true(t.weft.now() - began < 5)
    began = t.weft.now()
    assert.is_true(t.weft.step(0.02))
    assert.is_true(t.weft.now() - began >= 0.015)
  end))

  it("does not wait when nothing is left, nor when there is work", case.blocking(function(t)
    local began = t.weft.now()
    t.weft.spawn(function() end)
    t.weft.step(5)
    t.weft.spawn(function() t.weft.sleep(0.005) end)
    t.weft.step(5)
    t.weft.step(5)
    assert.is_true(t.weft.now() - began < 3)
  end))

  it("lets no task's error escape", case.blocking(function(t)
    t.weft.spawn(error, "reported", 0)
    assert.equal("boolean", type(t.weft.step()))
    assert.equal("reported", t:reports()[1].error)
  end))

  it("serves a whole conversation, turn by turn", case.blocking(function(t)
    local server = t:listen { websocket = function(ws)
      for message in ws:messages() do
        ws:send(message:upper())
      end
    end }
    local got
    t.weft.spawn(function()
      local ws = t.weft.connect(t:url(server))
      ws:send "by steps"
      got = ws:receive()
      ws:close()
      server:close()
    end)
    local deadline = weft.now() + 5
    while t.weft.step(0.01) do
      assert(weft.now() < deadline, "it never ended")
    end
    assert.equal("BY STEPS", got)
  end))

  it("does no more messages than it may", case.blocking(function(t)
    local client, server = t.weft.pair()
    for i = 1, 10 do
      client:try_send(tostring(i))
    end
    local got = 0
    t.weft.spawn(function()
      for _ in server:messages() do
        got = got + 1
      end
    end)
    local before, steps = 0, 0
    local deadline = weft.now() + 5
    while got < 10 do
      t.weft.step(0.01, { messages = 2 })
      assert.is_true(got - before <= 2, "more than two messages in a turn")
      before, steps = got, steps + 1
      assert(weft.now() < deadline, "it never ended")
    end
    assert.is_true(steps >= 5)
    client:abort()
    t.weft.run()
  end))

  it("takes no longer than it may", case.blocking(function(t)
    local client, server = t.weft.pair()
    for i = 1, 20 do
      client:try_send(tostring(i))
    end
    local got = 0
    t.weft.spawn(function()
      for _ in server:messages() do
        got = got + 1
        socket.sleep(0.004) -- a handler that works
      end
    end)
    local deadline = weft.now() + 5
    while got == 0 do
      t.weft.step(0, { seconds = 0.01 })
      assert(weft.now() < deadline, "it never began")
    end
    assert.is_true(got < 20, "one step did everything")
    while got < 20 do
      t.weft.step(0, { messages = 1000, seconds = 1 })
      assert(weft.now() < deadline, "it never ended")
    end
    client:abort()
    t.weft.run()
  end))
end)

describe("timeout", function()
  it("is nil when there is nothing to wait for", case.blocking(function(t)
    assert.is_nil((t.weft.timeout()))
    t:listen()
    assert.is_nil((t.weft.timeout()))
  end))

  it("is 0 when something can be done without waiting", case.blocking(function(t)
    local task = t.weft.spawn(function() coroutine.yield() end)
    assert.equal(0, t.weft.timeout())
    t.weft.step()
    assert.equal(0, t.weft.timeout())
    t.weft.step()
    assert.is_nil((t.weft.timeout()))
    task:cancel()
    local client, server = t.weft.pair()
    client.other = server -- which nothing else holds
    t.weft.run()
    client:try_send "to be flushed"
    assert.equal(0, t.weft.timeout())
    client:abort()
    t.weft.step()
  end))

  it("is otherwise the time to the next timer", case.blocking(function(t)
    local long = t.weft.spawn(t.weft.sleep, 100)
    local short = t.weft.spawn(t.weft.sleep, 10)
    t.weft.step()
    local seconds = t.weft.timeout()
    assert.is_true(seconds > 8 and seconds <= 10, seconds)
    short:cancel()
    t.weft.step()
    seconds = t.weft.timeout()
    assert.is_true(seconds > 80 and seconds <= 100, seconds)
    long:cancel()
    t.weft.step()
    assert.is_nil((t.weft.timeout()))
  end))
end)

describe("fd and the loop's methods", function()
  it("name the poller in use", case.blocking(function(t)
    local backend = t.weft.loop:backend()
    if os.getenv "WEFT_POLLER" == "poll" then
      assert.equal("poll", backend)
    else
      assert.is_truthy(({ epoll = true, kqueue = true, poll = true, wsapoll = true })[backend], backend)
    end
  end))

  it("give a descriptor that turns readable when there is work", case.blocking(function(t)
    local fd, word = t.weft.fd()
    if ({ poll = true, wsapoll = true })[t.weft.loop:backend()] then
      assert.same({ nil, "unsupported" }, { fd, word })
      assert.is_nil((t.weft.loop:pollfd()))
      return
    end
    assert.equal("integer", math.type(fd))
    assert.equal(fd, t.weft.loop:pollfd())
    assert.equal("r", t.weft.loop:events())
    local pollable = { getfd = function() return fd end }
    local server = t:listen()
    t.weft.step()
    assert.same({}, (socket.select({ pollable }, nil, 0)))
    local sock = assert(socket.connect("127.0.0.1", server:port()))
    assert.equal(pollable, socket.select({ pollable }, nil, 5)[1])
    sock:close()
    t.weft.step()
    t.weft.step()
  end))

  it("give the timeout that the function gives", case.blocking(function(t)
    assert.is_nil((t.weft.loop:timeout()))
    local task = t.weft.spawn(t.weft.sleep, 50)
    assert.equal(0, t.weft.loop:timeout())
    t.weft.step()
    assert.is_true(t.weft.loop:timeout() > 40)
    task:cancel()
  end))
end)

describe("an instance of its own", function()
  it("has the same functions", function()
    local other = weft.new()
    for name, value in pairs(weft) do
      assert.equal(type(value), type(other[name]), name)
    end
    assert.equal(weft._VERSION, other._VERSION)
    other.close()
  end)

  it("runs apart from the others", function()
    local a, b = weft.new(), weft.new()
    local ran = {}
    a.spawn(function() ran.a = true end)
    b.spawn(function() ran.b = true end)
    a.run()
    assert.same({ a = true }, ran)
    b.run()
    assert.same({ a = true, b = true }, ran)
    a.close()
    b.close()
  end)

  it("reports its errors to its own on_error", function()
    local a, b = weft.new(), weft.new()
    local reports = {}
    a.on_error(function(err) reports[#reports + 1] = "a " .. err end)
    b.on_error(function(err) reports[#reports + 1] = "b " .. err end)
    a.spawn(error, "one", 0)
    b.spawn(error, "two", 0)
    a.run()
    b.run()
    assert.same({ "a one", "b two" }, reports)
    a.close()
    b.close()
  end)

  it("talks to others through sockets, stepped in turn", function()
    local a, b = weft.new(), weft.new()
    local server = assert(a.listen { port = 0, websocket = function(ws)
      for message in ws:messages() do
        ws:send("a got " .. message)
      end
    end })
    local got
    b.spawn(function()
      local ws = b.connect(server:url())
      ws:send "hello"
      got = ws:receive()
      ws:close()
    end)
    local deadline = weft.now() + 5
    while b.step(0.001) do
      a.step(0.001)
      assert(weft.now() < deadline, "it never ended")
    end
    assert.equal("a got hello", got)
    a.close()
    b.close()
  end)

  it("does not take another's objects", case(function(t)
    local other = t.weft.new()
    local ours, theirs = t.weft.pair(), other.pair()
    local room, queue = t.weft.room(), other.queue()
    raises(function() room:join(theirs) end, "room:join", "instance")
    raises(function() room:send("x", "text", theirs) end, "room:send", "instance")
    raises(function() theirs:receive() end, "receive", "instance")
    raises(function() queue:take() end, "take", "instance")
    raises(function() other.sleep(0.001) end, "sleep", "instance")
    raises(function() other.spawn(function() end):join() end, "join", "instance")
    assert.equal(0, room:count())
    assert.equal("open", theirs.state)
    other.close()
    ours:abort()
  end))

  it("closed drops its connections, tasks and servers", case.blocking(function(t)
    local other = t.weft.new()
    local server = assert(other.listen { port = 0, websocket = function(ws) ws:wait_closed() end })
    local client, peer = other.pair()
    local errors = {}
    other.on_error(function(err) errors[#errors + 1] = err end)
    local task = other.spawn(function()
      client:receive()
    end)
    other.step()
    local port = server:port()
    other.close()
    assert.same({}, errors)
    assert.equal("closed", client.state)
    assert.equal("closed", peer.state)
    assert.is_nil((socket.connect("127.0.0.1", port)))
    assert.is_true(task:status() ~= "waiting")
    local message, word = client:receive()
    assert.same({ nil, "closed" }, { message, word })
    other.close()
  end))

  it("closed raises for new work, in words", case.blocking(function(t)
    local other = t.weft.new()
    other.close()
    for _, call in ipairs {
      function() other.sleep(1) end,
      function() other.run(function() end) end,
      function() other.spawn(function() end) end,
      function() other.listen { port = 0, websocket = print } end,
      function() other.connect "ws://127.0.0.1:9/" end,
    } do
      local ok, message = pcall(call)
      assert.is_false(ok)
      assert.is_truthy(tostring(message):find("closed", 1, true), message)
    end
  end))

  it("is collected when nothing refers to it", function()
    local weak = setmetatable({}, { __mode = "k" })
    ;(function()
      local idle, busy, closed = weft.new(), weft.new(), weft.new()
      weak[idle], weak[busy], weak[closed] = true, true, true
      local ws = busy.pair()
      ws.instance = busy
      ws:try_send "unsent"
      busy.room():join(ws)
      busy.queue():try_put(busy)
      closed.listen { port = 0, websocket = print }
      closed.spawn(function() closed.sleep(100) end)
      closed.step()
      closed.close()
    end)()
    for _ = 1, 5 do
      collectgarbage()
    end
    assert.is_nil(next(weak) and "an instance")
  end)
end)
