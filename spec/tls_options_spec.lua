-- The `tls` option: what is wrong with it, said at its place; and the contexts
-- that clients share.
local case = require "support.case"
local certificates = require "support.certificates"
local check = require "weft.check"
local core = require "weft.core"
local tls = require "weft.tls"

--- What a wrong option is told, or nil for one that is right.
local function complaint(kind, value)
  local ok, message = pcall(check.options, { tls = { kind = kind } }, "weft.x", { tls = value }, 1)
  if not ok then
    return (message:gsub("^%S+:%d+: ", ""))
  end
end

local function server_says(value)
  return complaint(tls.server_kind, value)
end

local function client_says(value)
  return complaint(tls.client_kind, value)
end

local PIN = "sha256//" .. ("a"):rep(43) .. "="

describe("a mistake in tls", function()
  for _, one in ipairs {
    { { crt = "x" }, "option 'tls.crt': unknown option (did you mean 'cert'?)" },
    { { "x.pem" }, "option 'tls.1': unknown option" },
    { { cert = 5 }, "option 'tls.cert': expected a file name or PEM text, got a number" },
    { { cert = "" }, "option 'tls.cert': expected a file name or PEM text, got another string" },
    { { key = "k" }, "option 'tls.cert': expected the certificate, got nothing" },
    { {}, "option 'tls.cert': expected the certificate, got nothing" },
    { { cert = "x", min_version = "1.1" }, "option 'tls.min_version': expected '1.2' or '1.3', got \"1.1\"" },
    { { cert = "x", client_cert = "yes" },
      "option 'tls.client_cert': expected 'none', 'optional' or 'required', got \"yes\"" },
    { { cert = "x", client_cert = "required" },
      "option 'tls.client_cert': expected 'ca' as well: who signs the clients' certificates" },
    { { cert = "x", ca = "y" },
      "option 'tls.ca': expected 'client_cert' as well: whether clients must have a certificate signed by it" },
    { { cert = "x", names = { "b.example" } },
      "option 'tls.names[1]': expected a host name, perhaps with *. before it, as the key" },
    { { cert = "x", names = { ["b.example:443"] = { cert = "y" } } },
      "option 'tls.names[\"b.example:443\"]': expected a host name, perhaps with *. before it, as the key" },
    { { cert = "x", names = { ["192.0.2.1"] = { cert = "y" } } },
      "option 'tls.names[\"192.0.2.1\"]': expected a host name, perhaps with *. before it, as the key" },
    { { cert = "x", names = { ["b.example"] = "y" } },
      "option 'tls.names[\"b.example\"]': expected a table of cert, key and passphrase, got \"y\"" },
    { { cert = "x", names = { ["b.example"] = { kee = "y" } } },
      "option 'tls.names[\"b.example\"].kee': unknown option (did you mean 'key'?)" },
    { { cert = "x", names = { ["b.example"] = { key = "y" } } },
      "option 'tls.names[\"b.example\"].cert': expected the certificate, got nothing" },
    { "self-singed", "option 'tls': expected a table, 'self-signed' or false, got \"self-singed\"" },
    { true, "option 'tls': expected a table, 'self-signed' or false, got true" },
  } do
    it("of a server is told: " .. one[2], function()
      assert.equal("weft.x: " .. one[2], server_says(one[1]))
    end)
  end

  for _, one in ipairs {
    { { verfy = false }, "option 'tls.verfy': unknown option (did you mean 'verify'?)" },
    { { verify = 0 }, "option 'tls.verify': expected true or false, got 0" },
    { { key = "k" }, "option 'tls.key': expected 'cert' as well: the certificate that the key is for" },
    { { server_name = "a b" }, "option 'tls.server_name': expected a host name or address, got \"a b\"" },
    { { server_name = "a:443" }, "option 'tls.server_name': expected a host name or address, got \"a:443\"" },
    { { names = {} }, "option 'tls.names': unknown option" },
    { "self-signed", "option 'tls': expected a table, got \"self-signed\"" },
  } do
    it("of a client is told: " .. one[2], function()
      assert.equal("weft.x: " .. one[2], client_says(one[1]))
    end)
  end

  it("is no pin that can never match", function()
    for _, pin in ipairs { "", "sha256//", PIN:sub(1, -2), PIN .. ";", PIN .. " ;" .. PIN, PIN:lower():gsub("^sha", "SHA"), 5 } do
      assert.matches("option 'tls%.pin': expected 'sha256//' and a SHA%-256 in base64", client_says { pin = pin })
    end
    assert.is_nil(client_says { pin = PIN })
    assert.is_nil(client_says { pin = PIN .. ";" .. PIN })
  end)

  it("never shows a secret", function()
    for _, value in ipairs { "sesame\0", 4711 } do
      for _, name in ipairs { "passphrase", "key", "cert" } do
        local given = { cert = "x", [name] = value }
        for _, said in ipairs { server_says(given), client_says(given), server_says { cert = "x", names = { a = given } } } do
          assert.is_truthy(said:find("tls%.[^:]*" .. name), said)
          assert.is_nil(said:find("sesame", 1, true) or said:find("4711", 1, true), said)
        end
      end
    end
  end)

  it("is none of these", function()
    for _, value in ipairs { false, "self-signed", { cert = "x" }, { cert = "x", key = "y", passphrase = "" },
                             { cert = "x", ca = "y", client_cert = "none" }, { cert = "x", names = {} },
                             { cert = "x", names = { ["*.b.example"] = { cert = "y" }, LOCALHOST = { cert = "z" } } } } do
      assert.is_nil(server_says(value))
    end
    for _, value in ipairs { false, {}, { server_name = "127.0.0.1" }, { server_name = "::1" }, { cert = "x", passphrase = "p" } } do
      assert.is_nil(client_says(value))
    end
  end)
end)

describe("a client's context", function()
  --- Runs fn(later) with a clock that later(seconds) moves.
  local function with_clock(fn)
    local real, ahead = core.now, 0
    core.now = function() -- luacheck: ignore
      return real() + ahead
    end
    local ok, err = pcall(fn, function(seconds)
      ahead = ahead + seconds
    end)
    core.now = real -- luacheck: ignore
    assert(ok, err)
  end

  local function trusting(file)
    return tls.client_kind { ca = file }
  end

  it("is shared by those with the same options", function()
    local cache = tls.cache()
    local one = assert(tls.client_context(cache))
    assert.equal(one, tls.client_context(cache, tls.client_kind {}))
    assert.equal(one, tls.client_context(cache, tls.client_kind(false)))
    assert.equal(one, tls.client_context(cache, tls.client_kind { server_name = "x" }))
    assert.are_not.equal(one, tls.client_context(tls.cache()))
    local seen = { [one] = true }
    for _, options in ipairs {
      { verify = false }, { ca = certificates.ca }, { ca = certificates.other_ca }, { min_version = "1.3" }, { pin = PIN },
      { cert = certificates.client.cert, key = certificates.client.key },
    } do
      local other = assert(tls.client_context(cache, tls.client_kind(options)))
      assert.is_nil(seen[other])
      assert.equal(other, tls.client_context(cache, tls.client_kind(options)))
      seen[other] = true
    end
  end)

  it("is made anew after a while, so that new files are seen", function()
    with_clock(function(later)
      local cache, file = tls.cache(), os.tmpname()
      certificates.write(file, certificates.read(certificates.ca))
      local one = assert(tls.client_context(cache, trusting(file)))
      certificates.write(file, "no certificate")
      later(290)
      assert.equal(one, tls.client_context(cache, trusting(file)))
      later(20)
      local none, message = tls.client_context(cache, trusting(file))
      assert.is_nil(none)
      assert.is_truthy(message:find("tls.ca: " .. file, 1, true), message)
      certificates.write(file, certificates.read(certificates.other_ca))
      local other = assert(tls.client_context(cache, trusting(file)))
      assert.are_not.equal(one, other)
      assert.equal(other, tls.client_context(cache, trusting(file)))
      os.remove(file)
    end)
  end)

  it("is forgotten when many others were used since", function()
    local cache = tls.cache()
    local function context(i)
      local options = assert(tls.client_kind { pin = ("sha256//%043d="):format(i) })
      return assert(tls.client_context(cache, options))
    end
    local kept = assert(tls.client_context(cache))
    local first = context(0)
    for i = 1, 40 do
      context(i)
      assert.equal(kept, tls.client_context(cache))
    end
    assert.are_not.equal(first, context(0))
    local count = 0
    for _ in pairs(cache.entries) do
      count = count + 1
    end
    assert.equal(16, count)
  end)

  it("resumes the sessions of those with the same options alone", case(function(t)
    local server = t:server { tls = certificates.with(certificates.server) }
    local function resumes(options)
      local ws = t:connect(("wss://localhost:%d/"):format(server:port()), { tls = options })
      ws:ping("", 5) -- by then the session has come
      t:accepted()
      assert.is_true(ws:close())
      return ws.tls.resumed
    end
    assert.same({ false, true }, { resumes { verify = false }, resumes { verify = false } })
    assert.same({ false, true }, { resumes { ca = certificates.ca }, resumes { ca = certificates.ca } })
    with_clock(function(later)
      later(301)
      assert.is_false(resumes { ca = certificates.ca })
    end)
  end))
end)
