-- Certificates that are renewed while a server runs.
local case = require "support.case"
local certificates = require "support.certificates"
local tls_peer = require "support.tls_peer"

local url, trusting, shown = tls_peer.url, tls_peer.trusting, tls_peer.shown

--- An echo server with these TLS options.
local function serve(t, tls)
  return t:server { tls = tls, websocket = case.echo }
end

--- Not reloaded: nil, a sentence, "tls"; gives the sentence.
local function check_fails(result, message, code)
  assert.same({ nil, "tls" }, { result, code }, message)
  assert.equal("string", type(message))
  return message
end

describe("server:reload", function()
  local files = { cert = certificates.directory .. "/live.pem", key = certificates.directory .. "/live.key" }

  --- What a renewal does to the files.
  local function install(certificate)
    certificates.write(files.cert, certificates.read(certificate.cert))
    certificates.write(files.key, certificates.read(certificate.key))
  end

  local function check_echo(ws)
    assert.is_true(ws:send "still here")
    assert.equal("still here", (ws:receive(5)))
  end

  it("serves the new certificate and keeps the open connections", case(function(t)
    install(certificates.server)
    local server = serve(t, files)
    local before = t:connect(url(server), trusting())
    assert.equal("weft server", before.tls.peer_certificate.common_name)
    install(certificates.renewed)
    assert.equal("weft server", shown(t, server), "not before it is asked to")
    assert.is_true((server:reload()))
    check_echo(before)
    assert.equal("weft renewed", shown(t, server))
    check_echo(before)
    assert.equal("open", before.state)
    assert.is_true(before:close())
  end))

  it("of broken files says which, and the old ones stay", case(function(t)
    install(certificates.server)
    local server = serve(t, files)
    local before = t:connect(url(server), trusting())
    certificates.write(files.key, certificates.read(certificates.renewed.key))
    check_fails(server:reload())
    for name, path in pairs(files) do
      install(certificates.renewed)
      certificates.write(path, "half a fi")
      assert.is_truthy(check_fails(server:reload()):find("tls." .. name, 1, true))
      os.remove(path)
      assert.is_truthy(check_fails(server:reload()):find(path, 1, true))
    end
    check_echo(before)
    assert.equal("weft server", shown(t, server))
    install(certificates.renewed)
    assert.is_true((server:reload()))
    assert.equal("weft renewed", shown(t, server))
    assert.is_true(before:close())
  end))

  it("reads the certificates of names and the CA of clients too", case(function(t)
    install(certificates.a_example)
    local ca = certificates.directory .. "/live-ca.pem"
    certificates.write(ca, certificates.read(certificates.other_ca))
    local server = serve(t, certificates.with(certificates.server, {
      names = { ["a.example"] = files }, ca = ca, client_cert = "optional",
    }))
    assert.equal("weft a example", shown(t, server, "a.example"))
    local options = trusting(certificates.with(certificates.client))
    assert.is_nil((t.weft.connect(url(server), options)))
    install(certificates.b_example)
    certificates.write(ca, certificates.read(certificates.ca))
    assert.is_true((server:reload()))
    assert.equal("weft b example", shown(t, server, "a.example"))
    assert.is_true(t:connect(url(server), options):close())
  end))

  it("does not disturb a handshake that is on its way", case(function(t)
    install(certificates.server)
    local server = serve(t, files)
    local relay = tls_peer.relay(t, server)
    local connecting = t:spawn(function()
      return t.weft.connect(url(relay.port), trusting())
    end)
    relay.change = function(bytes)
      relay.change, relay.held = nil, true
      return bytes
    end
    t:wait_until(function() return relay.held end, "the hello")
    install(certificates.renewed)
    assert.is_true((server:reload()))
    relay.held = false
    local _, ws = connecting:join(5)
    check_echo(ws)
    assert.is_true(ws:close())
  end))

  it("can be called a hundred times with a crowd open", case(function(t)
    install(certificates.server)
    local server = serve(t, files)
    local crowd = {}
    for i = 1, 10 do
      crowd[i] = t:connect(url(server), trusting())
    end
    for _ = 1, 100 do
      assert.is_true((server:reload()))
    end
    for _, ws in ipairs(crowd) do
      check_echo(ws)
      assert.is_true(ws:close())
    end
  end))
end)
