-- Host names in other scripts than ASCII's: IDNA2008 after the mapping of
-- UTS #46, by a module of its own.
local case = require "support.case"
local idn = require "weft.idn"
local url = require "weft.url"

describe("an international name", function()
  local names = {
    ["gr\u{FC}n.example"] = "xn--grn-ioa.example",
    ["GR\u{DC}N.Example"] = "xn--grn-ioa.example",
    ["gru\u{308}n.example"] = "xn--grn-ioa.example", -- decomposed
    ["fa\u{DF}.example"] = "xn--fa-hia.example", -- non-transitional: not fass
    ["\u{3B2}\u{3CC}\u{3BB}\u{3BF}\u{3C2}.example"] = "xn--nxasmm1c.example", -- the final sigma stays
    ["\u{4F8B}\u{3048}.\u{30C6}\u{30B9}\u{30C8}"] = "xn--r8jz45g.xn--zckzah",
    ["\u{4F8B}\u{3048}\u{3002}\u{30C6}\u{30B9}\u{30C8}"] = "xn--r8jz45g.xn--zckzah", -- an ideographic full stop
    ["\u{645}\u{62B}\u{627}\u{644}.\u{625}\u{62E}\u{62A}\u{628}\u{627}\u{631}"] = "xn--mgbh0fb.xn--kgbechtv",
    ["\u{FF4C}\u{FF4F}\u{FF43}\u{FF41}\u{FF4C}\u{FF48}\u{FF4F}\u{FF53}\u{FF54}"] = "localhost", -- wide letters
    ["\u{FF11}\u{FF12}\u{FF17}.0.0.1"] = "127.0.0.1",
    ["example.\u{FC}"] = "example.xn--tda",
    ["xn--grn-ioa.example"] = "xn--grn-ioa.example",
  }
  for name, ascii in pairs(names) do
    it(("is %s for %q"):format(ascii, name), function()
      assert.equal(ascii, idn.to_ascii(name))
      assert.equal(ascii, assert(url.parse("ws://" .. name .. "/")).host)
    end)
  end

  local wrong = {
    ["no UTF-8"] = { "\xFF\xFE", "gr\xFCn.example" },
    ["too long"] = { ("\u{FC}"):rep(64) .. ".example", ("gr\u{FC}n."):rep(60) .. "example" },
    ["of letters that no name has"] = { "\u{2665}\u{FFFF}.example", "a\u{200D}\u{FC}.example", "\u{FC}\0.example" },
    ["of both directions"] = { "\u{5D0}a\u{FC}.example" },
    ["begun with a mark"] = { "\u{301}\u{FC}.example" },
  }
  for what, list in pairs(wrong) do
    for number, name in ipairs(list) do
      it(("is none when it is %s (%d)"):format(what, number), function()
        local ascii, why = idn.to_ascii(name)
        assert.is_nil(ascii)
        assert.equal("string", type(why))
        local parsed, message = url.parse("ws://" .. name .. "/")
        assert.is_nil(parsed)
        assert.is_truthy(message:find("the host is no international name: " .. why, 1, true), message)
      end)
    end
  end

  it("cannot smuggle in what parts a URL", function()
    for letter, ascii in pairs {
      ["\u{FF0F}"] = "/", ["\u{FF1A}"] = ":", ["\u{FF20}"] = "@", ["\u{FF03}"] = "#", ["\u{FF1F}"] = "?", ["\u{FF3B}"] = "[",
      ["\u{FF05}"] = "%",
    } do
      assert.equal("a" .. ascii .. "80", idn.to_ascii("a" .. letter .. "80"))
      local parsed, message = url.parse("ws://a" .. letter .. "80/")
      assert.is_nil(parsed)
      assert.equal("the host is malformed", message)
    end
  end)

  it("may have a port, a user and a path after it", function()
    local parsed = assert(url.parse "wss://ana:s@gr\u{FC}n.example:81/x?y")
    assert.same({ "xn--grn-ioa.example", 81, "/x?y", "xn--grn-ioa.example:81", "ana" },
      { parsed.host, parsed.port, parsed.target, parsed.host_header, parsed.username })
  end)

  it("is looked up in its ASCII form, which Host has too", case(function(t)
    local asked, request
    local port = t:serve_raw(function(raw) -- a proxy and the server behind it
      asked = raw:parsed_head()
      raw:send "HTTP/1.1 200 OK\r\n\r\n"
      request = raw:accept_upgrade()
    end)
    t:connect("ws://Gr\u{FC}n.example/", { proxy = "http://127.0.0.1:" .. port }):abort()
    assert.equal("xn--grn-ioa.example:80", asked.target)
    assert.equal("xn--grn-ioa.example", request.headers.host)
    local _, here = t:listen()
    local ws = t:connect(("ws://\u{FF4C}ocalhost:%d/"):format(here))
    assert.equal("localhost:" .. here, ws.request.host)
    ws:abort()
  end))

  it("may be where a redirect leads", case(function(t)
    local _, there = t:listen()
    local server = t:listen { upgrade = function()
      return nil, 302, "", { Location = ("ws://\u{FF4C}ocalhost:%d/"):format(there) }
    end }
    local ws = t:connect(server, { redirects = 1 })
    assert.equal("localhost:" .. there, ws.request.host)
    ws:abort()
  end))

  it('is a bad "url" when it is none', case(function(t)
    local ws, message, code = t.weft.connect("ws://\u{301}\u{FC}.example/")
    assert.same({ nil, "url" }, { ws, code })
    assert.matches("^bad URL: the host is no international name: ", message)
  end))
end)

describe("without the module for international names", function()
  --- Runs a function where `require "weft.idn"` finds nothing.
  local function without(fn)
    local loaded, preload = package.loaded["weft.idn"], package.preload["weft.idn"]
    package.loaded["weft.idn"] = nil
    package.preload["weft.idn"] = function() error "not found" end
    local results = table.pack(pcall(fn))
    package.loaded["weft.idn"], package.preload["weft.idn"] = loaded, preload
    assert(results[1], results[2])
    return table.unpack(results, 2, results.n)
  end

  it("a name that is not ASCII is a bad URL, and the message says what to do", case(function(t)
    local ws, message, code = without(function()
      return t.weft.connect "ws://gr\u{FC}n.example/"
    end)
    assert.is_nil(ws)
    assert.equal("bad URL: the host is not ASCII; weft.idn (libidn2) is not installed:"
      .. " write the name in its xn-- form", message)
    assert.equal("url", code)
  end))

  it("all others are as they were", function()
    for _, host in ipairs { "example.com", "xn--grn-ioa.example", "127.0.0.1" } do
      assert.equal(host, without(function()
        return assert(url.parse("ws://" .. host .. "/")).host
      end))
    end
  end)
end)
