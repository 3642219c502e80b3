--- Small proxies that say what a spec wants them to, on the raw peers of a
--- case.
---
---     local port, seen = proxies.http(t, nil, proxies.upgrade)
---     t:connect("ws://" .. proxies.NAME, { proxy = "http://127.0.0.1:" .. port })
---     assert.equal("CONNECT", seen[1].method)
local mime = require "mime"
local peer = require "support.peer"

local proxies = {
  NAME = "no-such-host.invalid", -- which nobody here can look up
  USER = "ana",
  PASSWORD = "tOpS3cret",
}

--- Copies what comes from one peer to the other until there is no more.
local function copy(t, from, to)
  while true do
    t.weft.wait(from.socket, "r")
    local all, why, partial = from.socket:receive(65536)
    local bytes = all or partial
    if bytes ~= "" and not to:send(bytes) then
      return
    elseif why == "closed" then
      pcall(to.shutdown, to)
      return
    end
  end
end

--- Joins a client to a port of 127.0.0.1, as a proxy that has said yes.
function proxies.relay(t, raw, port)
  local onward = peer.connect(t.weft, port)
  t.peers[#t.peers + 1] = onward
  t.acceptors[#t.acceptors + 1] = t.weft.spawn(copy, t, onward, raw)
  copy(t, raw, onward)
end

--- An HTTP proxy that answers each CONNECT with `answer` (yes unless given),
--- then calls `after(raw)`.  Gives its port and the requests it has seen.
function proxies.http(t, answer, after)
  local seen = {}
  local port = t:serve_raw(function(raw)
    seen[#seen + 1] = raw:parsed_head()
    raw:send(answer or "HTTP/1.1 200 Connection established\r\n\r\n")
    if after then
      after(raw)
    end
    raw:read_until_closed()
  end)
  return port, seen
end

--- What a SOCKS5 client wants, read from its request: the type of address, the
--- address and the port.
local function read_target(raw)
  local head = raw:receive(4)
  assert(head:sub(1, 3) == "\5\1\0", "what came is no CONNECT of SOCKS5")
  local kind = head:byte(4)
  local length = kind == 1 and 4 or kind == 4 and 16 or raw:receive(1):byte()
  return kind, raw:receive(length), (string.unpack(">I2", raw:receive(2)))
end

--- A SOCKS5 proxy.  Its answers are `script.method` ("\5\0"), `script.login`
--- ("\1\0"; asked for when the method is 2) and `script.reply` (yes), each sent
--- in pieces of `script.size`; an answer that is "" ends it.  Gives its port
--- and what it has seen.
function proxies.socks(t, script, after)
  local seen = {}
  local method, login = script.method or "\5\0", script.login or "\1\0"
  local reply = script.reply or "\5\0\0\1\0\0\0\0\0\0"
  local function answer(raw, bytes)
    raw:send_in_pieces(bytes, script.size or #bytes + 1)
    return bytes ~= ""
  end
  local function converse(raw)
    local version, count = raw:receive(2):byte(1, 2)
    seen.version, seen.methods = version, raw:receive(count)
    if not answer(raw, method) then
      return
    end
    if method == "\5\2" and count == 2 then
      seen.login_version = raw:receive(1):byte()
      seen.user = raw:receive(raw:receive(1):byte())
      seen.password = raw:receive(raw:receive(1):byte())
      if not answer(raw, login) or login:byte(2) ~= 0 then
        return
      end
    elseif method ~= "\5\0" then
      return
    end
    seen.kind, seen.host, seen.port = read_target(raw)
    if answer(raw, reply) and after then
      after(raw)
    end
  end
  local port = t:serve_raw(function(raw)
    converse(raw)
    if script.hangs_up then
      raw:shutdown()
    end
    raw:read_until_closed()
  end)
  return port, seen
end

--- What a proxy does after its yes that is the server too, and upgrades.
function proxies.upgrade(raw)
  raw:accept_upgrade()
end

--- The URL of a proxy with user and password.
---@return string
function proxies.with_login(scheme, port)
  return ("%s://%s:%s@127.0.0.1:%d"):format(scheme, proxies.USER, proxies.PASSWORD, port)
end

--- What Basic auth makes of them.
---@return string
function proxies.basic(user, password)
  return "Basic " .. mime.b64((user or proxies.USER) .. ":" .. (password or proxies.PASSWORD))
end

--- One message there and back, and a clean end.
function proxies.check_echo(ws)
  assert(ws:send "as agreed")
  assert(ws:receive(5) == "as agreed")
  assert(ws:close())
end

--- Does not connect; gives the message, which holds no secret.
---@return string
function proxies.check_refused(t, expected_code, url, options)
  local ws, message, code = t.weft.connect(url, options)
  if ws then
    ws:abort()
    error("it connected", 2)
  elseif code ~= expected_code then
    error(("%q instead of %q: %s"):format(code, expected_code, message), 2)
  end
  for _, secret in ipairs { proxies.PASSWORD, proxies.USER .. ":", proxies.basic():match " (.*)" } do
    if message:find(secret, 1, true) then
      error("the message tells a secret: " .. message, 2)
    end
  end
  return message
end

return proxies
