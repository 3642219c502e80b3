-- The command line over TLS, through proxies and with passwords.
local case = require "support.case"
local certificates = require "support.certificates"
local command = require "support.command"
local frame = require "support.frame"
local tls_peer = require "support.tls_peer"

local url, trusting = tls_peer.url, tls_peer.trusting

local function run(t, arguments, options)
  return command.start(t.weft, arguments, options)
end

--- An echo command that listens, and its URL.
local function echo(t, arguments, options)
  local words = { "echo", "--port", "0" }
  table.move(arguments, 1, #arguments, #words + 1, words)
  local child = run(t, words, options)
  return child, child:wait_for "^listening on (%S+)\n"
end

--- `weft connect` that says "hello" and ends: what it wrote and its status.
local function connect(t, arguments, options)
  local child = run(t, { "connect", table.unpack(arguments) }, options)
  child:write "hello\n"
  child:end_input()
  return child:wait()
end

local function finish(child)
  child:signal "TERM"
  local _, errors, status = child:wait()
  assert.same({ "", 0 }, { errors, status })
end

local function check_has(text, ...)
  for _, words in ipairs { ... } do
    assert.is_truthy(text:find(words, 1, true), ("%q lacks %q"):format(text, words))
  end
end

describe("weft echo with TLS", function()
  it("makes a certificate of its own", case(function(t)
    local child, at = echo(t, { "--tls-self-signed" })
    assert.matches("^wss://127%.0%.0%.1:%d+$", at)
    local ws = t:connect(at, { tls = { verify = false } })
    local pem = tostring(ws.tls.peer_certificate)
    ws:send "hello"
    assert.equal("hello", ws:receive(5))
    assert.is_true(ws:close())
    assert.is_true(t:connect(at, { tls = { ca = pem } }):close())
    local output, errors, status = connect(t, { at, "--insecure" })
    assert.same({ "hello\n", 0 }, { output, status }, errors)
    finish(child)
  end, 25))

  it("takes a certificate and its key", case(function(t)
    local child, at = echo(t, { "--cert", certificates.server.cert, "--key", certificates.server.key })
    local output, errors, status = connect(t, { at, "--ca", certificates.ca })
    assert.same({ "hello\n", 0 }, { output, status }, errors)
    finish(child)
  end, 25))

  it("takes both from one file", case(function(t)
    local both = os.tmpname()
    certificates.write(both, certificates.read(certificates.server.cert) .. certificates.read(certificates.server.key))
    local child, at = echo(t, { "--cert", both })
    assert.is_true(t:connect(at, trusting()):close())
    finish(child)
    os.remove(both)
  end, 25))

  it("opens an encrypted key with the passphrase in the environment", case(function(t)
    local one = certificates.encrypted
    local words = { "--cert", one.cert, "--key", one.key }
    local child, at = echo(t, words, { variables = { "WEFT_PASSPHRASE=" .. one.passphrase } })
    assert.is_true(t:connect(at, trusting()):close())
    finish(child)
    local output, errors, status = run(t, { "echo", "--port", "0", table.unpack(words) },
                                       { variables = { "WEFT_PASSPHRASE=open barley" } }):wait()
    assert.same({ "", 1 }, { output, status })
    check_has(errors, one.key)
    assert.is_nil(errors:find("barley", 1, true), errors)
  end, 25))

  it("says which file is no good", case(function(t)
    for file, arguments in pairs {
      [certificates.missing] = { "--cert", certificates.missing },
      [certificates.garbage] = { "--cert", certificates.garbage, "--key", certificates.server.key },
      [certificates.b_example.key] = { "--cert", certificates.server.cert, "--key", certificates.b_example.key },
    } do
      local output, errors, status = run(t, { "echo", "--port", "0", table.unpack(arguments) }):wait()
      assert.same({ "", 1 }, { output, status }, errors)
      assert.matches("^weft echo: %-%-%l+: [^\n]+\n$", errors)
      check_has(errors, file)
    end
  end, 25))
end)

describe("weft connect with TLS", function()
  it("trusts nobody without a reason", case(function(t)
    local server = t:server { tls = certificates.with(certificates.server), websocket = case.echo }
    local output, errors, status = connect(t, { url(server) })
    assert.same({ "", 1 }, { output, status })
    assert.matches("^weft connect: [^\n]+\n$", errors)
    check_has(errors, "certificate", "pass --ca")
    output, errors, status = connect(t, { url(server), "--insecure" })
    assert.same({ "hello\n", 0 }, { output, status }, errors)
    output, errors, status = connect(t, { url(server), "--ca", certificates.other_ca })
    assert.same({ "", 1 }, { output, status }, errors)
  end, 25))

  it("shows a certificate of its own", case(function(t)
    local server = t:server {
      tls = certificates.with(certificates.server, { ca = certificates.ca, client_cert = "required" }),
      websocket = function(ws)
        ws:receive()
        ws:send(ws.tls.peer_certificate.common_name)
      end,
    }
    local one = certificates.client
    local output, errors, status = connect(t, {
      url(server), "--ca", certificates.ca, "--cert", one.cert, "--key", one.key,
    })
    assert.same({ "weft client\n", 0 }, { output, status }, errors)
    output, errors, status = connect(t, { url(server), "--ca", certificates.ca })
    assert.same({ "", 1 }, { output, status })
    check_has(errors, "certificate", "--cert and --key")
  end, 25))

  it("tells what was negotiated when asked", case(function(t)
    local server, port = t:listen {
      tls = certificates.with(certificates.server), protocols = { "chat" }, websocket = case.echo,
      upgrade = function()
        return true, { headers = { ["X-Served-By"] = "loom", ["Set-Cookie"] = "id=crown-jewels" } }
      end,
    }
    local output, errors, status = connect(t, {
      url(server), "-v", "--ca", certificates.ca, "--protocol", "chat", "--user", "ana:open sesame",
      "-H", "Cookie: id=pearls",
    })
    assert.same({ "hello\n", 0 }, { output, status }, errors)
    check_has(errors, "127.0.0.1:" .. port, "TLSv1.3", "TLS_AES_", "http/1.1", "CN = weft server",
              "localhost, 127.0.0.1", "CN = weft root", "2090-01-01", certificates.server.pin, "subprotocol: chat",
              "< 101 ", "< x-served-by: loom\n", "set-cookie")
    assert.matches("open after %d+%.%d ms", errors)
    for _, secret in ipairs { "sesame", "Basic", "pearls", "jewels" } do
      assert.is_nil(errors:find(secret, 1, true), errors)
    end
  end, 25))
end)

describe("weft connect", function()
  it("tells how a server refused when asked", case(function(t)
    local server = t:server { websocket = print, upgrade = function()
      return nil, 403, "not today", { ["X-Mood"] = "bad" }
    end }
    local output, errors, status = connect(t, { t:url(server), "-v" })
    assert.same({ "", 1 }, { output, status })
    check_has(errors, "< 403 Forbidden\n", "< x-mood: bad\n", "< not today\n", "weft connect: handshake refused: 403")
  end, 25))

  it("follows redirects when told to", case(function(t)
    local server
    server = t:server {
      websocket = function(ws)
        ws:receive()
        ws:send(ws.request.path)
      end,
      upgrade = function(request)
        if request.path == "/there" then
          return true
        end
        return nil, 302, "", { Location = t:url(server, "/there") }
      end,
    }
    local output, errors, status = connect(t, { t:url(server, "/here"), "--redirects", "1" })
    assert.same({ "/there\n", 0 }, { output, status }, errors)
    output, errors, status = connect(t, { t:url(server, "/here") })
    assert.same({ "", 1 }, { output, status })
    check_has(errors, "302")
  end, 25))

  it("reaches a Unix-domain socket", case(function(t)
    local path = os.tmpname()
    os.remove(path)
    t:listen { unix = path, websocket = case.echo }
    local output, errors, status = connect(t, { "ws://localhost/", "--unix", path, "-v" })
    assert.same({ "hello\n", 0 }, { output, status }, errors)
  end, 25))

  it("goes through a proxy", case(function(t)
    local asked = {}
    local port = t:serve_raw(function(raw)
      asked[#asked + 1] = raw:head()
      raw:send "HTTP/1.1 200 OK\r\n\r\n"
      raw:accept_upgrade()
      local message = raw:message()
      raw:send(frame.server.text(message) .. frame.server.close(1000))
      raw:close_frame()
      raw:close()
    end)
    local at = ("http://ana:sesame@127.0.0.1:%d"):format(port)
    local output, errors, status = connect(t, { "ws://loom.example/", "-v", "--proxy", at })
    assert.same({ "hello\n", 0 }, { output, status }, errors)
    check_has(asked[1], "CONNECT loom.example:80 HTTP/1.1\r\n", "Proxy-Authorization: Basic ")
    check_has(errors, "loom.example", ("http://127.0.0.1:%d"):format(port))
    assert.is_nil(errors:find("sesame", 1, true), errors)

    output, errors, status = connect(t, { "ws://loom.example/", "-v" }, { variables = { "http_proxy=" .. at } })
    assert.same({ "hello\n", 0, 2 }, { output, status, #asked }, errors)
    check_has(errors, ("http://127.0.0.1:%d"):format(port))
    assert.is_nil(errors:find("sesame", 1, true), errors)
  end, 25))

  it("goes past every proxy when told to", case(function(t)
    local server = t:server { websocket = case.echo }
    local environment = { variables = { "http_proxy=http://127.0.0.1:1", "ALL_PROXY=nonsense://" } }
    local output, errors, status = connect(t, { t:url(server), "--proxy", "off" }, environment)
    assert.same({ "hello\n", 0 }, { output, status }, errors)
    output, errors, status = connect(t, { t:url(server) }, environment)
    assert.same({ "", 1 }, { output, status })
    check_has(errors, "proxy")
  end, 25))

  it("says that a proxy is malformed without quoting it", case(function(t)
    local output, errors, status = connect(t, { "ws://127.0.0.1/", "--proxy", "gopher://ana:sesame@127.0.0.1" })
    assert.same({ "", 1 }, { output, status })
    check_has(errors, "proxy")
    assert.is_nil(errors:find("sesame", 1, true), errors)
  end, 25))

  it("takes a password from the command line or the environment", case(function(t)
    local server = t:server { websocket = function(ws)
      ws:receive()
      ws:send(ws.request.headers.authorization)
    end }
    for password, child in pairs {
      ["open:sesame"] = { { "--user", "ana:open:sesame" }, { "WEFT_PASSWORD=other" } },
      barley = { { "--user", "ana" }, { "WEFT_PASSWORD=barley" } },
      [""] = { { "--user", "ana:" }, {} },
    } do
      local output, errors, status = connect(t, { t:url(server), table.unpack(child[1]) }, { variables = child[2] })
      local socket = require "mime"
      assert.same({ "Basic " .. socket.b64("ana:" .. password) .. "\n", 0 }, { output, status }, errors)
    end
  end, 25))

  it("does not wait for a password that nobody can type", case(function(t)
    local child = run(t, {}, {
      program = { "setsid", "-w", os.getenv "LUA" or "lua5.4", command.root .. "/bin/weft", "connect", "--user", "ana", "ws://127.0.0.1/" },
    })
    local output, errors, status = child:wait()
    assert.same({ "", 2 }, { output, status })
    check_has(errors, "WEFT_PASSWORD")
  end, 25))

  it("closes with 1000 at a signal", case(function(t)
    for name, expected in pairs { INT = 130, TERM = 143 } do
      local server = t:server()
      local child = run(t, { "connect", t:url(server) })
      local ws = t:accepted()
      child:write "here\n"
      assert.equal("here", (ws:receive(5))) -- now its side is open too
      child:signal(name)
      assert.same({ true, 1000, "" }, { ws:wait_closed(5) })
      local _, errors, status = child:wait()
      assert.equal(expected, status)
      check_has(errors, "1000", "local")
    end
  end, 25))

  it("ends at a signal while it still opens", case(function(t)
    local arrived = false
    local port = t:serve_raw(function(raw)
      arrived = raw:head() ~= ""
      raw:read_until_closed()
    end)
    local child = run(t, { "connect", ("ws://127.0.0.1:%d"):format(port) })
    t:wait_until(function() return arrived end)
    child:signal "INT"
    local output, errors, status = child:wait()
    assert.same({ "", "", 130 }, { output, errors, status })
  end, 25))
end)
