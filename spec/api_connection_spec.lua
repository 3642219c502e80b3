local case = require "support.case"
local frame = require "support.frame"
local raises = require "support.raises"

local MIB = 1024 * 1024

describe("receive", function()
  it("gives messages with their kinds, in order", case(function(t)
    local client, server = t.weft.pair()
    server:send "one"
    server:send("\xFF\0", "binary")
    server:send ""
    server:send("", "binary")
    assert.same({ n = 2, "one", "text" }, table.pack(client:receive()))
    assert.same({ n = 2, "\xFF\0", "binary" }, table.pack(client:receive()))
    assert.same({ n = 2, "", "text" }, table.pack(client:receive()))
    assert.same({ n = 2, "", "binary" }, table.pack(client:receive()))
    client:abort()
  end))

  it("gives nil, \"timeout\" and loses nothing", case(function(t)
    local client, server = t.weft.pair()
    local began = t.weft.now()
    assert.same({ n = 2, nil, "timeout" }, table.pack(client:receive(0.01)))
    assert.is_true(t.weft.now() - began >= 0.01)
    assert.same({ n = 2, nil, "timeout" }, table.pack(client:receive(0)))
    server:send "late"
    assert.equal("late", client:receive(5))
    assert.equal("open", client.state)
    client:abort()
  end))

  it("keeps half a frame through a timeout", case(function(t)
    local raw = t:upgrade((t:listen()))
    local ws = t:accepted()
    local bytes = frame.client.text "in two halves"
    raw:send(bytes:sub(1, 9))
    assert.same({ nil, "timeout" }, { ws:receive(0.01) })
    raw:send(bytes:sub(10))
    assert.equal("in two halves", ws:receive(5))
  end))

  it("gives what arrived before the end, then \"closed\" for ever", case(function(t)
    local client, server = t.weft.pair()
    for i = 1, 3 do
      server:send("message " .. i)
    end
    server:close(4000, "done", 0)
    t:wait_until(function() return client.state == "closed" end, "the close")
    for i = 1, 3 do
      assert.equal("message " .. i, client:receive())
    end
    for _ = 1, 3 do
      assert.same({ n = 4, nil, "closed", 4000, "done" }, table.pack(client:receive()))
    end
  end))

  it("gives what arrived before a connection was lost", case(function(t)
    local raw = t:upgrade((t:listen()))
    local ws = t:accepted()
    raw:send(frame.client.text "first" .. frame.client.text "second" .. frame.client.text("half", { fin = false }))
    raw:close()
    t:wait_until(function() return ws.state == "closed" end, "the end")
    assert.equal("first", ws:receive())
    assert.equal("second", ws:receive())
    assert.same({ n = 4, nil, "closed", 1006, "" }, table.pack(ws:receive()))
    assert.is_truthy(ws.close_cause == "eof" or ws.close_cause == "reset", ws.close_cause)
  end))

  it("drops what comes after a local close", case(function(t)
    local raw = t:upgrade((t:listen()))
    local ws = t:accepted()
    ws:close(1000, "", 0)
    raw:send(frame.client.text "too late" .. frame.client.close(1000))
    assert.same({ n = 4, nil, "closed", 1000, "" }, table.pack(ws:receive(5)))
  end))

  it("is for one task at a time: a second one raises", case(function(t)
    local client, server = t.weft.pair()
    local first = t:spawn(function() return client:receive() end)
    t.weft.sleep(0)
    raises(function() client:receive() end, "receive")
    raises(function() client:receive(1) end, "receive")
    server:send "for the first"
    assert.same({ true, "for the first", "text" }, { first:join(5) })
    server:send "for the second"
    assert.equal("for the second", client:receive(5))
    client:abort()
  end))

  it("goes on in one task while others send", case(function(t)
    local client, server = t.weft.pair()
    t:spawn(function()
      for message in server:messages() do
        server:send(message)
      end
    end)
    local received = {}
    local reader = t:spawn(function()
      for _ = 1, 30 do
        received[#received + 1] = client:receive(5)
      end
    end)
    for writer = 1, 3 do
      t:spawn(function()
        for i = 1, 10 do
          assert.is_true(client:send(("%d of writer %d"):format(i, writer)))
          t.weft.sleep(0)
        end
      end)
    end
    assert.is_true(reader:join(5))
    assert.equal(30, #received)
    assert.is_true(client:close())
  end))

  it("returns when another task closes, aborts or the peer goes", case(function(t)
    for _, finish in ipairs {
      function(client) client:close(1000, "", 0) end,
      function(client) client:abort() end,
      function(_, server) server:abort() end,
      function(_, server) server:close(1000, "", 0) end,
    } do
      local client, server = t.weft.pair()
      local reader = t:spawn(function() return client:receive() end)
      t.weft.sleep(0)
      finish(client, server)
      local ok, message, word = reader:join(5)
      assert.same({ true, nil, "closed" }, { ok, message, word })
    end
  end))
end)

describe("messages", function()
  it("iterates over message and kind until the connection ends", case(function(t)
    local client, server = t.weft.pair()
    t:spawn(function()
      server:send "one"
      server:send("two", "binary")
      t.weft.sleep(0.002)
      server:send ""
      server:close()
    end)
    local got = {}
    for message, kind in client:messages() do
      got[#got + 1] = message .. ":" .. kind
    end
    assert.same({ "one:text", "two:binary", ":text" }, got)
    assert.equal("peer", client.close_cause)
  end))

  it("may be left and taken up again", case(function(t)
    local client, server = t.weft.pair()
    for i = 1, 4 do
      server:send(tostring(i))
    end
    for message in client:messages() do
      if message == "2" then
        break
      end
    end
    assert.equal("3", client:receive(5))
    local next_message, state = client:messages()
    assert.equal("4", (next_message(state)))
    client:abort()
  end))

  it("raises when another task receives", case(function(t)
    local client, server = t.weft.pair()
    client.other = server -- which nothing else holds
    local reader = t.weft.spawn(function() return client:receive() end)
    t.weft.sleep(0)
    assert.has_error(function()
      for _ in client:messages() do
        error "no message came"
      end
    end)
    client:abort()
    reader:join(5)
  end))

  it("ends with a task that is cancelled", case(function(t)
    local client, server = t.weft.pair()
    client.other = server -- which nothing else holds
    local ended = false
    local task = t:spawn(function()
      for _ in client:messages() do
        error "no message came"
      end
      ended = true
    end)
    t.weft.sleep(0)
    task:cancel()
    task:join(5)
    assert.is_true(ended)
    assert.equal("open", client.state)
    client:abort()
  end))
end)

describe("send", function()
  it("takes messages of every size", case(function(t)
    local client, server = t:both({ max_message = 4 * MIB }, { max_message = 4 * MIB })
    t:spawn(function()
      for message, kind in server:messages() do
        server:send(message, kind)
      end
    end)
    for _, size in ipairs { 0, 1, 2, 125, 126, 127, 65535, 65536, 65537, MIB, 3 * MIB + 5 } do
      local message = ("0123456789abcdef"):rep(math.floor(size / 16) + 1):sub(1, size)
      assert.is_true(client:send(message, "binary"))
      local back, kind = client:receive(5)
      assert.is_true(back == message, size .. " bytes came back changed")
      assert.equal("binary", kind)
    end
    assert.is_true(client:close())
  end))

  it("keeps the order of all that is sent", case(function(t)
    local client, server = t:both()
    t:spawn(function()
      for i = 1, 2000 do
        if i % 3 == 0 then
          assert(server:try_send(tostring(i)))
        else
          assert(server:send(tostring(i)))
        end
      end
      server:close()
    end)
    local expected = 1
    for message in client:messages() do
      assert.equal(tostring(expected), message)
      expected = expected + 1
    end
    assert.equal(2001, expected)
  end))

  it("waits above the mark, first come first served, and goes on when the peer reads", case(function(t)
    local server = t:listen { send_buffer = 1000 }
    local raw = t:upgrade(server)
    local ws = t:accepted()
    local big = ("x"):rep(8 * MIB)
    assert.is_true(ws:send(big)) -- nothing was queued yet: taken whole
    assert.is_true(ws.buffered > 1000)
    local order = {}
    for i = 1, 3 do
      t:spawn(function()
        assert.is_true(ws:send("message " .. i))
        order[#order + 1] = i
      end)
    end
    t.weft.sleep(0.005)
    assert.same({}, order)
    assert.same({ nil, "full" }, { ws:try_send "now" })
    assert.same({ nil, "timeout" }, { ws:send("soon", "text", 0.005) })
    assert.is_true(#raw:message() == #big)
    for i = 1, 3 do
      assert.equal("message " .. i, (raw:message()))
    end
    t:wait_until(function() return #order == 3 end, "the sends")
    assert.same({ 1, 2, 3 }, order)
    assert.is_true(ws:try_send "now")
    assert.equal("now", (raw:message()))
    assert.equal(0, ws.buffered)
  end))

  it("that waits gives \"closed\" when the connection goes", case(function(t)
    local server = t:listen { send_buffer = 0 }
    local raw = t:upgrade(server, { receive_buffer = 4096 })
    local ws = t:accepted()
    ws:send(("x"):rep(8 * MIB))
    local sender = t:spawn(function() return ws:send "waits" end)
    t.weft.sleep(0.002)
    assert.same({ nil, "timeout" }, { sender:join(0) })
    raw:reset()
    assert.same({ n = 5, true, nil, "closed", 1006, "" }, table.pack(sender:join(5)))
  end))

  it("that waits gives \"cancelled\" and sends nothing", case(function(t)
    local server = t:listen { send_buffer = 0 }
    local raw = t:upgrade(server)
    local ws = t:accepted()
    ws:send(("x"):rep(8 * MIB))
    local results
    local sender = t:spawn(function() results = table.pack(ws:send "never") end)
    t.weft.sleep(0.002)
    sender:cancel()
    sender:join(5)
    assert.same({ n = 2, nil, "cancelled" }, results)
    assert.equal(8 * MIB, #raw:message())
    ws:send "after"
    assert.equal("after", (raw:message()))
  end))

  it("takes numbers as Lua's own functions do", case(function(t)
    local client, server = t.weft.pair()
    assert.is_true(client:send(42))
    assert.equal("42", server:receive(5))
    client:abort()
  end))

  it("on the main thread has flushed when it returns", case.blocking(function(t)
    local server = t:listen()
    local raw = t:upgrade(server)
    local ws = t:accepted()
    ws:send "at once"
    assert.equal(0, ws.buffered)
    raw.socket:settimeout(5) -- the loop does not turn any more
    assert.equal("\x81\7at once", (raw.socket:receive(9)))
  end))

  it("outside a turn queues what try_send takes until the next one", case.blocking(function(t)
    local client, server = t.weft.pair()
    assert.is_true(client:try_send "later")
    t.weft.step()
    assert.equal("later", server:receive(5))
    client:abort()
  end))
end)

describe("flush", function()
  it("is true once the kernel has everything", case(function(t)
    local client, server = t:both()
    assert.is_true(server:flush())
    server:send "something"
    assert.is_true(server:flush())
    assert.equal(0, server.buffered)
    assert.is_true(client:flush(0))
    client:abort()
  end))

  it("gives \"timeout\" while the peer does not read", case(function(t)
    local server = t:listen()
    local raw = t:upgrade(server)
    local ws = t:accepted()
    ws:send(("x"):rep(8 * MIB), "binary")
    assert.same({ n = 2, nil, "timeout" }, table.pack(ws:flush(0.005)))
    assert.is_true(ws.buffered > 0)
    local reader = t:spawn(function() return #raw:message() end)
    assert.is_true(ws:flush(5))
    assert.equal(0, ws.buffered)
    assert.same({ true, 8 * MIB }, { reader:join(5) })
  end))
end)

describe("ping", function()
  it("gives the round-trip time in seconds", case(function(t)
    local client, server = t:both()
    for _, ws in ipairs { client, server } do
      local seconds = ws:ping()
      assert.equal("number", type(seconds))
      assert.is_true(seconds >= 0 and seconds < 5)
      assert.is_true(ws:ping(("p"):rep(125)) >= 0)
      assert.is_true(ws:ping("", 5) >= 0)
    end
    client:abort()
  end))

  it("carries its payload and waits for the pong that answers it", case(function(t)
    local server = t:listen()
    local raw = t:upgrade(server)
    local ws = t:accepted()
    local pinger = t:spawn(function() return ws:ping "are you there?" end)
    local got = raw:frame()
    assert.equal(frame.PING, got.opcode)
    assert.equal("are you there?", got.payload)
    raw:send(frame.client.pong "unasked for")
    t.weft.sleep(0.002)
    assert.same({ nil, "timeout" }, { pinger:join(0) })
    raw:send(frame.client.pong "are you there?")
    local ok, seconds = pinger:join(5)
    assert.is_true(ok and seconds > 0)
  end))

  it("gives \"timeout\" when no pong comes, and the connection stays", case(function(t)
    local server = t:listen()
    local raw = t:upgrade(server)
    local ws = t:accepted()
    assert.same({ n = 2, nil, "timeout" }, table.pack(ws:ping("hello?", 0.01)))
    assert.equal("open", ws.state)
    raw:send(frame.client.pong "hello?" .. frame.client.text "still here")
    assert.equal("still here", ws:receive(5))
  end))

  it("may be done by several tasks at once", case(function(t)
    local client = t:both()
    local done = 0
    for i = 1, 5 do
      t:spawn(function()
        assert.is_true(client:ping("ping " .. i, 5) >= 0)
        done = done + 1
      end)
    end
    t:wait_until(function() return done == 5 end, "five pongs")
    client:abort()
  end))

  it("gives \"closed\" when the connection goes meanwhile", case(function(t)
    local server = t:listen()
    local raw = t:upgrade(server)
    local ws = t:accepted()
    local pinger = t:spawn(function() return ws:ping() end)
    raw:frame()
    raw:send(frame.client.close(4002, "no time"))
    assert.same({ n = 5, true, nil, "closed", 4002, "no time" }, table.pack(pinger:join(5)))
  end))
end)

describe("the fields of a connection", function()
  it("say who is at the other end", case(function(t)
    local client, server = t:both()
    assert.equal("127.0.0.1", client.remote_address)
    assert.equal("127.0.0.1", server.remote_address)
    assert.equal(t.servers[1]:port(), client.remote_port)
    assert.equal("integer", math.type(server.remote_port))
    assert.is_nil(client.tls)
    assert.is_nil(server.tls)
    client:abort()
    assert.equal("127.0.0.1", client.remote_address)
  end))

  it("tell what was agreed", case(function(t)
    local client, server = t:both({ protocols = { "a", "b" } }, { protocols = { "b" } })
    assert.equal("b", client.protocol)
    assert.equal("b", server.protocol)
    client:abort()
    local plain = t:both()
    assert.is_nil(plain.protocol)
    assert.is_truthy(plain.extensions == nil or plain.extensions == "")
    plain:abort()
  end))

  it("tell the state: open, closing, closed", case(function(t)
    local server = t:listen()
    local raw = t:upgrade(server)
    local ws = t:accepted()
    assert.equal("open", ws.state)
    assert.is_nil(ws.close_code)
    assert.is_nil(ws.close_reason)
    assert.is_nil(ws.sent_code)
    assert.is_nil(ws.close_cause)
    ws:close(4000, "bye", 0)
    assert.equal("closing", ws.state)
    assert.same({ 4000, "bye" }, { raw:close_frame() })
    raw:send(frame.client.close(4001, "and you"))
    assert.same({ true, 4001, "and you" }, { ws:wait_closed(5) })
    assert.equal("closed", ws.state)
    assert.same({ 4001, "and you", 4000 }, { ws.close_code, ws.close_reason, ws.sent_code })
  end))

  it("count what the kernel has not taken", case(function(t)
    local server = t:listen { send_buffer = 32 * MIB }
    local raw = t:upgrade(server)
    local ws = t:accepted()
    assert.equal(0, ws.buffered)
    ws:try_send(("x"):rep(8 * MIB), "binary")
    assert.is_true(ws.buffered >= 8 * MIB and ws.buffered <= 8 * MIB + 14, ws.buffered)
    local before = ws.buffered
    ws:try_send "0123456789"
    assert.equal(before + 12, ws.buffered)
    t:wait_until(function() return ws.buffered < before end, "what the kernel takes")
    assert.is_true(ws.buffered > 0)
    raw:message()
    raw:message()
    assert.equal(0, ws.buffered)
  end))

  it("have the latency of the keepalive", case(function(t)
    local client, server = t:both({ ping_interval = false }, { ping_interval = 0.01 })
    assert.is_nil(server.latency)
    t:wait_until(function() return server.latency end, "a latency")
    assert.is_true(server.latency >= 0 and server.latency < 5)
    assert.is_nil(client.latency)
    client:abort()
  end))

  it("tell apart one connection from another, as keys too", case(function(t)
    local a, b = t.weft.pair()
    local names = { [a] = "a", [b] = "b" }
    assert.same({ "a", "b" }, { names[a], names[b] })
    assert.not_equal(a, b)
    assert.equal("userdata", type(a))
    assert.not_equal(tostring(a), tostring(b))
    a:abort()
  end))
end)

describe("keepalive", function()
  it("drops a peer that gives no sign of life", case(function(t)
    local server = t:listen { ping_interval = 0.02, ping_timeout = 0.02 }
    local raw = t:upgrade(server)
    local ws = t:accepted()
    assert.equal(frame.PING, raw:frame().opcode)
    assert.same({ n = 3, true, 1006, "" }, table.pack(ws:wait_closed(5)))
    assert.equal("ping_timeout", ws.close_cause)
    assert.equal("string", type(ws.close_message))
  end))

  it("takes any byte for life", case(function(t)
    local server = t:listen { ping_interval = 0.05, ping_timeout = 0.8 }
    local raw = t:upgrade(server)
    local ws = t:accepted()
    local bytes = frame.client.text(("x"):rep(30))
    for at = 1, #bytes do
      raw:send(bytes:sub(at, at))
      t.weft.sleep(0.03)
    end
    assert.equal("open", ws.state)
    assert.equal(30, #ws:receive(5))
  end))

  it("is off with ping_interval = false", case(function(t)
    local server = t:listen { ping_interval = false, ping_timeout = 0.01 }
    local raw = t:upgrade(server)
    local ws = t:accepted()
    assert.is_true(raw:is_silent(0.06))
    assert.equal("open", ws.state)
  end))

  it("is answered by weft whether or not anyone receives", case(function(t)
    local server = t:listen { websocket = function() t.weft.sleep(60) end }
    local raw = t:upgrade(server)
    raw:send(frame.client.ping "1" .. frame.client.text "unread" .. frame.client.ping "2")
    for i = 1, 2 do
      local got = raw:frame()
      assert.same({ frame.PONG, tostring(i) }, { got.opcode, got.payload })
    end
  end))
end)

describe("limits of time", function()
  it("end a connection without messages after idle_timeout", case(function(t)
    local client, server = t:both({}, { idle_timeout = 0.9, ping_interval = 0.01 })
    local began = t.weft.now()
    for _ = 1, 5 do
      t.weft.sleep(0.2)
      client:send "not idle"
      assert.equal("not idle", server:receive(5))
    end
    assert.is_nil((server:receive(5)))
    assert.is_true(t.weft.now() - began >= 1.85)
    assert.equal("idle", server.close_cause)
  end))

  it("end a connection whose output makes no progress after write_timeout", case(function(t)
    local server = t:listen { write_timeout = 0.05, ping_interval = false }
    local raw = t:upgrade(server, { receive_buffer = 4096 })
    local ws = t:accepted()
    ws:send(("x"):rep(16 * MIB), "binary")
    assert.is_true((ws:wait_closed(5)))
    assert.equal("slow", ws.close_cause)
    raw:close()
  end))
end)
