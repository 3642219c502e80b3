-- What a client believes: certificates, names, pins and versions.
local case = require "support.case"
local certificates = require "support.certificates"
local child_process = require "support.child"
local raises = require "support.raises"
local tls_peer = require "support.tls_peer"

local url, trusting = tls_peer.url, tls_peer.trusting

--- An echo server with this certificate; `more` goes into its `tls`.
local function serve(t, certificate, more)
  return t:server { tls = certificates.with(certificate, more), websocket = case.echo }
end

--- One message there and back, and a clean end.
local function check_echo(ws)
  assert.is_true(ws:send "as agreed")
  assert.equal("as agreed", (ws:receive(5)))
  assert.is_true(ws:close())
end

--- Connects and echoes.
local function check_connects(t, server, host, tls)
  check_echo(t:connect(url(server, host), { tls = tls }))
end

--- Does not connect: "tls", and a sentence with all these words, which is given.
local function check_refused(t, server, host, tls, ...)
  local ws, message, code = t.weft.connect(url(server, host), { tls = tls })
  if ws then
    ws:abort()
    error("it connected", 2)
  end
  assert.equal("tls", code, message)
  for _, words in ipairs { ... } do
    assert.is_truthy(message:find(words, 1, true), message)
  end
  assert.is_nil(message:find "error:%x+:", "OpenSSL's own words are for OpenSSL's own people")
  return message
end

describe("a client that trusts the server's CA", function()
  it("connects by name, by IPv4 and by IPv6 address", case(function(t)
    local server = t:server { host = "*", tls = certificates.with(certificates.server), websocket = case.echo }
    for _, host in ipairs(tls_peer.local_hosts()) do
      check_connects(t, server, host, { ca = certificates.ca })
    end
  end))

  it("names the CA by its file or gives its PEM text", case(function(t)
    local server = serve(t, certificates.server)
    check_connects(t, server, nil, { ca = certificates.read(certificates.ca) })
    local several = certificates.read(certificates.other_ca) .. "\n" .. certificates.read(certificates.ca)
    check_connects(t, server, nil, { ca = several })
    check_connects(t, serve(t, certificates.untrusted), nil, { ca = several })
  end))

  it("uses the system's store when it names none", case(function(t)
    local server = serve(t, certificates.server)
    local script = [[
      local weft = require "weft"
      local ws, message, code = weft.connect(arg[1])
      print(ws and ws:close() or message, code)
    ]]
    local trusted = child_process.start_after(t.weft, "export SSL_CERT_FILE=" .. certificates.ca, script, url(server))
    assert.equal("true\tnil\n", (trusted:wait()))
    local output = child_process.start_after(
      t.weft, "export SSL_CERT_FILE=" .. certificates.other_ca, script, url(server)):wait()
    assert.matches("\ttls\n$", output)
  end))

  it("trusts nobody else then", case(function(t)
    local message = check_refused(t, serve(t, certificates.server), nil, { ca = certificates.other_ca })
    assert.matches("issuer", message)
  end))

  it("has an RSA certificate accepted as well", case(function(t)
    check_connects(t, serve(t, certificates.rsa), nil, { ca = certificates.ca })
  end))

  it("says which versions and cipher were agreed on", case(function(t)
    local ws = t:connect(url(serve(t, certificates.server)), trusting())
    assert.equal("TLSv1.3", ws.tls.version)
    assert.matches("^TLS_[%u%d_]+$", ws.tls.cipher)
    check_echo(ws)
  end))
end)

describe("a certificate that is refused", function()
  local long_name = "server." .. ("x"):rep(60) .. ".example"
  local wrong = {
    { "has expired", certificates.expired, "certificate has expired (2020-10-01)" },
    { "is not valid yet", certificates.early, "not valid", "2089-03-01" },
    { "is for another host", certificates.a_example,
      "host name mismatch: the certificate is for a.example, not localhost" },
    { "is for an address, not the name", certificates.addressed,
      "host name mismatch: the certificate is for 127.0.0.1, not localhost" },
    { "has the host as its common name alone", certificates.common,
      "host name mismatch: no subjectAltName of the certificate names localhost; its common name does not count" },
    { "is for a wildcard in a label", certificates.partial,
      "host name mismatch: the certificate is for lo*.example.test, not local.example.test", as = "local.example.test" },
    { "is for a name, not the address", certificates.named,
      "host name mismatch: the certificate is for localhost, not 127.0.0.1", as = "127.0.0.1" },
    { "is for other names: it says all of them", certificates.server,
      "host name mismatch: the certificate is for localhost", "127.0.0.1", "not " .. long_name, as = long_name },
    { "is signed by an unknown CA", certificates.untrusted, "issuer", "tls.ca" },
    { "is signed by nobody else", certificates.self_signed,
      "self-signed certificate; pass tls.ca, or tls.verify = false for a test" },
    { "comes with a root of its own", certificates.rooted, "weft other root", "tls.ca" },
    { "comes without its intermediate", certificates.unchained, "issuer" },
    { "is signed by one that is no CA", certificates.impostor, "CA" },
    { "is for clients", certificates.with(certificates.client), "purpose" },
  }
  for _, one in ipairs(wrong) do
    it(one[1], case(function(t)
      local server, name = serve(t, one[2]), one.as or "localhost"
      check_refused(t, server, nil, { ca = certificates.ca, server_name = name }, table.unpack(one, 3))
      check_connects(t, server, nil, { verify = false, server_name = name })
      assert.equal(0, #t:reports())
    end))
  end

  it("is refused in a message that names what was tried", case(function(t)
    local server = serve(t, certificates.expired)
    local message = check_refused(t, server, "localhost", { ca = certificates.ca })
    assert.equal(server:port(), math.tointeger(tonumber(message:match "^connect to %S+:(%d+): certificate has expired")))
  end))

  it("is refused for the name and for the address in the URL alike", case(function(t)
    check_refused(t, serve(t, certificates.addressed), "localhost", { ca = certificates.ca },
      "host name mismatch: the certificate is for 127.0.0.1, not localhost")
    check_refused(t, serve(t, certificates.named), "127.0.0.1", { ca = certificates.ca },
      "host name mismatch: the certificate is for localhost, not 127.0.0.1")
    check_connects(t, serve(t, certificates.named), "localhost", { ca = certificates.ca })
    check_connects(t, serve(t, certificates.addressed), "127.0.0.1", { ca = certificates.ca })
  end))

  it("is refused for a client with events too", case(function(t)
    local server = serve(t, certificates.self_signed)
    local failed
    t.weft.connect(url(server), { events = { error = function(_, message, code)
      failed = { message, code }
    end } })
    t:wait_until(function() return failed end, "the error event")
    assert.equal("tls", failed[2])
    assert.matches("self%-signed certificate", failed[1])
  end))

  it("leaves the server serving, and reports nothing there", case(function(t)
    local server = serve(t, certificates.server)
    for _ = 1, 5 do
      check_refused(t, server, nil, { ca = certificates.other_ca })
    end
    check_connects(t, server, nil, { ca = certificates.ca })
    t:wait_until(function() return server:count() == 0 end, "the end of all")
  end))

  it("is accepted when it is itself what tls.ca says", case(function(t)
    local server = serve(t, certificates.self_signed)
    check_connects(t, server, nil, { ca = certificates.self_signed.cert })
    check_connects(t, server, nil, { ca = certificates.read(certificates.self_signed.cert) })
    check_refused(t, server, nil, { ca = certificates.self_signed.cert, server_name = "b.example" },
      "host name mismatch")
  end))

  it("by openssl's server is told in the same words", case(function(t)
    local port = tls_peer.s_server(t, certificates.expired)
    check_refused(t, port, nil, { ca = certificates.ca, server_name = "localhost" },
      "certificate has expired (2020-10-01)")
  end))
end)

describe("a chain", function()
  it("with its intermediate is believed", case(function(t)
    check_connects(t, serve(t, certificates.chained), nil, { ca = certificates.ca, server_name = "localhost" })
  end))

  it("without it is believed by who has the intermediate", case(function(t)
    local both = certificates.read(certificates.ca) .. certificates.read(certificates.intermediate_ca)
    check_connects(t, serve(t, certificates.unchained), nil, { ca = both, server_name = "localhost" })
  end))
end)

describe("the name of a server", function()
  for name, matches in pairs {
    ["a.example.test"] = true, ["A.EXAMPLE.test"] = true, ["xn--bcher-kva.example.test"] = true,
    ["a.b.example.test"] = false, ["example.test"] = false, ["aexample.test"] = false, ["a.example.test.evil"] = false,
  } do
    it(("%s *.example.test when it is %s"):format(matches and "matches" or "does not match", name), case(function(t)
      local server = serve(t, certificates.wildcard)
      local tls = { ca = certificates.ca, server_name = name }
      if matches then
        check_connects(t, server, nil, tls)
      else
        check_refused(t, server, nil, tls, "host name mismatch: the certificate is for *.example.test, not " .. name)
      end
    end))
  end

  it("is what server_name says instead of the URL's", case(function(t)
    local server = serve(t, certificates.a_example)
    check_connects(t, server, nil, { ca = certificates.ca, server_name = "a.example" })
    check_connects(t, server, "127.0.0.1", { ca = certificates.ca, server_name = "a.example" })
    check_refused(t, serve(t, certificates.server), nil, { ca = certificates.ca, server_name = "a.example" },
      "127.0.0.1", "not a.example")
  end))

  it("may be an address", case(function(t)
    check_connects(t, serve(t, certificates.addressed), nil, { ca = certificates.ca, server_name = "127.0.0.1" })
  end))

  --- The first bytes that a client sends.
  local function hello(t, host, tls)
    local bytes
    local port = t:serve_raw(function(raw)
      bytes = raw:receive(5)
      bytes = bytes .. raw:receive((string.unpack(">I2", bytes, 4)))
      raw:close()
    end)
    assert.is_nil((t.weft.connect(url(port, host), { tls = tls })))
    return t:wait_until(function() return bytes end, "the hello")
  end

  it("is sent to the server, an address is not", case(function(t)
    assert.is_truthy(hello(t, "localhost"):find("localhost", 1, true))
    local named = hello(t, "localhost", { server_name = "b.example" })
    assert.is_truthy(named:find("b.example", 1, true))
    assert.is_nil(named:find("localhost", 1, true))
    assert.is_nil(hello(t, "127.0.0.1"):find("127.0.0.1", 1, true))
  end))

  it("comes with the protocol: http/1.1, and nothing else (RFC 7301)", case(function(t)
    local list = string.pack(">I2", 0x10) .. "\0\11\0\9\8http/1.1"
    assert.is_truthy(hello(t, "localhost"):find(list, 1, true))
  end))
end)

describe("a pin", function()
  local right, wrong = certificates.server.pin, certificates.renewed.pin

  it("that is right connects", case(function(t)
    local server = serve(t, certificates.server)
    check_connects(t, server, nil, { ca = certificates.ca, pin = right })
    check_connects(t, server, nil, { ca = certificates.ca, pin = wrong .. ";" .. right })
    check_connects(t, server, nil, { ca = certificates.ca, pin = right .. ";" .. wrong })
  end))

  it("that is wrong does not, though the certificate is good", case(function(t)
    local server = serve(t, certificates.server)
    check_refused(t, server, nil, { ca = certificates.ca, pin = wrong }, "pin", right)
    check_refused(t, server, nil, { ca = certificates.ca, pin = wrong .. ";" .. certificates.rsa.pin }, "pin")
  end))

  it("is of the server's own key, not of the CA's", case(function(t)
    check_refused(t, serve(t, certificates.chained), nil,
      { ca = certificates.ca, server_name = "localhost", pin = certificates.intermediate.pin .. ";" .. certificates.root.pin }, "pin")
  end))

  it("counts without verification too, and suffices there", case(function(t)
    local server = serve(t, certificates.self_signed)
    check_connects(t, server, nil, { verify = false, pin = certificates.self_signed.pin })
    check_refused(t, server, nil, { verify = false, pin = wrong }, "pin")
  end))

  it("does not replace verification", case(function(t)
    check_refused(t, serve(t, certificates.expired), nil,
      { ca = certificates.ca, server_name = "localhost", pin = certificates.expired.pin }, "expired")
  end))

  it("is the same for RSA", case(function(t)
    check_connects(t, serve(t, certificates.rsa), nil, { ca = certificates.ca, pin = certificates.rsa.pin })
  end))

  for _, text in ipairs {
    "", "sha256//", "sha256//short", right:sub(1, -2), right .. "=", "sha1//" .. right:sub(9), right:sub(9),
    right .. ";", right .. "; " .. wrong, right .. "," .. wrong,
  } do
    it(("of no good form raises: %q"):format(text), case(function(t)
      raises(function() t.weft.connect("wss://127.0.0.1:9/", { tls = { pin = text } }) end, "weft.connect", "pin")
    end))
  end
end)

describe("the version", function()
  it("is 1.2 at least: such a server is connected to", case(function(t)
    local port, openssl = tls_peer.s_server(t, certificates.server, { "-tls1_2" })
    t:spawn(function() openssl:accept_upgrade() end)
    local ws = t:connect(url(port), trusting())
    assert.equal("TLSv1.2", ws.tls.version)
    assert.matches("^[%u%d-]+$", ws.tls.cipher)
    ws:abort()
  end))

  it("is 1.3 at least when the client says so", case(function(t)
    local port = tls_peer.s_server(t, certificates.server, { "-tls1_2" })
    check_refused(t, port, nil, { ca = certificates.ca, min_version = "1.3" }, "version")
    check_connects(t, serve(t, certificates.server), nil, { ca = certificates.ca, min_version = "1.3" })
  end))

  it("is 1.3 at least when the server says so", case(function(t)
    local server = serve(t, certificates.server, { min_version = "1.3" })
    check_connects(t, server, nil, { ca = certificates.ca, min_version = "1.2" })
    local _, errors, status = tls_peer.s_client(t, server, { "-quiet", "-tls1_2" }):finish()
    assert.matches("alert protocol version", errors)
    assert.not_equal(0, status)
  end))

  for option, version in pairs { ["-tls1"] = "1.0", ["-tls1_1"] = "1.1" } do
    it(version .. " is refused by a server, which says why", case(function(t)
      local server = serve(t, certificates.server)
      local _, errors, status = tls_peer.s_client(
        t, server, { "-quiet", option, "-cipher", "ALL:@SECLEVEL=0" }):finish()
      assert.matches("alert protocol version", errors)
      assert.not_equal(0, status)
      check_connects(t, server, nil, { ca = certificates.ca })
    end))

    it(version .. " is refused by a client, even one that verifies nothing", case(function(t)
      local port = tls_peer.s_server(t, certificates.server, { option, "-cipher", "ALL:@SECLEVEL=0" })
      check_refused(t, port, nil, { verify = false }, "version")
    end))
  end
end)

describe("the options of a client's TLS", function()
  local function connecting(t, tls)
    return function() t.weft.connect("wss://127.0.0.1:9/", { tls = tls }) end
  end

  for name, value in pairs {
    verify = "no", ca = 7, server_name = "", cert = true, key = {}, passphrase = 5, pin = 1, min_version = "1.1",
  } do
    it("raise when they are wrong: " .. name, case(function(t)
      raises(connecting(t, { [name] = value }), "weft.connect", name)
    end))
  end

  it("raise when there is no such option", case(function(t)
    raises(connecting(t, { verfy = false }), "weft.connect", "verfy")
    raises(connecting(t, { client_cert = "required" }), "weft.connect", "client_cert")
    raises(connecting(t, "self-signed"), "weft.connect", "tls")
    raises(connecting(t, { server_name = "two words" }), "weft.connect", "server_name")
    raises(connecting(t, { server_name = ".example" }), "weft.connect", "server_name")
    raises(connecting(t, { server_name = "a\0.example" }), "weft.connect", "server_name")
    raises(connecting(t, { ca = "" }), "weft.connect", "ca")
    raises(connecting(t, { min_version = 1.2 }), "weft.connect", "min_version")
  end))

  local files = {
    missing = { certificates.missing, "no%-such%-file%.pem" },
    garbage = { certificates.garbage, "garbage" },
    broken = { certificates.broken, "broken" },
    empty = { certificates.empty, "empty" },
  }
  for name, file in pairs(files) do
    it("name a CA file that is " .. name .. ": no connection, and it is named", case(function(t)
      local server = serve(t, certificates.server)
      assert.matches(file[2], check_refused(t, server, nil, { ca = file[1] }, "tls.ca"))
    end))

    it("name a certificate or key that is " .. name .. ": the same", case(function(t)
      local server = serve(t, certificates.server)
      assert.matches(file[2], check_refused(t, server, nil, { cert = file[1], key = certificates.client.key }, "tls.cert"))
      assert.matches(file[2], check_refused(t, server, nil, { cert = certificates.client.cert, key = file[1] }, "tls.key"))
    end))
  end

  it("give PEM text that is none", case(function(t)
    local server = serve(t, certificates.server)
    check_refused(t, server, nil, { ca = certificates.read(certificates.broken) }, "tls.ca")
  end))

  it("do nothing to a connection without TLS", case(function(t)
    local ws = t:connect(t:server { websocket = case.echo }, { tls = { ca = certificates.ca } })
    assert.is_nil(ws.tls)
    check_echo(ws)
  end))
end)
