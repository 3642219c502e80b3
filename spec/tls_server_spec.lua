-- A server's certificates: their options, names and files.
local case = require "support.case"
local certificates = require "support.certificates"
local raises = require "support.raises"
local tls_peer = require "support.tls_peer"

local url, trusting, shown = tls_peer.url, tls_peer.trusting, tls_peer.shown

--- An echo server with these TLS options.
local function serve(t, tls)
  return t:server { tls = tls, websocket = case.echo }
end

--- No server: nil, a sentence with all these words, "tls".
local function check_fails(result, message, code, ...)
  if result then
    error("it worked", 2)
  end
  assert.equal("string", type(message))
  assert.equal("tls", code, message)
  for _, words in ipairs { ... } do
    assert.is_truthy(message:find(words, 1, true), message)
  end
  assert.is_nil(message:find "error:%x+:", message)
  return message
end

describe("a server with TLS", function()
  it("says so in its URL, to which one can connect", case(function(t)
    local server, port = t:listen { tls = certificates.with(certificates.server), websocket = case.echo }
    assert.equal("wss://127.0.0.1:" .. port, (server:url():gsub("/$", "")))
    local ws = t:connect(server:url(), trusting())
    assert.equal("open", ws.state)
    assert.is_true(ws:close())
  end))

  it("says what was agreed on, at both ends", case(function(t)
    local server = t:server { tls = certificates.with(certificates.server) }
    local client = t:connect(url(server), trusting())
    local ws = t:accepted()
    for _, one in ipairs { client, ws } do
      assert.equal("TLSv1.3", one.tls.version)
      assert.matches("^TLS_AES_%d+_GCM_SHA%d+$", one.tls.cipher)
    end
    assert.equal(client.tls.cipher, ws.tls.cipher)
    assert.same({ "http/1.1", "http/1.1" }, { client.tls.alpn, ws.tls.alpn })
    assert.is_nil(ws.tls.peer_certificate)
    assert.equal("weft server", client.tls.peer_certificate.common_name)
    assert.is_true(client:close())
    assert.equal("TLSv1.3", client.tls.version, "it is known afterwards")
    assert.equal("127.0.0.1", ws.remote_address)
  end))

  it("shows a certificate of which the client knows everything", case(function(t)
    local ws = t:connect(url(serve(t, certificates.with(certificates.server))), trusting())
    local shown_one = ws.tls.peer_certificate
    local names = {}
    for _, name in ipairs(shown_one.names) do
      names[name] = true
    end
    assert.same({ localhost = true, ["127.0.0.1"] = true, ["::1"] = true }, names)
    assert.same({
      "CN = weft server", "CN = weft root", "2020-01-01T00:00:00Z", "2090-01-01T00:00:00Z", certificates.server.pin,
    }, { shown_one.subject, shown_one.issuer, shown_one.not_before, shown_one.not_after, shown_one.pin })
    assert.equal(certificates.read(certificates.server.cert), shown_one.pem)
    assert.equal(shown_one.pem, tostring(shown_one))
    local openssl = io.popen("env -u LD_PRELOAD openssl x509 -noout -fingerprint -sha256 -in " .. certificates.server.cert)
    assert.equal(openssl:read "*a":match("=(%S+)"):gsub(":", ""):lower(), shown_one.fingerprint:lower())
    openssl:close()
    assert.matches("^%x+$", shown_one.serial)
    assert.is_true(ws:close())
  end))

  it("says nothing of TLS where there is none", case(function(t)
    local client, ws = t:both()
    assert.is_nil(client.tls)
    assert.is_nil(ws.tls)
    assert.is_true(client:close())
  end))

  it("keeps a browser's Origin of https", case(function(t)
    local server, port = t:listen { tls = certificates.with(certificates.server), websocket = case.echo }
    local ws = t:connect(url(server), trusting(nil, { origin = "https://127.0.0.1:" .. port }))
    assert.is_true(ws:close())
    local refused, _, code, response = t.weft.connect(url(server), trusting(nil, { origin = "https://evil.example" }))
    assert.same({ nil, "handshake", 403 }, { refused, code, response.status })
  end))

  it("listens beside one without TLS", case(function(t)
    local plain, secure = t:server { websocket = case.echo }, serve(t, certificates.with(certificates.server))
    for _, ws in ipairs { t:connect(plain), t:connect(url(secure), trusting()) } do
      assert.is_true(ws:send "each to its own")
      assert.equal("each to its own", (ws:receive(5)))
      assert.is_true(ws:close())
    end
  end))

  it("listens on a Unix-domain socket", case(function(t)
    local path = os.tmpname()
    os.remove(path)
    t:server { unix = path, tls = certificates.with(certificates.server), http = function() return 200, nil, "inside" end }
    local openssl = tls_peer.openssl(t, { "s_client", "-quiet", "-unix", path, "-CAfile", certificates.ca })
    openssl:write "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert.matches("^HTTP/1.1 200 .*\r\n\r\ninside$", (openssl:finish()))
  end))
end)

describe("a self-signed development certificate", function()
  it("is refused in words that say what to do, and works without verification", case(function(t)
    local server = serve(t, "self-signed")
    local ws, message, code = t.weft.connect(url(server))
    assert.same({ nil, "tls" }, { ws, code })
    assert.is_truthy(message:find("self-signed certificate; pass tls.ca, or tls.verify = false for a test", 1, true), message)
    ws = t:connect(url(server), { tls = { verify = false } })
    assert.is_true(ws:send "hello")
    assert.equal("hello", (ws:receive(5)))
    assert.is_true(ws:close())
  end))

  it("is for localhost and its addresses, now, and for no other name", case(function(t)
    local server = t:server { host = "*", tls = "self-signed", websocket = case.echo }
    local ws = t:connect(url(server), { tls = { verify = false } })
    local pem = ws.tls.peer_certificate.pem
    assert.is_true(ws:close())
    for _, host in ipairs(tls_peer.local_hosts()) do
      ws = t:connect(url(server, host), { tls = { ca = pem } })
      assert.is_true(ws:close())
    end
    check_fails(t.weft.connect(url(server), { tls = { ca = pem, server_name = "a.example" } }))
  end))

  it("is another for each server", case(function(t)
    local pems = {}
    for i = 1, 2 do
      local ws = t:connect(url(serve(t, "self-signed")), { tls = { verify = false } })
      pems[i] = ws.tls.peer_certificate.pem
      assert.is_true(ws:close())
    end
    assert.not_equal(pems[1], pems[2])
  end))
end)

describe("several certificates", function()
  local function several(t)
    return serve(t, certificates.with(certificates.server, { names = {
      ["a.example"] = certificates.with(certificates.a_example),
      ["B.example"] = certificates.with(certificates.b_example),
    } }))
  end

  it("may be for any name below one", case(function(t)
    local server = serve(t, certificates.with(certificates.server, { names = {
      ["*.example.test"] = certificates.with(certificates.wildcard),
      ["a.example.test"] = certificates.with(certificates.a_example),
    } }))
    assert.equal("weft a example", shown(t, server, "a.example.test"))
    assert.equal("weft wildcard", shown(t, server, "b.example.test"))
    assert.equal("weft server", shown(t, server, "b.b.example.test"))
    assert.equal("weft server", shown(t, server, "example.test"))
  end))

  it("are chosen by the name that the client asks for", case(function(t)
    local server = several(t)
    assert.equal("weft a example", shown(t, server, "a.example"))
    assert.equal("weft b example", shown(t, server, "b.example"))
    assert.equal("weft a example", shown(t, server, "A.EXAMPLE"))
    local ws = t:connect(url(server), trusting { server_name = "b.example" })
    assert.is_true(ws:close())
  end))

  it("leave the default to every other name, and to none", case(function(t)
    local server = several(t)
    assert.equal("weft server", shown(t, server))
    assert.equal("weft server", shown(t, server, "c.example"))
    assert.equal("weft server", shown(t, server, "a.a.example"))
  end))

  it("are shown to weft's own client", case(function(t)
    local server = several(t)
    for name, common_name in pairs { ["a.example"] = "weft a example", ["c.example"] = "weft server" } do
      local ws = t:connect(url(server), { tls = { verify = false, server_name = name } })
      assert.same({ common_name, name }, { ws.tls.peer_certificate.common_name, ws.tls.server_name })
      assert.is_true(ws:close())
    end
  end))
end)

describe("an encrypted key", function()
  local encrypted = certificates.encrypted

  it("is opened with its passphrase", case(function(t)
    local server = serve(t, certificates.with(encrypted, { passphrase = encrypted.passphrase }))
    assert.equal("weft encrypted", shown(t, server))
  end))

  it("is not opened without, nor with another, and nobody is asked for one", case(function(t)
    for _, passphrase in ipairs { false, "wrong", "" } do
      local message = check_fails(t.weft.listen {
        port = 0, websocket = case.echo,
        tls = certificates.with(encrypted, { passphrase = passphrase or nil }),
      })
      assert.is_truthy(message:find("tls.key", 1, true), message)
      assert.is_truthy(message:find(encrypted.key, 1, true), message)
      assert.is_truthy(message:find("passphrase", 1, true), message)
      assert.is_nil(message:find(encrypted.passphrase, 1, true), message)
    end
  end))

  it("is opened for a name too", case(function(t)
    local names = { ["a.example"] = certificates.with(encrypted, { passphrase = encrypted.passphrase }) }
    local server = serve(t, certificates.with(certificates.server, { names = names }))
    assert.equal("weft encrypted", shown(t, server, "a.example"))
    names["a.example"].passphrase = "wrong"
    check_fails(t.weft.listen {
      port = 0, websocket = case.echo, tls = certificates.with(certificates.server, { names = names }),
    })
  end))

  it("does not mind a passphrase that it does not need", case(function(t)
    assert.equal("weft server", shown(t, serve(t, certificates.with(certificates.server, { passphrase = "unused" }))))
  end))
end)

describe("a file that is no good", function()
  local server, other = certificates.server, certificates.renewed
  for what, path in pairs {
    missing = certificates.missing, garbage = certificates.garbage, broken = certificates.broken,
    empty = certificates.empty, ["a directory"] = certificates.directory,
  } do
    it("is named at listen, with its option: " .. what, case(function(t)
      local function listen(tls)
        return t.weft.listen { port = 0, websocket = case.echo, tls = tls }
      end
      local function check(option, tls)
        local message = check_fails(listen(tls))
        assert.is_truthy(message:find(option, 1, true), message)
        assert.is_truthy(message:find(path, 1, true), message)
      end
      check("tls.cert", { cert = path, key = server.key })
      check("tls.key", { cert = server.cert, key = path })
      if what ~= "a directory" then -- which may be full of trusted certificates
        check("tls.ca", certificates.with(server, { ca = path, client_cert = "required" }))
      end
      check("b.example", certificates.with(server, { names = { ["b.example"] = { cert = path, key = server.key } } }))
    end))
  end

  it("is a key that belongs to another certificate", case(function(t)
    local message = check_fails(t.weft.listen {
      port = 0, websocket = case.echo, tls = { cert = server.cert, key = other.key },
    })
    assert.is_truthy(message:find(other.key, 1, true), message)
    assert.is_truthy(message:find("tls.key", 1, true), message)
  end))

  it("is a key without its BEGIN line, of which nothing is shown", case(function(t)
    local inside = certificates.read(server.key):match "-\n(.+)\n-"
    local message = check_fails(t.weft.listen {
      port = 0, websocket = case.echo, tls = { cert = server.cert, key = inside },
    })
    assert.equal("tls.key: (text that is no PEM): expected a file name or PEM text with its BEGIN line", message)
    local named = { ["b.example"] = { cert = server.cert, key = inside } }
    message = check_fails(t.weft.listen {
      port = 0, websocket = case.echo, tls = certificates.with(server, { names = named }),
    })
    assert.is_truthy(message:find("['b.example'].key: (text that is no PEM)", 1, true), message)
  end))

  it("is one that may not be read", case(function(t)
    local path = certificates.directory .. "/unreadable"
    certificates.write(path, certificates.read(server.key))
    os.execute("chmod 000 " .. path)
    local file = io.open(path)
    if file then -- whoever may read everything
      file:close()
      os.remove(path)
      return
    end
    local message = check_fails(t.weft.listen {
      port = 0, websocket = case.echo, tls = { cert = server.cert, key = path },
    })
    os.remove(path)
    assert.matches("[Pp]ermission denied", message)
  end))

  it("leaves the port to the next", case(function(t)
    local port = t:free_port()
    assert.is_nil((t.weft.listen { port = port, websocket = case.echo, tls = { cert = certificates.missing } }))
    assert.is_true(t:server({ port = port, websocket = case.echo }):close())
  end))

  it("raises in serve", case(function(t)
    local ok, message = pcall(t.weft.serve, { port = 0, websocket = case.echo, tls = { cert = certificates.missing } })
    assert.is_false(ok)
    assert.is_truthy(message:find(certificates.missing, 1, true), message)
  end))

  it("may hold certificate and key together", case(function(t)
    local path = certificates.directory .. "/together.pem"
    certificates.write(path, certificates.read(server.key) .. certificates.read(server.cert))
    assert.equal("weft server", shown(t, serve(t, { cert = path })))
    assert.equal("weft server", shown(t, serve(t, { cert = path, key = path })))
  end))
end)

describe("the options of a server's TLS", function()
  for name, tls in pairs {
    client_cert = certificates.with(certificates.server, { client_cert = "maybe" }),
    min_version = certificates.with(certificates.server, { min_version = "1.0" }),
    passphrase = certificates.with(certificates.server, { passphrase = 1 }),
    cert = { key = certificates.server.key },
    key = { cert = certificates.server.cert, key = true },
    ca = certificates.with(certificates.server, { client_cert = "required" }),
    names = certificates.with(certificates.server, { names = { [7] = {} } }),
    ["a.example"] = certificates.with(certificates.server, { names = { ["a.example"] = { key = "x" } } }),
    certificate = { certificate = certificates.server.cert },
    verify = certificates.with(certificates.server, { verify = false }),
    ["self-signed"] = "self signed",
  } do
    it("raise when they are wrong: " .. name, case(function(t)
      raises(function() t.weft.listen { port = 0, websocket = case.echo, tls = tls } end, "weft.listen", "tls", name)
    end))
  end

  it("never show a passphrase", case(function(t)
    local ok, message = pcall(t.weft.listen, { port = 0, websocket = case.echo, tls = certificates.with(
      certificates.server, { passphrase = "top\0secret" }) })
    assert.is_false(ok)
    assert.is_nil(message:find("secret", 1, true), message)
  end))
end)
