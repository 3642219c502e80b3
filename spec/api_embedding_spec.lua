--- The loop in a program that has one of its own: step, and what says when to,
--- timeout and fd; and several loops beside each other, instances.
local socket = require "socket"
local weft = require "weft"
local case = require "support.case"
local raises = require "support.raises"

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

  it("does not wait when there is work, nor longer than for the next timer", case.blocking(function(t)
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

  --- A handler for whom so many messages wait, and who does `work` for each: the
  --- other end, and a table with the count of those handled.
  local function backlog(t, n, work)
    local client, server = t.weft.pair()
    for i = 1, n do
      client:try_send(tostring(i))
    end
    local handled = { count = 0 }
    t.weft.spawn(function()
      for _ in server:messages() do
        handled.count = handled.count + 1
        if work then
          work()
        end
      end
    end)
    return client, handled
  end

  it("does no more messages than it may", case.blocking(function(t)
    local client, handled = backlog(t, 10)
    local before, steps = 0, 0
    local deadline = weft.now() + 5
    while handled.count < 10 do
      t.weft.step(0.01, { messages = 2 })
      assert.is_true(handled.count - before <= 2, "more than two messages in a turn")
      before, steps = handled.count, steps + 1
      assert(weft.now() < deadline, "it never ended")
    end
    assert.is_true(steps >= 5)
    client:abort()
    t.weft.run()
  end))

  it("takes no longer than it may", case.blocking(function(t)
    local client, handled = backlog(t, 20, function() socket.sleep(0.004) end)
    local deadline = weft.now() + 5
    while handled.count == 0 do
      t.weft.step(0, { seconds = 0.01 })
      assert(weft.now() < deadline, "it never began")
    end
    assert.is_true(handled.count < 20, "one step did everything")
    while handled.count < 20 do
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
