-- weft as a client through real proxies: tinyproxy and microsocks.
--
--   lua5.4 spec/interop/proxies.lua DIRECTORY WS WSS TINY TINY_AUTH SOCKS SOCKS_AUTH
--
-- DIRECTORY holds the certificates and the proxies' logs, WS and WSS are the
-- weft server's URLs, the rest are HOST:PORT of proxies.  Each but TINY_AUTH
-- and SOCKS goes on from an address of its own, by which the server tells it;
-- the _AUTH ones ask for ana's password, "open.sesame".
local weft = require "weft"
local checks = require "check"

local check, equal, matches = checks.check, checks.equal, checks.matches
local directory, ws_url, wss_url, tiny, tiny_auth, socks, socks_auth = table.unpack(arg)
assert(socks_auth, "usage: proxies.lua DIRECTORY WS WSS TINY TINY_AUTH SOCKS SOCKS_AUTH")

local ca = directory .. "/ca.pem"
local DIRECT, BY_TINY, BY_SOCKS = "127.0.0.1", "127.0.0.2", "127.0.0.3"
local USER = "ana:open%2Esesame@"

-- a proxy's URL, with the user
local function http(address, user)
  return ("http://%s%s"):format(user or "", address)
end
local function socks5(address, user)
  return ("socks5://%s%s"):format(user or "", address)
end

local function open(url, proxy)
  return weft.connect(url, { proxy = proxy, tls = { ca = ca }, timeout = 20 })
end

-- from where the server was reached, after a megabyte went there and back
local function way(base, proxy)
  local ws = assert(open(base .. "/echo", proxy))
  local message = ("p"):rep(1024 * 1024)
  assert(ws:send(message))
  equal(message, (ws:receive(20)))
  equal(true, ws:close())
  ws = assert(open(base .. "/peer", proxy))
  local address = ws:receive(20)
  ws:close()
  return address
end

local function refused(url, proxy, ...)
  local ws, message, code = open(url, proxy)
  equal(nil, ws)
  equal("proxy", code)
  assert(not message:find("sesame", 1, true), "the message shows the password")
  return matches(message, ...)
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

-- That a proxy's log has a line with this text; it may write a moment late.
local function logged(name, text)
  for _ = 1, 100 do
    if read(directory .. "/" .. name):find(text, 1, true) then
      return
    end
    weft.sleep(0.02)
  end
  error(("nothing like %q in %s"):format(text, name), 2)
end

local named_ws = ws_url:gsub("127%.0%.0%.1", "localhost")
local named_wss = wss_url:gsub("127%.0%.0%.1", "localhost")

for _, base in ipairs { ws_url, wss_url } do
  local scheme = base:match "^%a+"
  check(scheme .. " through tinyproxy", function()
    equal(BY_TINY, way(base, http(tiny)))
  end)

  check(scheme .. " through tinyproxy with user and password", function()
    equal(DIRECT, way(base, http(tiny_auth, USER)))
  end)

  check(scheme .. " through microsocks", function()
    equal(DIRECT, way(base, socks5(socks)))
  end)

  check(scheme .. " through microsocks with user and password", function()
    equal(BY_SOCKS, way(base, socks5(socks_auth, USER)))
  end)
end

check("the proxies resolve the names", function()
  equal(BY_TINY, way(named_wss, http(tiny)))
  logged("tinyproxy.log", "CONNECT localhost:")
  equal(BY_SOCKS, way(named_ws, socks5(socks_auth, USER)))
  logged("microsocks-auth.log", "connected to localhost:")
end)

check("tinyproxy without user and password is 407", function()
  refused(ws_url, http(tiny_auth), "407 Proxy Authentication Required")
end)

check("tinyproxy with a wrong password is refused", function()
  refused(wss_url, http(tiny_auth, "ana:other@"), "40[17] ")
end)

check("a port that tinyproxy does not allow is 403", function()
  refused("ws://" .. socks, http(tiny), "403 ")
end)

check("a server that tinyproxy cannot reach is told", function()
  refused("ws://127.0.0.1:1", http(tiny_auth, USER), "50%d ")
end)

check("microsocks without user and password is refused", function()
  refused(ws_url, socks5(socks_auth), "%a+ %a+")
end)

check("microsocks with a wrong password is refused", function()
  refused(wss_url, socks5(socks_auth, "ana:other@"), "user name and password")
end)

check("a server that microsocks cannot reach is told", function()
  refused("ws://127.0.0.1:1", socks5(socks), "refused")
end)

check("a name that microsocks cannot resolve is told", function()
  refused("ws://no-such-name.invalid", socks5(socks), "%a+ %a+")
end)

check("a proxy that is not there is told with its address", function()
  refused(ws_url, "http://127.0.0.1:1", "127%.0%.0%.1:1.*refused")
end)

check("a proxy of the other kind is told", function()
  refused(ws_url, http(socks), "127%.0%.0%.1:%d+.*%a+ %a+")
end)

check("the wrong certificate is refused behind a proxy too", function()
  local ws, message, code = weft.connect(wss_url, { proxy = http(tiny) })
  equal(nil, ws)
  equal("tls", code)
  matches(message, "certificate")
end)

check("fifty connections through each at once", function()
  weft.run(function()
    local tasks = {}
    for i = 1, 50 do
      for _, proxy in ipairs { http(tiny), socks5(socks_auth, USER) } do
        tasks[#tasks + 1] = weft.spawn(function()
          local ws = assert(open((i % 2 == 0 and ws_url or wss_url) .. "/echo", proxy))
          assert(ws:send("this is " .. i))
          equal("this is " .. i, (ws:receive(20)))
          equal(true, ws:close())
        end)
      end
    end
    for _, task in ipairs(tasks) do
      assert(task:join())
    end
  end)
end)

-- The environment: another process each time, which is also the command's turn.
local clean = "env -u http_proxy -u HTTP_PROXY -u https_proxy -u HTTPS_PROXY"
  .. " -u all_proxy -u ALL_PROXY -u no_proxy -u NO_PROXY"

-- What `weft connect` prints at /peer, with these in its environment.
local function by_environment(base, variables, options)
  local out = os.tmpname()
  local done = os.execute(("%s %s ${LUA:-lua5.4} bin/weft connect --ca %s %s %s/peer"
    .. " </dev/null >%s 2>&1"):format(clean, variables, ca, options or "", base, out))
  local text = read(out)
  os.remove(out)
  assert(not text:find("sesame", 1, true), "the password was shown")
  return done and text:match("^[%d.]+") or text
end

local environments = {
  { "http_proxy is for ws", ws_url, "http_proxy=" .. http(tiny), BY_TINY },
  { "http_proxy is not for wss", wss_url, "http_proxy=" .. http(tiny), DIRECT },
  { "https_proxy is for wss", wss_url, "https_proxy=" .. http(tiny), BY_TINY },
  { "HTTPS_PROXY is for wss", wss_url, "HTTPS_PROXY=" .. http(tiny), BY_TINY },
  { "HTTPS_PROXY is not for ws", ws_url, "HTTPS_PROXY=" .. http(tiny), DIRECT },
  { "ALL_PROXY is for ws", ws_url, "ALL_PROXY=" .. socks5(socks_auth, USER), BY_SOCKS },
  { "all_proxy is for wss", wss_url, "all_proxy=" .. socks5(socks_auth, USER), BY_SOCKS },
  { "the particular one comes before ALL_PROXY", wss_url,
    ("ALL_PROXY=%s HTTPS_PROXY=%s"):format(socks5(socks_auth, USER), http(tiny)), BY_TINY },
  { "NO_PROXY names an address", ws_url,
    "ALL_PROXY=" .. http(tiny) .. " NO_PROXY=127.0.0.1", DIRECT },
  { "NO_PROXY names a network", ws_url,
    "ALL_PROXY=" .. http(tiny) .. " NO_PROXY=10.0.0.0/8,127.0.0.0/8", DIRECT },
  { "NO_PROXY names a host", named_wss,
    "ALL_PROXY=" .. http(tiny) .. " no_proxy=example.com,.localhost", DIRECT },
  { "NO_PROXY names others", ws_url,
    "ALL_PROXY=" .. http(tiny) .. " NO_PROXY=128.0.0.0/8,localhost", BY_TINY },
  { "--proxy comes before the environment", ws_url,
    "http_proxy=" .. http(tiny), BY_SOCKS, "--proxy " .. socks5(socks_auth, USER) },
}

for _, one in ipairs(environments) do
  local name, base, variables, expected, options = table.unpack(one, 1, 5)
  check("environment: " .. name, function()
    equal(expected, by_environment(base, variables, options))
  end)
end

checks.report()
