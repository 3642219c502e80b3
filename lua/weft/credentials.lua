--- Basic auth (RFC 7617): who the client says it is.  Internal.
---
--- No message shows a user name or password, not even a wrong one.

local core = require "weft.core"

local credentials = {}

local function secret(expected, pattern)
  return function(value)
    if type(value) == "string" and not value:find(pattern) then
      return value
    end
    return nil, nil, nil, nil, ("expected %s, got %s"):format(
      expected, type(value) == "string" and "another string" or "a " .. type(value))
  end
end

--- Kinds, as in check.lua.
credentials.username = secret("a string without ':' and control characters", "[%c:]")
credentials.password = secret("a string without control characters", "%c")

-- The name in `headers` that is Authorization, however it is written.
local function authorization_of(headers)
  for name in pairs(headers or {}) do
    if type(name) == "string" and name:lower() == "authorization" then
      return name
    end
  end
end

-- User name, password and where they stand; nothing when there are none.  An
-- option `username` replaces all that the URL says.
local function choose(checked, target)
  if checked.username then
    return checked.username, checked.password or "", "option 'username'"
  elseif target.username then
    return target.username, checked.password or target.password,
           "the user name in the URL"
  end
end

--- Whether somebody is told who the client is.
---@param checked table options
---@param target weft.Target
---@return boolean
function credentials.given(checked, target)
  return choose(checked, target) ~= nil
end

--- Whether what a server says repeats user name or password, plain or as they
--- were sent.
---@param text string
---@param checked table options
---@param target weft.Target
---@return boolean
function credentials.repeated(text, checked, target)
  local username, password = choose(checked, target)
  if not username then
    return false
  end
  for _, said in ipairs { username, password, core.base64(username .. ":" .. password) } do
    if said ~= "" and text:find(said, 1, true) then
      return true
    end
  end
  return false
end

--- The line of the request that says them, "" when there are none; raises when
--- they contradict themselves.
---@param where string
---@param checked table options: username, password, headers
---@param target table from url.parse, or empty when the URL was no good
---@param level integer
---@return string
function credentials.line(where, checked, target, level)
  local username, password, place = choose(checked, target)
  if not username then
    if checked.password and target.host then
      error(where .. ": option 'password': expected 'username' as well, or a"
            .. " user name in the URL", level + 1)
    end
    return ""
  end
  local header = authorization_of(checked.headers)
  if header then
    error(("%s: option 'headers': the header '%s' and %s exclude each other")
          :format(where, header, place), level + 1)
  end
  return "Authorization: Basic " .. core.base64(username .. ":" .. password) .. "\r\n"
end

return credentials
