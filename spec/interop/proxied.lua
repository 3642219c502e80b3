-- Clients of proxied_server.lua, through whatever proxy is at URL.
--
--   lua5.4 spec/interop/proxied.lua URL CA none|integer true|false
--
-- At the end: whether the server knows of the client's port, and whether it
-- takes the request for a secure one.
local weft = require "weft"
local checks = require "check"

local check, equal = checks.check, checks.equal
local usage = "usage: proxied.lua URL CA none|integer true|false"
local base, ca, port = assert(arg[1], usage), assert(arg[2], usage), assert(arg[3], usage)
local secure = assert(arg[4], usage)

local function open(path, headers)
  return assert(weft.connect(base .. path, { tls = { ca = ca }, headers = headers }))
end

-- What the server says of a client at that address of this machine.
local function ask(address, more)
  local command = ("curl -sS -4 -m 20 --interface %s --cacert '%s' %s '%s/'"):format(
    address, ca, more or "", (base:gsub("^ws", "http")))
  local pipe = assert(io.popen(command))
  local said = pipe:read "*a"
  assert(pipe:close(), command)
  return said
end

local function of(address)
  return ("%s %s %s"):format(address, port, secure)
end

check("a WebSocket is its client's", function()
  local ws = open "/who"
  equal(of "127.0.0.1", (ws:receive(20)))
  ws:close()
end)

check("messages of many sizes come back", function()
  local ws = open "/echo"
  for _, size in ipairs { 0, 125, 126, 65536, 500000 } do
    local message = ("p"):rep(size)
    assert(ws:send(message, "binary"))
    equal(message, (ws:receive(20)))
  end
  equal(true, ws:close())
end)

check("a page is whoever's asks for it", function()
  for _, address in ipairs { "127.0.0.1", "127.0.0.9", "127.1.2.3" } do
    equal(of(address), ask(address))
  end
end)

check("what a client says itself does not count", function()
  for _, header in ipairs {
    "X-Forwarded-For: 192.0.2.7", "X-Forwarded-For: 192.0.2.7, 127.0.0.1", "X-Forwarded-For: rubbish",
    "Forwarded: for=192.0.2.7;proto=http", "Forwarded: for=\"", "X-Forwarded-Proto: http", "X-Forwarded-Proto: wss",
  } do
    equal(of "127.0.0.9", ask("127.0.0.9", ("-H '%s'"):format(header)))
  end
end)

checks.report()
