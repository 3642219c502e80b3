-- Which proxy a client goes through: what the option says, and what the
-- environment says, read as curl reads it.
local address = require "weft.address"
local case = require "support.case"
local child_process = require "support.child"
local proxy = require "weft.proxy"

--- "socks5 host:port user:password", as short as it goes; of nil the reason.
local function shown(chosen, wrong)
  if not chosen then
    return wrong or "none"
  end
  local login = chosen.user and (" %s:%s"):format(chosen.user, chosen.password) or ""
  return ("%s %s:%d%s"):format(chosen.kind, chosen.host, chosen.port, login)
end

describe("a proxy", function()
  local good = {
    ["http://proxy.example:3128"] = "http proxy.example:3128",
    ["http://proxy.example:3128/"] = "http proxy.example:3128",
    ["HTTP://Proxy.Example:80"] = "http Proxy.Example:80",
    ["http://proxy.example"] = "http proxy.example:1080",
    ["socks5://proxy.example"] = "socks5 proxy.example:1080",
    ["socks5://proxy.example:9050"] = "socks5 proxy.example:9050",
    ["socks5h://proxy.example:9050"] = "socks5 proxy.example:9050",
    ["SOCKS5H://p"] = "socks5 p:1080",
    ["proxy.example:3128"] = "http proxy.example:3128",
    ["proxy.example"] = "http proxy.example:1080",
    ["proxy.example:"] = "http proxy.example:1080",
    ["127.0.0.1:03128"] = "http 127.0.0.1:3128",
    ["http://[::1]:3128"] = "http ::1:3128",
    ["[2001:db8::1]"] = "http 2001:db8::1:1080",
    ["socks5://[fe80::1%25eth0]:1"] = "socks5 fe80::1%eth0:1",
    ["http://ana:secret@p:1"] = "http p:1 ana:secret",
    ["ana:secret@p:1"] = "http p:1 ana:secret",
    ["http://ana@p:1"] = "http p:1 ana:",
    ["http://ana:@p:1"] = "http p:1 ana:",
    ["http://:secret@p:1"] = "http p:1 :secret",
    ["http://:@p:1"] = "http p:1",
    ["http://@p:1"] = "http p:1",
    ["http://ana:a:b@c@p:1"] = "http p:1 ana:a:b@c",
    ["http://an%61:%40%2f%3A%C3%BC@p:1"] = "http p:1 ana:@/:\xC3\xBC",
    ["http://ana:100%@p:1"] = "http p:1 ana:100%", -- as curl
    ["socks5://an%3Aa:secret@[::1]"] = "socks5 ::1:1080 an:a:secret",
    ["socks5://" .. ("u"):rep(255) .. ":" .. ("p"):rep(255) .. "@p"] =
      "socks5 p:1080 " .. ("u"):rep(255) .. ":" .. ("p"):rep(255),
  }
  for text, expected in pairs(good) do
    it("is read from " .. text:sub(1, 60), function()
      assert.equal(expected, shown(proxy.parse(text)))
    end)
  end

  local bad = {
    [""] = "it names no host",
    ["http://"] = "it names no host",
    ["http://:3128"] = "it names no host",
    ["ana:tOpS3cret@"] = "it names no host",
    ["::1"] = "it names no host",
    ["https://ana:tOpS3cret@p:3128"] = "http://",
    ["socks4://ana:tOpS3cret@p"] = "SOCKS4",
    ["socks4a://p"] = "SOCKS4",
    ["socks://p"] = "SOCKS4",
    ["ftp://ana:tOpS3cret@p"] = "it must begin with http://, socks5:// or socks5h://",
    ["://p"] = "it must begin with",
    ["http://p:0"] = "port",
    ["http://p:65536"] = "port",
    ["http://p:x"] = "port",
    ["http://p:-1"] = "port",
    ["http://ana:tOpS3cret@p:tOpS3cret"] = "port",
    ["http://p:3128/path"] = "percent-encoded",
    ["http://p:3128?a=b"] = "percent-encoded",
    ["http://ana:tOpS3cret#@p"] = "percent-encoded",
    ["http://ana:tOpS3cret/@p:1"] = "percent-encoded",
    ["http://two words:1"] = "percent-encoded",
    [" p:1"] = "percent-encoded",
    ["http://p\r\nX: y:1"] = "percent-encoded",
    ["http://p\0:1"] = "host",
    ["http://ana:tOpS3cret\1@p:1"] = "control",
    ["http://ana:tOpS3cret%0D%0A@p:1"] = "control",
    ["http://an%00a:tOpS3cret@p:1"] = "control",
    ["http://an%3Aa:tOpS3cret@p:1"] = "colon",
    ["http://b\xC3\xBCro:1"] = "ASCII",
    ["http://p_!:1"] = "host",
    ["http://" .. ("x"):rep(256)] = "host",
    ["http://[::1"] = "IPv6",
    ["http://[p]:1"] = "IPv6",
    ["http://[::1]3128"] = "port",
    ["http://[fe80::1%eth0]"] = "zone",
    ["socks5://" .. ("u"):rep(256) .. ":tOpS3cret@p"] = "255",
    ["socks5://u:" .. ("tOpS3cret"):rep(30) .. "@p"] = "255",
  }
  for text, expected in pairs(bad) do
    it(("is not read from %q"):format(text:sub(1, 60)), function()
      local parsed, wrong = proxy.parse(text)
      assert.is_nil(parsed)
      assert.is_truthy(wrong:find(expected, 1, true), wrong)
      assert.is_nil(wrong:find "tOpS3cret", "it holds a password")
    end)
  end

  it("is an option that is a string or false", function()
    assert.equal("p:1", proxy.kind "p:1")
    assert.equal("", proxy.kind "")
    assert.is_false(proxy.kind(false))
    for _, value in ipairs { true, 3128, {} } do
      local checked, expected = proxy.kind(value)
      assert.is_nil(checked)
      assert.matches("^a proxy", expected)
    end
  end)
end)

describe("an address", function()
  local good = {
    ["127.0.0.1"] = "\127\0\0\1",
    ["0.0.0.0"] = "\0\0\0\0",
    ["255.255.255.255"] = "\255\255\255\255",
    ["::"] = ("\0"):rep(16),
    ["::1"] = ("\0"):rep(15) .. "\1",
    ["1::"] = "\0\1" .. ("\0"):rep(14),
    ["2001:DB8::a0b:1"] = "\x20\x01\x0d\xb8" .. ("\0"):rep(8) .. "\x0a\x0b\0\1",
    ["1:2:3:4:5:6:7:8"] = "\0\1\0\2\0\3\0\4\0\5\0\6\0\7\0\8",
    ["1:2:3:4:5:6:7::"] = "\0\1\0\2\0\3\0\4\0\5\0\6\0\7\0\0",
    ["::2:3:4:5:6:7:8"] = "\0\0\0\2\0\3\0\4\0\5\0\6\0\7\0\8",
    ["::ffff:192.0.2.1"] = ("\0"):rep(10) .. "\255\255\192\0\2\1",
    ["1:2:3:4:5:6:192.0.2.1"] = "\0\1\0\2\0\3\0\4\0\5\0\6\192\0\2\1",
  }
  for text, bytes in pairs(good) do
    it("is " .. text, function()
      assert.equal(bytes, address.parse(text))
    end)
  end

  for _, text in ipairs {
    "", ".", "1", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1.2..4", "1.2.3.4.", "1.2.3.256", "01.2.3.4", "1.2.3.0x4", "1.2.3.-4",
    "a.b.c.d", "example.com", ":", ":::", "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8:", ":1:2:3:4:5:6:7:8", "1::2::3", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8",
    "12345::", "g::", "1:", ":1", "::1.2.3", "::1.2.3.256", "1.2.3.4::", "1.2.3.4:1:2:3:4:5:6", "1:2:3:4:5:6:7:1.2.3.4", "[::1]", "::1%lo",
    "::1 ",
  } do
    it(("is not %q"):format(text), function()
      assert.is_nil(address.parse(text))
    end)
  end

  it("takes a host and port apart", function()
    assert.same({ "example.com", 80 }, { address.split("example.com", 80) })
    assert.same({ "example.com", 8080 }, { address.split("example.com:8080", 80) })
    assert.same({ "::1", 80 }, { address.split("[::1]", 80) })
    assert.same({ "fe80::1%eth0", 81 }, { address.split("[fe80::1%25eth0]:81", 80) })
  end)
end)

describe("NO_PROXY", function()
  local function check(list, hosts, others)
    for _, host in ipairs(hosts) do
      assert.is_true(proxy.exempts(list, host), ("%q names %s"):format(list, host))
    end
    for _, host in ipairs(others) do
      assert.is_false(proxy.exempts(list, host), ("%q does not name %s"):format(list, host))
    end
  end

  it("names a host and all below it", function()
    check("example.com", { "example.com", "EXAMPLE.com", "www.example.com", "a.b.Example.Com", "example.com." },
          { "notexample.com", "example.com.org", "example.co", "com", "examplexcom" })
    check("EXAMPLE.com", { "example.com", "www.example.com" }, {})
    check("localhost", { "localhost" }, { "127.0.0.1", "::1" })
  end)

  it("does not mind leading dots and a trailing one", function()
    check(".example.com", { "example.com", "www.example.com" }, { "notexample.com" })
    check("..example.com.", { "example.com", "www.example.com", "example.com." }, { "notexample.com" })
    check(". ..", {}, { "example.com", "a" })
  end)

  it("is separated by commas and blanks", function()
    check(" a.example, ,b.example c.example\t,d.example,,", { "a.example", "b.example", "c.example", "d.example" },
          { "e.example", "" })
    check("", {}, { "example.com", "127.0.0.1" })
    check(", ,", {}, { "example.com", "127.0.0.1" })
  end)

  it("means everything when it is a star, and only then", function()
    check("*", { "example.com", "127.0.0.1", "::1" }, {})
    check(" * ", { "example.com" }, {})
    check("a.example,*", { "a.example" }, { "b.example" })
    check("*.example.com", {}, { "www.example.com" })
  end)

  it("means no host by an entry with a port, as in curl", function()
    check("example.com:80,127.0.0.1:80,[::1]:80", {}, { "example.com", "127.0.0.1", "::1" })
  end)

  it("names addresses however they are written", function()
    check("127.0.0.1,2001:DB8:0::1,[fe80::1]", { "127.0.0.1", "2001:db8::1", "2001:db8:0:0::0:1", "fe80::1", "fe80::1%eth0" },
          { "127.0.0.2", "27.0.0.1", "2001:db8::2", "fe80::2" })
    check(".0.0.1", {}, { "127.0.0.1" })
  end)

  it("names blocks of IPv4 addresses", function()
    check("192.168.0.0/16", { "192.168.0.0", "192.168.255.255" }, { "192.169.0.0", "192.167.255.255", "::c0a8:1" })
    check("10.0.0.0/9", { "10.0.0.1", "10.127.255.255" }, { "10.128.0.0", "11.0.0.0" })
    check("192.0.2.129/25", { "192.0.2.128", "192.0.2.255" }, { "192.0.2.127" })
    check("192.0.2.1/32", { "192.0.2.1" }, { "192.0.2.0" })
    check("192.0.2.2/31", { "192.0.2.2", "192.0.2.3" }, { "192.0.2.1", "192.0.2.4" })
    check("0.0.0.0/0", { "192.0.2.1" }, { "::1", "example.com" })
  end)

  it("names blocks of IPv6 addresses", function()
    check("2001:db8::/32", { "2001:db8::", "2001:db8:ffff::1" }, { "2001:db9::", "32.1.13.184" })
    check("[fe80::]/10", { "fe80::1", "febf::1%eth0" }, { "fec0::1" })
    check("[fc00::/7]", { "fdff::1" }, { "fe00::1" })
    check("::/0", { "::1", "ffff::" }, { "127.0.0.1" })
    check("::1/128", { "::1" }, { "::2" })
  end)

  it("means nothing by what is no block", function()
    check("192.0.2.0/33,192.0.2.0/,192.0.2.0/x,192.0.2.0/-1,192.0.2.0/8/8,192.0/16,::1/129,/8,10.0.0.0/99999999999999999999999", {},
          { "192.0.2.0", "192.0.2.1", "::1", "10.0.0.0" })
    check("example.com/8", {}, { "example.com" })
  end)
end)

describe("the environment", function()
  local names = "http_proxy https_proxy all_proxy no_proxy ws_proxy wss_proxy"
  local unset = "unset REQUEST_METHOD " .. names .. " " .. names:upper()

  local script = [[
    local proxy = require "weft.proxy"
    for _, query in ipairs(arg) do
      local scheme, host, option = query:match "^(%S+) (%S+) ?(.*)$"
      if option == "" then
        option = nil
      elseif option == "false" then
        option = false
      end
      local chosen, wrong = proxy.choose(option, scheme, host)
      print(chosen and chosen.kind .. " " .. chosen.host .. ":" .. chosen.port or wrong or "none")
    end
  ]]

  --- What is chosen in this environment: a list of { "scheme host option",
  --- expected }.
  local function check(t, environment, expected)
    local prelude, queries, answers = { unset }, {}, {}
    for name, value in pairs(environment) do
      prelude[#prelude + 1] = ("export %s='%s'"):format(name, value)
    end
    for i, pair in ipairs(expected) do
      queries[i], answers[i] = pair[1], pair[2]
    end
    local child = child_process.start_after(t.weft, table.concat(prelude, "; "), script, table.unpack(queries))
    local output, status = child:wait()
    assert.equal(table.concat(answers, "\n") .. "\n", output)
    assert.equal(0, status)
  end

  it("may name none", case(function(t)
    check(t, {}, { { "ws a.example", "none" }, { "wss a.example", "none" } })
  end))

  it("names one for each scheme", case(function(t)
    check(t, { http_proxy = "http://h:1", https_proxy = "socks5://s:2" }, {
      { "ws a.example", "http h:1" }, { "wss a.example", "socks5 s:2" },
    })
    check(t, { HTTP_PROXY = "h:1", HTTPS_PROXY = "s:2" }, {
      { "ws a.example", "http h:1" }, { "wss a.example", "http s:2" },
    })
  end))

  it("names one for one scheme and none for the other", case(function(t)
    check(t, { http_proxy = "h:1" }, { { "ws a.example", "http h:1" }, { "wss a.example", "none" } })
    check(t, { HTTPS_PROXY = "s:2" }, { { "ws a.example", "none" }, { "wss a.example", "http s:2" } })
  end))

  it("prefers small letters, and what is more special", case(function(t)
    check(t, {
      http_proxy = "h:1", HTTP_PROXY = "H:1", https_proxy = "s:2", HTTPS_PROXY = "S:2", all_proxy = "a:3", ALL_PROXY = "A:3",
    }, { { "ws a.example", "http h:1" }, { "wss a.example", "http s:2" } })
    check(t, { HTTP_PROXY = "H:1", HTTPS_PROXY = "S:2", all_proxy = "a:3", ALL_PROXY = "A:3" }, {
      { "ws a.example", "http H:1" }, { "wss a.example", "http S:2" },
    })
    check(t, { all_proxy = "a:3", ALL_PROXY = "A:3" }, { { "ws a.example", "http a:3" }, { "wss a.example", "http a:3" } })
    check(t, { ALL_PROXY = "A:3" }, { { "ws a.example", "http A:3" }, { "wss a.example", "http A:3" } })
    check(t, { ws_proxy = "w:4", WSS_PROXY = "x:5", http_proxy = "h:1", https_proxy = "s:2" }, {
      { "ws a.example", "http w:4" }, { "wss a.example", "http x:5" },
    })
  end))

  it("says nothing by what is empty", case(function(t)
    check(t, { http_proxy = "", HTTP_PROXY = "", https_proxy = "", all_proxy = "a:3", no_proxy = "", NO_PROXY = "b.example" }, {
      { "ws a.example", "http a:3" }, { "wss a.example", "http a:3" }, { "ws b.example", "none" },
    })
    check(t, { http_proxy = "", all_proxy = "" }, { { "ws a.example", "none" } })
  end))

  it("is not that of a request to a CGI program", case(function(t)
    check(t, { HTTP_PROXY = "evil:1", HTTPS_PROXY = "s:2", REQUEST_METHOD = "GET" }, {
      { "ws a.example", "none" }, { "wss a.example", "http s:2" },
    })
    check(t, { HTTP_PROXY = "evil:1", ALL_PROXY = "a:3", REQUEST_METHOD = "GET" }, { { "ws a.example", "http a:3" } })
    check(t, { HTTP_PROXY = "evil:1", http_proxy = "h:1", REQUEST_METHOD = "GET" }, { { "ws a.example", "http h:1" } })
  end))

  it("exempts hosts", case(function(t)
    local expected = {
      { "ws www.a.example", "none" }, { "wss a.example", "none" }, { "ws 10.1.2.3", "none" }, { "ws ::1", "none" },
      { "ws b.example", "http a:3" }, { "wss 11.1.2.3", "http a:3" }, { "ws ::2", "http a:3" },
    }
    check(t, { all_proxy = "a:3", no_proxy = ".a.example, 10.0.0.0/8 ,[::1]" }, expected)
    check(t, { all_proxy = "a:3", NO_PROXY = "a.example 10.0.0.0/8 ::1" }, expected)
    check(t, { all_proxy = "a:3", no_proxy = "a.example", NO_PROXY = "b.example" }, {
      { "ws a.example", "none" }, { "ws b.example", "http a:3" },
    })
    check(t, { all_proxy = "a:3", NO_PROXY = "*" }, { { "ws a.example", "none" }, { "wss ::1", "none" } })
  end))

  it("counts for nothing once the option is given", case(function(t)
    check(t, { all_proxy = "a:3", no_proxy = "b.example" }, {
      { "ws a.example false", "none" }, { "wss a.example socks5://o:4", "socks5 o:4" }, { "ws b.example o:4", "http o:4" },
    })
    check(t, { no_proxy = "*" }, { { "ws a.example o:4", "http o:4" } })
  end))

  it("is named when it is wrong, and its password is not", case(function(t)
    check(t, { https_proxy = "https://ana:tOpS3cret@p:1", ALL_PROXY = "http://ana:tOpS3cret@p:x", no_proxy = "b.example" }, {
      { "wss a.example", "bad proxy in the environment variable https_proxy: proxies that speak TLS themselves are not supported:"
                         .. " it must begin with http:// (which carries wss:// too)" },
      { "ws a.example", "bad proxy in the environment variable ALL_PROXY: the port must be a number from 1 to 65535" },
      { "ws b.example", "none" },
      { "ws a.example http://ana:tOpS3cret@p:x", "bad proxy: the port must be a number from 1 to 65535" },
    })
  end))
end)
