-- Plain HTTP beside WebSocket: one request without a body, one response,
-- Connection: close.
local case = require "support.case"
local frame = require "support.frame"
local handshake = require "support.handshake"

describe("without an http option", function()
  it("a plain request gets 426 and a line that explains", case(function(t)
    local answer = t:http(t:server())
    assert.equal(426, answer.status)
    assert.equal("websocket", answer.headers.upgrade)
    assert.equal("close, Upgrade", answer.headers.connection)
    assert.matches("WebSocket", answer.body)
    assert.equal("fin", answer.ending)
  end))
end)

describe("an http function", function()
  local function answers(t, ...)
    local results = table.pack(...)
    return t:http(t:server { http = function()
      return table.unpack(results, 1, results.n)
    end })
  end

  it("gives status, headers and body", case(function(t)
    local answer = answers(t, 203, { ["Content-Type"] = "text/html", ["X-Other"] = "yes" }, "<p>hello</p>")
    assert.equal(203, answer.status)
    assert.equal("Non-Authoritative Information", answer.reason)
    assert.equal("text/html", answer.headers["content-type"])
    assert.equal("yes", answer.headers["x-other"])
    assert.equal("12", answer.headers["content-length"])
    assert.equal("close", answer.headers.connection:lower())
    assert.equal("<p>hello</p>", answer.body)
    assert.equal("fin", answer.ending)
  end))

  it("may give a status alone", case(function(t)
    local answer = answers(t, 404)
    assert.same({ 404, "", "0" }, { answer.status, answer.body, answer.headers["content-length"] })
  end))

  it("may give its body as a list of strings", case(function(t)
    local answer = answers(t, 200, nil, { "one, ", "", "two" })
    assert.same({ "one, two", "8" }, { answer.body, answer.headers["content-length"] })
  end))

  it("may give a header several values", case(function(t)
    local answer = answers(t, 200, { ["Set-Cookie"] = { "a=1", "b=2" } }, "")
    assert.equal("a=1, b=2", answer.headers["set-cookie"])
    assert.matches("[sS]et%-[cC]ookie: a=1\r\n[sS]et%-[cC]ookie: b=2\r\n", answer.text)
  end))

  it("gets text/plain when it names no type", case(function(t)
    assert.matches("^text/plain", answers(t, 200, {}, "words").headers["content-type"])
  end))

  it("sends no body and no length with 204 and 304", case(function(t)
    for _, status in ipairs { 204, 304 } do
      local answer = answers(t, status)
      assert.same({ status, "" }, { answer.status, answer.body })
      assert.is_nil(answer.headers["content-length"])
    end
  end))

  it("sends no body with 205, and says so", case(function(t)
    for _, body in ipairs { "form", { "fo", "rm" }, function(write) write "form" end } do
      local answer = answers(t, 205, {}, body)
      assert.same({ 205, "0", "" }, { answer.status, answer.headers["content-length"], answer.body })
    end
  end))

  it("says so of 205 to HEAD as well, whatever the body would be", case(function(t)
    for _, body in ipairs { "form", { "fo", "rm" }, function(write) write "form" end } do
      local listening = t:listen { http = function()
        return 205, { ["Content-Length"] = 4 }, body
      end }
      local answer = t:http(listening, { method = "HEAD" })
      assert.same({ 205, "0" }, { answer.status, answer.headers["content-length"] })
    end
  end))

  it("answers HEAD with the length and without the body", case(function(t)
    local listening = t:listen { http = function(request)
      return 200, { ["X-Method"] = request.method }, "twelve bytes"
    end }
    local answer = t:http(listening, { method = "HEAD" })
    assert.same({ 200, "12", "", "HEAD" },
      { answer.status, answer.headers["content-length"], answer.body, answer.headers["x-method"] })
  end))

  it("is told all about the request", case(function(t)
    local seen
    local listening = t:listen { http = function(request)
      seen = request
      return 200
    end }
    t:http(listening, {
      method = "DELETE", path = "/a%20b/c?x=1&y=%2F&x=2", host = "example.com:81",
      headers = { ["X-Twice"] = { "1", "2" } },
    })
    assert.same({ "DELETE", "/a%20b/c?x=1&y=%2F&x=2", "/a b/c", "x=1&y=%2F&x=2", "example.com:81" },
      { seen.method, seen.target, seen.path, seen.query_string, seen.host })
    assert.same({ x = "1", y = "/" }, seen.query)
    assert.equal("1, 2", seen.headers["x-twice"])
    assert.equal("1, 2", seen.headers["X-Twice"])
    assert.is_nil(seen.headers["x-missing"])
  end))

  it("may wait", case(function(t)
    local listening = t:listen { http = function()
      t.weft.sleep(0.03)
      return 200, {}, "rested"
    end }
    assert.equal("rested", t:http(listening).body)
  end))

  it("may answer with a megabyte to a slow reader", case(function(t)
    local listening = t:listen { http = function()
      return 200, {}, ("0123456789abcdef"):rep(65536)
    end }
    local raw = t:dial(listening, { receive_buffer = 4096 })
    raw:send(handshake.http())
    assert.equal(200, raw:parsed_head().status)
    local got, ending = 0, false
    while not ending do
      local piece, why = raw:receive(50000)
      got, ending = got + #piece, why
      t.weft.sleep(0)
    end
    assert.same({ 1048576, "fin" }, { got, ending })
  end))

  for _, size in ipairs { 1, 2, 3, 7 } do
    it("reads a request " .. size .. " bytes at a time", case(function(t)
      local raw = t:dial(t:server { http = function(request)
        return 200, {}, request.path
      end })
      raw:send_in_pieces(handshake.http { path = "/slowly" }, size)
      assert.equal("/slowly", raw:answer().body)
    end))
  end

  it("answers one request a connection", case(function(t)
    local count = 0
    local listening = t:listen { http = function()
      count = count + 1
      return 200, {}, "the one"
    end }
    local answer = t:ask(listening, handshake.http():rep(3))
    assert.same({ "the one", "fin", 1 }, { answer.body, answer.ending, count })
  end))

  it("answers HTTP/1.0 too", case(function(t)
    local listening = t:listen { http = function()
      return 200, {}, "old"
    end }
    local answer = t:http(listening, { version = "HTTP/1.0", headers = { Host = false } })
    assert.same({ 200, "old", "fin" }, { answer.status, answer.body, answer.ending })
  end))

  it("does not see a connection that hung up as an error", case(function(t)
    local listening = t:listen { http = function()
      t.weft.sleep(0.03)
      return 200, {}, "nobody reads this"
    end }
    local raw = t:dial(listening)
    raw:send(handshake.http())
    t.weft.sleep(0.01)
    raw:reset()
    t.weft.sleep(0.05)
    assert.same({}, t:reports())
  end))
end)

describe("an http function that fails", function()
  --- The answer and the one error that is reported.
  local function fails(t, fn)
    local listening = t:listen { http = fn }
    local answer = t:http(listening)
    assert.equal(500, answer.status)
    assert.equal("fin", answer.ending)
    local reports = t:reports()
    assert.equal(1, #reports)
    return answer, reports[1]
  end

  it("is reported, and answered with 500 that tells no secret", case(function(t)
    local answer, report = fails(t, function()
      error "the password is swordfish"
    end)
    assert.matches("swordfish", report.error)
    assert.matches("http_spec", report.traceback)
    assert.is_nil((answer.text .. answer.body):find("swordfish", 1, true))
  end))

  it("keeps an error value as it is", case(function(t)
    local value = { code = 7 }
    local _, report = fails(t, function()
      error(value)
    end)
    assert.equal(value, report.error)
  end))

  for what, results in pairs {
    ["nothing"] = {}, ["no status"] = { "200" }, ["an impossible status"] = { 99 }, ["a float"] = { 200.5 },
    ["a body of another type"] = { 200, {}, 12.5 }, ["a list that holds no string"] = { 200, {}, { {} } },
    ["a header value with a line break"] = { 200, { ["X-A"] = "b\r\nX-Smuggled: c" }, "" },
    ["a header value with a bare LF"] = { 200, { ["X-A"] = "b\nX-Smuggled: c" }, "" },
    ["a header value with a NUL"] = { 200, { ["X-A"] = "b\0c" }, "" },
    ["a header name with a line break"] = { 200, { ["X-A: b\r\nX-Smuggled"] = "c" }, "" },
    ["a header name with a blank"] = { 200, { ["X A"] = "b" }, "" },
    ["a second value with a line break"] = { 200, { ["X-A"] = { "fine", "b\r\nX-Smuggled: c" } }, "" },
    ["a Transfer-Encoding of its own"] = { 200, { ["Transfer-Encoding"] = "chunked" }, "" },
  } do
    it("by giving " .. what .. " is one that fails", case(function(t)
      local answer = fails(t, function()
        return table.unpack(results)
      end)
      assert.is_nil(answer.text:find("Smuggled", 1, true))
    end))
  end

  it("does not take the server down", case(function(t)
    local listening = t:listen { http = function(request)
      if request.path == "/bad" then
        error "bad"
      end
      return 200, {}, "good"
    end }
    for _ = 1, 5 do
      assert.equal(500, t:http(listening, { path = "/bad" }).status)
      assert.equal("good", t:http(listening).body)
    end
    assert.equal(5, #t:reports())
  end))
end)

describe("http routes", function()
  local function page(name)
    return function(request)
      local params = {}
      for key, value in pairs(request.params) do
        params[#params + 1] = key .. "=" .. value
      end
      return 200, {}, name .. " " .. table.concat(params, ",")
    end
  end

  it("are tried exact first, then :name, then *, else 404", case(function(t)
    local listening = t:listen { http = {
      ["/"] = page "root", ["/user/me"] = page "me", ["/user/:id"] = page "user", ["/files/*"] = page "files",
    } }
    for path, expected in pairs {
      ["/"] = "root ", ["/user/me"] = "me ", ["/user/7"] = "user id=7", ["/user/a%20b"] = "user id=a b",
      ["/?query=1"] = "root ", ["/user/me?x"] = "me ",
    } do
      local answer = t:http(listening, { path = path })
      assert.same({ 200, expected }, { answer.status, answer.body })
    end
    assert.matches("^files .*=a/b%.txt$", t:http(listening, { path = "/files/a/b.txt" }).body)
    for _, path in ipairs { "/nowhere", "/user", "/user/7/more", "/users" } do
      assert.equal(404, t:http(listening, { path = path }).status)
    end
  end))

  it("answer 404 to HEAD without a body", case(function(t)
    local answer = t:http(t:server { http = { ["/"] = page "root" } }, { method = "HEAD", path = "/nowhere" })
    assert.same({ 404, "" }, { answer.status, answer.body })
  end))
end)

describe("WebSocket and HTTP on one port", function()
  it("do not get in each other's way", case(function(t)
    local listening = t:listen { websocket = case.echo, http = function()
      return 200, {}, "a page"
    end }
    local raw = t:upgrade(listening)
    for _ = 1, 3 do
      assert.equal("a page", t:http(listening).body)
      raw:send(frame.client.text "a message")
      assert.equal("a message", (raw:message()))
    end
  end))

  it("have routes of their own: an upgrade to nowhere gets 404", case(function(t)
    local listening = t:listen {
      websocket = { ["/chat/:room"] = function(ws)
        ws:send(ws.request.params.room)
      end },
      http = function()
        return 200, {}, "a page"
      end,
    }
    assert.equal("den", (t:upgrade(listening, { path = "/chat/den?x=1" }):message()))
    local answer = t:ask(listening, handshake.request { path = "/nowhere" })
    assert.same({ 404, "fin" }, { answer.status, answer.ending })
    assert.equal("a page", t:http(listening, { path = "/nowhere" }).body)
  end))
end)

describe("an upgrade function", function()
  local function asked(t, upgrade, request)
    local raw = t:dial(t:server { upgrade = upgrade, protocols = { "v1" }, websocket = function(ws)
      ws:send(tostring(ws.request.user))
    end })
    raw:send(handshake.request(request))
    return raw:parsed_head(), raw
  end

  it("that returns true lets the connection be, with what it set on the request", case(function(t)
    local answer, raw = asked(t, function(request)
      request.user = "ana"
      return true
    end)
    assert.equal(101, answer.status)
    assert.equal("ana", (raw:message()))
  end))

  it("may wait", case(function(t)
    local answer = asked(t, function()
      t.weft.sleep(0.03)
      return true
    end)
    assert.equal(101, answer.status)
  end))

  it("may add headers and choose the protocol", case(function(t)
    local answer = asked(t, function()
      return true, { protocol = "v2", headers = { ["Set-Cookie"] = "a=b" } }
    end, { headers = { ["Sec-WebSocket-Protocol"] = "v1, v2" } })
    assert.same({ 101, "v2", "a=b" },
      { answer.status, answer.headers["sec-websocket-protocol"], answer.headers["set-cookie"] })
  end))

  it("that returns nil refuses with 403", case(function(t)
    local answer, raw = asked(t, function()
      return nil
    end)
    assert.equal(403, answer.status)
    assert.equal("fin", select(2, raw:read_until_closed()))
  end))

  it("may refuse with a status, a message and headers", case(function(t)
    local answer, raw = asked(t, function()
      return nil, 401, "who are you?", { ["WWW-Authenticate"] = "Basic" }
    end)
    assert.same({ 401, "Basic" }, { answer.status, answer.headers["www-authenticate"] })
    assert.equal("who are you?", (raw:read_until_closed()))
  end))

  it("that fails is reported and answered with 500", case(function(t)
    local answer = asked(t, function()
      error "no database"
    end)
    assert.equal(500, answer.status)
    assert.matches("no database", t:reports()[1].error)
  end))

  it("that smuggles a header fails", case(function(t)
    local answer = asked(t, function()
      return true, { headers = { ["X-A"] = "b\r\nX-Smuggled: c" } }
    end)
    assert.equal(500, answer.status)
    assert.is_nil(answer.text:find("Smuggled", 1, true))
    assert.equal(1, #t:reports())
  end))

  it("is not asked about an Origin that may not connect", case(function(t)
    local called = false
    local answer = asked(t, function()
      called = true
      return true
    end, { headers = { Origin = "http://evil.example" } })
    assert.same({ 403, false }, { answer.status, called })
  end))
end)
