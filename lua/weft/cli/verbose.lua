--- What `weft connect -v` tells about a connection.  Internal.
---
--- Nothing in it is secret: no header that was sent, no credentials, no cookies.

local proxy = require "weft.proxy"
local terminal = require "weft.cli.terminal"
local url = require "weft.url"

local verbose = {}

local hidden = { ["set-cookie"] = true }

-- "certificate: CN = a.example", and what is worth knowing of it.
local function tell_certificate(tell, certificate)
  tell("* certificate: ", certificate.subject or "(no subject)")
  tell("*   names: ", table.concat(certificate.names, ", "))
  tell("*   issuer: ", certificate.issuer or "(no issuer)")
  tell("*   valid from ", certificate.not_before, " to ", certificate.not_after)
  tell("*   pin: ", certificate.pin)
end

local function tell_tls(tell, tls)
  tell("* ", tls.version, ", ", tls.cipher,
       tls.alpn and ", ALPN " .. tls.alpn or "",
       tls.resumed and ", a resumed session" or "")
  if tls.peer_certificate then
    tell_certificate(tell, tls.peer_certificate)
  end
end

-- Status and headers, in the order of their names.
local function tell_response(tell, response)
  tell("< ", response.status, " ", response.reason)
  local names = {}
  for name in pairs(response.headers) do
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    tell("< ", name, ": ", hidden[name] and "(not shown)" or response.headers[name])
  end
end

local function writer(write)
  return function(...)
    write(terminal.harmless(table.concat { ... }):gsub("\n", "\\n") .. "\n")
  end
end

local function authority(host, port)
  return (host:find(":", 1, true) and "[%s]:%d" or "%s:%d"):format(host, port)
end

-- " through the proxy http://proxy:3128", or nothing.
local function through(ws, option)
  local scheme = ws.tls and "wss" or "ws"
  local target = url.parse(scheme .. "://" .. ws.request.host .. "/")
  local used = target and proxy.choose(option, scheme, target.host)
  return used and (" through the proxy %s://%s"):format(
    used.kind, authority(used.host, used.port)) or ""
end

--- Tells what was negotiated.
---@param write fun(text: string)
---@param ws weft.Connection
---@param seconds number how long it took to open
---@param option? string|false the option `proxy`
function verbose.opened(write, ws, seconds, option)
  local tell = writer(write)
  local by_path = not ws.remote_port
  tell("* connected to ", ws.request.host, by_path and "" or through(ws, option), " at ",
       by_path and ws.remote_address or authority(ws.remote_address, ws.remote_port))
  if ws.tls then
    tell_tls(tell, ws.tls)
  end
  tell_response(tell, ws.response)
  tell("* subprotocol: ", ws.protocol or "none")
  tell("* extensions: ", ws.extensions ~= "" and ws.extensions or "none")
  tell(("* open after %.1f ms"):format(seconds * 1000))
end

--- Tells what a server answered that refused.
---@param write fun(text: string)
---@param response weft.Response
function verbose.refused(write, response)
  local tell = writer(write)
  tell_response(tell, response)
  for line in response.body:gmatch("[^\r\n]+") do
    tell("< ", line)
  end
end

return verbose
