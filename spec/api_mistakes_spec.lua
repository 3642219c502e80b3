local weft = require "weft"
local case = require "support.case"
local raises = require "support.raises"

local NAN = 0 / 0

--- A body that gets both ends of a connection and afterwards finds it as it was:
--- nothing was sent, nothing closed.
local function unharmed(body)
  return case(function(t)
    local client, server = t.weft.pair()
    body(client, server, t)
    assert.equal("open", client.state)
    assert.equal(0, client.buffered)
    assert.is_true(client:send "still good")
    assert.same({ "still good", "text" }, { server:receive(5) })
    assert.is_true(client:close())
  end)
end

describe("a mistake in a call on a connection", function()
  local mistakes = {
    { "ws:send", "message", "string", function(ws) ws:send() end },
    { "ws:send", "message", "string", function(ws) ws:send {} end },
    { "ws:send", "message", "string", function(ws) ws:send(true, "binary") end },
    { "ws:send", "kind", '"text" or "binary"', function(ws) ws:send("x", "utf8") end },
    { "ws:send", "kind", '"text" or "binary"', function(ws) ws:send("x", 1) end },
    { "ws:send", "timeout", "seconds", function(ws) ws:send("x", "text", -1) end },
    { "ws:send", "timeout", "seconds", function(ws) ws:send("x", "text", NAN) end },
    { "ws:send", "timeout", "seconds", function(ws) ws:send("x", "text", "soon") end },
    { "ws:try_send", "message", "string", function(ws) ws:try_send {} end },
    { "ws:try_send", "kind", '"text" or "binary"', function(ws) ws:try_send("x", "blob") end },
    { "ws:receive", "timeout", "seconds", function(ws) ws:receive(-0.5) end },
    { "ws:receive", "timeout", "seconds", function(ws) ws:receive(NAN) end },
    { "ws:receive", "timeout", "seconds", function(ws) ws:receive {} end },
    { "ws:flush", "timeout", "seconds", function(ws) ws:flush(-1) end },
    { "ws:wait_closed", "timeout", "seconds", function(ws) ws:wait_closed(NAN) end },
    { "ws:ping", "payload", "string", function(ws) ws:ping {} end },
    { "ws:ping", "payload", "125", function(ws) ws:ping(("p"):rep(126)) end },
    { "ws:ping", "timeout", "seconds", function(ws) ws:ping("", -1) end },
    { "ws:writer", "kind", '"text" or "binary"', function(ws) ws:writer "json" end },
    { "ws:close", "code", "3000", function(ws) ws:close "normal" end },
    { "ws:close", "code", "3000", function(ws) ws:close(1000.5) end },
    { "ws:close", "reason", "string", function(ws) ws:close(1000, {}) end },
    { "ws:close", "reason", "123", function(ws) ws:close(1000, ("r"):rep(124)) end },
    { "ws:close", "reason", "UTF-8", function(ws) ws:close(1000, "caf\xE9") end },
    { "ws:close", "timeout", "seconds", function(ws) ws:close(1000, "", -1) end },
    { "ws:close", "timeout", "seconds", function(ws) ws:close(nil, nil, NAN) end },
  }
  for number, mistake in ipairs(mistakes) do
    local name, argument, expected, call = table.unpack(mistake)
    it(("raises at the caller's line, naming %s, %s and %s (%d)"):format(name, argument, expected, number),
      unharmed(function(ws)
        raises({ call, ws }, name, argument, expected)
      end))
  end

  for _, code in ipairs { -1, 0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65536 } do
    it("raises for the close code " .. code .. ", which no one may send", unharmed(function(ws)
      raises(function() ws:close(code) end, "ws:close", "code", tostring(code))
    end))
  end

  it("raises when a method is called with a dot", unharmed(function(ws)
    raises(function() ws.send "hi" end, "send")
    raises(function() ws.receive(1) end, "receive")
    raises(function() ws.close() end, "close")
  end))

  it("says in which of several lines it was made", case(function(t)
    local client, server = t.weft.pair()
    local function two_calls()
      server:try_send "fine"
      server:try_send(nil)
    end
    local line = debug.getinfo(two_calls, "S").linedefined + 2
    assert.matches(":" .. line .. ": ", raises(two_calls, "ws:try_send"))
    assert.equal("fine", client:receive(5))
    client:abort()
  end))
end)

describe("text that is not UTF-8", function()
  local faults = {
    { "a lone high byte", "good\xFFbad", 5 },
    { "a byte that continues nothing", "\x80", 1 },
    { "Latin-1", "caf\xE9 au lait", 4 },
    { "a character cut short by the end", "ab\xE2\x82", 3 },
    { "a surrogate", "ab\xED\xA0\x80", 3 },
    { "an overlong zero", "\xC0\x80", 1 },
    { "more than U+10FFFF", "12345\xF4\x90\x80\x80", 6 },
  }
  for _, fault in ipairs(faults) do
    local what, text, at = table.unpack(fault)
    it(what .. " raises, naming byte " .. at .. " and the kind binary", unharmed(function(ws, _, t)
      raises(function() ws:send(text) end, "ws:send", "message", "UTF-8", "byte " .. at, "binary")
      raises(function() ws:try_send(text, "text") end, "ws:try_send", "message", "byte " .. at, "binary")
      local room = t.weft.room()
      raises(function() room:send(text) end, "room:send", "message", "byte " .. at, "binary")
    end))
  end

  it("may be sent as binary", case(function(t)
    local client, server = t.weft.pair()
    assert.is_true(client:send("caf\xE9", "binary"))
    assert.same({ "caf\xE9", "binary" }, { server:receive(5) })
    assert.is_true(client:close())
  end))

  it("is found late in a long text", unharmed(function(ws)
    raises(function() ws:send(("ü"):rep(50000) .. "\xFF") end, "byte 100001", "binary")
  end))

  it("is what it is, even where zeros are", unharmed(function(ws, server)
    ws:send "\0\0"
    assert.equal("\0\0", server:receive(5))
    raises(function() ws:send "\0\0\xFF" end, "byte 3")
  end))
end)

describe("a mistake in an option", function()
  it("raises for a name that does not exist", case(function(t)
    raises(function() t.weft.listen { prot = 8080 } end, "listen", "unknown option", "prot")
    raises(function() t.weft.serve { handler = print } end, "serve", "unknown option", "handler")
    raises(function() t.weft.connect("ws://127.0.0.1:1/", { header = {} }) end, "connect", "unknown option", "header")
    raises(function() t.weft.room { full = "drop" } end, "room", "unknown option", "full")
    raises(function() t.weft.pair { nope = 1 } end, "pair", "unknown option", "nope")
    raises(function() t.weft.pair({}, { nope = 1 }) end, "pair", "unknown option", "nope")
    raises(function() weft.protocol.client { nope = 1 } end, "client", "unknown option", "nope")
    raises(function() weft.protocol.server { nope = 1 } end, "server", "unknown option", "nope")
  end))

  it("raises for an option that is no name at all", case(function(t)
    raises(function() t.weft.listen { 8080 } end, "listen", "unknown option")
    raises(function() t.weft.connect("ws://127.0.0.1:1/", { [true] = 1 }) end, "connect", "unknown option")
  end))

  local times = {
    "handshake_timeout", "idle_timeout", "close_timeout", "write_timeout", "ping_interval", "ping_timeout",
  }
  for _, name in ipairs(times) do
    it("raises for a " .. name .. " that is no time", case(function(t)
      for _, value in ipairs { -1, NAN, "soon", true } do
        raises(function() t.weft.listen { port = 0, websocket = print, [name] = value } end, "listen", name)
      end
    end))
  end

  local wrong = {
    { "port", -1 }, { "port", 65536 }, { "port", 80.5 }, { "port", "http" },
    { "host", 127 },
    { "websocket", 5 }, { "websocket", "echo" },
    { "http", 5 },
    { "upgrade", true },
    { "protocols", "chat" }, { "protocols", { "chat room" } }, { "protocols", { 1 } },
    { "origins", 5 },
    { "max_message", -1 }, { "max_message", "1M" }, { "max_frame", NAN }, { "max_fragments", {} },
    { "max_header", -1 }, { "max_headers", "many" },
    { "send_buffer", -1 }, { "receive_buffer", "64K" },
    { "backlog", "long" }, { "reuse_port", 1 }, { "nodelay", 0 },
  }
  for number, pair in ipairs(wrong) do
    local name, value = pair[1], pair[2]
    it(("raises for the %s %s of a server (%d)"):format(name, tostring(value):gsub(": .*", ""), number),
      case(function(t)
        local options = { port = 0, websocket = print }
        options[name] = value
        raises(function() t.weft.listen(options) end, "listen", name, "expected")
      end))
  end

  it("raises for what is no table of options", case(function(t)
    raises(function() t.weft.listen "8080" end, "listen", "options")
    raises(function() t.weft.connect("ws://127.0.0.1:1/", "chat") end, "connect", "options")
    raises(function() t.weft.room "drop" end, "room")
  end))

  it("raises for what rooms cannot do when they are full", case(function(t)
    raises(function() t.weft.room { on_full = "wait" } end, "room", "on_full", "drop")
  end))
end)

describe("a mistake in what a request carries", function()
  local function refused(t, options, ...)
    raises(function() t.weft.connect("ws://127.0.0.1:1/", options) end, "connect", ...)
  end

  for name, byte in pairs { CR = "\r", LF = "\n", NUL = "\0" } do
    it("raises for a " .. name .. " anywhere in it", case(function(t)
      local bad = "a" .. byte .. "b"
      refused(t, { headers = { ["X-Name"] = bad } }, "headers")
      refused(t, { headers = { [bad] = "value" } }, "headers")
      refused(t, { origin = bad }, "origin")
      refused(t, { user_agent = bad }, "user_agent")
      refused(t, { protocols = { bad } }, "protocols")
    end))
  end

  local own = {
    "Host", "Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol",
    "Sec-WebSocket-Extensions", "sec-websocket-key", "HOST",
  }
  for _, name in ipairs(own) do
    it("raises for the handshake's own " .. name, case(function(t)
      refused(t, { headers = { [name] = "x" } }, name)
    end))
  end

  it("raises for a header name that is no token", case(function(t)
    refused(t, { headers = { ["X Name"] = "x" } }, "X Name")
    refused(t, { headers = { [""] = "x" } }, "headers")
    refused(t, { headers = { "Cookie: a=b" } }, "headers")
  end))

  it("raises for headers, protocols and times of the wrong type", case(function(t)
    refused(t, { headers = "Cookie: a=b" }, "headers")
    refused(t, { headers = { Cookie = {} } }, "headers")
    refused(t, { protocols = "chat" }, "protocols")
    refused(t, { protocols = { "chat", "chat" } }, "protocols")
    refused(t, { timeout = -1 }, "timeout")
    refused(t, { timeout = NAN }, "timeout")
    refused(t, { origin = 5 }, "origin")
  end))

  it("raises for a URL that is no string", case(function(t)
    raises(function() t.weft.connect() end, "connect", "url")
    raises(function() t.weft.connect(8080) end, "connect", "url")
    raises(function() t.weft.connect {} end, "connect", "url")
  end))
end)

describe("a mistake in a call on the loop", function()
  local mistakes = {
    { "sleep", function(w) w.sleep() end },
    { "sleep", function(w) w.sleep(-1) end },
    { "sleep", function(w) w.sleep(NAN) end },
    { "sleep", function(w) w.sleep {} end },
    { "spawn", function(w) w.spawn() end },
    { "spawn", function(w) w.spawn "x" end },
    { "run", function(w) w.run(5) end },
    { "wrap", function(w) w.wrap(5) end },
    { "queue", function(w) w.queue(-1) end },
    { "queue", function(w) w.queue "long" end },
    { "wait", function(w) w.wait(-1, "r") end },
    { "wait", function(w) w.wait("stdin", "r") end },
    { "wait", function(w) w.wait({}, "r") end },
    { "wait", function(w) w.wait(0, "x") end },
    { "wait", function(w) w.wait(0, "r", -1) end },
    { "on_error", function(w) w.on_error(5) end },
    { "step", function(w) w.step(-1) end },
    { "step", function(w) w.step(NAN) end },
    { "step", function(w) w.step(0, 5) end },
    { "step", function(w) w.step(0, { message = 1 }) end },
    { "step", function(w) w.step(0, { messages = -1 }) end },
    { "step", function(w) w.step(0, { seconds = NAN }) end },
  }
  for number, mistake in ipairs(mistakes) do
    local name, call = table.unpack(mistake)
    it(("raises at the caller's line, naming %s (%d)"):format(name, number), case.blocking(function(t)
      raises({ call, t.weft }, name)
    end))
  end

  it("raises in the methods of tasks, queues, rooms and servers", case(function(t)
    local task, queue, room = t:spawn(function() end), t.weft.queue(), t.weft.room()
    raises(function() task:join(-1) end, "join", "timeout")
    raises(function() task:join "now" end, "join", "timeout")
    raises(function() queue:take(NAN) end, "take", "timeout")
    raises(function() room:join(5) end, "join")
    raises(function() room:join() end, "join")
    raises(function() room:leave "ana" end, "leave")
    raises(function() room:send() end, "room:send", "message")
    raises(function() room:send("x", "json") end, "room:send", "kind")
    raises(function() room:send("x", "text", "ana") end, "room:send", "except")
    local server = t:listen()
    raises(function() server:close(-1) end, "close", "grace")
    raises(function() server:close(1, { drian = 1 }) end, "close", "drian")
  end))

  it("raises when a server's method is called with a dot", case(function(t)
    local server = t:listen()
    for _, name in ipairs { "port", "address", "url", "count", "connections", "stats", "reload", "close" } do
      raises(function() server[name]() end, "server:" .. name .. ": argument 'self'", "got nil (call it with a colon)")
    end
    raises(function() server.close(5) end, "server:close", "a weft.Server, got number (call it with a colon)")
    assert.equal("integer", math.type(server:port()))
  end))

  it("raises for a handler of events that mixes in routes", case(function(t)
    raises(function()
      t.weft.listen { port = 0, websocket = { message = print, ["/chat"] = print } }
    end, "listen", "websocket")
    raises(function()
      t.weft.listen { port = 0, websocket = { mesage = print } }
    end, "listen", "mesage")
    raises(function()
      t.weft.connect("ws://127.0.0.1:1/", { events = { message = print, opne = print } })
    end, "connect", "opne")
    raises(function()
      t.weft.connect("ws://127.0.0.1:1/", { events = { message = 5 } })
    end, "connect", "message")
  end))

  it("raises for events that are no table", case(function(t)
    for _, value in ipairs { print, 5, "message", true } do
      raises(function()
        t.weft.connect("ws://127.0.0.1:1/", { events = value })
      end, "weft.connect: option 'events': expected a table of events (open, message, close, error), got ")
    end
  end))
end)

describe("a field of weft's own", function()
  local fields = {
    "send", "receive", "close", "messages", "state", "request", "response", "protocol", "extensions", "buffered",
    "close_code", "close_reason", "sent_code", "close_cause", "close_message", "latency", "remote_address",
    "remote_port", "tls", "try_send", "flush", "chunks", "writer", "ping", "abort", "wait_closed",
  }
  for _, name in ipairs(fields) do
    it(name .. " cannot be assigned", unharmed(function(ws)
      local before = ws[name]
      raises(function() ws[name] = "mine" end, name)
      assert.equal(before, ws[name])
    end))
  end

  it("leaves all other names to the user", unharmed(function(ws, server)
    assert.is_nil(ws.nickname)
    ws.nickname = "ana"
    ws[1], ws[ws], ws[true] = "one", "itself", "yes"
    assert.same({ "ana", "one", "itself", "yes" }, { ws.nickname, ws[1], ws[ws], ws[true] })
    assert.is_nil(server.nickname)
    ws.nickname = nil
    assert.is_nil(ws.nickname)
    ws[ws] = nil
  end))
end)
