--- The HTTP around WebSocket: targets, header lines, the responses that clients
--- get.  Internal; the tables it makes are public.

local check = require "weft.check"
local compat = require "weft.compat"

local http = {}

--- The head of the server's answer to a client's opening handshake:
--- `ws.response`, and the fourth result of a refused `weft.connect`.
---@class weft.Response
---@field status integer 101 when it was accepted
---@field reason string "Switching Protocols"
---@field headers table<string, string> looked up whatever the case of the name
---@field body string what came with a refusal, at most 16 KiB

local function decode(text)
  return (text:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end
http.decode = decode

--- The path of a request target as it was sent, and the query or nil.
---@param target string
---@return string, string?
function http.split(target)
  if target:sub(1, 1) ~= "/" then
    -- the absolute form, which proxies use (RFC 9112, section 3.2.2)
    local rest = target:match("^%a[%w+.-]*://[^/?]*(.*)$")
    target = rest and (rest:sub(1, 1) == "/" and rest or "/" .. rest) or target
  end
  local path, query = target:match("^([^?]*)%?(.*)$")
  return path or target, query
end

--- Makes the table of a response from its head and body.
---@param head table status, reason, headers
---@param body string
---@return weft.Response
function http.response(head, body)
  return {
    status = head.status,
    reason = head.reason,
    headers = head.headers,
    body = body,
  }
end

-- The lines of one header; a list of values makes a line each.
local function lines_of(name, given)
  if not check.token(name) then
    return nil, "the name of a header must be " .. select(2, check.token(name))
                .. ", got " .. check.show(name)
  end
  local values = type(given) == "table" and given or { given }
  local lines = {}
  for i, value in ipairs(values) do
    value = compat.is_integer(value) and ("%d"):format(value) or value
    if not check.field_value(value) then
      break
    end
    lines[i] = name .. ": " .. value .. "\r\n"
  end
  if #lines == 0 or #lines < #values then -- the value is not shown: it may be secret
    return nil, ("header '%s' must be %s, or a list of them"):format(
      name, select(2, check.field_value(nil)))
  end
  return table.concat(lines)
end

local NAMES = 200 -- that are known to be good; programs use few
local names, count = {}, 0 -- their lower case

-- The lower case of a header's name; nil when none can be called so.
local function lower_of(name)
  local lower = names[name]
  if lower or not check.token(name) then
    return lower
  elseif count == NAMES then
    names, count = {}, 0
  end
  lower = name:lower()
  names[name], count = lower, count + 1
  return lower
end

--- Header lines, each ended by CRLF, from a table of name to value or list of
--- values, in the order of their names.  `own` says of a lower-case name why
--- the caller must not set it, or nil.  Returns nil and what is wrong when it
--- does, or when a name or value could not stand in a head.
---@param headers table
---@param own fun(name: string): string?
---@return string|nil, string?
function http.header_lines(headers, own)
  local all = {}
  for name, value in pairs(headers) do
    local lower = lower_of(name)
    local objection = lower and own(lower)
    if objection then
      return nil, ("header '%s' %s"):format(name, objection)
    elseif lower and type(value) == "string" and not value:find("%c") then
      all[#all + 1] = name .. ": " .. value .. "\r\n" -- as nearly all are
    else
      local lines, wrong = lines_of(name, value)
      if not lines then
        return nil, wrong
      end
      all[#all + 1] = lines
    end
  end
  table.sort(all)
  return table.concat(all)
end

local function copy(to, headers)
  for name, value in next, headers do
    to[name] = value
  end
  return to
end

-- Where the metatable of prepared headers has their lines.
local LINES = {}

--- For headers that many answers have: their lines are made once.  Returns a
--- function that gives them as a table, which its first change makes an ordinary
--- one.  None of them may be weft's own to set.
---@param headers table that is not changed any more
---@return fun(): table
function http.prepare(headers)
  if not compat.asks_pairs then -- whoever looked through such a table would see nothing
    return function()
      return copy({}, headers)
    end
  end
  local metatable = {
    [LINES] = assert(http.header_lines(headers, function() end)),
    __index = headers,
    __pairs = function() return next, headers end,
    __newindex = function(self, name, value)
      copy(setmetatable(self, nil), headers)[name] = value
    end,
  }
  return function()
    return setmetatable({}, metatable)
  end
end

--- The lines of prepared headers that nobody has changed, or nil.
---@param headers table
---@return string|nil
function http.prepared_lines(headers)
  local metatable = getmetatable(headers)
  return metatable and rawget(metatable, LINES)
end

local framing = {
  ["connection"] = true,
  ["content-length"] = true,
  ["transfer-encoding"] = true,
}
http.framing = framing

--- For header_lines: what an opening handshake sets itself.
function http.handshake_own(name)
  if framing[name] or name == "host" or name == "upgrade"
     or name:find("^sec%-websocket%-") then
    return "is the handshake's own"
  end
end

return http
