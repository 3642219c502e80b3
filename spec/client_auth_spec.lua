-- Basic auth (RFC 7617) from options and URLs, and that nobody hears of it but
-- the server.
local mime = require "mime"
local weft = require "weft"
local case = require "support.case"
local certificates = require "support.certificates"
local command = require "support.command"
local patience = require "support.patience"
local raises = require "support.raises"

--- What Authorization a URL ("ws://" before it, host and port after it) and
--- options lead to.
local function authorization(t, before, options)
  local request
  local port = t:serve_raw(function(raw)
    request = raw:accept_upgrade()
  end)
  t:connect(("ws://%s127.0.0.1:%d/"):format(before, port), options):abort()
  assert.is_nil(request.target:find("@", 1, true))
  assert.equal("127.0.0.1:" .. port, request.headers.host)
  return request.headers.authorization
end

local function basic(login)
  return "Basic " .. mime.b64(login)
end

describe("a client with a user name and a password", function()
  it("says them as RFC 7617 has it", case(function(t)
    assert.equal("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", authorization(t, "", { username = "Aladdin", password = "open sesame" }))
    assert.equal("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", authorization(t, "Aladdin:open%20sesame@"))
  end))

  it("says none when it has none", case(function(t)
    assert.is_nil(authorization(t, ""))
    assert.is_nil(authorization(t, "@"))
    assert.is_nil(authorization(t, ":@"))
  end))

  local given = {
    { "ana@", {}, "ana:" }, { "ana:@", {}, "ana:" }, { ":sesame@", {}, ":sesame" }, { "", { username = "ana" }, "ana:" },
    { "", { username = "", password = "sesame" }, ":sesame" }, { "", { username = "ana", password = "a:b " }, "ana:a:b " },
    { "a%40b%2F:%3A%25%C3%BC@", {}, "a@b/::%\u{FC}" }, { "", { username = "\u{FC}", password = "\xFF" }, "\u{FC}:\xFF" },
    { "ana@", { password = "sesame" }, "ana:sesame" }, { "ana:old@", { password = "sesame" }, "ana:sesame" },
    { "ana:old@", { username = "eva", password = "sesame" }, "eva:sesame" }, { "ana:old@", { username = "eva" }, "eva:" },
  }
  for number, one in ipairs(given) do
    it(("takes them from options before the URL (%d)"):format(number), case(function(t)
      assert.equal(basic(one[3]), authorization(t, one[1], one[2]))
    end))
  end

  it("takes them however long they are", case(function(t)
    local password = ("sesame"):rep(1000)
    assert.equal(basic("ana:" .. password), authorization(t, "", { username = "ana", password = password }))
  end))

  it("sends them through a server's upgrade", case(function(t)
    local server = t:listen { websocket = case.echo, upgrade = function(request)
      if request.headers.authorization == basic "ana:sesame" then
        return true
      end
      return nil, 401, "who are you?", { ["WWW-Authenticate"] = 'Basic realm="spec"' }
    end }
    local ws, message, code, response = t.weft.connect(t:url(server))
    assert.same({ nil, "handshake refused: 401 Unauthorized", "handshake" }, { ws, message, code })
    assert.equal('Basic realm="spec"', response.headers["WWW-Authenticate"])
    assert.equal("open", t:connect(server, { username = "ana", password = "sesame" }).state)
  end))

  it("has them in ws.request", case(function(t)
    local ws = t:connect(t:serve_upgraded(), { username = "ana", password = "sesame" })
    assert.equal(basic "ana:sesame", ws.request.headers.authorization)
  end))

  it("has them without I/O, and in a pair", case(function(t)
    local p = weft.protocol.client { url = "ws://ana:sesame@example.com/" }
    assert.is_truthy(p:output():find("\r\nAuthorization: " .. basic "ana:sesame" .. "\r\n", 1, true))
    p = weft.protocol.client { username = "ana", password = "sesame" }
    assert.is_truthy(p:output():find("\r\nAuthorization: " .. basic "ana:sesame" .. "\r\n", 1, true))
    local client, server = t.weft.pair { username = "ana" }
    assert.equal(basic "ana:", server.request.headers.authorization)
    client:abort()
  end))
end)

describe("a mistake in who one is", function()
  local function refused(t, url, options, ...)
    local message = raises(function() t.weft.connect(url, options) end, "weft.connect: ", ...)
    assert.is_nil(message:find "sesame", message)
    assert.is_nil(message:find "ana7353", message)
  end

  it("is a header Authorization beside it, and the error names both", case(function(t)
    for _, name in ipairs { "Authorization", "AUTHORIZATION" } do
      local headers = { [name] = "Bearer sesame" }
      refused(t, "ws://127.0.0.1:1/", { username = "ana7353", headers = headers }, "option 'headers'", name,
        "option 'username'", "exclude each other")
      refused(t, "ws://ana7353:sesame@127.0.0.1:1/", { headers = headers }, "option 'headers'", name, "URL",
        "exclude each other")
      raises(function()
        weft.protocol.client { url = "ws://ana7353:sesame@127.0.0.1:1/", headers = headers }
      end, "weft.protocol.client: option 'headers'", name)
    end
  end))

  it("is a password alone", case(function(t)
    refused(t, "ws://127.0.0.1:1/", { password = "sesame" }, "option 'password'", "'username'", "URL")
  end))

  it("is a colon in the user name, or a control character", case(function(t)
    refused(t, "ws://127.0.0.1:1/", { username = "ana7353:sesame" }, "option 'username'", "':'")
    for _, bad in ipairs { "sesame\r", "\nsesame", "ses\0ame", "\27sesame", "sesame\127" } do
      refused(t, "ws://127.0.0.1:1/", { username = bad }, "option 'username'", "control characters")
      refused(t, "ws://127.0.0.1:1/", { username = "ana", password = bad }, "option 'password'", "control characters")
    end
  end))
end)

describe("a user name and a password", function()
  --- Keeps all that is said, by whomever, and looks for secrets in it.
  local function listener()
    local heard = {}
    local function hear(...)
      for i = 1, select("#", ...) do
        local said = select(i, ...)
        heard[#heard + 1] = tostring(said)
        if type(said) == "table" then
          for key, value in pairs(said) do
            heard[#heard + 1] = tostring(key) .. tostring(value)
          end
        end
      end
      return ...
    end
    return hear, function()
      assert.is_true(#heard > 0)
      local all = table.concat(heard, "\n")
      for _, secret in ipairs { "sesame", "ana7353", "tapioca", "eva7353" } do
        assert.is_nil(all:find(secret, 1, true), all)
        assert.is_nil(all:find(mime.b64("ana7353:sesame"), 1, true), all)
        assert.is_nil(all:find(mime.b64("eva7353:tapioca"), 1, true), all)
      end
      return all
    end
  end

  --- A raw server that says one thing and hangs up.
  local function saying(t, answer)
    return t:serve_raw(function(raw)
      raw:head(0.05)
      raw:send(answer)
      raw:read_until_closed(0.05)
      raw:close()
    end)
  end

  --- Every way to fail: { name, url, options }, the secrets in the URL.
  local function failures(t)
    local login = "ws://ana7353:sesame@127.0.0.1:%d/"
    local secure = "wss://ana7353:sesame@127.0.0.1:%d/"
    local silent = t:serve_raw(function(raw) raw:read_until_closed() end)
    local certified = t:listen { tls = certificates.with(certificates.server) }
    local through = "http://eva7353:tapioca@127.0.0.1:%d"
    local socks = "socks5://eva7353:tapioca@127.0.0.1:%d"
    local moved = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: "
    return {
      { "refused", login:format(t:free_port()) },
      { "dns", "ws://ana7353:sesame@" .. ("x"):rep(64) .. ".invalid/" },
      { "timeout", login:format(silent), { timeout = 0.05 } },
      { "timeout", secure:format(silent), { timeout = 0.05 } },
      { "handshake", login:format(saying(t, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")) },
      { "handshake", login:format(saying(t, "no HTTP at all\r\n\r\n")) },
      { "handshake", login:format(saying(t, "")) },
      { "handshake", login:format(saying(t, moved .. "//eva7353:tapioca@b/\r\n\r\n")), { redirects = 1 } },
      { "handshake", login:format(saying(t, moved .. "/%tapioca\r\n\r\n")), { redirects = 1 } },
      { "tls", secure:format(saying(t, "HTTP/1.1 400 Bad Request\r\n\r\n")) },
      { "tls", secure:format(certified:port()) },
      { "tls", secure:format(certified:port()), { tls = { ca = certificates.missing } } },
      { "tls", secure:format(certified:port()), { tls = { cert = certificates.encrypted.cert,
        key = certificates.encrypted.key, passphrase = "tapioca" } } },
      { "proxy", login:format(1), { proxy = through:format(t:free_port()) } },
      { "proxy", login:format(1), { proxy = socks:format(t:free_port()) } },
      { "proxy", login:format(1), { proxy = through:format(
        saying(t, "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")) } },
      { "proxy", secure:format(1), { proxy = through:format(saying(t, "nonsense\r\n\r\n")) } },
      { "proxy", login:format(1), { proxy = socks:format(saying(t, "\5\255")) } },
      { "proxy", login:format(1), { proxy = socks:format(saying(t, "\5\2\1\1")) } },
      { "timeout", login:format(1), { proxy = through:format(silent), timeout = 0.05 } },
      { "proxy", login:format(1), { proxy = "http://eva7353:tapioca@127.0.0.1:x" } },
      { "proxy", login:format(1), { proxy = "gopher://eva7353:tapioca@127.0.0.1:1" } },
      { "proxy", login:format(1), { proxy = "eva7353:tap/ioca@127.0.0.1:tapioca" } },
      { "system", "ws://ana7353:sesame@a/", { unix = "/nonexistent/weft.sock" } },
      { "url", "ws://ana7353:sesame@:80/" }, { "url", "ws://ana7353:sesame@/" }, { "url", "ana7353:sesame@host" },
      { "url", "http://ana7353:sesame@host/" }, { "url", "ws://ana7353:sesame@host:sesame/" },
      { "url", "ws://ana7353:sesame%0A@host/" }, { "url", "ws://ana7353:sesame%@host/" },
      { "url", "ws://ana7353%3A:sesame@host/" }, { "url", "ws://ana7353:ses/ame@host/" },
      { "url", "ws://ana7353:sesame@host/#sesame" }, { "url", "ws://ana7353:sesame@host/ sesame" },
      { "url", "ws://ana7353:sesame@[sesame]/" }, { "url", "ws://ana7353:sesame@\xFF\xFE/" },
    }
  end

  it("are in no message of a connect that fails", case(function(t)
    local hear, check = listener()
    for number, one in ipairs(failures(t)) do
      local code, url, options = table.unpack(one)
      local results = table.pack(hear(t.weft.connect(url, options)))
      assert.is_nil(results[1])
      assert.is_true(code == results[3] or code == "system" and results[3] == "refused",
        ("%d: expected %s, got %s: %s"):format(number, code, results[3], results[2]))
    end
    assert.is_truthy(check():find("connection refused", 1, true))
  end, 30))

  it("are not quoted where the server's words repeat them", case(function(t)
    local ending = "\r\nContent-Length: 0\r\nLocation: http:\r\n\r\n"
    for _, words in ipairs { "No, ana7353", "sesame is wrong", basic "ana7353:sesame" } do
      for status, tail in pairs { [401] = "", [302] = ": its Location is no good: it must begin with ws:// or wss://" } do
        local url = ("ws://ana7353:sesame@127.0.0.1:%d/"):format(saying(t, ("HTTP/1.1 %d %s%s"):format(status, words, ending)))
        local expected = ("handshake refused: %d%s"):format(status, tail)
        assert.equal(expected, (select(2, t.weft.connect(url, { redirects = 1 }))))
        local told
        t.weft.connect(url, { redirects = 1, events = { error = function(_, message) told = message end } })
        t:wait_until(function() return told end)
        assert.equal(expected, told)
      end
    end
    local url = ("ws://ana7353:sesame@127.0.0.1:%d/"):format(saying(t, "HTTP/1.1 403 Not today" .. ending))
    assert.equal("handshake refused: 403 Not today", (select(2, t.weft.connect(url))))
  end))

  it("are in no message of events", case(function(t)
    local hear, check = listener()
    local failed = 0
    local all = failures(t)
    for _, one in ipairs(all) do
      local options = { events = { error = function(ws, message, code)
        failed = failed + 1
        hear(message, code, ws, ws.close_message, ws.close_cause, ws.state)
      end } }
      for name, value in pairs(one[3] or {}) do
        options[name] = value
      end
      local ws, message, code = t.weft.connect(one[2], options)
      hear(ws, message, code)
      failed = failed + (ws and 0 or 1)
    end
    t:wait_until(function() return failed == #all end, "every failure", 20)
    check()
  end, 40))

  it("are in no error of weft.reconnecting, and in none that it passes on", case(function(t)
    local hear, check = listener()
    for _, one in ipairs(failures(t)) do
      local options = { max_attempts = 2, max_delay = 0.001, on_retry = hear }
      for name, value in pairs(one[3] or {}) do
        options[name] = value
      end
      local ok, trace = xpcall(function()
        for _ in t.weft.reconnecting(one[2], options) do
          error "this cannot be"
        end
      end, function(err) return err .. debug.traceback() end)
      assert.is_false(ok)
      hear(trace)
      options.retry = function(...)
        hear(...)
        return true
      end
      for _ in t.weft.reconnecting(one[2], options) do
        error "this cannot be"
      end
    end
    check()
  end, 60))

  it("are in no error that is raised, nor its traceback", case(function(t)
    local hear, check = listener()
    local url = "ws://ana7353:sesame@127.0.0.1:1/"
    local mistakes = {
      { url, { headers = { authorization = "Bearer sesame" } } }, { url, { password = "sesame\n" } },
      { url, { username = "ana7353:" } }, { url, { password = { "sesame" } } }, { url, 5 }, { url, { nope = "sesame" } },
      { url .. "\r\n" }, { url .. "\0" }, { "ws://127.0.0.1:1/", { password = "sesame" } },
      { url, { unix = "/x", proxy = "http://eva7353:tapioca@127.0.0.1:1" } }, { url, { timeout = -1 } },
      { url, { headers = { Cookie = "sesame\r\n" } } }, { url, { proxy = { "http://eva7353:tapioca@b:1" } } },
      { url, { tls = { passphrase = "tapioca\0" } } }, { url, { tls = { passphrase = 5, key = "tapioca\0" } } },
      { url, { events = { opne = print } } }, { url, { protocols = { "a b" } } },
    }
    for number, one in ipairs(mistakes) do
      for _, name in ipairs { "connect", "reconnecting" } do
        local ok, trace = xpcall(function()
          t.weft[name](one[1], one[2])
        end, function(err) return tostring(err) .. debug.traceback() end)
        assert.is_false(ok, name .. " takes mistake " .. number)
        hear(trace)
      end
    end
    check()
  end))

  it("are in no report of an error, and in nothing that is shown of a connection", case(function(t)
    local hear, check = listener()
    local server = t:listen { websocket = case.echo }
    local url = ("ws://ana7353:sesame@127.0.0.1:%d/"):format(server:port())
    local ws = t:connect(url)
    hear(ws, ws.remote_address, ws.state, ws.extensions, ws.tls, ws.response, ws.response.headers)
    local task = t.weft.spawn(function() ws:send(nil) end)
    t:wait_until(function() return task:status() == "failed" end, "the task's end")
    local closed
    t.weft.connect(url, { events = {
      open = function(other) other:send(nil) end,
      close = function(other) closed = hear(other, other.close_message, other.close_cause) end,
    } })
    t:wait_until(function() return closed end, "the event's end")
    local reports = t:reports()
    assert.equal(2, #reports)
    for _, report in ipairs(reports) do
      hear(report.error, report.traceback, report.subject)
    end
    ws:close(1000, "", patience(5))
    hear(ws, ws.close_message, ws.close_cause, ws:receive())
    check()
  end))

  it("are in nothing that the command line writes", case(function(t)
    local hear, check = listener()
    local refusing = saying(t, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
    for port, words in pairs {
      [t:free_port()] = "connection refused", [refusing] = "handshake refused: 401 Unauthorized", [0] = "bad URL",
    } do
      local child = command.start(t.weft, { "connect", ("ws://ana7353:sesame@127.0.0.1:%d/"):format(port) })
      child:end_input()
      local output, errors, status = child:wait()
      assert.equal(1, status)
      assert.is_truthy(errors:find(words, 1, true), errors)
      hear(output, errors)
    end
    check()
  end, 25))
end)
