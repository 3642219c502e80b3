local weft = require "weft"
local frame = require "support.frame"
local handshake = require "support.handshake"
local raises = require "support.raises"

--- Feeds bytes in pieces of `size` and gives the events, without their heads.
local function feed(p, bytes, size)
  local events = {}
  for at = 1, #bytes, size do
    p:feed(bytes:sub(at, at + size - 1))
    for event in p:events() do
      events[#events + 1] = event
    end
  end
  return events
end

--- The types of events, in order.
local function types(events)
  local list = {}
  for i, event in ipairs(events) do
    list[i] = event.type
  end
  return list
end

--- A server's side past the handshake.
local function open_server(options)
  local p = weft.protocol.server(options)
  p:feed(handshake.request())
  local event = p:events()()
  assert(event.type == "open", event.message)
  assert(handshake.parse(p:output()).status == 101)
  return p
end

--- A client's side past the handshake.
local function open_client(options, response)
  local p = weft.protocol.client(options)
  local request = handshake.parse(p:output())
  p:feed(handshake.response(request.headers["sec-websocket-key"], response))
  local event = p:events()()
  assert(event.type == "open", event.message)
  return p
end

--- Both sides past the handshake, fed with each other's output.
local function open_both(client_options, server_options)
  local client, server = weft.protocol.client(client_options), weft.protocol.server(server_options)
  server:feed(client:output())
  assert.equal("open", server:events()().type)
  client:feed(server:output())
  assert.equal("open", client:events()().type)
  return client, server
end

for _, size in ipairs { 1, 2, 3, 7, 1000 } do
  describe("the protocol without I/O, fed " .. size .. " bytes at a time,", function()
    it("opens as a server", function()
      local p = weft.protocol.server { protocols = { "chat" }, headers = { ["X-Served-By"] = "loom" } }
      assert.equal("connecting", p.state)
      local events = feed(p, handshake.request {
        path = "/path?x=1", headers = { ["Sec-WebSocket-Protocol"] = "other, chat", Cookie = "a=b" },
      }, size)
      assert.same({ "open" }, types(events))
      assert.equal("GET", events[1].method)
      assert.equal("/path?x=1", events[1].target)
      assert.equal("a=b", events[1].headers.Cookie)
      assert.equal("a=b", events[1].headers.cookie)
      assert.equal("chat", events[1].protocol)
      assert.equal("open", p.state)
      assert.equal("chat", p.protocol)
      local answer = handshake.parse(p:output())
      assert.equal(101, answer.status)
      assert.equal(handshake.accept(handshake.KEY), answer.headers["sec-websocket-accept"])
      assert.equal("chat", answer.headers["sec-websocket-protocol"])
      assert.equal("loom", answer.headers["x-served-by"])
      assert.equal("", p:output())
    end)

    it("opens as a client", function()
      local p = weft.protocol.client {
        url = "ws://example.com:8080/path?x=1", protocols = { "chat" }, headers = { Cookie = "a=b" },
        origin = "http://example.com",
      }
      local request = handshake.parse(p:output())
      assert.equal("GET", request.method)
      assert.equal("/path?x=1", request.target)
      assert.equal("example.com:8080", request.headers.host)
      assert.equal("chat", request.headers["sec-websocket-protocol"])
      assert.equal("a=b", request.headers.cookie)
      assert.equal("http://example.com", request.headers.origin)
      assert.equal("13", request.headers["sec-websocket-version"])
      local key = request.headers["sec-websocket-key"]
      assert.equal(24, #key)
      local events = feed(p, handshake.response(key, { headers = { ["Sec-WebSocket-Protocol"] = "chat" } }), size)
      assert.same({ "open" }, types(events))
      assert.equal(101, events[1].status)
      assert.equal("chat", events[1].protocol)
      assert.equal("websocket", events[1].headers.Upgrade)
      assert.equal("open", p.state)
      assert.equal("", p:output())
    end)

    it("takes frames that come with the handshake", function()
      local events = feed(weft.protocol.server(), handshake.request() .. frame.client.text "early", size)
      assert.same({ "open", "text" }, types(events))
      assert.equal("early", events[2].data)
    end)

    it("gives messages, whole and in fragments", function()
      local p = open_server()
      local events = feed(p, frame.client.text "héllo" .. frame.client.binary "\0\xFF" .. frame.client.text ""
        .. frame.client.text("Hel", { fin = false }) .. frame.client.continuation("", { fin = false })
        .. frame.client.continuation "lo", size)
      assert.same({ "text", "binary", "text", "text" }, types(events))
      assert.same({ "héllo", "\0\xFF", "", "Hello" },
        { events[1].data, events[2].data, events[3].data, events[4].data })
      assert.equal("", p:output())
    end)

    it("answers a ping that comes between two fragments (5.5.2)", function()
      local p = open_server()
      local events = feed(p, frame.client.text("Hel", { fin = false }) .. frame.client.ping "?"
        .. frame.client.continuation "lo", size)
      assert.same({ "ping", "text" }, types(events))
      assert.equal("?", events[1].data)
      assert.equal("Hello", events[2].data)
      assert.equal("\x8A\1?", p:output())
    end)

    it("tells pongs", function()
      local events = feed(open_server(), frame.client.pong "yes" .. frame.client.pong(), size)
      assert.same({ "pong", "pong" }, types(events))
      assert.same({ "yes", "" }, { events[1].data, events[2].data })
    end)

    it("answers a close and is closed", function()
      local p = open_server()
      local events = feed(p, frame.client.close(4000, "bye") .. frame.client.text "after the end", size)
      assert.same({ "close" }, types(events))
      assert.same({ 4000, "bye" }, { events[1].code, events[1].reason })
      local answer = frame.parse(p:output())
      assert.equal(1, #answer)
      assert.same({ frame.CLOSE, 4000 }, { answer[1].opcode, answer[1].code })
      assert.equal("closed", p.state)
      assert.equal(4000, p.close_code)
      assert.equal("bye", p.close_reason)
      assert.same({ n = 4, nil, "closed", 4000, "bye" }, table.pack(p:send "late"))
      assert.same({ n = 4, nil, "closed", 4000, "bye" }, table.pack(p:ping()))
      assert.is_true(p:close())
      assert.equal("", p:output())
    end)

    it("gives 1005 for a close without a code", function()
      local p = open_server()
      local events = feed(p, frame.client.close(), size)
      assert.same({ 1005, "" }, { events[1].code, events[1].reason })
      assert.equal("\x88\0", p:output())
    end)

    it("closes and hears the answer", function()
      local p = open_server()
      assert.is_true(p:close(4001, "enough"))
      assert.equal("closing", p.state)
      assert.equal("\x88\x08" .. string.pack(">I2", 4001) .. "enough", p:output())
      assert.is_nil((p:send "late"))
      local events = feed(p, frame.client.close(4001), size)
      assert.same({ "close" }, types(events))
      assert.equal("closed", p.state)
      assert.equal("", p:output())
    end)

    local faults = {
      { "a reserved opcode", frame.client.build(3, "x"), 1002 },
      { "a reserved bit", frame.client.text("x", { rsv = 4 }), 1002 },
      { "a frame without a mask", frame.server.text "x", 1002 },
      { "a continuation of nothing", frame.client.continuation "x", 1002 },
      { "a fragmented ping", frame.client.ping("x", { fin = false }), 1002 },
      { "a long ping", frame.client.ping(("x"):rep(126)), 1002 },
      { "a close of one byte", frame.client.build(8, "x"), 1002 },
      { "a close code that is none", frame.client.close(1005), 1002 },
      { "text that is not UTF-8", frame.client.text "caf\xE9", 1007 },
      { "a message that is too big", frame.client.text(("x"):rep(101)), 1009 },
    }
    for _, fault in ipairs(faults) do
      local what, bytes, code = table.unpack(fault)
      it(what .. " is an error event, and output then holds the close frame", function()
        local p = open_server { max_message = 100 }
        local events = feed(p, frame.client.text "before" .. bytes .. frame.client.text "after", size)
        assert.same({ "text", "error" }, types(events))
        assert.equal("before", events[1].data)
        assert.equal(code, events[2].code)
        assert.equal("string", type(events[2].message))
        assert.is_true(#events[2].message > 0)
        local sent = frame.parse(p:output())
        assert.equal(1, #sent)
        assert.same({ frame.CLOSE, code }, { sent[1].opcode, sent[1].code })
        assert.equal("closed", p.state)
        assert.equal(1006, p.close_code)
        assert.same({ n = 4, nil, "closed", 1006, "" }, table.pack(p:send "late"))
        assert.equal("", p:output())
      end)
    end

    it("what is answered before an error leaves before its close frame", function()
      local p = open_server()
      local bytes = frame.client.text "question" .. frame.client.build(3, "x")
      for at = 1, #bytes, size do
        p:feed(bytes:sub(at, at + size - 1))
        for event in p:events() do
          if event.type == "text" then
            assert.is_true(p:send "answer")
          end
        end
      end
      local sent = frame.parse(p:output())
      assert.equal(2, #sent)
      assert.equal("answer", sent[1].payload)
      assert.equal(1002, sent[2].code)
    end)

    local refused = {
      { "no WebSocket request at all", handshake.http(), nil },
      { "a wrong version", handshake.request { headers = { ["Sec-WebSocket-Version"] = "12" } }, 426 },
      { "no key", handshake.request { headers = { ["Sec-WebSocket-Key"] = false } }, 400 },
      { "two Hosts", handshake.request { headers = { Host = { "a", "b" } } }, 400 },
      { "a head that is too large", handshake.request { headers = { ["X-Long"] = ("x"):rep(20000) } }, 431 },
      { "a foreign origin", handshake.request { headers = { Origin = "http://evil.example" } }, 403 },
      { "no HTTP at all", "\x81\5hello\r\n\r\n", 400 },
    }
    for _, refusal in ipairs(refused) do
      local what, bytes, status = table.unpack(refusal)
      it(what .. " is an error event of a server, and output then holds the answer", function()
        local p = weft.protocol.server()
        local events = feed(p, bytes, size)
        assert.same({ "error" }, types(events))
        local answer = handshake.parse(p:output())
        assert.is_true(answer.status >= 400 and answer.status < 500)
        if status then
          assert.equal(status, answer.status)
          assert.equal(status, events[1].code)
        end
        assert.equal("closed", p.state)
      end)
    end

    local answers = {
      { "a refusal", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", 401 },
      { "a wrong accept key", handshake.response(handshake.KEY) },
      { "another protocol", "220 mail.example.com ESMTP\r\n\r\n" },
    }
    for _, answer in ipairs(answers) do
      local what, bytes, status = table.unpack(answer)
      it(what .. " is an error event of a client", function()
        local p = weft.protocol.client()
        p:output()
        local events = feed(p, bytes, size)
        assert.same({ "error" }, types(events))
        assert.equal("string", type(events[1].message))
        if status then
          assert.equal(status, events[1].code)
          assert.is_truthy(events[1].message:find(tostring(status), 1, true), events[1].message)
        end
        assert.equal("", p:output())
        assert.equal("closed", p.state)
      end)
    end

    it("two sides understand each other", function()
      local client, server = open_both()
      local function pass(from, to)
        return feed(to, from:output(), size)
      end
      client:send "to the server"
      client:send(("x"):rep(70000), "binary")
      client:ping "c"
      local events = pass(client, server)
      assert.same({ "text", "binary", "ping" }, types(events))
      assert.equal("to the server", events[1].data)
      assert.equal(70000, #events[2].data)
      server:send "to the client"
      server:pong "unasked"
      events = pass(server, client)
      assert.same({ "pong", "text", "pong" }, types(events))
      assert.same({ "c", "to the client", "unasked" }, { events[1].data, events[2].data, events[3].data })
      client:close(4002, "ü")
      events = pass(client, server)
      assert.same({ "close" }, types(events))
      assert.same({ 4002, "ü" }, { events[1].code, events[1].reason })
      events = pass(server, client)
      assert.same({ "close" }, types(events))
      assert.equal(4002, events[1].code)
      assert.equal("closed", client.state)
      assert.equal("closed", server.state)
    end)
  end)
end

describe("the protocol without I/O", function()
  it("masks what a client sends, with a fresh mask each time, and not what a server does", function()
    local client, server = open_client(), open_server()
    client:send "same"
    client:send "same"
    local frames = frame.parse(client:output())
    assert.is_true(frames[1].masked and frames[2].masked)
    assert.not_equal(frames[1].key, frames[2].key)
    assert.same({ "same", "same" }, { frames[1].payload, frames[2].payload })
    server:send "plain"
    assert.equal("\x81\5plain", server:output())
  end)

  it("says \"connecting\" before the handshake is over", function()
    local p = weft.protocol.server()
    assert.same({ n = 2, nil, "connecting" }, table.pack(p:send "too early"))
    assert.same({ n = 2, nil, "connecting" }, table.pack(p:ping()))
    assert.same({ n = 2, nil, "connecting" }, table.pack(p:close()))
    assert.equal("", p:output())
  end)

  it("gives output once, in order", function()
    local p = open_server()
    p:send "one"
    p:ping "two"
    p:send("three", "binary")
    assert.equal("\x81\3one\x89\3two\x82\5three", p:output())
    assert.equal("", p:output())
  end)

  it("keeps events that were not taken", function()
    local p = open_server()
    p:feed(frame.client.text "1" .. frame.client.text "2")
    p:feed(frame.client.text "3")
    assert.equal("1", p:events()().data)
    assert.equal("2", p:events()().data)
    local got = {}
    for event in p:events() do
      got[#got + 1] = event.data
    end
    assert.same({ "3" }, got)
  end)

  it("throws away what is fed after the end", function()
    local p = open_server()
    p:feed(frame.client.close(1000))
    assert.equal("close", p:events()().type)
    local ok, word = p:feed(frame.client.text "late")
    assert.is_truthy(ok or word == "closed")
    assert.is_nil((p:events()()))
  end)

  it("raises for mistakes and stays as it was", function()
    local p = open_server()
    raises(function() p:send {} end, "send", "message")
    raises(function() p:send "caf\xE9" end, "send", "byte 4", "binary")
    raises(function() p:send("x", "json") end, "send", "kind")
    raises(function() p:ping(("x"):rep(126)) end, "ping", "125")
    raises(function() p:close(1005) end, "close", "code")
    raises(function() p:close(1000, ("x"):rep(124)) end, "close", "123")
    raises(function() p:feed() end, "feed")
    raises(function() weft.protocol.client { url = "http://x/" } end, "client")
    raises(function() weft.protocol.client { headers = { Host = "x" } } end, "client", "Host")
    raises(function() weft.protocol.server { headers = { ["X-A"] = "a\nb" } } end, "server", "X-A")
    assert.equal("", p:output())
    p:send "good"
    assert.equal("\x81\4good", p:output())
  end)

  it("bounds what it holds by max_message, before the bytes come", function()
    local p = open_server { max_message = 1000 }
    p:feed(frame.client.binary("", { announce = 1001 }))
    local event = p:events()()
    assert.same({ "error", 1009 }, { event.type, event.code })
  end)

  it("counts fragments, empty ones too", function()
    local p = open_server { max_fragments = 3 }
    p:feed(frame.client.text("", { fin = false }) .. frame.client.continuation("", { fin = false })
      .. frame.client.continuation "")
    assert.equal("text", p:events()().type)
    p:feed(frame.client.text("", { fin = false }) .. frame.client.continuation("", { fin = false })
      .. frame.client.continuation("", { fin = false }) .. frame.client.continuation "x")
    local event = p:events()()
    assert.same({ "error", 1009 }, { event.type, event.code })
  end)

  it("may be collected at any time", function()
    for _ = 1, 100 do
      local p = open_server()
      p:feed(frame.client.text("half", { fin = false }))
      p:send "unsent"
      p:events()()
    end
    collectgarbage()
    collectgarbage()
  end)
end)
