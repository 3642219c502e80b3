-- What is particular to TLS, with weft as the client of Node's ws over https.
--
--   lua5.4 spec/interop/tls_client.lua URL DIRECTORY VERSION
--
-- DIRECTORY holds the certificates, VERSION is what will be negotiated.
local weft = require "weft"
local checks = require "check"

local check, equal, matches = checks.check, checks.equal, checks.matches
local base, directory, version = arg[1], arg[2], arg[3]
assert(version, "usage: tls_client.lua URL DIRECTORY VERSION")
local port = base:match(":(%d+)$")
local ca = directory .. "/ca.pem"

local function read(name)
  local file = assert(io.open(directory .. "/" .. name))
  local text = file:read "*a"
  file:close()
  return text
end

-- The options with the CA, and more of `tls`.
local function with(more)
  local tls = { ca = ca }
  for name, value in pairs(more or {}) do
    tls[name] = value
  end
  return { tls = tls }
end

-- The same once more, with no session from before.
local count = 0
local function anew()
  count = count + 1
  return { tls = { ca = ("%s\n%d\n"):format(read "ca.pem", count) } }
end

-- what Node says of the connection
local function told(options, host)
  local ws = assert(weft.connect(("wss://%s:%s/tls"):format(host or "localhost", port), options))
  local message = ws:receive(20)
  local negotiated = ws.tls
  ws:close()
  return message, negotiated
end

local function refused(options, ...)
  local ws, message, code = weft.connect(base .. "/tls", options)
  equal(nil, ws)
  equal("tls", code)
  return matches(message, ...)
end

check(version .. " and http/1.1 are negotiated, and both sides say so", function()
  local message, negotiated = told(with())
  matches(message, "version=" .. version, "alpn=http/1%.1")
  equal(version, negotiated.version)
  equal("http/1.1", negotiated.alpn)
  matches(negotiated.cipher, "%u+")
  equal("weft server", negotiated.peer_certificate.common_name)
end)

check("the name goes as server name", function()
  matches(told(anew(), "localhost"), "name=localhost ")
end)

check("an address does not", function()
  matches(told(anew(), "127.0.0.1"), "name=false ")
end)

check("tls.server_name is sent and verified instead of the host", function()
  refused(with { server_name = "other.example" }, "other%.example")
end)

check("the CA may be PEM text", function()
  matches(told { tls = { ca = read "ca.pem" } }, "version=")
end)

check("a second connection resumes the first one's session", function()
  local options = anew()
  local message, negotiated = told(options)
  matches(message, " full$")
  equal(false, negotiated.resumed)
  message, negotiated = told(options)
  matches(message, " resumed$")
  equal(true, negotiated.resumed)
  equal("weft server", negotiated.peer_certificate.common_name)
end)

check("so does one after twenty at the same time", function()
  local options = anew()
  weft.run(function()
    local tasks = {}
    for i = 1, 20 do
      tasks[i] = weft.spawn(told, options)
    end
    for _, task in ipairs(tasks) do
      assert(task:join())
    end
  end)
  matches(told(options), " resumed$")
end)

check("another trust never resumes a session", function()
  told(with())
  refused({ tls = { ca = directory .. "/alone.pem" } }, "certificate")
end)

check("another name never resumes a session", function()
  local options = anew()
  told(options, "localhost")
  matches(told(options, "127.0.0.1"), " full$")
end)

check("the client certificate arrives", function()
  matches(told(with { cert = directory .. "/client.pem", key = directory .. "/client.key" }),
          "client=weft client ")
end)

check("so does one that the server does not know", function()
  matches(told(with { cert = read "impostor.pem", key = read "impostor.key" }),
          "client=%u+[%u_]+ ")
end)

check("an unknown CA is refused, unless verify is false", function()
  refused({ tls = {} }, "certificate", "tls%.ca")
  matches(told { tls = { verify = false } }, "version=")
end)

check("a wrong pin is refused, also without verify", function()
  local pin = "sha256//" .. ("A"):rep(43) .. "="
  refused(with { pin = pin }, "pin")
  refused({ tls = { verify = false, pin = pin } }, "pin")
end)

check("the right pin is enough without verify", function()
  local pipe = assert(io.popen(("openssl x509 -in %s/server.pem -noout -pubkey"
    .. " | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary"
    .. " | openssl base64"):format(directory)))
  local pin = "sha256//" .. pipe:read "*l"
  pipe:close()
  matches(told { tls = { verify = false, pin = pin } }, "version=")
end)

check("an end of the stream without a close frame is 1006, cause \"eof\"", function()
  local ws = assert(weft.connect(base .. "/end", with()))
  local _, word, code = ws:receive(20)
  equal("closed", word)
  equal(1006, code)
  equal("eof", ws.close_cause)
end)

check("a ws:// URL at a port with TLS fails in words", function()
  local ws, message, code = weft.connect((base:gsub("^wss", "ws")) .. "/tls")
  equal(nil, ws)
  equal("handshake", code)
  matches(message, "%S+ %S+")
end)

checks.report()
