-- Server-Sent Events: a plain request answered with a stream, over real sockets.
local case = require "support.case"
local event_streams = require "support.event_stream"
local frame = require "support.frame"
local handshake = require "support.handshake"
local patience = require "support.patience"
local raises = require "support.raises"

local streams, reader, open = event_streams.streams, event_streams.reader, event_streams.open
local comes, check_ends = event_streams.comes, event_streams.check_ends

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
