local case = require "support.case"
local certificates = require "support.certificates"
local namespace = require "support.namespace"

-- Where the system has what it trusts, with nothing in it; filled by lines of the
-- shell.
local SYSTEM = [[
unset SSL_CERT_FILE SSL_CERT_DIR
home=$(openssl version -d | sed 's/.*"\(.*\)"/\1/')
mount -t tmpfs none "$home"
mkdir "$home/certs"
]]

local indexed = "cp %s \"$home/certs/one.pem\"; openssl rehash \"$home/certs\"\n"
local bundled = "cat %s > \"$home/cert.pem\"\n"

-- Serves with both certificates to clients that trust what `setup` leaves: what
-- became of them.
local function try(t, setup)
  return namespace.run(t, { setup = SYSTEM .. setup }, ([[
    local function try(name, cert, key)
      local server = weft.listen { port = 0, tls = { cert = cert, key = key }, websocket = function() end }
      local ws, message = weft.connect(server:url():gsub("127.0.0.1", "localhost"), {})
      report(name, ws and "trusted" or message)
      if ws then
        ws:close()
      end
      server:close(5)
    end
    try("one", %q, %q)
    try("other", %q, %q)
  ]]):format(certificates.server.cert, certificates.server.key, certificates.untrusted.cert, certificates.untrusted.key))
end

describe("what the system trusts", function()
  local it = namespace.only(it, pending)

  it("is looked up in its indexed directory", case(function(t)
    local seen = try(t, indexed:format(certificates.ca))
    assert.equal("trusted", seen.one)
    assert.matches("issuer", seen.other)
  end))

  it("is read from a bundle where nothing is indexed", case(function(t)
    local seen = try(t, bundled:format(certificates.other_ca))
    assert.matches("issuer", seen.one)
    assert.equal("trusted", seen.other)
  end))

  it("is read from a bundle that has more than is indexed", case(function(t)
    local both = certificates.ca .. " " .. certificates.other_ca
    local seen = try(t, bundled:format(both) .. indexed:format(certificates.ca))
    assert.same({ "trusted", "trusted" }, { seen.one, seen.other })
  end))

  it("is nobody where there is nothing", case(function(t)
    local seen = try(t, "")
    assert.matches("issuer", seen.one)
    assert.matches("issuer", seen.other)
  end))
end)
