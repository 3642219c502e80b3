-- Sessions: the second handshake with the same server is a short one, and no
-- way around what the first had to prove.
local case = require "support.case"
local certificates = require "support.certificates"
local tls_peer = require "support.tls_peer"

local url, trusting = tls_peer.url, tls_peer.trusting

--- An echo server with TLS.
local function serve(t, tls)
  return t:server { tls = certificates.with(certificates.server, tls), websocket = case.echo }
end

--- Connects, echoes, closes; whether the session was resumed.
local function visit(t, to, tls, host)
  local ws = t:connect(url(to, host), trusting(tls))
  local resumed = ws.tls.resumed
  assert.equal("boolean", type(resumed))
  assert.is_true(ws:send "again?")
  assert.equal("again?", (ws:receive(5)))
  assert.is_true(ws:close())
  return resumed
end

describe("a second connection", function()
  it("resumes the session of the first, and the third that of the second", case(function(t)
    local server = serve(t)
    assert.same({ false, true, true, true },
      { visit(t, server), visit(t, server), visit(t, server), visit(t, server) })
  end))

  it("is known as resumed to the server as well", case(function(t)
    local server = t:server { tls = certificates.with(certificates.server) }
    for _, expected in ipairs { false, true } do
      local client = t:connect(url(server), trusting())
      local ws = t:accepted()
      assert.same({ expected, expected }, { client.tls.resumed, ws.tls.resumed })
      t:spawn(function() ws:send "so that the session arrives" end)
      client:receive(5)
      assert.is_true(client:close())
    end
  end))

  it("still knows the peer's certificate", case(function(t)
    local server = t:server { tls = certificates.with(certificates.server, {
      client_cert = "required", ca = certificates.ca,
    }) }
    local resumed = {}
    for i = 1, 2 do
      local client = t:connect(url(server), trusting(certificates.with(certificates.client)))
      local ws = t:accepted()
      resumed[i] = client.tls.resumed
      assert.equal("weft server", client.tls.peer_certificate.common_name)
      assert.equal("weft client", ws.tls.peer_certificate.common_name)
      t:spawn(function() ws:send "so that the session arrives" end)
      client:receive(5)
      assert.is_true(client:close())
    end
    assert.same({ false, true }, resumed)
  end))

  it("resumes after a reload of the certificates", case(function(t)
    local server = serve(t)
    assert.is_false(visit(t, server))
    assert.is_true((server:reload()))
    assert.is_true(visit(t, server))
  end))

  it("does not resume with another server", case(function(t)
    local one, other = serve(t), serve(t)
    assert.is_false(visit(t, one))
    assert.is_false(visit(t, other))
    assert.is_true(visit(t, one))
    assert.is_true(visit(t, other))
  end))

  it("does not resume under another name", case(function(t)
    local server = serve(t)
    assert.is_false(visit(t, server, nil, "localhost"))
    assert.is_false(visit(t, server, nil, "127.0.0.1"))
    assert.is_true(visit(t, server, nil, "localhost"))
    assert.is_true(visit(t, server, nil, "127.0.0.1"))
  end))

  it("may come while the first is open, and many at once", case(function(t)
    local server = serve(t)
    visit(t, server)
    local tasks, resumed = {}, 0
    for i = 1, 20 do
      tasks[i] = t:spawn(function()
        local again = visit(t, server)
        resumed = resumed + (again and 1 or 0)
      end)
    end
    for _, task in ipairs(tasks) do
      assert.same({ true }, { task:join(10) })
    end
    assert.is_true(resumed > 0)
    assert.is_true(visit(t, server))
  end))
end)

describe("a session", function()
  local function check_refused(t, to, tls, words)
    local ws, message, code = t.weft.connect(url(to), { tls = tls })
    if ws then
      ws:abort()
      error("it connected", 2)
    end
    assert.equal("tls", code, message)
    assert.is_truthy(message:find(words, 1, true), message)
  end

  it("made without verification does not replace it", case(function(t)
    local server = t:server { tls = certificates.with(certificates.self_signed), websocket = case.echo }
    for _ = 1, 2 do
      visit(t, server, { verify = false })
      check_refused(t, server, nil, "self-signed certificate")
      check_refused(t, server, { ca = certificates.ca }, "self-signed certificate")
    end
  end))

  it("made for one name does not hold for another", case(function(t)
    local server = t:server { tls = certificates.with(certificates.wildcard), websocket = case.echo }
    visit(t, server, { server_name = "a.example.test" })
    for _ = 1, 2 do
      check_refused(t, server, { ca = certificates.ca }, "host name mismatch")
      check_refused(t, server, { ca = certificates.ca, server_name = "a.b.example.test" }, "host name mismatch")
    end
  end))

  it("made without a pin does not replace the pin", case(function(t)
    local server = serve(t)
    visit(t, server)
    for _ = 1, 2 do
      check_refused(t, server, { ca = certificates.ca, pin = certificates.renewed.pin }, "pin")
      visit(t, server, { pin = certificates.server.pin })
    end
  end))

  it("of a client whose CA is no longer trusted does not go on", case(function(t)
    local ca = certificates.directory .. "/trusted-for-now.pem"
    certificates.write(ca, certificates.read(certificates.ca))
    local server = t:server { tls = certificates.with(certificates.server, { client_cert = "required", ca = ca }) }
    local options = trusting(certificates.with(certificates.client))
    local client = t:connect(url(server), options)
    local ws = t:accepted()
    t:spawn(function() ws:send "so that the session arrives" end)
    client:receive(5)
    assert.is_true(client:close())
    certificates.write(ca, certificates.read(certificates.other_ca))
    assert.is_true((server:reload()))
    local again, _, code = t.weft.connect(url(server), options)
    assert.same({ nil, "tls" }, { again, code })
  end))

  it("of a client's certificate is not another client's", case(function(t)
    local server = t:server { tls = certificates.with(certificates.server, {
      client_cert = "optional", ca = certificates.ca,
    }) }
    for _, certificate in ipairs { certificates.client, false, certificates.client, false } do
      local client = t:connect(url(server), trusting(certificate and certificates.with(certificate)))
      local ws = t:accepted()
      local shown = ws.tls.peer_certificate
      assert.equal(certificate and "weft client" or nil, shown and shown.common_name)
      t:spawn(function() ws:send "so that the session arrives" end)
      client:receive(5)
      assert.is_true(client:close())
    end
  end))
end)

describe("openssl", function()
  for _, version in ipairs { "-tls1_2", "-tls1_3" } do
    it("as a client resumes its session: " .. version, case(function(t)
      local server = serve(t)
      local file = certificates.directory .. "/session" .. version
      for _, option in ipairs { "-sess_out", "-sess_in" } do
        local openssl = tls_peer.s_client(t, server, { version, option, file })
        openssl:upgrade()
        openssl:end_input()
        assert.matches(option == "-sess_out" and "\nNew, TLSv1" or "\nReused, TLSv1", (openssl:finish()))
      end
    end))

    it("as a server resumes its session: " .. version, case(function(t)
      local port = tls_peer.s_server(t, certificates.server, { "-www", version })
      for _ = 1, 2 do
        local ws, _, code, response = t.weft.connect(url(port), trusting())
        assert.same({ nil, "handshake", 200 }, { ws, code, response.status })
      end
      local page = select(4, t.weft.connect(url(port), trusting())).body
      assert.matches("Reused, TLSv1", page)
    end))
  end

  it("cannot resume a session with a server that has begun anew", case(function(t)
    local file = certificates.directory .. "/session-of-another"
    for _, option in ipairs { "-sess_out", "-sess_in" } do
      local openssl = tls_peer.s_client(t, serve(t), { option, file })
      openssl:upgrade()
      openssl:end_input()
      assert.matches("\nNew, TLSv1", (openssl:finish()))
    end
  end))
end)
