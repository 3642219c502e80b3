-- The option `log` with a function: which events there are, each provoked.
local case = require "support.case"
local certificates = require "support.certificates"
local frame = require "support.frame"
local handshake = require "support.handshake"
local raises = require "support.raises"
local tls_peer = require "support.tls_peer"

local client = frame.client

-- A server whose log is a list.
local function logged(t, options)
  local events = {}
  function options.log(event)
    events[#events + 1] = event
  end
  return t:server(options), events
end

-- Waits for the nth event of that name; it is as given (true is anything), but for
-- its time and, when they are not given, its address and number.
local function check(t, events, name, expected, nth)
  local found = t:wait_until(function()
    local left = nth or 1
    for _, event in ipairs(events) do
      left = left - (event.event == name and 1 or 0)
      if left == 0 then
        return event
      end
    end
  end, "the event " .. name)
  local copy = {}
  for field, value in pairs(found) do
    copy[field] = value
  end
  assert.is_true(math.abs(copy.time - os.time()) < 60, "it is of now")
  copy.time, copy.event = nil, nil
  for field, value in pairs(expected) do
    copy[field] = value == true and copy[field] ~= nil or copy[field]
  end
  if not expected.remote_address then
    copy.remote_address = nil
  end
  if not expected.connection then
    copy.connection = nil
  end
  if copy.seconds then
    assert.is_true(copy.seconds >= 0 and copy.seconds < 60)
    copy.seconds = nil
  end
  assert.same(expected, copy)
  return found
end

local function names(events)
  local list = {}
  for i, event in ipairs(events) do
    list[i] = event.event
  end
  return list
end

describe("the log of a server", function()
  it("tells where it listens, before weft.listen returns", case(function(t)
    local server, events = logged(t, { websocket = case.echo })
    assert.same({ "listening" }, names(events))
    check(t, events, "listening", { url = server:url() })
  end))

  it("tells of a WebSocket, from its beginning to its end", case(function(t)
    local server, events = logged(t, { websocket = case.echo, protocols = { "chat" } })
    local ws = t:connect(t:url(server, "/room%20a?token=secret"), { protocols = { "chat" } })
    check(t, events, "open", {
      connection = 1, remote_address = "127.0.0.1", path = "/room%20a", kind = "websocket", protocol = "chat",
    })
    assert.is_true(ws:close(4001, "enough"))
    local event = check(t, events, "close", {
      connection = 1, remote_address = "127.0.0.1", code = 4001, sent_code = 4001, reason = "enough", cause = "peer",
    })
    assert.equal("number", type(event.seconds))
    assert.same({ "listening", "open", "close" }, names(events))
  end))

  it("numbers connections, and says what ends them", case(function(t)
    local server, events = logged(t, { websocket = case.echo })
    local first, second, third = t:upgrade(server), t:upgrade(server), t:upgrade(server)
    first:send "\x83\x80abcd"
    first:close()
    local event = check(t, events, "close", {
      connection = 1, code = 1006, sent_code = 1002, cause = "protocol", message = true,
    })
    assert.matches("RFC 6455, 5%.2", event.message)
    second:close()
    check(t, events, "close", { connection = 2, code = 1006, cause = "eof", message = true }, 2)
    third:send(client.close(1000))
    check(t, events, "close", { connection = 3, code = 1000, sent_code = 1000, cause = "peer" }, 3)
  end))

  it("tells of TLS, and of handshakes of it that fail", case(function(t)
    local server, events = logged(t, {
      tls = certificates.with(certificates.server), websocket = case.echo,
    })
    local ws = t:connect(tls_peer.url(server), tls_peer.trusting())
    check(t, events, "open", { path = "/", kind = "websocket", tls = "TLSv1.3" })
    assert.is_true(ws:close())
    assert.is_nil((t.weft.connect(tls_peer.url(server)))) -- it trusts nobody
    local event = t:wait_until(function()
      return events[#events].event == "tls" and events[#events]
    end)
    assert.same({ 2, "127.0.0.1", "tls" }, { event.connection, event.remote_address, event.cause })
    assert.matches("^TLS handshake with 127%.0%.0%.1", event.message)
    t:ask(server, handshake.http())
    check(t, events, "refused", { status = 400, message = "This port speaks TLS: use wss:// or https://." })
  end))

  it("tells of plain requests once they are answered", case(function(t)
    local server, events = logged(t, { websocket = case.echo, http = {
      ["/whole"] = function() return 200, nil, "twelve bytes" end,
      ["/pieces"] = function()
        return 201, nil, function(write)
          write "one"
          return not write and "" or nil
        end
      end,
      ["/none"] = function() return 204 end,
    } })
    for _, each in ipairs {
      { "GET", "/whole", 200, 12 }, { "HEAD", "/whole", 200, 0 }, { "POST", "/pieces", 201, 3 },
      { "GET", "/none", 204, 0 }, { "GET", "/nothing", 404 },
    } do
      local method, path, status, bytes = table.unpack(each)
      t:http(server, { method = method, path = path .. "?key=secret" })
      local event = events[#events]
      assert.same({ "request", "127.0.0.1", method, path, status },
                  { event.event, event.remote_address, event.method, event.path, event.status })
      assert.is_true(bytes == nil or bytes == event.bytes, path)
      assert.equal("number", type(event.seconds))
    end
    local raw = t:dial(server)
    raw:send("GET http://ana:sesame@127.0.0.1/ HTTP/1.1\r\nHost: x\r\n\r\n")
    raw:answer()
    assert.equal("refused", events[#events].event)
    assert.is_nil(events[#events].path) -- a user name has no business there
    t:ask(server, "GET http://127.0.0.1?x=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert.equal("/", events[#events].path)
  end))

  it("tells of requests on one connection one by one", case(function(t)
    local server, events = logged(t, { http = function(request) return 200, nil, request.path end })
    local raw = t:dial(server)
    raw:send(handshake.http { path = "/a", keep = true } .. handshake.http { path = "/b" })
    raw:answer()
    check(t, events, "request", { connection = 1, method = "GET", path = "/a", status = 200, bytes = 2 })
    check(t, events, "request", { connection = 1, method = "GET", path = "/b", status = 200, bytes = 2 }, 2)
    assert.same({ "listening", "request", "request" }, names(events))
  end))

  it("tells of an answer that breaks off", case(function(t)
    local server, events = logged(t, { http = function()
      return 200, nil, function(write)
        write "some"
        error "no more"
      end
    end })
    t:http(server)
    check(t, events, "request", { method = "GET", path = "/", status = 200, bytes = 4, cause = "error" })
    assert.same({ "listening", "error", "request" }, names(events))
    assert.equal(1, #t:reports())
  end))

  it("tells of an event stream", case(function(t)
    local server, events = logged(t, { http = function(request)
      local stream = request:event_stream()
      stream:send "hello"
    end })
    local raw = t:dial(server)
    raw:send(handshake.http { path = "/feed" })
    raw:answer()
    raw:close()
    check(t, events, "open", { path = "/feed", kind = "events" })
    check(t, events, "close", { code = 1005, cause = "handler" })
  end))

  it("tells by what a handshake was refused", case(function(t)
    local server, events = logged(t, {
      websocket = { ["/ws"] = case.echo }, hosts = "a.example", origins = "https://a.example",
      upgrade = function(request)
        local words, pieces = "the password is sesame", { "the password", " is sesame" }
        return nil, 401, request.query.pieces and function() return table.remove(pieces, 1) end or words
      end,
    })
    local function ask(path, host, origin)
      t:ask(server, handshake.request { path = path, headers = { Host = host, Origin = origin } })
    end
    ask("/ws", "b.example")
    check(t, events, "refused", { method = "GET", path = "/ws", status = 421, option = "hosts" })
    ask("/ws", "a.example", "https://b.example")
    check(t, events, "refused", { method = "GET", path = "/ws", status = 403, option = "origins" }, 2)
    ask("/other", "a.example", "https://a.example")
    check(t, events, "refused", { method = "GET", path = "/other", status = 404 }, 3)
    ask("/ws", "a.example", "https://a.example")
    check(t, events, "refused", { method = "GET", path = "/ws", status = 401, option = "upgrade" }, 4)
    ask("/ws?pieces=1", "a.example", "https://a.example")
    check(t, events, "refused", { method = "GET", path = "/ws", status = 401, option = "upgrade" }, 5)
    t:ask(server, handshake.request { path = "/ws", headers = { ["Sec-WebSocket-Version"] = "7" } })
    check(t, events, "refused", {
      method = "GET", path = "/ws", status = 426, message = true,
    }, 6)
    assert.matches("version", events[#events].message)
  end))

  it("tells of what did not come to a request", case(function(t)
    local server, events = logged(t, { websocket = case.echo, handshake_timeout = 0.05 })
    local silent, half = t:dial(server), t:dial(server)
    half:send "GET /half?x HTTP/1.1\r\n"
    t:wait_until(function() return #events == 3 end)
    assert.same({ 1, "timeout" }, { events[2].connection, events[2].cause })
    assert.matches("^handshake with 127%.0%.0%.1:%d+: timed out$", events[2].message)
    check(t, events, "refused", {
      connection = 2, method = "GET", path = "/half", status = 408, message = "the request did not come in time",
    })
    silent:close()
    half:close()
    local cut = t:dial(server)
    cut:send "GET / HT"
    cut:close()
    check(t, events, "failed", {
      connection = 3, method = "GET", path = "/", cause = "eof",
      message = "the peer closed the connection during the handshake",
    }, 2)
    t:dial(server):close() -- who only looks whether somebody listens
    t:http(server)
    check(t, events, "request", { connection = 5, method = "GET", path = "/", status = 426, bytes = 45 })
    assert.equal(5, #events)
  end))

  it("tells of errors in handlers, in front of what comes of them", case(function(t)
    local server, events = logged(t, { websocket = function() error "a mistake" end, http = function() error {} end })
    t:connect(server):wait_closed()
    local event = check(t, events, "error", {
      connection = 1, remote_address = "127.0.0.1", message = true, traceback = true,
    })
    assert.matches(": a mistake$", event.message)
    assert.matches("^stack traceback:", event.traceback)
    check(t, events, "close", { connection = 1, code = 1011, sent_code = 1011, cause = "error" })
    t:http(server)
    assert.same({ "listening", "open", "error", "close", "error", "request" }, names(events))
    assert.equal(500, events[6].status)
    assert.equal(2, #t:reports()) -- weft.on_error has them as well
  end))

  it("tells of limits", case(function(t)
    local server, events = logged(t, {
      websocket = case.echo, max_connections_per_address = 2,
      rate = { messages = 1, burst = 1 },
    })
    local first, second = t:upgrade(server), t:upgrade(server)
    t:ask(server, "")
    check(t, events, "limit", {
      connection = 3, option = "max_connections_per_address", status = 429,
      message = "There are too many connections from this address.",
    })
    first:send(client.text "a" .. client.text "b")
    first:close()
    check(t, events, "limit", {
      connection = 1, option = "rate",
      message = "the peer sent more messages than the option rate lets it (RFC 6455, 10.4)",
    }, 2)
    check(t, events, "close", {
      connection = 1, code = 1006, sent_code = 1008, cause = "too_big", message = true,
    })
    second:close()
  end))

  it("tells that no more are accepted, once a second", case(function(t)
    local server, events = logged(t, { websocket = case.echo, max_connections = 1 })
    for _ = 1, 3 do
      local inside, outside = t:upgrade(server), t:dial(server)
      check(t, events, "limit", { option = "max_connections", message = "no more are accepted until one has gone" })
      outside:close()
      inside:close()
    end
    local count = 0
    for _, event in ipairs(events) do
      count = count + (event.event == "limit" and 1 or 0)
    end
    assert.is_true(count <= 2, count .. " lines")
  end))

  it("names whom trusted proxies name, and those that are none", case(function(t)
    local server, events = logged(t, {
      websocket = case.echo, http = function() return 200 end, trusted_proxies = { "127.0.0.1" },
    })
    local raw = t:dial(server)
    for i, address in ipairs { "192.0.2.7", "192.0.2.8" } do
      raw:send(handshake.http { keep = true, headers = { ["X-Forwarded-For"] = address } })
      check(t, events, "request", {
        connection = 1, remote_address = address, method = "GET", path = "/", status = 200, bytes = 0,
      }, i)
    end
    raw:send "GARBAGE\r\n\r\n"
    check(t, events, "refused", {
      remote_address = "127.0.0.1", status = 400, message = "the request's method is malformed",
    })
    local strict, others = logged(t, {
      websocket = case.echo, trusted_proxies = { "192.0.2.1" }, proxy_protocol = true,
    })
    t:dial(strict):receive(1)
    check(t, others, "failed", {
      remote_address = "127.0.0.1", option = "trusted_proxies", cause = "protocol", message = "it is no trusted proxy",
    })
  end))

  it("tells how the server closes", case(function(t)
    local server, events = logged(t, { websocket = function(ws) ws:wait_closed() end })
    local ws = t:connect(server)
    assert.is_true(server:close())
    assert.is_true((ws:wait_closed(5)))
    t:wait_until(function() return events[#events].event == "closed" end, "closed")
    assert.same({ "listening", "open", "closing", "close", "closed" }, names(events))
    assert.equal(1, events[3].connections)
    assert.same({ "shutdown", 1001 }, { events[4].cause, events[4].sent_code })
  end))

  it("tells of the connections that weft.close drops", case(function(t)
    local other = t.weft.new()
    local events = {}
    local server = other.listen { port = 0, websocket = case.echo, log = function(event)
      events[#events + 1] = event
    end }
    local raw = t:dial(server:port())
    raw:send(handshake.request())
    t:wait_until(function()
      other.step(0)
      return #events == 2
    end)
    other.close()
    assert.same({ "listening", "open", "close" }, names(events))
    assert.equal("cancelled", events[3].cause)
  end))
end)

describe("a function that is a log", function()
  it("may do what a handler may, but wait", case(function(t)
    local server
    server = t:server { websocket = case.echo, log = function(event)
      if event.event == "listening" then
        t.weft.sleep(0)
      elseif event.event == "open" then
        for ws in server:connections() do
          ws:close(4002, "", 0)
        end
      elseif event.event == "close" then
        coroutine.yield()
      end
    end }
    local ws = t:connect(server)
    assert.same({ true, 4002, "" }, { ws:wait_closed(5) })
    local reports = {}
    t:wait_until(function()
      table.move(t:reports(), 1, 9, #reports + 1, reports)
      return #reports == 2
    end, "two reports")
    assert.matches("weft%.sleep: .*weft%.spawn", reports[1].error)
    assert.matches("the function given to the option 'log' must not wait", reports[2].error)
  end))

  it("closes no server by half, where it cannot wait for that", case(function(t)
    local server, failed, closed
    server = t:server { log = function(event)
      if event.event == "open" then
        failed = not pcall(server.close, server)
      elseif event.event == "closed" then
        closed = true
      end
    end }
    t:upgrade(server)
    t:wait_until(function() return failed end)
    assert.equal(101, t:ask(server, handshake.request()).status)
    server:close(0)
    t:wait_until(function() return closed end)
  end))

  it("is told that a server has closed, though no turn comes any more", case.blocking(function(t)
    local last
    t:listen { log = function(event) last = event.event end }:close()
    assert.equal("closed", last)
    local other = t.weft.new()
    local server = other.listen { port = 0, websocket = case.echo, log = function() end }
    other.close()
    assert.is_true(server:close())
  end))

  it("does not stop a server by its errors, nor is it told of them", case(function(t)
    local told = 0
    local server = t:server { websocket = case.echo, log = function(event)
      told = told + 1
      error("no " .. event.event)
    end }
    local ws = t:connect(server)
    ws:send "hello"
    assert.equal("hello", (ws:receive(5)))
    assert.is_true(ws:close())
    assert.is_true(server:close())
    t:wait_until(function() return told == 5 end)
    local reports = t:reports()
    assert.equal(5, #reports)
    assert.matches(": no listening$", reports[1].error)
    assert.matches("log_spec%.lua", reports[1].traceback)
    assert.is_nil(reports[1].subject)
  end))

  it("is what nothing else is taken for", case(function(t)
    for _, wrong in ipairs { "texts", "TEXT", true, 2, {} } do
      raises(function()
        t.weft.listen { port = 0, websocket = print, log = wrong }
      end, "weft.listen", "option 'log'", "expected a function, 'text' or 'json'")
    end
  end))
end)
