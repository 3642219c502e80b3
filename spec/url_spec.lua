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
      assert.is_false(parsed.credentials)
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
    ["ASCII"] = { "ws://gr\u{FC}n.example/" },
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

  it("never shows a password", function()
    for _, text in ipairs {
      "ws://ana:sesame@host/", "ws://ana:ses/ame@host/", "ws://ana:sesame@:x/", "ws://ana:sesame@/", "ana:sesame@host",
      "ws://ana:sesame@host:sesame/", "ws://ana:sesame@host/%", "http://ana:sesame@host/", "ws://ana:sesame@[x]/",
    } do
      local parsed, message = url.parse(text)
      if parsed then
        assert.is_true(parsed.credentials)
      else
        assert.is_nil(message:find("ses", 1, true), message)
      end
    end
  end)
end)
