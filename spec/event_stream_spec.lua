-- Server-Sent Events: a plain request answered with a stream, over real sockets.
local case = require "support.case"
local certificates = require "support.certificates"
local frame = require "support.frame"
local handshake = require "support.handshake"
local patience = require "support.patience"
local raises = require "support.raises"
local tls_peer = require "support.tls_peer"

--- A server whose requests `fn(stream, request)` gets as event streams; it keeps
--- them open until the client goes, unless fn is done with them.
local function streams(t, options, fn)
  local merged = {
    http = function(request)
      local stream = assert(request:event_stream(options.stream))
      t.arrived[#t.arrived + 1] = stream
      if fn then
        return fn(stream, request)
      end
      stream:wait_closed()
    end,
  }
  for name, value in pairs(options) do
    if name ~= "stream" then
      merged[name] = value
    end
  end
  return t:server(merged)
end

--- A raw client that has had the head: it, and the head.
local function reader(t, server, options)
  local raw = t:dial(server, options)
  raw:send(handshake.http(options))
  return raw, raw:parsed_head()
end

--- The stream of a server without a function of its own, and its reader.
local function open(t, options)
  local raw, head = reader(t, streams(t, options or {}))
  return t:accepted(), raw, head
end

--- Fails unless exactly that comes next.
local function comes(raw, want)
  local got, why = raw:receive(#want)
  assert.equal(want, got, why)
end

--- All there is: what came, and how it ended.
local function check_ends(raw, want)
  local got, ending = raw:read_until_closed()
  assert.same({ want, "fin" }, { got, ending })
end

describe("an event stream", function()
  it("begins with a head that no cache and no proxy keeps", case(function(t)
    local stream, raw, head = open(t)
    assert.equal(200, head.status)
    assert.equal("text/event-stream", head.headers["content-type"])
    assert.equal("no-store", head.headers["cache-control"])
    assert.equal("no", head.headers["x-accel-buffering"])
    assert.equal("close", head.headers["connection"])
    assert.is_nil(head.headers["content-length"])
    assert.is_nil(head.headers["transfer-encoding"])
    assert.equal("open", stream.state)
    assert.is_true(raw:is_silent(0.01))
  end))

  it("has the headers and the retry it was opened with", case(function(t)
    local _, raw, head = open(t, { stream = {
      retry = 1.5, headers = { ["Access-Control-Allow-Origin"] = "*", ["Set-Cookie"] = { "a=b", "c=d" } },
    } })
    assert.equal("*", head.headers["access-control-allow-origin"])
    assert.matches("Set%-Cookie: a=b\r\nSet%-Cookie: c=d\r\n", head.text)
    comes(raw, "retry: 1500\n\n")
  end))

  it("knows its request, and the id that the client saw last", case(function(t)
    local server = streams(t, {}, function(stream, request)
      assert(rawequal(stream.request, request))
      stream.mine = request.path
      stream:send(stream.request.path .. " " .. tostring(stream.last_event_id) .. " " .. stream.mine)
    end)
    local raw = reader(t, server, { path = "/feed", headers = { ["Last-Event-ID"] = "42" } })
    check_ends(raw, "data: /feed 42 /feed\n\n")
    check_ends(reader(t, server), "data: / nil /\n\n")
  end))

  it("is a connection like others", case(function(t)
    local stream = open(t)
    assert.matches("^weft.Connection %(open%)", tostring(stream))
    assert.equal("127.0.0.1", stream.remote_address)
    assert.same({ nil, "", 0, nil }, { stream.protocol, stream.extensions, stream.buffered, stream.latency })
    assert.is_nil(stream.close_cause)
    assert.is_true(stream:flush())
  end))

  it("is among the connections of its server", case(function(t)
    local server = streams(t, { websocket = case.echo })
    reader(t, server)
    local stream = t:accepted()
    assert.equal(1, server:count())
    for one in server:connections() do
      assert.equal(stream, one)
    end
    t:connect(server)
    assert.equal(2, server:count())
  end))

  it("answers HEAD with the head alone", case(function(t)
    local server = streams(t, { stream = { retry = 1 } }, function(stream)
      assert(stream.state == "closing")
      assert(select(2, stream:send "nobody reads this") == "closed")
    end)
    local raw, head = reader(t, server, { method = "HEAD" })
    assert.equal("text/event-stream", head.headers["content-type"])
    check_ends(raw, "")
  end))

  it("serves HTTP/1.0 too", case(function(t)
    local server = streams(t, {}, function(stream)
      stream:send "old"
    end)
    check_ends(reader(t, server, { version = "HTTP/1.0" }), "data: old\n\n")
  end))
end)

describe("a message to an event stream", function()
  local sent = {
    ["hello"] = "data: hello\n\n",
    [""] = "data: \n\n",
    [" leading and trailing "] = "data:  leading and trailing \n\n",
    ["two\nlines"] = "data: two\ndata: lines\n\n",
    ["two\r\nlines"] = "data: two\ndata: lines\n\n",
    ["two\rlines"] = "data: two\ndata: lines\n\n",
    ["x\revent: evil\rdata: injected\r\r"] =
      "data: x\ndata: event: evil\ndata: data: injected\ndata: \ndata: \n\n",
    ["x\n\nid: 1\n\n"] = "data: x\ndata: \ndata: id: 1\ndata: \ndata: \n\n",
    ["\r\n"] = "data: \ndata: \n\n",
    [": no comment"] = "data: : no comment\n\n",
    ["\u{FEFF}\u{20AC}\0"] = "data: \u{FEFF}\u{20AC}\0\n\n",
  }
  for message, bytes in pairs(sent) do
    it(("is lines of data: %q"):format(message), case(function(t)
      local stream, raw = open(t)
      assert.is_true(stream:send(message))
      comes(raw, bytes)
      assert.is_true(stream:try_send(message, { event = "e" }))
      comes(raw, "event: e\n" .. bytes)
      assert.is_true(raw:is_silent(0.005))
    end))
  end

  it("may have a name, an id and a retry", case(function(t)
    local stream, raw = open(t)
    assert.is_true(stream:send("a", { event = "price", id = "42", retry = 0.25 }))
    comes(raw, "event: price\nid: 42\nretry: 250\ndata: a\n\n")
    assert.is_true(stream:send("b", { id = 7 }))
    comes(raw, "id: 7\ndata: b\n\n")
    assert.is_true(stream:send("c\nd", { id = "", event = "\u{20AC}", timeout = 1, compress = false }))
    comes(raw, "event: \u{20AC}\nid: \ndata: c\ndata: d\n\n")
    assert.is_true(stream:send("e", { retry = 0 }))
    comes(raw, "retry: 0\ndata: e\n\n")
    assert.is_true(stream:send("f", { kind = "text" }))
    comes(raw, "data: f\n\n")
  end))

  it("is in base64 when it is binary, and says so", case(function(t)
    local stream, raw = open(t)
    stream:send("\0\xFF\r\n", "binary")
    comes(raw, "event: binary\ndata: AP8NCg==\n\n")
    stream:send("", "binary")
    comes(raw, "event: binary\ndata: \n\n")
    stream:send("abc", { kind = "binary", event = "image", id = 1 })
    comes(raw, "event: image\nid: 1\ndata: YWJj\n\n")
  end))

  it("may be large", case(function(t)
    local stream, raw = open(t, { send_buffer = 1000 })
    local text = ("0123456789abcde\n"):rep(65536)
    t:spawn(function()
      assert(stream:send(text))
      assert(stream:send "behind it")
    end)
    comes(raw, (text:gsub("[^\n]*\n", "data: %0")) .. "data: \n\ndata: behind it\n\n")
  end))

  it("cannot carry another line in its name or id", case(function(t)
    local stream, raw = open(t)
    for _, bad in ipairs { "a\nb", "a\rb", "a\0b", "\xFF", "\n" } do
      for _, name in ipairs { "event", "id" } do
        raises(function() stream:send("x", { [name] = bad }) end, "ws:send", name, "CR, LF or NUL")
        raises(function() stream:try_send("x", { [name] = bad }) end, "ws:try_send", name)
      end
    end
    raises(function() stream:send("x", { event = {} }) end, "ws:send", "event", "table")
    raises(function() stream:send("x", { id = 1.5 }) end, "ws:send", "id", "number")
    raises(function() stream:send("x", { retry = -1 }) end, "ws:send", "retry", "seconds")
    raises(function() stream:send("x", { retry = 0 / 0 }) end, "ws:send", "retry", "seconds")
    raises(function() stream:send("x", { retry = math.huge }) end, "ws:send", "retry", "1e9")
    raises(function() stream:send("x", { retry = "1" }) end, "ws:send", "retry", "seconds")
    raises(function() stream:send("x", { ids = 1 }) end, "ws:send", "ids", "event, id, retry")
    raises(function() stream:send("\xFF") end, "ws:send", "UTF-8")
    raises(function() stream:send({}) end, "ws:send", "a string")
    assert.is_true(raw:is_silent(0.01))
    assert.is_true(stream:send "still whole")
    comes(raw, "data: still whole\n\n")
  end))

  it("leaves the caller's table as it was", case(function(t)
    local stream, raw = open(t)
    local options = { event = "e", id = 1 }
    stream:send("x", options)
    assert.same({ event = "e", id = 1 }, options)
    comes(raw, "event: e\nid: 1\ndata: x\n\n")
  end))
end)

describe("the other calls of an event stream", function()
  it("are comments, which readers ignore", case(function(t)
    local stream, raw = open(t)
    assert.is_true(stream:comment "for people")
    comes(raw, ": for people\n\n")
    stream:comment "two\r\nlines\rdata: x"
    comes(raw, ": two\n: lines\n: data: x\n\n")
    stream:comment ""
    comes(raw, ": \n\n")
    raises(function() stream:comment() end, "ws:comment", "message")
    raises(function() stream:comment "\xFF" end, "ws:comment", "UTF-8")
    raises(function() stream:comment("x", -1) end, "ws:comment", "timeout")
  end))

  it("are not for pings and pieces", case(function(t)
    local stream = open(t)
    raises(function() stream:ping() end, "ws:ping", "an event stream has no pings")
    raises(function() stream:writer() end, "ws:writer", "an event stream has no messages in pieces")
    raises(function() stream:chunks() end, "ws:chunks", "an event stream has no messages in pieces")
    assert.equal("open", stream.state)
  end))

  it("are an event stream's alone", case(function(t)
    local near, far = t:both()
    raises(function() near:comment "x" end, "ws:comment", "only event streams")
    for _, name in ipairs { "event", "id", "retry" } do
      raises(function() far:send("x", { [name] = 1 }) end, "ws:send", name, "only event streams")
      raises(function() near:try_send("x", { [name] = 1 }) end, "ws:try_send", name, "only event streams")
    end
  end))

  it("wait for the end when they are to receive", case(function(t)
    local stream, raw = open(t)
    assert.same({ nil, "timeout" }, { stream:receive(0.005) })
    raw:send "GET / HTTP/1.1\r\n\r\n"
    raw:send(frame.client.text "hello")
    assert.same({ nil, "timeout" }, { stream:receive(0.02) })
    local ended = t:spawn(function()
      for _ in stream:messages() do
        error "there are none"
      end
      return "over"
    end)
    t.weft.sleep(0)
    raw:close()
    assert.same({ true, "over" }, { ended:join(patience(5)) })
    assert.same({ nil, "closed", 1005, "" }, { stream:receive() })
  end))
end)

describe("opening an event stream", function()
  --- What the mistake raised, and that the request is answered with a 500.
  local function refused(t, options)
    local message
    local server = t:server { http = function(request)
      local _, why = pcall(function()
        request:event_stream(options)
      end)
      message = why
      return 200, nil, "an answer all the same"
    end }
    assert.equal("an answer all the same", t:http(server).body)
    assert.equal("string", type(message))
    return message
  end

  it("checks its options", case(function(t)
    assert.matches("event_stream_spec.*request:event_stream: unknown option 'retrys' %(did you mean 'retry'%?%)",
                   refused(t, { retrys = 1 }))
    assert.matches("'retry'.*seconds", refused(t, { retry = -1 }))
    assert.matches("'retry'.*seconds", refused(t, { retry = 0 / 0 }))
    assert.matches("'retry'.*seconds", refused(t, { retry = "1" }))
    assert.matches("'headers'", refused(t, { headers = "X: y" }))
    assert.matches("a table", refused(t, 7))
    for _, own in ipairs { "Content-Type", "cache-control", "Connection", "Content-Length", "Transfer-Encoding",
                           "X-Accel-Buffering" } do
      assert.matches("is the event stream's own", refused(t, { headers = { [own] = "x" } }))
    end
    assert.matches("event_stream_spec.*option 'headers'", refused(t, { headers = { ["X-Y"] = "a\r\nb" } }))
  end))

  it("happens once", case(function(t)
    local message
    local server = streams(t, {}, function(stream, request)
      local _, why = pcall(function() request:event_stream() end)
      message = why
      stream:send "the first"
    end)
    check_ends(reader(t, server), "data: the first\n\n")
    assert.matches("event_stream_spec.*request:event_stream: the request has been answered already", message)
  end))

  it("is for plain requests that a server got", case(function(t)
    local near, far = t:both()
    raises(function() near.request:event_stream() end, "request:event_stream")
    raises(function() far.request:event_stream() end, "request:event_stream")
    raises(function() far.request.event_stream(nil) end, "request:event_stream", "weft.Request")
    assert.same({ "open", "open" }, { near.state, far.state })
  end))

  it("may come behind other requests on the connection", case(function(t)
    local server = t:server { http = {
      ["/feed"] = function(request)
        local stream = assert(request:event_stream())
        stream:send(request.method .. " " .. request.body)
      end,
      ["/"] = function() return 200, nil, "page" end,
    } }
    local raw = t:dial(server)
    raw:send(handshake.http { keep = true }
             .. handshake.http { path = "/feed", method = "POST", keep = true, body = "body",
                                 headers = { ["Content-Length"] = 4 } })
    assert.equal("4", raw:parsed_head().headers["content-length"])
    comes(raw, "page")
    local head = raw:parsed_head()
    assert.equal("text/event-stream", head.headers["content-type"])
    assert.is_string(head.headers.date)
    check_ends(raw, "data: POST body\n\n")
  end))

  it("comes too late when the client has gone", case(function(t)
    local result
    local server = t:server { http = function(request)
      t.weft.sleep(0.02)
      local stream, word = request:event_stream()
      if stream then -- that it has gone is seen in the next turn
        stream:wait_closed()
        result = stream.close_cause
      else
        result = word
      end
    end }
    local raw = t:dial(server)
    raw:send(handshake.http())
    raw:close()
    t:wait_until(function() return result end)
    assert.is_truthy(result == "peer" or result == "reset" or result == "closed", result)
  end))
end)

describe("the end of an event stream", function()
  it("comes with the client's", case(function(t)
    local stream, raw = open(t)
    raw:shutdown()
    assert.same({ true, 1005, "" }, { stream:wait_closed(patience(5)) })
    assert.same({ "closed", "peer", "the client closed the stream" },
                { stream.state, stream.close_cause, stream.close_message })
    assert.same({ nil, "closed", 1005, "" }, { stream:send "too late" })
    assert.same({ nil, "closed", 1005, "" }, { stream:try_send "too late" })
    assert.same({ nil, "closed", 1005, "" }, { stream:comment "too late" })
    assert.is_nil(stream.sent_code)
  end))

  it("is told when the client breaks off", case(function(t)
    local stream, raw = open(t)
    raw:reset()
    assert.same({ true, 1006, "" }, { stream:wait_closed(patience(5)) })
    assert.equal("reset", stream.close_cause)
  end))

  it("wakes a send that waits", case(function(t)
    local stream, raw = open(t, { send_buffer = 0 })
    local outcome = t:spawn(function()
      local ok, word
      repeat
        ok, word = stream:send(("x"):rep(100000), { id = 1 })
      until not ok
      return word
    end)
    t.weft.sleep(0.02)
    raw:reset()
    assert.same({ true, "closed" }, { outcome:join(patience(5)) })
  end))

  it("is ours to bring about", case(function(t)
    local stream, raw = open(t)
    stream:send "the last"
    local closing = t:spawn(function()
      return stream:close(1000, "heard by nobody")
    end)
    check_ends(raw, "data: the last\n\n")
    assert.equal("closing", stream.state)
    assert.same({ nil, "closed", 1006, "" }, { stream:send "too late" })
    raw:close()
    assert.same({ true, true }, { closing:join(patience(5)) })
    assert.same({ "local", 1005 }, { stream.close_cause, stream.close_code })
    assert.is_true(stream:close())
  end))

  it("does not wait for a client that stays", case(function(t)
    local stream = open(t, { close_timeout = patience(0.02) })
    assert.same({ nil, "timeout" }, { stream:close() })
    assert.equal("timeout", stream.close_cause)
    assert.matches("the client did not close", stream.close_message)
    local other = open(t)
    assert.is_true(other:close(nil, nil, 0))
  end))

  it("is abrupt when asked", case(function(t)
    local stream, raw = open(t)
    stream:abort()
    assert.equal("closed", stream.state)
    assert.equal("", (raw:read_until_closed()))
  end))

  it("comes when the handler returns", case(function(t)
    local stream
    local server = streams(t, {}, function(one)
      stream = one
      one:send "all there is"
      return 404, nil, "is ignored"
    end)
    local raw = reader(t, server)
    check_ends(raw, "data: all there is\n\n")
    raw:close()
    stream:wait_closed(patience(5))
    assert.equal("handler", stream.close_cause)
  end))

  it("comes when the handler fails, which is reported", case(function(t)
    local stream
    local server = streams(t, {}, function(one)
      stream = one
      one:send "so far"
      error "broken"
    end)
    local raw = reader(t, server)
    check_ends(raw, "data: so far\n\n")
    raw:close()
    stream:wait_closed(patience(5))
    assert.equal("error", stream.close_cause)
    local reports = t:reports()
    assert.equal(1, #reports)
    assert.matches("broken", reports[1].error)
    assert.equal(stream, reports[1].subject)
  end))

  it("comes with the server's", case(function(t)
    local server = streams(t, {})
    local raw = reader(t, server)
    local stream = t:accepted()
    stream:send "the last"
    local closing = t:spawn(function()
      return server:close(patience(5))
    end)
    check_ends(raw, "data: the last\n\n")
    raw:close()
    assert.same({ true, true }, { closing:join(patience(5)) })
    assert.equal("shutdown", stream.close_cause)
  end))

  it("comes at once on a server that is closing", case(function(t)
    local stream
    local server = t:server { http = function(request)
      t.weft.sleep(0.02)
      stream = assert(request:event_stream())
      stream:wait_closed()
    end }
    local raw = t:dial(server)
    raw:send(handshake.http())
    t.weft.sleep(0.005)
    local closing = t:spawn(function()
      return server:close(patience(5))
    end)
    raw:answer()
    raw:close()
    assert.same({ true, true }, { closing:join(patience(5)) })
    assert.equal("shutdown", stream.close_cause)
  end))

  it("comes when its handler is cancelled", case(function(t)
    local server = streams(t, { close_timeout = patience(5) })
    local raw = reader(t, server)
    local stream = t:accepted()
    server:close(0)
    raw:read_until_closed()
    assert.equal("closed", stream.state)
  end))

  it("comes when nothing was sent for idle_timeout", case(function(t)
    local stream, raw = open(t, { idle_timeout = patience(0.8), ping_interval = patience(0.05) })
    local got = raw:read_until_closed()
    assert.matches("^:\n\n", got)
    assert.equal("", (got:gsub(":\n\n", "")))
    raw:close()
    stream:wait_closed(patience(5))
    assert.equal("idle", stream.close_cause)
  end))
end)

describe("the keepalive of an event stream", function()
  it("is a comment, to which nobody need say anything", case(function(t)
    local stream, raw = open(t, { ping_interval = patience(0.02), ping_timeout = patience(0.01) })
    comes(raw, (":\n\n"):rep(5))
    assert.equal("open", stream.state)
    stream:send "x"
    assert.matches("^[:\n]*data: x\n\n", (raw:receive(12)))
  end))

  it("is not needed while something is sent", case(function(t)
    local stream, raw = open(t, { ping_interval = patience(0.7) })
    for _ = 1, 20 do
      stream:send "x"
      t.weft.sleep(patience(0.05))
    end
    comes(raw, ("data: x\n\n"):rep(20))
  end))

  it("can be turned off", case(function(t)
    local _, raw = open(t, { ping_interval = false })
    assert.is_true(raw:is_silent(0.05))
  end))
end)

describe("back-pressure on an event stream", function()
  local TEXT = ("x"):rep(50000)

  it("makes send wait and try_send say so", case(function(t)
    local stream, raw = open(t, { send_buffer = 100000 })
    while stream:try_send(TEXT) do
      t.weft.sleep(0)
    end
    assert.same({ nil, "full" }, { stream:try_send(TEXT, { id = 1 }) })
    assert.is_true(stream.buffered > 100000)
    assert.same({ nil, "timeout" }, { stream:send(TEXT, { id = 1, timeout = 0.005 }) })
    assert.same({ nil, "timeout" }, { stream:comment(TEXT, 0) })
    local options, order = { id = "late" }, {}
    local late = t:spawn(function()
      assert(stream:send("waited", options))
      order[#order + 1] = "sent"
      assert(stream:comment "waited too")
      assert(stream:close())
    end)
    t.weft.sleep(0)
    options.id = nil -- it has been taken
    collectgarbage()
    order[#order + 1] = "waits"
    local got = raw:read_until_closed()
    raw:close()
    assert.same({ true }, { late:join(patience(5)) })
    assert.same({ "waits", "sent" }, order)
    assert.matches("\n\nid: late\ndata: waited\n\n: waited too\n\n$", got)
    assert.equal("", (got:gsub("data: x+\n\n", ""):gsub("id: late\ndata: waited\n\n: waited too\n\n$", "")))
  end))

  it("ends with one that takes nothing", case(function(t)
    local stream = open(t, { write_timeout = patience(0.05), send_buffer = 0 })
    local ok, word
    repeat
      ok, word = stream:send(TEXT)
    until not ok
    assert.equal("closed", word)
    assert.equal("slow", stream.close_cause)
  end))
end)

describe("a room of WebSockets and event streams", function()
  --- A server of both; the room, a raw WebSocket, a raw reader, and their
  --- server's ends.
  local function party(t, options, room_options)
    local room = t.weft.room(room_options)
    local ends = {}
    local merged = {
      websocket = function(ws)
        ends.ws = ws
        room:join(ws)
        ws:wait_closed()
      end,
      http = function(request)
        local stream = assert(request:event_stream())
        ends.stream = stream
        room:join(stream)
        stream:wait_closed()
      end,
    }
    for name, value in pairs(options or {}) do
      merged[name] = value
    end
    local server = t:server(merged)
    local wire, raw = t:upgrade(server), reader(t, server)
    t:wait_until(function() return room:count() == 2 end)
    return room, wire, raw, ends
  end

  it("tells both the same", case(function(t)
    local room, wire, raw = party(t)
    assert.same({ 2, 0 }, { room:send "to\nboth" })
    assert.same({ 2, 0 }, { room:send("\0\1\2", "binary") })
    assert.equal("to\nboth", (wire:message()))
    assert.same({ "\0\1\2", "binary" }, { wire:message() })
    comes(raw, "data: to\ndata: both\n\nevent: binary\ndata: AAEC\n\n")
  end))

  it("tells streams a name, an id and when to come again, too", case(function(t)
    local room, wire, raw = party(t)
    assert.same({ 2, 0 }, { room:send("12", { event = "price", id = 7, retry = 0.5 }) })
    assert.same({ 2, 0 }, { room:send("\255", { kind = "binary", id = "" }) })
    assert.equal("12", (wire:message()))
    assert.same({ "\255", "binary" }, { wire:message() })
    comes(raw, "event: price\nid: 7\nretry: 500\ndata: 12\n\nevent: binary\nid: \ndata: /w==\n\n")
    raises(function() room:send("x", { event = "a\nb" }) end, "room:send", "event")
    raises(function() room:send("x", { id = "a\0b" }) end, "room:send", "id")
    raises(function() room:send("x", { retry = -1 }) end, "room:send", "retry")
    raises(function() room:send("x", { timeout = 1 }) end, "room:send", "timeout", "event, id, retry")
  end))

  it("leaves either out", case(function(t)
    local room, wire, raw, ends = party(t)
    assert.same({ 1, 0 }, { room:send("for the stream", "text", ends.ws) })
    assert.same({ 1, 0 }, { room:send("for the WebSocket", "text", ends.stream) })
    assert.same({ 2, 0 }, { room:send "for both" })
    assert.equal("for the WebSocket", (wire:message()))
    assert.equal("for both", (wire:message()))
    comes(raw, "data: for the stream\n\ndata: for both\n\n")
  end))

  it("keeps the order of what is said to one", case(function(t)
    local room, wire, raw, ends = party(t)
    local said = {}
    for i = 1, 300 do
      if i % 3 == 0 then
        ends.stream:send(tostring(i))
        ends.ws:send(tostring(i))
      else
        room:send(tostring(i))
      end
      said[i] = ("data: %d\n\n"):format(i)
    end
    for i = 1, 300 do
      assert.equal(tostring(i), (wire:message()))
    end
    comes(raw, table.concat(said))
  end))

  it("carries long messages", case(function(t)
    local room, wire, raw = party(t)
    local text = ("y"):rep(200000)
    assert.same({ 2, 0 }, { room:send(text) })
    assert.equal(text, (wire:message()))
    comes(raw, "data: " .. text .. "\n\n")
  end))

  it("compresses for those who agreed on it alone", case(function(t)
    local room, wire, raw = party(t, { compression = true })
    wire:close()
    t:wait_until(function() return room:count() == 1 end)
    room:send(("z"):rep(2000))
    comes(raw, "data: " .. ("z"):rep(2000) .. "\n\n")
  end))

  it("is left by a stream that ends", case(function(t)
    local room, wire, raw, ends = party(t)
    raw:close()
    t:wait_until(function() return room:count() == 1 end)
    assert.same({ 1, 0 }, { room:send "one left" })
    assert.equal("one left", (wire:message()))
    assert.same({ nil, "closed", 1005, "" }, { room:join(ends.stream) })
  end))

  for _, on_full in ipairs { "close", "drop" } do
    it("goes on without a slow stream: on_full = " .. on_full, case(function(t)
      local room, wire, raw, ends = party(t, { send_buffer = 100000 }, { on_full = on_full })
      local text, heard = ("x"):rep(50000), 0
      local listener = t:spawn(function()
        while wire:message() ~= "over" do
          heard = heard + 1
        end
      end)
      local sent, queued, dropped = 0, nil, 0
      while dropped == 0 do
        queued, dropped = room:send(text)
        sent = sent + 1
        t.weft.sleep(0)
        t:wait_until(function() return heard == sent end)
      end
      assert.same({ 1, 1 }, { queued, dropped })
      if on_full == "close" then
        assert.same({ 1, "slow" }, { room:count(), ends.stream.close_cause })
        raw:close()
      else
        assert.same({ 2, "open" }, { room:count(), ends.stream.state })
        comes(raw, ("data: " .. text .. "\n\n"):rep(sent - 1))
        assert.same({ 2, 0 }, { room:send "again" })
        comes(raw, "data: again\n\n")
        sent = sent + 1
      end
      room:send "over"
      assert.is_true(listener:join(patience(5)))
      assert.equal(sent, heard)
    end))
  end
end)

describe("an event stream over TLS", function()
  it("is the same", case(function(t)
    local stream
    local server = streams(t, { tls = certificates.with(certificates.server) }, function(one)
      stream = one
      one:send("over TLS", { id = 1 })
      one:send(("x"):rep(100000))
    end)
    local openssl = tls_peer.s_client(t, server, { "-quiet" })
    openssl:write(handshake.http())
    openssl:expect "x\n\n"
    local got = openssl:output()
    assert.matches("^HTTP/1.1 200 OK\r\n", got)
    assert.equal("id: 1\ndata: over TLS\n\ndata: " .. ("x"):rep(100000) .. "\n\n", got:match "\r\n\r\n(.*)$")
    stream:wait_closed(patience(5))
    assert.same({ "handler", 1005 }, { stream.close_cause, stream.close_code })
    openssl:finish()
  end))

  it("may be left without a close_notify: nothing is missed", case(function(t)
    local server = streams(t, { tls = certificates.with(certificates.server) })
    local relay = tls_peer.relay(t, server)
    local openssl = tls_peer.s_client(t, relay.port, { "-quiet" })
    openssl:write(handshake.http())
    local stream = t:accepted()
    relay:cut()
    stream:wait_closed(patience(5))
    assert.same({ "peer", 1005 }, { stream.close_cause, stream.close_code })
    openssl:finish()
  end))
end)

describe("the collector and event streams", function()
  it("leaves one alone that only a room and its handler know", case(function(t)
    local room = t.weft.room()
    local server = t:server { http = function(request)
      local stream = assert(request:event_stream())
      room:join(stream)
      return stream:wait_closed()
    end }
    local raw = reader(t, server)
    t:wait_until(function() return room:count() == 1 end)
    for i = 1, 5 do
      collectgarbage()
      t.weft.sleep(0)
      room:send(tostring(i))
    end
    comes(raw, "data: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4\n\ndata: 5\n\n")
  end))

  it("lets many come and go", case(function(t)
    local server = streams(t, {}, function(stream)
      for i = 1, 3 do
        stream:send(("%d"):format(i), { id = i })
      end
    end)
    for _ = 1, 100 do
      local raw = reader(t, server)
      check_ends(raw, "id: 1\ndata: 1\n\nid: 2\ndata: 2\n\nid: 3\ndata: 3\n\n")
      raw:close()
    end
    t:wait_until(function() return server:count() == 0 end)
  end))
end)
