local compat = require "weft.compat"
local http = require "weft.http"
local requests = require "weft.request"
local response = require "weft.response"
local routes = require "weft.routes"

local function request(target, headers)
  return requests.new { method = "GET", target = target, headers = headers or {} }
end

describe("a request's target", function()
  local cases = {
    ["/"] = { "/", "" },
    ["/a%20b/%C3%BC?x=%20"] = { "/a b/\u{FC}", "x=%20" },
    ["/?"] = { "/", "" },
    ["/a?b?c"] = { "/a", "b?c" },
    ["/%"] = { "/%", "" },
    ["/%4"] = { "/%4", "" },
    ["/%zz%41"] = { "/%zzA", "" },
    ["/%2541"] = { "/%41", "" },
    ["http://example.com/a?x"] = { "/a", "x" },
    ["http://example.com?x"] = { "/", "x" },
    ["http://example.com"] = { "/", "" },
    ["*"] = { "*", "" },
  }
  for target, expected in pairs(cases) do
    it(("is taken apart: %s"):format(target), function()
      local got = request(target)
      assert.same(expected, { got.path, got.query_string })
      assert.equal(target, got.target)
    end)
  end

  it("has its query as a table", function()
    assert.same({ a = "1", b = "x y", c = "", d = "", ["e f"] = "g=h", [""] = "i" },
                request("/?a=1&b=x+y&c=&d&e%20f=g=h&a=2&&=i").query)
    assert.same({}, request("/").query)
  end)

  it("has the host from its header", function()
    assert.equal("example.com:81", request("/", { host = "example.com:81" }).host)
    assert.equal("", request("/").host)
  end)
end)

describe("routes", function()
  local function compile(...)
    local given = {}
    for _, pattern in ipairs { ... } do
      given[pattern] = pattern
    end
    return routes.compile("weft.listen", given, 1)
  end

  it("go back from a branch that leads nowhere", function()
    local route = compile("/a/b/c", "/a/:x/d", "/:y/b/e", "/*")
    assert.same({ "/a/b/c", {} }, { route "/a/b/c" })
    assert.same({ "/a/:x/d", { x = "b" } }, { route "/a/b/d" })
    assert.same({ "/:y/b/e", { y = "a" } }, { route "/a/b/e" })
    assert.same({ "/*", { ["*"] = "a/b/f" } }, { route "/a/b/f" })
  end)

  it("give the rest its name, decoded", function()
    local route = compile("/files/:disk/*")
    assert.same({ "/files/:disk/*", { disk = "a", ["*"] = "b c/d" } }, { route "/files/a/b%20c/d" })
    assert.same({ "/files/:disk/*", { disk = "a", ["*"] = "" } }, { route "/files/a/" })
    assert.is_nil(route "/files/a")
  end)

  it("are not fooled by an encoded slash", function()
    local route = compile("/a/b", "/:x")
    assert.same({ "/:x", { x = "a/b" } }, { route "/a%2Fb" })
  end)

  it("have nothing for what is no path", function()
    local route = compile("/*")
    assert.is_nil(route "*")
    assert.is_nil(route "")
  end)

  it("stay fast for a path made to branch", function()
    local patterns = {}
    for i = 0, 255 do
      local path = ""
      for bit = 0, 7 do
        path = path .. (math.floor(i / 2 ^ bit) % 2 == 0 and "/a" or "/:p" .. bit)
      end
      patterns[#patterns + 1] = path .. "/end"
    end
    local route = compile(table.unpack(patterns))
    -- without a bound on the branches this would not end in our time
    for _ = 1, 20 do
      assert.is_nil(route(("/a"):rep(8) .. "/nowhere"))
      assert.is_nil(route(("/"):rep(16000)))
    end
  end)
end)

describe("header lines", function()
  local function free() end

  it("are in the order of their names, a list gives one each", function()
    assert.equal("A: 1\r\nB: x\r\nB: y\r\nC: \r\n",
                 http.header_lines({ C = "", B = { "x", "y" }, A = 1 }, free))
    assert.equal("", http.header_lines({}, free))
  end)

  local bad = {
    { ["X A"] = "b" }, { [""] = "b" }, { ["X:"] = "b" }, { ["X\r\nY"] = "b" }, { ["gr\u{FC}n"] = "b" }, { "X: b" },
    { X = "a\r\nY: b" }, { X = "a\n" }, { X = "\r" }, { X = "a\0b" }, { X = "\127" }, { X = { "a", "b\n" } },
    { X = {} }, { X = { 1.5 } }, { X = true }, { X = { a = "b" } },
  }
  for number, headers in ipairs(bad) do
    it("are never made of what could end a line or a name (" .. number .. ")", function()
      local lines, message = http.header_lines(headers, free)
      assert.is_nil(lines)
      assert.equal("string", type(message))
    end)
  end

  it("keep a value that may be secret out of the message", function()
    local _, message = http.header_lines({ Cookie = "sesame\n" }, free)
    assert.is_nil(message:find "sesame")
  end)

  it("leave the handshake's own to the handshake", function()
    for _, name in ipairs { "Host", "upgrade", "CONNECTION", "Sec-WebSocket-Key", "Content-Length" } do
      local lines, message = http.header_lines({ [name] = "x" }, http.handshake_own)
      assert.is_nil(lines)
      assert.is_truthy(message:find(name, 1, true))
    end
    assert.equal("Sec-Fetch-Mode: x\r\n", http.header_lines({ ["Sec-Fetch-Mode"] = "x" }, http.handshake_own))
  end)
end)

describe("what an http function returns", function()
  local function checked(...)
    local status, lines, body = response.check("http", "GET", ...)
    return { status, lines, body }
  end

  it("is a status, headers and a body", function()
    assert.same({ 200, "", "" }, checked(200))
    assert.same({ 404, "A: b\r\n", "x" }, checked(404, { A = "b" }, "x"))
    assert.same({ 200, "", "xyz" }, checked(200, nil, { "x", "", "yz" }))
  end)

  it("may say what is so anyway", function()
    assert.same({ 200, "connection: close\r\n", "four" },
                checked(200, { ["Content-Length"] = 4, connection = "close" }, "four"))
    assert.has_error(function() checked(200, { ["Content-Length"] = 5 }, "four") end)
    assert.has_error(function() checked(200, { Connection = "keep-alive" }, "four") end)
    assert.has_error(function() checked(200, { ["Transfer-Encoding"] = "chunked" }, "four") end)
  end)

  it("is refused when it is anything else", function()
    for _, results in ipairs {
      { n = 0 }, { "200" }, { 200.5 }, { 101 }, { 199 }, { 600 }, { true }, { 200, "text" }, { 200, {}, 5 },
      { 200, {}, { "a", 5 } }, { 200, { A = "b\n" } },
    } do
      local ok, message = pcall(checked, table.unpack(results))
      assert.is_false(ok)
      assert.is_truthy(message:find "^http")
    end
  end)
end)

describe("headers that were prepared", function()
  local given = http.prepare { B = "2", A = "1" }
  -- where pairs() would not find what is in such a table, it is an ordinary one
  local lines = compat.asks_pairs and "A: 1\r\nB: 2\r\n" or nil

  it("have their lines, and are read as a table", function()
    local headers = given()
    assert.equal(lines, http.prepared_lines(headers))
    assert.equal("1", headers.A)
    local seen = {}
    for name, value in pairs(headers) do
      seen[name] = value
    end
    assert.same({ A = "1", B = "2" }, seen)
    assert.equal("A: 1\r\nB: 2\r\n", select(2, response.check("http", "GET", 200, headers)))
  end)

  it("become ordinary ones by a change, which nobody else sees", function()
    local headers = given()
    headers.C = "3"
    headers.A = nil
    assert.is_nil(http.prepared_lines(headers))
    assert.equal("B: 2\r\nC: 3\r\n", select(2, response.check("http", "GET", 200, headers)))
    headers = given()
    headers.B = nil
    assert.equal("A: 1\r\n", select(2, response.check("http", "GET", 200, headers)))
    assert.equal(lines, http.prepared_lines(given()))
  end)
end)
