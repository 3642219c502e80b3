-- nginx.conf at work: weft as the client, nginx's TLS between, weft behind it.
--
--   lua5.4 spec/interop/nginx.lua URL CA SECONDS
--
-- URL is nginx, SECONDS its proxy_read_timeout.
local weft = require "weft"
local checks = require "check"

local check, equal, matches = checks.check, checks.equal, checks.matches
local base = assert(arg[1], "usage: nginx.lua URL CA SECONDS")
local ca = assert(arg[2], "usage: nginx.lua URL CA SECONDS")
local timeout = assert(tonumber(arg[3]), "usage: nginx.lua URL CA SECONDS")

local function open(path, more)
  local all = { tls = { ca = ca } }
  for name, value in pairs(more or {}) do
    all[name] = value
  end
  return weft.connect(base .. path, all)
end

local function told(path)
  local ws = assert(open(path))
  local message = ws:receive(20)
  ws:close()
  return message
end

check("text and binary of many sizes come back", function()
  local ws = assert(open "/echo")
  for _, size in ipairs { 0, 1, 125, 126, 65536, 1024 * 1024 } do
    for _, kind in ipairs { "text", "binary" } do
      local message = ("n"):rep(size)
      assert(ws:send(message, kind))
      local got, got_kind = ws:receive(20)
      equal(message, got)
      equal(kind, got_kind)
    end
  end
  equal(true, ws:close())
end)

check("X-Forwarded-For and X-Forwarded-Proto tell of the client", function()
  equal("127.0.0.1", told "/header/x-forwarded-for")
  equal("https", told "/header/x-forwarded-proto")
  equal((base:gsub("^wss://", "")), told "/header/host")
end)

check("weft's close code and reason come through", function()
  local ws = assert(open "/close/4002")
  local _, word, code, reason = ws:receive(20)
  equal("closed", word)
  equal(4002, code)
  equal("because", reason)
end)

check("a page of the same origin gets in, another one does not", function()
  local ws = assert(open("/echo", { origin = (base:gsub("^wss", "https")) }))
  ws:close()
  local foreign, message = open("/echo", { origin = "https://evil.example" })
  equal(nil, foreign)
  matches(message, "^handshake refused: 403 ")
end)

check("a second connection resumes the TLS session of the first", function()
  assert(open "/echo"):close()
  local ws = assert(open "/echo")
  equal(true, ws.tls.resumed)
  ws:close()
end)

check("a connection with pings outlives nginx's timeout", function()
  local ws = assert(open("/echo", { ping_interval = timeout / 4 }))
  local message, word = ws:receive(timeout * 2)
  equal(nil, message)
  equal("timeout", word)
  assert(ws:send "still here")
  equal("still here", (ws:receive(20)))
  ws:close()
end)

check("one without is dropped, and says so", function()
  local ws = assert(open("/echo", { ping_interval = false }))
  local begin = weft.now()
  local _, word, code = ws:receive(timeout * 4)
  equal("closed", word)
  equal(1006, code)
  assert(weft.now() - begin > timeout / 2)
end)

checks.report()
