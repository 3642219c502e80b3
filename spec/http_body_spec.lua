-- The bodies of plain requests: how they come, how long they may be, and what
-- is answered to those that are wrong.
local case = require "support.case"
local curl = require "support.curl"
local handshake = require "support.handshake"

local function echoes(t, options)
  options = options or {}
  options.http = function(request)
    return 200, {}, ("%d:%s"):format(#request.body, request.body)
  end
  return t:server(options)
end

local function post(body, headers)
  headers = headers or { ["Content-Length"] = tostring(#body) }
  return handshake.http { method = "POST", headers = headers, body = body }
end

local function chunked(raw, more)
  local headers = { ["Transfer-Encoding"] = "chunked" }
  for name, value in pairs(more or {}) do
    headers[name] = value
  end
  return handshake.http { method = "POST", headers = headers, body = raw }
end

describe("a request's body", function()
  it("comes with a length", case(function(t)
    local answer = t:ask(echoes(t), post "four")
    assert.same({ 200, "4:four", "fin" }, { answer.status, answer.body, answer.ending })
  end))

  it("comes in many chunks, each with a signature", case(function(t)
    local pieces = {}
    for i = 1, 200 do
      pieces[i] = "1000;chunk-signature=" .. ("f"):rep(64) .. "\r\n" .. ("x"):rep(4096) .. "\r\n"
    end
    local answer = t:ask(echoes(t), chunked(table.concat(pieces) .. "0\r\n\r\n"))
    assert.is_true(answer.body == "819200:" .. ("x"):rep(819200))
  end))

  it("may have the more of those, the longer it is", case(function(t)
    local chunk = "1000;chunk-signature=" .. ("f"):rep(64) .. "\r\n" .. ("x"):rep(4096) .. "\r\n"
    local listening = t:listen { max_body = 16 * 1024 * 1024, http = function(request)
      return 200, {}, tostring(#request.body)
    end }
    local answer = t:ask(listening, chunked(chunk:rep(2000) .. "0\r\n\r\n"))
    assert.same({ 200, "8192000" }, { answer.status, answer.body })
  end, 20))

  it("comes in chunks, with extensions and trailers that nobody wants", case(function(t)
    local answer = t:ask(echoes(t),
      chunked "4;a=b;c\r\nfour\r\n0A \r\n and more.\r\n000\r\nX-Sum: 1\r\nY: 2\r\n\r\n")
    assert.same({ 200, "14:four and more." }, { answer.status, answer.body })
  end))

  it("is empty where there is none", case(function(t)
    local answer = t:ask(echoes(t), handshake.http { method = "POST" })
    assert.same({ 200, "0:" }, { answer.status, answer.body })
    answer = t:ask(echoes(t), post("", { ["Content-Length"] = "0" }))
    assert.same({ 200, "0:" }, { answer.status, answer.body })
    answer = t:ask(echoes(t), chunked "0\r\n\r\n")
    assert.same({ 200, "0:" }, { answer.status, answer.body })
  end))

  for _, size in ipairs { 1, 2, 3, 7 } do
    it("comes " .. size .. " bytes at a time", case(function(t)
      local listening = echoes(t)
      for _, bytes in ipairs {
        post "some bytes", chunked "5\r\nsome \r\n5;x=y\r\nbytes\r\n0\r\nA: b\r\n\r\n",
      } do
        local raw = t:dial(listening)
        assert.is_true(raw:send_in_pieces(bytes, size))
        local answer = raw:answer()
        assert.same({ 200, "10:some bytes" }, { answer.status, answer.body })
      end
    end))
  end

  it("may hold any bytes, as many as max_body", case(function(t)
    local body = ("\0\255\r\n"):rep(50000)
    local seen
    local listening = t:listen { max_body = #body, http = function(request)
      seen = request.body
      return 200
    end }
    for _, bytes in ipairs {
      post(body), chunked(("%x\r\n%s\r\n0\r\n\r\n"):format(#body, body)),
    } do
      seen = nil
      assert.equal(200, t:ask(listening, bytes).status)
      assert.is_true(seen == body)
    end
  end))

  it("is asked for when the client waits to be (100-continue)", case(function(t)
    local raw = t:dial(echoes(t))
    raw:send(post("", { ["Content-Length"] = "4", Expect = "100-Continue" }))
    assert.equal("HTTP/1.1 100 Continue\r\n\r\n", raw:receive(25))
    raw:send "four"
    local answer = raw:answer()
    assert.same({ 200, "4:four" }, { answer.status, answer.body })
  end))

  it("is not asked for when it is there, when it is HTTP/1.0, or when nobody wants it", case(function(t)
    local listening = t:listen { http = { ["/"] = { POST = function(request)
      return 200, {}, request.body
    end } } }
    local waiting = { ["Content-Length"] = "4", Expect = "100-continue" }
    assert.equal(200, t:ask(listening, post("four", waiting)).status)
    assert.equal(404, t:ask(listening, handshake.http {
      method = "POST", path = "/else", headers = waiting }).status)
    assert.equal(405, t:ask(listening, handshake.http { method = "PUT", headers = waiting }).status)
    local raw = t:dial(listening)
    raw:send(handshake.http { method = "POST", version = "HTTP/1.0", headers = waiting })
    raw:send "four"
    assert.equal(200, raw:answer().status)
  end))

  it("is taken from an HTTP/1.0 client", case(function(t)
    local answer = t:ask(echoes(t), handshake.http {
      method = "POST", version = "HTTP/1.0", headers = { ["Content-Length"] = "3" }, body = "old" })
    assert.same({ 200, "3:old", "fin" }, { answer.status, answer.body, answer.ending })
  end))

  it("comes over TLS as well", case(function(t)
    local body = ("x"):rep(300000)
    local server = t:listen { tls = "self-signed", http = function(request)
      return 200, {}, tostring(#request.body)
    end }
    local file = os.tmpname()
    local out = assert(io.open(file, "w"))
    out:write(body)
    out:close()
    local answer = curl(t.weft, { "-k", "--data-binary", "@" .. file, "https://127.0.0.1:" .. server:port() .. "/" })
    os.remove(file)
    assert.equal("300000", answer)
  end))
end)

describe("a body that is too long", function()
  it("gets 413 when it is announced, without being read", case(function(t)
    local called = false
    local listening = t:listen { max_body = 10, http = function()
      called = true
      return 200
    end }
    local answer = t:ask(listening, post("", { ["Content-Length"] = "11" }))
    assert.same({ 413, "close", "fin" }, { answer.status, answer.headers.connection, answer.ending })
    answer = t:ask(listening, post("", { ["Content-Length"] = "11", Expect = "100-continue" }))
    assert.equal(413, answer.status)
    answer = t:ask(listening, post("", { ["Content-Length"] = "18446744073709551615" }))
    assert.equal(413, answer.status)
    assert.is_false(called)
  end))

  it("gets 413 when its chunks come to more", case(function(t)
    local listening = echoes(t, { max_body = 10 })
    assert.equal(200, t:ask(listening, chunked "5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n").status)
    assert.equal(413, t:ask(listening, chunked "5\r\nhello\r\n6\r\nworld!\r\n0\r\n\r\n").status)
    assert.equal(413, t:ask(listening, chunked "5\r\nhello\r\nFFFFFFFFFFFFFFFFF\r\n").status)
  end))

  it("may be none at all: max_body = 0", case(function(t)
    local listening = echoes(t, { max_body = 0 })
    assert.equal(200, t:ask(listening, handshake.http()).status)
    assert.equal(413, t:ask(listening, post "x").status)
  end))
end)

describe("a body that is malformed", function()
  local wrong = {
    ["no size"] = "\r\nabc", ["a size that is no number"] = "x\r\nabc", ["a sign"] = "-1\r\nabc",
    ["a prefix"] = "0x5\r\nhello\r\n0\r\n\r\n", ["two sizes"] = "5 5\r\nhello\r\n0\r\n\r\n",
    ["a bare LF behind the size"] = "5\nhello\r\n0\r\n\r\n", ["a bare LF behind the chunk"] = "5\r\nhello\n0\r\n\r\n",
    ["more bytes than its size"] = "5\r\nhello!\r\n0\r\n\r\n", ["a NUL in an extension"] = "5;\0\r\nhello\r\n0\r\n\r\n",
    ["a bare CR in an extension"] = "5;a\rb\r\nhello\r\n0\r\n\r\n", ["an endless size line"] = "5;" .. ("a"):rep(2000),
    ["endless extensions"] = ("1;" .. ("a"):rep(1000) .. "\r\nx\r\n"):rep(80),
    ["endless zeros"] = (("0"):rep(1000) .. "1\r\nx\r\n"):rep(80),
    ["endless trailers"] = "0\r\n" .. ("A: b\r\n"):rep(3000), ["a trailer with a bare LF"] = "0\r\nA: b\n\r\n",
  }
  for name, raw in pairs(wrong) do
    it("gets 400: " .. name, case(function(t)
      local called = false
      local answer = t:ask(t:server { http = function()
        called = true
        return 200
      end }, chunked(raw))
      assert.same({ 400, "fin", false }, { answer.status, answer.ending, called })
    end))
  end

  it("gets 400 when two fields frame it, 501 for a coding nobody knows, 417 for a strange wish", case(function(t)
    local listening = echoes(t)
    local function status(headers, version)
      return t:ask(listening, handshake.http {
        method = "POST", headers = headers, version = version, body = "4\r\nfour\r\n0\r\n\r\n" }).status
    end
    assert.equal(400, status { ["Content-Length"] = "4", ["Transfer-Encoding"] = "chunked" })
    assert.equal(400, status { ["Content-Length"] = { "4", "5" } })
    assert.equal(400, status { ["Content-Length"] = "+4" })
    assert.equal(400, status({ ["Transfer-Encoding"] = "chunked" }, "HTTP/1.0"))
    assert.equal(501, status { ["Transfer-Encoding"] = "gzip" })
    assert.equal(501, status { ["Transfer-Encoding"] = { "chunked", "identity" } })
    assert.equal(417, status { Expect = "tea" })
  end))

  it("that stops coming gets 408", case(function(t)
    local raw = t:dial(echoes(t, { handshake_timeout = 0.05 }))
    raw:send(post("", { ["Content-Length"] = "4" }) .. "fo")
    local answer = raw:answer()
    assert.same({ 408, "fin" }, { answer.status, answer.ending })
  end))

  it("that breaks off calls nobody", case(function(t)
    local called = false
    local raw = t:dial(t:server { http = function()
      called = true
      return 200
    end })
    raw:send(post("", { ["Content-Length"] = "4" }) .. "fo")
    raw:shutdown()
    assert.same({ "", "fin" }, { raw:read_until_closed() })
    assert.is_false(called)
    assert.same({}, t:reports())
  end))
end)
