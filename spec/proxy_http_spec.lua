-- Clients behind an HTTP proxy: what it is asked, and what comes of each answer.
local case = require "support.case"
local proxies = require "support.proxies"

local NAME, USER, PASSWORD = proxies.NAME, proxies.USER, proxies.PASSWORD
local check_echo, check_refused, with_login = proxies.check_echo, proxies.check_refused, proxies.with_login

describe("an HTTP proxy", function()
  it("carries a connection", case(function(t)
    local server, target = t:listen { websocket = case.echo }
    local port = proxies.http(t, nil, function(raw) proxies.relay(t, raw, target) end)
    local ws = t:connect(server, { proxy = "http://127.0.0.1:" .. port })
    assert.equal("127.0.0.1:" .. target, ws.request.host)
    check_echo(ws)
  end))

  it("carries one with TLS, which it cannot look into", case(function(t)
    local _, target = t:listen { websocket = case.echo, tls = "self-signed" }
    local port = proxies.http(t, nil, function(raw) proxies.relay(t, raw, target) end)
    local ws = t:connect(("wss://127.0.0.1:%d/"):format(target), {
      proxy = "http://127.0.0.1:" .. port, tls = { verify = false },
    })
    assert.equal("string", type(ws.tls.version))
    check_echo(ws)
  end))

  it("is told a name, and nothing that is the server's business", case(function(t)
    local inner
    local port, seen = proxies.http(t, nil, function(raw)
      proxies.upgrade(raw)
      inner = raw.request
    end)
    local ws = t:connect("ws://" .. NAME .. "/path?query", {
      proxy = "http://127.0.0.1:" .. port, headers = { Cookie = "a=b" }, user_agent = "loom/1", username = USER, password = PASSWORD,
    })
    assert.same({ "CONNECT", NAME .. ":80", "HTTP/1.1" }, { seen[1].method, seen[1].target, seen[1].version })
    assert.same({ host = NAME .. ":80", ["user-agent"] = "loom/1" }, seen[1].headers)
    assert.same({ "/path?query", NAME, "a=b" }, { inner.target, inner.headers.host, inner.headers.cookie })
    assert.is_nil(inner.headers["proxy-authorization"])
    ws:abort()
  end))

  it("is told user and password", case(function(t)
    local inner
    local port, seen = proxies.http(t, nil, function(raw)
      proxies.upgrade(raw)
      inner = raw.request
    end)
    t:connect("ws://" .. NAME, { proxy = with_login("http", port) }):abort()
    assert.equal(proxies.basic(), seen[1].headers["proxy-authorization"])
    assert.is_nil(inner.headers["proxy-authorization"])
    assert.is_nil(inner.headers.authorization)
    t:connect("ws://" .. NAME, { proxy = ("http://%%61na:p%%40ss%%3A%%20w@127.0.0.1:%d"):format(port) }):abort()
    assert.equal(proxies.basic("ana", "p@ss: w"), seen[2].headers["proxy-authorization"])
  end))

  it("is told addresses, IPv6 ones in brackets", case(function(t)
    local port, seen = proxies.http(t, nil, proxies.upgrade)
    local options = { proxy = "127.0.0.1:" .. port }
    t:connect("ws://192.0.2.1:81/", options):abort()
    t:connect("ws://[2001:db8::1]/", options):abort()
    t:connect("ws://[fe80::1%25lo]:82/", options):abort() -- a zone is ours alone
    assert.same({ "192.0.2.1:81", "[2001:db8::1]:80", "[fe80::1]:82" }, { seen[1].target, seen[2].target, seen[3].target })
    assert.equal("[2001:db8::1]:80", seen[2].headers.host)
  end))

  it("is found by its name", case(function(t)
    local port, seen = proxies.http(t, nil, proxies.upgrade)
    t:connect("ws://" .. NAME, { proxy = "http://localhost:" .. port }):abort()
    assert.equal(1, #seen)
  end))

  for what, answer in pairs {
    ["in HTTP/1.0"] = "HTTP/1.0 200 Connection established\r\n\r\n",
    ["with a length that means nothing"] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    ["with another 2xx"] = "HTTP/1.1 204 No Content\r\n\r\n",
    ["after an interim one"] = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
  } do
    it("may say yes " .. what, case(function(t)
      local port = proxies.http(t, answer, proxies.upgrade)
      t:connect("ws://" .. NAME, { proxy = "127.0.0.1:" .. port }):abort()
    end))
  end

  it("may say yes byte by byte", case(function(t)
    local port = t:serve_raw(function(raw)
      raw:head()
      raw:send_in_pieces("HTTP/1.1 200 OK\r\nVia: spec\r\n\r\n", 1)
      proxies.upgrade(raw)
      raw:read_until_closed()
    end)
    t:connect("ws://" .. NAME, { proxy = "127.0.0.1:" .. port }):abort()
  end))

  for answer, words in pairs {
    ["HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n"] =
      "407 Proxy Authentication Required",
    ["HTTP/1.1 403 Filtered by policy 7\r\nContent-Length: 4\r\n\r\nno!\n"] = "403 Filtered by policy 7",
    ["HTTP/1.1 502 Bad Gateway\r\n\r\n"] = "502 Bad Gateway",
    ["HTTP/1.1 504\r\n\r\n"] = "504 Gateway Timeout",
    ["HTTP/1.1 302 Found\r\nLocation: http://login.example/\r\n\r\n"] = "302 Found",
    ["HTTP/1.1 403 \27[2J\xFF\r\n\r\n"] = "its answer is no HTTP response",
    ["HTTP/1.1 403 \xFF\xFE\r\n\r\n"] = "403 ??",
    ["\5\0"] = "its answer is no HTTP response",
    ["SSH-2.0-OpenSSH_9.6\r\n"] = "its answer is no HTTP response",
    ["HTTP/1.1 200 OK\r\nX: " .. ("x"):rep(20000) .. "\r\n\r\n"] = "too large",
    ["HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n"] = "more than an answer",
  } do
    it(("that says %q is named"):format(answer:sub(1, 40)), case(function(t)
      local port = proxies.http(t, answer)
      local message = check_refused(t, "proxy", "ws://" .. NAME, { proxy = "http://127.0.0.1:" .. port })
      local prefix = ("connect to %s:80: proxy 127.0.0.1:%d: "):format(NAME, port)
      assert.equal(prefix, message:sub(1, #prefix))
      assert.is_truthy(message:find(words, #prefix, true), message)
      assert.is_nil(message:find "[^\32-\126]", message)
    end))
  end

  it("is quoted as the contract says", case(function(t)
    local port = proxies.http(t, "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
    assert.equal(("connect to example.com:80: proxy 127.0.0.1:%d: 407 Proxy Authentication Required"):format(port),
                 check_refused(t, "proxy", "ws://example.com", { proxy = "http://127.0.0.1:" .. port }))
  end))

  it("that repeats the password is not quoted", case(function(t)
    local port = proxies.http(t, ("HTTP/1.1 407 Not %s with %s\r\n\r\n"):format(USER, PASSWORD))
    local message = check_refused(t, "proxy", "ws://" .. NAME, { proxy = with_login("http", port) })
    assert.is_truthy(message:find("407 Proxy Authentication Required", 1, true), message)
  end))

  for what, begin in pairs { ["before it answers"] = "", ["in mid-answer"] = "HTTP/1.1 200 OK\r\nVia" } do
    it("may hang up " .. what, case(function(t)
      local port = t:serve_raw(function(raw)
        raw:head()
        raw:send(begin)
        raw:close()
      end)
      local message = check_refused(t, "proxy", "ws://" .. NAME, { proxy = with_login("http", port) })
      assert.is_truthy(message:find(("%s:80: proxy 127.0.0.1:%d: "):format(NAME, port), 1, true), message)
    end))
  end

  it("may reset the connection", case(function(t)
    local port = t:serve_raw(function(raw)
      raw:head()
      raw:reset()
    end)
    local message = check_refused(t, "proxy", "ws://" .. NAME, { proxy = with_login("http", port) })
    assert.is_truthy(message:find("proxy 127.0.0.1:" .. port, 1, true), message)
  end))
end)
