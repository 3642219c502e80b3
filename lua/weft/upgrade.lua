--- What the function `upgrade` of a server or of weft.fallback says.  Internal.

local check = require "weft.check"
local http = require "weft.http"

local upgrade = {}

-- What it returned after true: header lines, the protocol (nil: it says nothing)
-- and the headers.
local function check_accepted(given, offers)
  if given == nil then
    return "", nil, {}
  elseif type(given) ~= "table" then
    error("upgrade must return a table after true, got " .. check.show(given), 0)
  end
  for key in pairs(given) do
    if key ~= "protocol" and key ~= "headers" then
      error("upgrade: unknown field " .. check.show(key)
            .. " in its second result (expected protocol, headers)", 0)
    end
  end
  if given.protocol and not offers(given.protocol) then
    error("upgrade: the client does not offer the protocol "
          .. check.show(given.protocol), 0)
  end
  local headers = given.headers or {}
  local lines, wrong = http.header_lines(headers, http.handshake_own)
  if not lines then
    error("upgrade: " .. wrong, 0)
  end
  return lines, given.protocol, headers
end

--- Asks it.  It accepts: header lines, the protocol (false: none; nil: it does
--- not say) and the headers as they were given.  It refuses: nil, and the status,
--- the headers and the message to refuse with.
---@param ask function
---@param request weft.Request
---@param offers fun(protocol: any): any whether the client offers it
---@return string|nil lines
---@return any ...
function upgrade.ask(ask, request, offers)
  local accepted, second, message, headers = ask(request)
  if accepted == true then
    return check_accepted(second, offers)
  elseif accepted then
    error("upgrade must return true or nil, got " .. check.show(accepted), 0)
  end
  return nil, second or 403, headers, message or "The server refuses this connection.\n"
end

return upgrade
