--- Where a redirect leads, and whether to go there.  Internal.

local url = require "weft.url"

local redirect = {}

local moved = { [301] = true, [302] = true, [303] = true, [307] = true, [308] = true }

-- Fields that are for one origin alone.
local private = {
  ["authorization"] = true,
  ["cookie"] = true,
  ["proxy-authorization"] = true,
}

-- Why one must not go there, or nil.
local function objection(from, to, unix)
  if from.scheme == "wss" and to.scheme == "ws" then
    return "its Location leads from wss to ws"
  elseif to.username then
    -- whoever redirects does not choose as whom we log in
    return "its Location has a user name or password in it"
  elseif unix and not url.same_origin(from, to) then
    return "its Location leads away from the Unix-domain socket"
  end
end

--- Where a refusal sends the client: the target, or nil when it sends it
--- nowhere, or nil and why one does not go there.
---@param from weft.Target what was asked for
---@param response table status, reason, headers
---@param unix? string the socket that was asked
---@return weft.Target|nil, string?
function redirect.next(from, response, unix)
  local location = response.headers.location
  if not moved[response.status] or not location then
    return nil
  end
  local to, wrong = url.resolve(from, location)
  if not to then
    return nil, "its Location is no good: " .. wrong
  end
  wrong = objection(from, to, unix)
  if wrong then
    return nil, wrong
  end
  return to
end

--- The headers of a request that may be shown to another origin.
---@param headers table
---@return table
function redirect.public(headers)
  local public = {}
  for name, value in pairs(headers) do
    if type(name) ~= "string" or not private[name:lower()] then
      public[name] = value
    end
  end
  return public
end

return redirect
