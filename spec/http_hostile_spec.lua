-- Clients that try to have one request taken for two, or one answer for two,
-- and handlers that help them (RFC 9112, section 11).
local case = require "support.case"
local handshake = require "support.handshake"

local SMUGGLED = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

local function head(lines, start)
  return (start or "POST / HTTP/1.1") .. "\r\n" .. table.concat({ "Host: x", table.unpack(lines) }, "\r\n")
    .. "\r\n\r\n"
end

-- A server that remembers which paths it was asked for.
local function remembers(t, options)
  local paths = {}
  options = options or {}
  options.http = function(request)
    paths[#paths + 1] = request.path .. " " .. request.body
    return 200, {}, "ok"
  end
  return t:listen(options), paths
end

-- Requests that are refused, and nothing behind them is looked at: name, bytes
-- and the status.
local refused = {
  { "a length beside chunks (CL.TE)", 400,
    head { "Content-Length: 6", "Transfer-Encoding: chunked" } .. "0\r\n\r\n" .. SMUGGLED },
  { "chunks before a length (TE.CL)", 400,
    head { "Transfer-Encoding: chunked", "Content-Length: 4" } .. "5c\r\n" .. SMUGGLED .. "0\r\n\r\n" },
  { "two lengths", 400, head { "Content-Length: 0", "Content-Length: 38" } .. SMUGGLED },
  { "two lengths in one field", 400, head { "Content-Length: 0, 38" } .. SMUGGLED },
  { "the same length twice in one field", 400, head { "Content-Length: 0, 0" } .. SMUGGLED },
  { "a length with a sign", 400, head { "Content-Length: +0" } .. SMUGGLED },
  { "a length below zero", 400, head { "Content-Length: -1" } .. SMUGGLED },
  { "a length in hexadecimal", 400, head { "Content-Length: 0x0" } .. SMUGGLED },
  { "a length with a blank in it", 400, head { "Content-Length: 3 8" } .. SMUGGLED },
  { "a length that is empty", 400, head { "Content-Length:" } .. SMUGGLED },
  { "a length past 64 bits", 400, head { "Content-Length: 18446744073709551616" } .. SMUGGLED },
  { "a length with a vertical tab", 400, head { "Content-Length: \0110" } .. SMUGGLED },
  { "chunked twice", 501, head { "Transfer-Encoding: chunked, chunked" } .. "0\r\n\r\n" .. SMUGGLED },
  { "chunked in two fields", 501,
    head { "Transfer-Encoding: chunked", "Transfer-Encoding: chunked" } .. "0\r\n\r\n" .. SMUGGLED },
  { "chunked before another coding", 501, head { "Transfer-Encoding: chunked, identity" } .. "0\r\n\r\n" .. SMUGGLED },
  { "another coding", 501, head { "Transfer-Encoding: xchunked" } .. "0\r\n\r\n" .. SMUGGLED },
  { "a coding in quotes", 501, head { 'Transfer-Encoding: "chunked"' } .. "0\r\n\r\n" .. SMUGGLED },
  { "a coding with parameters", 501, head { "Transfer-Encoding: chunked;a=b" } .. "0\r\n\r\n" .. SMUGGLED },
  { "a coding that is empty", 501, head { "Transfer-Encoding:" } .. SMUGGLED },
  { "a coding behind a control", 400, head { "Transfer-Encoding: \vchunked" } .. "0\r\n\r\n" .. SMUGGLED },
  { "chunks in HTTP/1.0", 400,
    head({ "Transfer-Encoding: chunked", "Connection: keep-alive" }, "POST / HTTP/1.0") .. "0\r\n\r\n" .. SMUGGLED },
  { "a blank before a colon", 400, head { "Content-Length : 38" } .. SMUGGLED },
  { "a folded line", 400, head { "X: y", " Content-Length: 38" } .. SMUGGLED },
  { "a folded coding", 400, head { "Transfer-Encoding:", "\tchunked" } .. "0\r\n\r\n" .. SMUGGLED },
  { "a blank before the first field", 400, "GET / HTTP/1.1\r\n Host: x\r\n\r\n" .. SMUGGLED },
  { "a field without a name", 400, head { ": x" } .. SMUGGLED },
  { "a field without a colon", 400, head { "Content-Length" } .. SMUGGLED },
  { "a bare LF", 400, "GET / HTTP/1.1\nHost: x\n\n" .. SMUGGLED },
  { "a bare LF behind a field", 400, head { "X: y\nContent-Length: 38" } .. SMUGGLED },
  { "a bare CR in a value", 400, head { "X: y\rContent-Length: 38" } .. SMUGGLED },
  { "a bare CR in the request line", 400, "GET /\r HTTP/1.1\r\nHost: x\r\n\r\n" .. SMUGGLED },
  { "NUL in a value", 400, head { "X: \0" } .. SMUGGLED },
  { "NUL in a name", 400, head { "X\0: y" } .. SMUGGLED },
  { "NUL in the target", 400, "GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n" .. SMUGGLED },
  { "no host", 400, "GET / HTTP/1.1\r\n\r\n" .. SMUGGLED },
  { "two hosts", 400, head { "Host: y" } .. SMUGGLED },
  { "HTTP/0.9", 505, "GET /\r\n" .. SMUGGLED },
  { "HTTP/2", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" .. SMUGGLED },
  { "two blanks in the request line", 400, "GET  / HTTP/1.1\r\nHost: x\r\n\r\n" .. SMUGGLED },
  { "more behind the version", 400, "GET / HTTP/1.1 \r\nHost: x\r\n\r\n" .. SMUGGLED },
  { "CONNECT", 400, "CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n" .. SMUGGLED },
  { "a wish nobody knows", 417, head { "Expect: 200-ok", "Content-Length: 0" } .. SMUGGLED },
  { "a WebSocket with a body", 400,
    handshake.request { headers = { ["Content-Length"] = "38" } } .. SMUGGLED },
  { "a WebSocket with chunks", 400,
    handshake.request { headers = { ["Transfer-Encoding"] = "chunked" } } .. "0\r\n\r\n" .. SMUGGLED },
}

-- Chunked bodies that are refused.
local chunks = {
  ["an LF that ends an extension"] = "0;a\n" .. SMUGGLED .. "\r\n\r\n",
  ["an LF for the last line"] = "0\r\n\n" .. SMUGGLED,
  ["a CR that ends the size"] = "0\r\r\n" .. SMUGGLED,
  ["a bare CR in an extension"] = "1;a\rX\r\nb\r\n0\r\n\r\n" .. SMUGGLED,
  ["a NUL behind the size"] = "0\0\r\n\r\n" .. SMUGGLED,
  ["a size that overflows"] = "10000000000000000\r\n" .. SMUGGLED,
  ["a size that overflows to itself"] = "10000000000000005\r\nhello\r\n0\r\n\r\n" .. SMUGGLED,
  ["a size below zero"] = "-0\r\n\r\n" .. SMUGGLED,
  ["a size with an underscore"] = "1_0\r\n" .. SMUGGLED,
  ["a blank before the size"] = " 0\r\n\r\n" .. SMUGGLED,
  ["a chunk that is longer than its size"] = "1\r\nab\r\n0\r\n\r\n" .. SMUGGLED,
  ["a chunk that ends in LF"] = "1\r\na\n0\r\n\r\n" .. SMUGGLED,
  ["a chunk that ends in CR and another byte"] = "1\r\na\rX0\r\n\r\n" .. SMUGGLED,
  ["a trailer that ends in LF"] = "0\r\nA: b\n\r\n" .. SMUGGLED,
  ["a trailer with a bare CR"] = "0\r\nA: b\rGET / HTTP/1.1\r\n\r\n" .. SMUGGLED,
  ["a trailer that goes on in another line"] = "0\r\nA: b\r\n c\r\n\r\n" .. SMUGGLED,
  ["a trailer without a colon"] = "0\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n" .. SMUGGLED,
  ["a trailer without a name"] = "0\r\n: b\r\n\r\n" .. SMUGGLED,
  ["a trailer with a blank before its colon"] = "0\r\nA : b\r\n\r\n" .. SMUGGLED,
  ["a trailer with NUL"] = "0\r\nA: \0\r\n\r\n" .. SMUGGLED,
}

describe("a request that could be taken for two", function()
  for _, attempt in ipairs(refused) do
    local name, status, bytes = table.unpack(attempt)
    it("is refused, and the connection ends: " .. name, case(function(t)
      local server, paths = remembers(t)
      local answer = t:ask(server, bytes)
      assert.same({ status, "close", "fin" }, { answer.status, answer.headers.connection, answer.ending })
      assert.is_nil(answer.body:find "HTTP/1.1")
      assert.same({}, paths)
    end))
  end

  for name, bytes in pairs(chunks) do
    it("is refused, and the connection ends: " .. name, case(function(t)
      local server, paths = remembers(t)
      local answer = t:ask(server, head { "Transfer-Encoding: chunked" } .. bytes)
      assert.is_true(answer.status == 400 or answer.status == 413)
      assert.same({ "close", "fin" }, { answer.headers.connection, answer.ending })
      assert.is_nil(answer.body:find "HTTP/1.1")
      assert.same({}, paths)
    end))
  end

  it("is one: a body that looks like a request", case(function(t)
    local server, paths = remembers(t)
    local raw = t:dial(server)
    raw:send(head { "Content-Length: " .. #SMUGGLED } .. SMUGGLED)
    raw:send(head { "Transfer-Encoding: CHUNKED" } .. ("%x;" .. ("e"):rep(900) .. "\r\n%s\r\n0\r\n%s\r\n")
      :format(#SMUGGLED, SMUGGLED, "Content-Length: 5\r\nHost: y\r\n"))
    raw:send(head({ "Connection: close" }, "GET /last HTTP/1.1"))
    local all, ending = raw:read_until_closed()
    assert.equal("fin", ending)
    assert.equal(3, select(2, all:gsub("HTTP/1.1 200 OK", "")))
    assert.same({ "/ " .. SMUGGLED, "/ " .. SMUGGLED, "/last " }, paths)
  end))

  it("is two: a body whose length is told twice, alike", case(function(t)
    local server, paths = remembers(t)
    local raw = t:dial(server)
    raw:send(head { "Content-Length: 3", "Content-Length: 03" } .. "abc"
             .. head({ "Connection: close" }, "GET /b HTTP/1.1"))
    raw:read_until_closed()
    assert.same({ "/ abc", "/b " }, paths)
  end))

  it("has a body whatever its method is", case(function(t)
    local server, paths = remembers(t)
    for _, method in ipairs { "GET", "HEAD", "DELETE", "TRACE" } do
      t:ask(server, head({ "Content-Length: " .. #SMUGGLED, "Connection: close" }, method .. " /m HTTP/1.1")
        .. SMUGGLED)
      assert.equal("/m " .. SMUGGLED, table.remove(paths))
    end
    assert.same({}, paths)
  end))
end)

describe("a refusal", function()
  it("of HEAD has no body (RFC 9110, 9.3.2)", case(function(t)
    local server = t:server { max_body = 1, http = function() return 200 end }
    for status, headers in pairs {
      [400] = { ["Content-Length"] = "x" }, [413] = { ["Content-Length"] = "5" },
      [417] = { Expect = "tea" }, [501] = { ["Transfer-Encoding"] = "gzip" },
    } do
      local answer = t:http(server, { method = "HEAD", headers = headers })
      assert.same({ status, "", "fin" }, { answer.status, answer.body, answer.ending })
      assert.is_true(tonumber(answer.headers["content-length"]) > 0)
    end
  end))

  it("has a date, as every answer (6.6.1)", case(function(t)
    local server = t:server { http = function() return 200 end }
    for status, bytes in pairs {
      [200] = handshake.http(), [400] = "GET / HTTP/1.1\r\n\r\n", [426] = handshake.request {
        headers = { ["Sec-WebSocket-Version"] = "8" } },
    } do
      local answer = t:ask(server, bytes)
      assert.equal(status, answer.status)
      assert.matches("^%a%a%a, %d%d %a%a%a 20%d%d %d%d:%d%d:%d%d GMT$", answer.headers.date)
    end
  end))
end)

describe("what comes behind a request", function()
  local garbage = {
    ["bytes of TLS"] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ["NULs"] = ("\0"):rep(100),
    ["empty lines"] = "\r\n\r\n\r\n",
    ["a WebSocket's frame"] = "\x81\x85\1\2\3\4hello",
    ["a response"] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ["letters without end"] = ("x"):rep(100000),
    ["a head without end"] = "GET / HTTP/1.1\r\nHost: x\r\nX: " .. ("y"):rep(100000),
    ["fields without end"] = "GET / HTTP/1.1\r\nHost: x\r\n" .. ("X: y\r\n"):rep(20000),
  }
  for name, bytes in pairs(garbage) do
    it("does not spoil its answer: " .. name, case(function(t)
      local server, paths = remembers(t)
      local raw = t:dial(server)
      raw:send(head({}, "GET /a HTTP/1.1") .. bytes)
      local all, ending = raw:read_until_closed()
      assert.matches("^HTTP/1.1 200 OK\r\n.-\r\n\r\nokHTTP/1.1 4%d%d .*Connection: close", all)
      assert.not_equal("timeout", ending)
      assert.same({ "/a " }, paths)
    end))
  end

  it("may be one empty line", case(function(t)
    local server, paths = remembers(t)
    local raw = t:dial(server)
    raw:send(head({}, "GET /a HTTP/1.1") .. "\r\n" .. head({ "Connection: close" }, "GET /b HTTP/1.1"))
    raw:read_until_closed()
    assert.same({ "/a ", "/b " }, paths)
  end))
end)

describe("a head that does not end", function()
  it("is refused when it is too large, has too many fields, or takes too long", case(function(t)
    local server = t:server { max_header = 1000, max_headers = 10, handshake_timeout = 0.05, http = case.echo }
    assert.equal(431, t:ask(server, "GET / HTTP/1.1\r\nX: " .. ("y"):rep(1000)).status)
    assert.equal(431, t:ask(server, "GET / HTTP/1.1\r\n" .. ("X: y\r\n"):rep(11)).status)
    assert.equal(431, t:ask(server, "GET /" .. ("y"):rep(1000)).status)
    assert.equal(408, t:ask(server, "GET / HTTP/1.1\r\n").status)
  end))
end)

describe("a handler cannot split its answer:", function()
  local lines = { "a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\rX-Evil: 1", "a\0b", "\r\n\r\n<html>", "a\r\n b", "\127" }
  local function refuses(name, headers, status, body)
    it(name, case(function(t)
      local answer = t:http(t:server { http = function()
        return status or 200, headers, body or "x"
      end })
      assert.equal(500, answer.status)
      assert.is_nil(answer.text:find "Evil")
      assert.equal("Internal Server Error\n", answer.body)
      local reports = t:reports()
      assert.equal(1, #reports)
      assert.matches("^http[: ]", reports[1].error)
      assert.is_nil(reports[1].error:find "\r")
    end))
  end
  for i, value in ipairs(lines) do
    refuses("a value, " .. i, { ["X-Given"] = value })
    refuses("a value of a list, " .. i, { ["X-Given"] = { "fine", value } })
    refuses("Location, " .. i, { Location = "/" .. value }, 302)
    refuses("Content-Type, " .. i, { ["Content-Type"] = "text/html" .. value })
    refuses("Set-Cookie, " .. i, { ["Set-Cookie"] = { "a=b", "c=" .. value } })
    refuses("a length, " .. i, { ["Content-Length"] = "1" .. value })
    refuses("Connection, " .. i, { Connection = "close" .. value })
  end
  for i, name in ipairs { "", "X Y", "X:", "X\r\nEvil", "X\nEvil", "X\0", "X-\228", "(x)" } do
    refuses("a name, " .. i, { [name] = "y" })
  end
  refuses("a name that is a number", { "y" })
  refuses("a value that is none", { ["X-Given"] = false })
  refuses("a value that is none, beside a length", { ["X-Given"] = false, ["Content-Length"] = 1 })
  refuses("its framing", { ["Transfer-Encoding"] = "chunked" })
  refuses("its framing, however it is spelt", { ["tRANSFER-eNCODING"] = "identity" })
  refuses("another length than it has", { ["Content-Length"] = 2 })
  refuses("keep-alive", { Connection = "keep-alive" })
  for _, status in ipairs { 100, 101, 199, 600, -1, 200.5, "200", true, {} } do
    refuses("a status " .. tostring(status):sub(1, 6), {}, status)
  end

  it("what a client sends comes back as it is, and as one", case(function(t)
    local server = t:server { http = function(request)
      return 302, { Location = request.query.to }, ""
    end }
    local answer = t:http(server, { path = "/?to=/a%0d%0aX-Evil:%201" })
    assert.equal(500, answer.status)
    assert.is_nil(answer.headers["x-evil"])
    assert.equal(1, #t:reports())
    assert.equal("/fine", t:http(server, { path = "/?to=/fine" }).headers.location)
  end))

  it("chunks are framed whatever is in them", case(function(t)
    local piece = "0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    local answer = t:http(t:server { http = function()
      return 200, {}, function(write)
        write(piece)
        write ""
      end
    end })
    assert.equal(("%x\r\n%s\r\n0\r\n\r\n"):format(#piece, piece), answer.body)
  end))
end)
