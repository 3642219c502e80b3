local url = require "weft.url"

describe("a WebSocket URL", function()
  local good = {
    ["ws://example.com"] = { "example.com", 80, "/", "example.com" },
    ["WS://Example.com/"] = { "Example.com", 80, "/", "Example.com" },
    ["ws://example.com:80/x"] = { "example.com", 80, "/x", "example.com" },
    ["ws://example.com:/x"] = { "example.com", 80, "/x", "example.com" },
    ["ws://example.com:08080/"] = { "example.com", 8080, "/", "example.com:8080" },
    ["wss://example.com"] = { "example.com", 443, "/", "example.com" },
    ["wss://example.com:443/"] = { "example.com", 443, "/", "example.com" },
    ["wss://example.com:80/"] = { "example.com", 80, "/", "example.com:80" },
    ["ws://a?x=1"] = { "a", 80, "/?x=1", "a" },
    ["ws://a/b/c?x=%20y&z[]=/?"] = { "a", 80, "/b/c?x=%20y&z[]=/?", "a" },
    ["ws://127.0.0.1:9/"] = { "127.0.0.1", 9, "/", "127.0.0.1:9" },
    ["ws://[::1]:9/"] = { "::1", 9, "/", "[::1]:9" },
    ["ws://[::]"] = { "::", 80, "/", "[::]" },
    ["ws://[1:2:3:4:5:6:7:8]/"] = { "1:2:3:4:5:6:7:8", 80, "/", "[1:2:3:4:5:6:7:8]" },
    ["ws://[1:2:3:4:5:6:7::]/"] = { "1:2:3:4:5:6:7::", 80, "/", "[1:2:3:4:5:6:7::]" },
    ["ws://[::ffff:192.0.2.1]/"] = { "::ffff:192.0.2.1", 80, "/", "[::ffff:192.0.2.1]" },
    ["ws://[fe80::1%25eth0]:81/"] = { "fe80::1%eth0", 81, "/", "[fe80::1]:81" },
  }
  for text, parts in pairs(good) do
    it(("says where %s leads"):format(text), function()
      local parsed = assert(url.parse(text))
      assert.same(parts, { parsed.host, parsed.port, parsed.target, parsed.host_header })
      assert.same({}, { parsed.username, parsed.password })
    end)
  end

  local bad = {
    ["begin with ws"] = { "", "example.com", "http://a/", "ws:/a/", "://a", "wsx://a" },
    ["no host"] = { "ws://", "ws:///x", "ws://:80", "ws://?x" },
    ["port"] = { "ws://a:0/", "ws://a:65536/", "ws://a:123456/", "ws://a:x/", "ws://a:-1/", "ws://[::1]80/" },
    ["IPv6"] = {
      "ws://[::1/", "ws://[]/", "ws://[:::]/", "ws://[1::2::3]/", "ws://[1:2:3]/", "ws://[:1::2]/", "ws://[::1:]/",
      "ws://[1:2:3:4:5:6:7:8:9]/", "ws://[::12345]/", "ws://[::g]/", "ws://[127.0.0.1]/", "ws://[::256.1.1.1]/",
      "ws://[1:2:3:4:5:6:7:1.2.3.4]/", "ws://[1:2:3:4:5:6:7:8::]/",
    },
    ["zone"] = { "ws://[fe80::1%eth0]/", "ws://[fe80::1%25]/" },
    ["host is malformed"] = { "ws://a b/", "ws://a\\b/", "ws://a%20b/", "ws://a,b/" },
    ["percent-encoded"] = { "ws://a/b c", "ws://a/\u{FC}", "ws://a/<", "ws://a/\\" },
    ["hexadecimal"] = { "ws://a/%", "ws://a/%1", "ws://a/%zz", "ws://a/?%%41" },
    ["6455"] = { "ws://a/#x", "ws://a#" },
  }
  for words, texts in pairs(bad) do
    for _, text in ipairs(texts) do
      it(("is refused: %q"):format(text), function()
        local parsed, message = url.parse(text)
        assert.is_nil(parsed)
        assert.is_truthy(message:find(words, 1, true), message)
      end)
    end
  end

  local users = {
    ["ws://ana:sesame@a/"] = { "ana", "sesame" },
    ["ws://ana@a/"] = { "ana", "" },
    ["ws://ana:@a/"] = { "ana", "" },
    ["ws://:sesame@a/"] = { "", "sesame" },
    ["ws://@a/"] = {},
    ["ws://:@a/"] = {},
    ["ws://a%40b:se%3Asa:me%2F@a:81/"] = { "a@b", "se:sa:me/" },
    ["ws://%C3%BC:%FF@[::1]/"] = { "\u{FC}", "\xFF" },
    ["ws://ana:s@b@a/@x"] = { "ana", "s@b" },
  }
  for text, user in pairs(users) do
    it(("says who comes to %s"):format(text), function()
      local parsed = assert(url.parse(text))
      assert.same(user, { parsed.username, parsed.password })
      assert.is_nil(parsed.host_header:find("@", 1, true))
    end)
  end

  for text, words in pairs {
    ["ws://ana:%@a/"] = "without two hexadecimal digits", ["ws://ana%2:x@a/"] = "without two hexadecimal digits",
    ["ws://ana:%0D%0A@a/"] = "control character", ["ws://%00:x@a/"] = "control character",
    ["ws://ana:%7F@a/"] = "control character", ["ws://a%3Ana:x@a/"] = "colon",
    ["ws://good.example\\@evil.example/"] = "backslash", ["ws://ana:\\@a/"] = "backslash",
  } do
    it(("does not take %s"):format(text), function()
      local parsed, message = url.parse(text)
      assert.is_nil(parsed)
      assert.is_truthy(message:find(words, 1, true), message)
    end)
  end

  it("never shows a password", function()
    for _, text in ipairs {
      "ws://ana:sesame@host/", "ws://ana:ses/ame@host/", "ws://ana:sesame@:x/", "ws://ana:sesame@/", "ana:sesame@host",
      "ws://ana:sesame@host:sesame/", "ws://ana:sesame@host/%", "http://ana:sesame@host/", "ws://ana:sesame@[x]/",
    } do
      local parsed, message = url.parse(text)
      if parsed then
        assert.equal("ana", parsed.username)
      else
        assert.is_nil(message:find("ses", 1, true), message)
      end
    end
  end)
end)

describe("a reference to a URL", function()
  --- What it leads to from a base, written out.
  local function resolve(base, reference)
    local to, wrong = url.resolve(assert(url.parse(base)), reference)
    if not to then
      return nil, wrong
    end
    assert.equal(url.host_header(to.scheme, to.host, to.port), to.host_header)
    return to.scheme .. "://" .. to.host_header .. to.target
  end

  -- RFC 3986, 5.4.1 and 5.4.2, without their fragments
  local examples = {
    ["g"] = "/b/c/g", ["./g"] = "/b/c/g", ["g/"] = "/b/c/g/", ["/g"] = "/g", ["?y"] = "/b/c/d;p?y", ["g?y"] = "/b/c/g?y",
    ["#s"] = "/b/c/d;p?q", ["g#s"] = "/b/c/g", ["g?y#s"] = "/b/c/g?y", [";x"] = "/b/c/;x", ["g;x"] = "/b/c/g;x",
    ["g;x?y#s"] = "/b/c/g;x?y", [""] = "/b/c/d;p?q", ["."] = "/b/c/", ["./"] = "/b/c/", [".."] = "/b/", ["../"] = "/b/",
    ["../g"] = "/b/g", ["../.."] = "/", ["../../"] = "/", ["../../g"] = "/g", ["../../../g"] = "/g",
    ["../../../../g"] = "/g", ["/./g"] = "/g", ["/../g"] = "/g", ["g."] = "/b/c/g.", [".g"] = "/b/c/.g",
    ["g.."] = "/b/c/g..", ["..g"] = "/b/c/..g", ["./../g"] = "/b/g", ["./g/."] = "/b/c/g/", ["g/./h"] = "/b/c/g/h",
    ["g/../h"] = "/b/c/h", ["g;x=1/./y"] = "/b/c/g;x=1/y", ["g;x=1/../y"] = "/b/c/y", ["g?y/./x"] = "/b/c/g?y/./x",
    ["g?y/../x"] = "/b/c/g?y/../x", ["?"] = "/b/c/d;p?", ["//g"] = { "g", "/" }, ["//g?y/../x"] = { "g", "/?y/../x" },
    ["//g:81/x/../y"] = { "g:81", "/y" }, ["/a//../b"] = "/a/b", ["g/%2e%2E/h"] = "/b/c/g/%2e%2E/h",
    ["/gr\u{FC}n?\u{FC}"] = "/gr%C3%BCn?%C3%BC",
  }
  for reference, expected in pairs(examples) do
    it(("leads from ws://a/b/c/d;p?q by %q"):format(reference), function()
      local host, target = "a", expected
      if type(expected) == "table" then
        host, target = expected[1], expected[2]
      end
      assert.equal("ws://" .. host .. target, resolve("ws://a/b/c/d;p?q", reference))
      assert.equal("wss://" .. host .. target, resolve("wss://a/b/c/d;p?q", reference))
    end)
  end

  it("may have a scheme of its own, http and https among them", function()
    for reference, expected in pairs {
      ["ws://b/x"] = "ws://b/x", ["wss://b/x/../y"] = "wss://b/y", ["http://b"] = "ws://b/", ["HTTPS://b:443"] = "wss://b/",
      ["https://b:80/?x"] = "wss://b:80/?x", ["http://[::1]:8080/#x"] = "ws://[::1]:8080/", ["WS://b/"] = "ws://b/",
    } do
      assert.equal(expected, resolve("ws://a/b", reference))
    end
  end)

  it("keeps host, port and zone of a base that it says nothing of", function()
    local base = assert(url.parse "ws://ana:sesame@[fe80::1%25eth0]:81/x/y")
    local to = assert(url.resolve(base, "z"))
    assert.same({ "ws", "fe80::1%eth0", 81, "/x/z", "[fe80::1]:81" },
      { to.scheme, to.host, to.port, to.target, to.host_header })
    assert.same({}, { to.username, to.password })
  end)

  it("says whom it names", function()
    local to = assert(url.resolve(assert(url.parse "ws://a/"), "//ana:sesame@b/"))
    assert.same({ "ana", "sesame" }, { to.username, to.password })
  end)

  for _, reference in ipairs {
    "mailto:ana@example.com", "ftp://a/", "javascript:alert(1)", "ws:/x", "ws:x", "http:g", "//", "http:///x", "/a b",
    "/%zz", "g\\h", "//a b/", "/\"", "//a:0/", "//[::1/",
  } do
    it(("leads nowhere: %q"):format(reference), function()
      local to, wrong = resolve("ws://a/b/c", reference)
      assert.is_nil(to)
      assert.equal("string", type(wrong))
    end)
  end

  it("is of the same origin when scheme, host and port are the same", function()
    local function same(a, b)
      return url.same_origin(assert(url.parse(a)), assert(url.parse(b)))
    end
    assert.is_true(same("ws://Example.com/a", "ws://example.COM:80/b?c"))
    assert.is_true(same("wss://[::1]/", "wss://[::1]:443/"))
    assert.is_false(same("ws://example.com/", "wss://example.com/"))
    assert.is_false(same("ws://example.com:443/", "wss://example.com/"))
    assert.is_false(same("ws://example.com/", "ws://example.com:81/"))
    assert.is_false(same("ws://example.com/", "ws://www.example.com/"))
  end)
end)
