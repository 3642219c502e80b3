-- weft.static: files of a directory over HTTP.
local case = require "support.case"
local child_process = require "support.child"
local folder = require "support.folder"
local raises = require "support.raises"
local weft = require "weft"

local place

-- The answer to one request; `options` as for handshake.http.
local function ask(t, listening, path, options)
  local merged = { path = path, headers = { Connection = "close" } }
  for name, value in pairs(options or {}) do
    if name == "headers" then
      for field, text in pairs(value) do
        merged.headers[field] = text
      end
    else
      merged[name] = value
    end
  end
  return t:http(listening, merged)
end

local function serve(t, options)
  return t:listen { http = t.weft.static(place:at "www", options) }
end

local big = ("0123456789abcdef"):rep(65536 * 3) .. "the end"

describe("weft.static", function()
  setup(function()
    place = folder.make {
      ["www/index.html"] = "<p>index", ["www/sub/index.html"] = "<p>sub", ["www/a.txt"] = "text", ["www/empty.css"] = "",
      ["www/bare/"] = true, ["www/big.bin"] = big, ["www/noext"] = "?", ["www/UP.HTML"] = "<p>up", ["www/a.gmi"] = "# a",
      ["www/page.js"] = "let a", ["www/page.js.gz"] = "packed js", ["www/old.js"] = "let b", ["www/old.js.gz"] = "stale",
      ["www/x.tar.gz"] = "archive", ["www/x.tar.gz.gz"] = "archive packed twice", ["www/only.txt.gz"] = "only packed",
      ["www/sub/home.html"] = "<p>home", ["www/packed/index.html"] = "<p>plain", ["www/packed/index.html.gz"] = "packed index",
      ["www/image.svg"] = "<svg/>", ["www/data.json"] = "{}", ["www/dir.js"] = "let c", ["www/dir.js.gz/"] = true,
    }
    place:touch("www/page.js", 1000000000)
    place:touch("www/page.js.gz", 1000000000)
    place:touch("www/old.js.gz", 1000000000)
    place:touch("www/packed/index.html", 1000000000)
  end)

  teardown(function()
    place:remove()
  end)

  it("sends files", case(function(t)
    local listening = serve(t)
    local answer = ask(t, listening, "/a.txt")
    assert.same({ 200, "text", "4", "text/plain; charset=utf-8", "nosniff", "bytes" }, {
      answer.status, answer.body, answer.headers["content-length"], answer.headers["content-type"],
      answer.headers["x-content-type-options"], answer.headers["accept-ranges"],
    })
    assert.is_nil(answer.headers["content-encoding"])
    assert.is_nil(answer.headers["cache-control"])
    assert.matches('^"%x+"$', answer.headers.etag)
    assert.matches("^%a%a%a, %d%d %a%a%a %d%d%d%d %d%d:%d%d:%d%d GMT$", answer.headers["last-modified"])
    assert.same({ 200, "" }, { ask(t, listening, "/empty.css").status, ask(t, listening, "/empty.css").body })
  end))

  it("sends large files whole", case(function(t)
    local answer = ask(t, serve(t), "/big.bin")
    assert.equal(#big, #answer.body)
    assert.is_true(answer.body == big)
  end))

  it("sends the index of a folder, and redirects to the path with a slash", case(function(t)
    local listening = serve(t)
    assert.equal("<p>index", ask(t, listening, "/").body)
    assert.equal("<p>sub", ask(t, listening, "/sub/").body)
    local answer = ask(t, listening, "/sub?a=b")
    assert.same({ 301, "./sub/?a=b" }, { answer.status, answer.headers.location })
    assert.equal(404, ask(t, listening, "/bare/").status)
    local other = serve(t, { index = "home.html" })
    assert.same({ 404, "<p>home" }, { ask(t, other, "/").status, ask(t, other, "/sub/").body })
    local none = serve(t, { index = false })
    assert.same({ 404, 404, 404, 200 }, {
      ask(t, none, "/").status, ask(t, none, "/sub").status, ask(t, none, "/sub/").status, ask(t, none, "/sub/index.html").status,
    })
  end))

  it("answers HEAD as GET, without the body", case(function(t)
    local listening = serve(t)
    for _, path in ipairs { "/a.txt", "/", "/sub", "/nothing", "/big.bin" } do
      local get, head = ask(t, listening, path), ask(t, listening, path, { method = "HEAD" })
      assert.same({ get.status, get.headers["content-length"], get.headers["content-type"], get.headers.etag, "" },
        { head.status, head.headers["content-length"], head.headers["content-type"], head.headers.etag, head.body })
    end
  end))

  it("answers other methods with 405", case(function(t)
    local listening = serve(t)
    for _, method in ipairs { "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "get", "PROPFIND" } do
      local answer = ask(t, listening, "/a.txt", { method = method, headers = { ["Content-Length"] = "0" } })
      assert.same({ 405, "GET, HEAD" }, { answer.status, answer.headers.allow }, method)
    end
  end))

  it("says what there is not in a short text", case(function(t)
    local answer = ask(t, serve(t), "/nothing")
    assert.same({ 404, "text/plain; charset=utf-8", "There is nothing at this path.\n" },
      { answer.status, answer.headers["content-type"], answer.body })
  end))

  it("names content types by extension", case(function(t)
    local listening = serve(t, { types = { gmi = "text/gemini", JSON = "application/x-own" } })
    for path, expected in pairs {
      ["/UP.HTML"] = "text/html; charset=utf-8", ["/page.js"] = "text/javascript; charset=utf-8", ["/noext"] = "application/octet-stream",
      ["/image.svg"] = "image/svg+xml", ["/data.json"] = "application/x-own", ["/a.gmi"] = "text/gemini",
      ["/empty.css"] = "text/css; charset=utf-8", ["/big.bin"] = "application/octet-stream", ["/x.tar.gz"] = "application/gzip",
    } do
      assert.equal(expected, ask(t, listening, path).headers["content-type"], path)
    end
  end))

  it("sends further headers, and how long a file may be kept", case(function(t)
    local listening = serve(t, { max_age = 3600, headers = { ["X-Frame-Options"] = "DENY", ["Link"] = { "<a>", "<b>" } } })
    local answer = ask(t, listening, "/a.txt")
    assert.same({ "max-age=3600", "DENY", "<a>, <b>", "nosniff" }, {
      answer.headers["cache-control"], answer.headers["x-frame-options"], answer.headers.link, answer.headers["x-content-type-options"],
    })
    assert.is_nil(ask(t, listening, "/nothing").headers["cache-control"])
    local own = serve(t, { max_age = 5, headers = { ["cache-control"] = "no-store", ["X-CONTENT-TYPE-OPTIONS"] = "none" } })
    answer = ask(t, own, "/a.txt")
    assert.same({ "no-store", "none" }, { answer.headers["cache-control"], answer.headers["x-content-type-options"] })
  end))

  it("sends the fallback where there is nothing", case(function(t)
    local listening = serve(t, { fallback = "sub/home.html" })
    for _, path in ipairs { "/nothing", "/a/deep/path", "/bare/", "/nothing.png" } do
      local answer = ask(t, listening, path)
      assert.same({ 200, "<p>home", "text/html; charset=utf-8" }, { answer.status, answer.body, answer.headers["content-type"] })
    end
    assert.equal("text", ask(t, listening, "/a.txt").body)
    assert.equal(301, ask(t, listening, "/sub").status)
    assert.equal(404, ask(t, serve(t, { fallback = "nothing.html" }), "/nothing").status)
    local index = serve(t, { fallback = "index.html", index = false })
    assert.same({ "<p>index", "<p>index" }, { ask(t, index, "/").body, ask(t, index, "/sub").body })
  end))

  describe("with a file compressed beside another", function()
    it("sends that to who takes it", case(function(t)
      local listening = serve(t)
      local plain = ask(t, listening, "/page.js")
      local packed = ask(t, listening, "/page.js", { headers = { ["Accept-Encoding"] = "gzip, br" } })
      assert.same({ "let a", nil, "Accept-Encoding" }, { plain.body, plain.headers["content-encoding"], plain.headers.vary })
      assert.same({ 200, "packed js", "gzip", "Accept-Encoding", "text/javascript; charset=utf-8" }, {
        packed.status, packed.body, packed.headers["content-encoding"], packed.headers.vary, packed.headers["content-type"],
      })
      assert.not_equal(plain.headers.etag, packed.headers.etag)
      local index = ask(t, listening, "/packed/", { headers = { ["Accept-Encoding"] = "gzip" } })
      assert.same({ "packed index", "text/html; charset=utf-8" }, { index.body, index.headers["content-type"] })
    end))

    for accepted, expected in pairs {
      ["gzip"] = true, ["GZIP"] = true, ["x-gzip"] = true, ["gzip;q=0.001"] = true, ["br, gzip;q=0.5"] = true, ["*"] = true,
      ["deflate, *;q=0.1"] = true, ["gzip ; q=1.000"] = true, ["identity;q=0.5, gzip;q=0.5"] = true, ["gzip;Q=0.3"] = true,
      ["identity;q=0, gzip"] = true, [",, gzip ,"] = true, ["gzip, *;q=0"] = true,
      [""] = false, ["br"] = false, ["gzip;q=0"] = false, ["gzip;q=0.000"] = false, ["*;q=0"] = false, ["gzip;q=0, *"] = false,
      ["identity"] = false, ["identity;q=1, gzip;q=0.5"] = false, ["gzip;q=2"] = false, ["gzip;q=x"] = false, ["gzip;x=1"] = false,
      ["notgzip"] = false, ["gzip2"] = false, ["gz"] = false, ["gzip;q=-1"] = false, ["gzip;q=0.0001"] = false,
    } do
      it(("understands Accept-Encoding: %q"):format(accepted), case(function(t)
        local answer = ask(t, serve(t), "/page.js", { headers = { ["Accept-Encoding"] = accepted } })
        assert.equal(expected and "packed js" or "let a", answer.body)
      end))
    end

    it("does not send what is stale, alone, no file, or packed already", case(function(t)
      local listening = serve(t)
      for path, expected in pairs {
        ["/old.js"] = "let b", ["/only.txt"] = "There is nothing at this path.\n", ["/x.tar.gz"] = "archive", ["/dir.js"] = "let c",
        ["/only.txt.gz"] = "only packed",
      } do
        local answer = ask(t, listening, path, { headers = { ["Accept-Encoding"] = "gzip" } })
        assert.same({ expected, nil }, { answer.body, answer.headers["content-encoding"] }, path)
      end
    end))
  end)

  it("raises when there is no such directory", function()
    raises(function() weft.static(place:at "nothing") end, "weft.static", "nothing", "No such file or directory")
    raises(function() weft.static(place:at "www/a.txt") end, "weft.static", "a.txt", "Not a directory")
    raises(function() weft.static() end, "weft.static", "directory", "a path", "nil")
    raises(function() weft.static "a\0b" end, "weft.static", "directory", "a path")
    raises(function() weft.static "" end, "weft.static", "directory", "a path")
  end)

  for name, wrong in pairs {
    index = { { true }, { "a/b" }, { "" }, { ".." }, { 5 } },
    fallback = { { "/a" }, { "../a" }, { "a/../../b" }, { "" }, { "a//b" }, { "a/" }, { "./a" }, { false } },
    max_age = { { -1 }, { 1.5 }, { "1" }, { math.huge } },
    dotfiles = { { 1 }, { "allow" } },
    types = { { 5 }, { { [".x"] = "a/b" } }, { { x = "nonsense" } }, { { x = "a/b\r\nX: y" } }, { { "a/b" } } },
    headers = {
      { 5 }, { { ETag = "x" } }, { { ["content-type"] = "a/b" } }, { { Vary = "Origin" } }, { { ["X-A"] = "b\r\nX-B: c" } },
      { { ["X A"] = "b" } }, { { ["Content-Length"] = "1" } }, { { ["Last-Modified"] = "x" } },
    },
    indx = { { "a" } },
  } do
    for _, value in ipairs(wrong) do
      it(("raises for the option %s = %s"):format(name, tostring(value[1])), function()
        raises(function() weft.static(place:at "www", { [name] = value[1] }) end, "weft.static", name)
      end)
    end
  end

  it("serves what it opened when it was made", case(function(t)
    local other = folder.make { ["one/f"] = "one", ["two/f"] = "two" }
    other:link("one", "current")
    local listening = t:listen { http = t.weft.static(other:at "current") }
    other:run "rm current; ln -s two current"
    assert.equal("one", ask(t, listening, "/f").body)
    other:run "mv one three"
    assert.equal("one", ask(t, listening, "/f").body)
    other:write("three/f", "one, changed")
    assert.equal("one, changed", ask(t, listening, "/f").body)
    other:remove()
    assert.equal(404, ask(t, listening, "/f").status)
  end))

  it("answers 403 for what it may not read", case(function(t)
    local other = folder.make { f = "closed" }
    other:run "chmod 0 f"
    local readable = io.open(other:at "f")
    local answer = ask(t, t:listen { http = t.weft.static(other.path) }, "/f")
    if readable then -- this is root
      readable:close()
      assert.equal(200, answer.status)
    else
      assert.same({ 403, nil }, { answer.status, answer.headers.etag })
    end
    other:remove()
  end))
end)

-- Opens a file again and again, and keeps it.
local GREEDY = [[
local weft = require "weft"
local handler, kept = weft.static(arg[1]), {}
local status, file, _
repeat
  status, _, file = handler { method = "GET", target = "/f", headers = {}, params = {} }
  kept[#kept + 1] = file
until status ~= 200
print(#kept > 5, status, kept[#kept])
for i = 1, #kept - 1 do
  kept[i]:close()
end
print((handler { method = "GET", target = "/f", headers = {}, params = {} }))
]]

describe("weft.static without descriptors", function()
  it("answers 503, and goes on when there are some", case(function(t)
    local other = folder.make { f = "text" }
    local child = child_process.start_after(t.weft, "ulimit -n 30", GREEDY, other.path)
    local output, status = child:wait()
    other:remove()
    assert.same({ "true\t503\tThe server has too much to do.\n\n200\n", 0 }, { output, status })
  end, 30))
end)

-- A handler is a function: called by hand, its files are the caller's.
describe("the file that weft.static answers with", function()
  local function get(t, headers)
    local handler = t.weft.static(place.path)
    return handler { method = "GET", target = "/f", headers = headers or {}, params = {} }
  end

  setup(function()
    place = folder.make { f = "0123456789" }
    place:touch("f", 1000000000)
  end)

  teardown(function()
    place:remove()
  end)

  it("can be read, and has facts", case(function(t)
    local status, _, file = get(t)
    local size, seconds, nanoseconds, inode = file:facts()
    assert.same({ 200, 10, 1000000000, 0 }, { status, size, seconds, nanoseconds })
    assert.equal(require "lfs".attributes(place:at "f", "ino"), inode)
    assert.same({ "0123", "456789" }, { file:read(4), file:read(100) })
    assert.is_nil(file:read(1))
    file:close()
    file:close()
    assert.same({ nil, "closed" }, { file:read(1) })
  end))

  it("has a part that is sent", case(function(t)
    local _, _, file = get(t, { range = "bytes=2-4" })
    assert.equal("234", file:read(100))
    assert.equal("89", file:part(8, 2):read(100))
    assert.is_nil(file:part(10, 0):read(100))
    for _, part in ipairs { { -1, 1 }, { 11, 0 }, { 0, 11 }, { 5, 6 }, { 0, -1 }, { math.maxinteger, 1 }, { 1, math.maxinteger } } do
      raises(function() file:part(part[1], part[2]) end, "file:part")
    end
    raises(function() file:read(0) end, "file:read", "count")
    raises(function() file.read({}, 1) end, "file:read", "self")
    file:close()
  end))

  it("is closed when nobody refers to it", case(function(t)
    for _ = 1, 100 do -- which the case itself sees
      assert.equal(200, (get(t)))
    end
  end))
end)
