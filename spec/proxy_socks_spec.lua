-- Clients behind a SOCKS5 proxy: what it is asked, and what comes of each answer.
local case = require "support.case"
local proxies = require "support.proxies"

local NAME, USER, PASSWORD = proxies.NAME, proxies.USER, proxies.PASSWORD
local check_echo, check_refused, with_login = proxies.check_echo, proxies.check_refused, proxies.with_login

describe("a SOCKS5 proxy", function()
  for _, scheme in ipairs { "socks5", "socks5h" } do
    it("carries a connection for " .. scheme .. "://", case(function(t)
      local server, target = t:listen { websocket = case.echo }
      local port, seen = proxies.socks(t, {}, function(raw) proxies.relay(t, raw, target) end)
      check_echo(t:connect(server, { proxy = ("%s://127.0.0.1:%d"):format(scheme, port) }))
      assert.same({ version = 5, methods = "\0", kind = 1, host = "\127\0\0\1", port = target }, seen)
    end))
  end

  it("carries one with TLS", case(function(t)
    local _, target = t:listen { websocket = case.echo, tls = "self-signed" }
    local port, seen = proxies.socks(t, {}, function(raw) proxies.relay(t, raw, target) end)
    check_echo(t:connect(("wss://localhost:%d/"):format(target), {
      proxy = "socks5://127.0.0.1:" .. port, tls = { verify = false },
    }))
    assert.same({ 3, "localhost", target }, { seen.kind, seen.host, seen.port })
  end))

  it("is told a name, which it looks up", case(function(t)
    local port, seen = proxies.socks(t, {}, proxies.upgrade)
    t:connect("ws://" .. NAME .. ":81/", { proxy = "socks5://127.0.0.1:" .. port }):abort()
    assert.same({ 3, NAME, 81 }, { seen.kind, seen.host, seen.port })
  end))

  it("is told an IPv6 address as its bytes", case(function(t)
    local port, seen = proxies.socks(t, {}, proxies.upgrade)
    t:connect("ws://[2001:db8::1]/", { proxy = "socks5://127.0.0.1:" .. port }):abort()
    assert.same({ 4, "\x20\1\13\xB8" .. ("\0"):rep(11) .. "\1", 80 }, { seen.kind, seen.host, seen.port })
  end))

  it("is told user and password when it asks for them", case(function(t)
    local port, seen = proxies.socks(t, { method = "\5\2" }, proxies.upgrade)
    t:connect("ws://" .. NAME, { proxy = with_login("socks5", port) }):abort()
    assert.same({ "\0\2", 1, USER, PASSWORD }, { seen.methods, seen.login_version, seen.user, seen.password })
  end))

  it("is not told them when it does not", case(function(t)
    local port, seen = proxies.socks(t, {}, proxies.upgrade)
    t:connect("ws://" .. NAME, { proxy = with_login("socks5", port) }):abort()
    assert.same({ "\0\2", nil, nil }, { seen.methods, seen.user, seen.password })
  end))

  for what, reply in pairs {
    ["an IPv4 address"] = "\5\0\0\1\10\0\0\1\4\210",
    ["an IPv6 address"] = "\5\0\0\4" .. ("\1"):rep(16) .. "\4\210",
    ["a name"] = "\5\0\0\3\4name\4\210",
    ["a name of no bytes"] = "\5\0\0\3\0\0\0",
  } do
    it("may reply from " .. what .. ", in pieces too", case(function(t)
      for _, size in ipairs { 1, 3, 100 } do
        local port = proxies.socks(t, { method = "\5\2", reply = reply, size = size }, proxies.upgrade)
        t:connect("ws://" .. NAME, { proxy = with_login("socks5", port) }):abort()
      end
    end))
  end

  local replies = {
    "general failure", "not allowed by the proxy's rules", "network unreachable", "host unreachable", "connection refused",
    "TTL expired", "command not supported", "address type not supported", [240] = "unknown failure",
  }
  for code, words in pairs(replies) do
    it(("may refuse with %d, %s"):format(code, words), case(function(t)
      local port = proxies.socks(t, { reply = ("\5%c\0\1\0\0\0\0\0\0"):format(code) })
      assert.equal(("connect to %s:80: proxy 127.0.0.1:%d: %s (SOCKS5 reply %d)"):format(NAME, port, words, code),
                   check_refused(t, "proxy", "ws://" .. NAME, { proxy = "socks5://127.0.0.1:" .. port }))
    end))
  end

  it("may want a user name and password", case(function(t)
    local port = proxies.socks(t, { method = "\5\xFF" })
    local message = check_refused(t, "proxy", "ws://" .. NAME, { proxy = "socks5://127.0.0.1:" .. port })
    assert.is_truthy(message:find("it wants a user name and password", 1, true), message)
    message = check_refused(t, "proxy", "ws://" .. NAME, { proxy = with_login("socks5", port) })
    assert.is_truthy(message:find("it takes no user name and password", 1, true), message)
  end))

  it("may refuse user name and password", case(function(t)
    local port = proxies.socks(t, { method = "\5\2", login = "\1\1" })
    local message = check_refused(t, "proxy", "ws://" .. NAME, { proxy = with_login("socks5", port) })
    assert.is_truthy(message:find(("proxy 127.0.0.1:%d: the proxy refused user name and password"):format(port), 1, true), message)
  end))

  for what, script in pairs {
    ["speaks HTTP"] = { method = "HTTP/1.1 400 Bad Request\r\n\r\n" },
    ["speaks SOCKS4"] = { method = "\0\90" },
    ["wants what was not offered"] = { method = "\5\1" },
    ["wants a login that was not offered"] = { method = "\5\2" },
    ["replies nonsense"] = { reply = "\5\0\0\9" },
    ["replies in another version"] = { reply = "\4\0\0\1\0\0\0\0\0\0" },
    ["says more than a reply"] = { reply = "\5\0\0\1\0\0\0\0\0\0HTTP/1.1 101" },
    ["hangs up at once"] = { method = "", hangs_up = true },
    ["hangs up in mid-reply"] = { reply = "\5\0\0\1\0", hangs_up = true },
  } do
    it("that " .. what .. " is named", case(function(t)
      local port = proxies.socks(t, script)
      local message = check_refused(t, "proxy", "ws://" .. NAME, { proxy = "socks5://127.0.0.1:" .. port })
      local prefix = ("connect to %s:80: proxy 127.0.0.1:%d: "):format(NAME, port)
      assert.equal(prefix, message:sub(1, #prefix))
    end))
  end
end)
