-- Certificates of clients: none, optional, required.
local case = require "support.case"
local certificates = require "support.certificates"
local raises = require "support.raises"
local tls_peer = require "support.tls_peer"

local url, trusting = tls_peer.url, tls_peer.trusting

--- A server that asks its clients for certificates: "none", ...
local function asking(t, client_cert)
  return t:server { tls = certificates.with(certificates.server, {
    client_cert = client_cert, ca = client_cert ~= "none" and certificates.ca or nil,
  }) }
end

--- Connects with a certificate or none: client, server.
local function both(t, server, certificate)
  local client = t:connect(url(server), trusting(certificate and certificates.with(certificate)))
  return client, t:accepted()
end

--- The server does not let that client in; the client's message.
local function check_refused(t, server, certificate, ...)
  local ws, message, code = t.weft.connect(url(server), trusting(certificate and certificates.with(certificate)))
  if ws then
    ws:abort()
    error("the server let it in", 2)
  end
  assert.equal("tls", code, message)
  for _, words in ipairs { ... } do
    assert.is_truthy(message:find(words, 1, true), message)
  end
  assert.same({}, t.arrived)
  return message
end

describe("a server that asks for no client certificate", function()
  it("does not look at one", case(function(t)
    local client, ws = both(t, asking(t, "none"), certificates.client_expired)
    assert.is_nil(ws.tls.peer_certificate)
    assert.is_true(client:close())
  end))
end)

for _, client_cert in ipairs { "optional", "required" } do
  describe("a server for which client certificates are " .. client_cert, function()
    it("knows who shows one", case(function(t)
      local client, ws = both(t, asking(t, client_cert), certificates.client)
      local shown = ws.tls.peer_certificate
      assert.equal("weft client", shown.common_name)
      assert.equal(certificates.read(certificates.client.cert), shown.pem)
      assert.is_true(client:send "let me in")
      assert.same({ "let me in", "text" }, { ws:receive(5) })
      local closing = t:spawn(function() assert.is_true(client:close()) end)
      assert.is_true((ws:wait_closed(5)))
      assert.is_true(closing:join(5))
      assert.equal("weft client", ws.tls.peer_certificate.common_name, "it is known afterwards")
    end))

    it("refuses one by another CA, and the client is told what to do", case(function(t)
      check_refused(t, asking(t, client_cert), certificates.client_untrusted, "certificate")
    end))

    it("refuses one that has expired", case(function(t)
      check_refused(t, asking(t, client_cert), certificates.client_expired, "certificate", "expired")
    end))

    it("refuses one that is for servers", case(function(t)
      check_refused(t, asking(t, client_cert), certificates.named, "certificate")
    end))

    it("goes on serving the others", case(function(t)
      local server = asking(t, client_cert)
      local open, ws = both(t, server, certificates.client)
      for _ = 1, 5 do
        check_refused(t, server, certificates.client_untrusted)
      end
      assert.is_true(open:send "still here")
      assert.equal("still here", (ws:receive(5)))
      assert.equal(1, server:count())
      assert.is_true(both(t, server, certificates.client):close())
      assert.is_true(open:close())
    end))
  end)
end

describe("a client without a certificate", function()
  it("is let in where it is optional", case(function(t)
    local client, ws = both(t, asking(t, "optional"))
    assert.is_nil(ws.tls.peer_certificate)
    assert.is_true(client:close())
  end))

  it("is told to give one where it is required", case(function(t)
    check_refused(t, asking(t, "required"), nil, "client certificate", "tls.cert")
  end))

  it("is told so by openssl too, with either version", case(function(t)
    for _, version in ipairs { "-tls1_2", "-tls1_3" } do
      local port = tls_peer.s_server(t, certificates.server, { version, "-Verify", "1", "-CAfile", certificates.ca })
      local ws, _, code = t.weft.connect(url(port), trusting())
      assert.same({ nil, "tls" }, { ws, code }, version)
    end
  end))

  it("is refused as well when it is openssl", case(function(t)
    local server = asking(t, "required")
    local _, errors = tls_peer.s_client(t, server, { "-quiet" }):finish()
    assert.matches("alert certificate required", errors)
    _, errors = tls_peer.s_client(t, server, { "-quiet", "-tls1_2" }):finish()
    assert.matches("alert", errors)
  end))
end)

describe("a client's own certificate", function()
  it("reaches openssl", case(function(t)
    local port, openssl = tls_peer.s_server(t, certificates.server, { "-Verify", "1", "-CAfile", certificates.ca })
    t:spawn(function() openssl:accept_upgrade() end)
    local ws = t:connect(url(port), trusting(certificates.with(certificates.client)))
    openssl:wait_for "subject=CN = weft client"
    ws:abort()
  end))

  it("may have its key encrypted, or in the same file", case(function(t)
    local server = asking(t, "optional")
    local together = certificates.directory .. "/client-together.pem"
    certificates.write(together, certificates.read(certificates.client.cert) .. certificates.read(certificates.client.key))
    local client = t:connect(url(server), trusting { cert = together })
    assert.equal("weft client", t:accepted().tls.peer_certificate.common_name)
    assert.is_true(client:close())
    local encrypted = certificates.directory .. "/client-encrypted.key"
    assert(os.execute(("env -u LD_PRELOAD openssl pkey -in %s -aes256 -passout 'pass:open sesame' -out %s"):format(
      certificates.client.key, encrypted)))
    client = t:connect(url(server), trusting {
      cert = certificates.client.cert, key = encrypted, passphrase = "open sesame",
    })
    assert.equal("weft client", t:accepted().tls.peer_certificate.common_name)
    assert.is_true(client:close())
    local ws, message, code = t.weft.connect(url(server), trusting {
      cert = certificates.client.cert, key = encrypted, passphrase = "open the door",
    })
    assert.same({ nil, "tls" }, { ws, code })
    assert.matches("tls%.key", message)
    assert.matches("passphrase", message)
    assert.is_nil(message:find("open the door", 1, true), message)
  end))

  it("with a key of another one does not connect", case(function(t)
    local ws, message, code = t.weft.connect(url(asking(t, "optional")), trusting {
      cert = certificates.client.cert, key = certificates.server.key,
    })
    assert.same({ nil, "tls" }, { ws, code })
    assert.is_truthy(message:find(certificates.server.key, 1, true), message)
  end))

  it("needs a certificate when there is a key", case(function(t)
    raises(function()
      t.weft.connect("wss://127.0.0.1:9/", { tls = { key = certificates.client.key } })
    end, "weft.connect", "cert")
  end))
end)
