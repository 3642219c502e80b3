-- The weft server that the peers' clients talk to.  Prints where it listens.
--
--   lua5.4 spec/interop/server.lua [DIRECTORY KIND]
--
-- With the DIRECTORY of the certificates it speaks TLS; KIND says which way.
local weft = require "weft"

local directory, kind_of_tls = arg[1], arg[2]

local function certificate(name)
  return { cert = directory .. "/" .. name .. ".pem", key = directory .. "/" .. name .. ".key" }
end

local function with(tls, more)
  for name, value in pairs(more) do
    tls[name] = value
  end
  return tls
end

-- what the option `tls` is for each KIND
local kinds = {
  usual = function()
    return with(certificate "server", {
      ca = directory .. "/ca.pem",
      client_cert = "optional",
      names = { ["other.example"] = certificate "other" },
    })
  end,
  strict = function()
    return with(certificate "rsa", {
      ca = directory .. "/ca.pem",
      client_cert = "required",
      min_version = "1.3",
    })
  end,
  ["self-signed"] = function()
    return "self-signed"
  end,
}

-- how the last connection to /echo ended, as this side saw it
local last = "none"

local function echo(ws)
  for message, kind in ws:messages() do
    ws:send(message, kind)
  end
  last = ("%s %s %s"):format(ws.close_code, ws.close_reason, ws.close_cause)
end

-- answers each message in pieces of at most a thousand bytes
local function fragments(ws)
  for message, kind in ws:messages() do
    local writer = ws:writer(kind)
    for at = 1, #message, 1000 do
      writer:write(message:sub(at, at + 999))
    end
    writer:close()
  end
end

local function ping(ws)
  local seconds, why = ws:ping("are you there?")
  ws:send(seconds and seconds >= 0 and "answered" or tostring(why))
end

local function close(ws)
  ws:close(tonumber(ws.request.params.code), "because")
end

-- what was negotiated, and with whom
local function tls(ws)
  local negotiated = ws.tls or {}
  local peer = negotiated.peer_certificate or {}
  ws:send(("%s %s"):format(negotiated.version, peer.common_name))
end

local function authorize(request)
  if request.path == "/secret" and request.headers.authorization ~= "Basic YW5hOnNlc2FtZQ==" then
    return nil, 401, "who are you?", { ["WWW-Authenticate"] = "Basic realm=\"weft\"" }
  end
  return true
end

local server = assert(weft.listen {
  port = 0,
  max_message = 2 * 1024 * 1024,
  protocols = { "chat.v2", "chat.v1" },
  tls = kind_of_tls and kinds[kind_of_tls](),
  upgrade = authorize,
  websocket = {
    ["/echo"] = echo,
    ["/secret"] = echo,
    ["/fragments"] = fragments,
    ["/ping"] = ping,
    ["/close/:code"] = close,
    ["/tls"] = tls,
    ["/peer"] = function(ws) ws:send(ws.remote_address) end,
    ["/header/:name"] = function(ws)
      ws:send(ws.request.headers[ws.request.params.name] or "none")
    end,
    ["/last"] = function(ws) ws:send(last) end,
  },
  http = function(request)
    if request.path == "/" then
      return 200, { ["Content-Type"] = "text/html; charset=utf-8" }, "<!doctype html><title>weft</title>"
    end
    return 404, { ["Content-Type"] = "text/plain" }, "not here\n"
  end,
})

print("listening on " .. server:url())
io.stdout:flush()
weft.run()
