--- What a request makes an answer depend on: preconditions, ranges, encodings
--- (RFC 9110, sections 12.5.3, 13 and 14).  Internal.
---
--- A representation is what would be sent: `etag` (a strong one), `modified`
--- (seconds since 1970, not in the future) and `size`.

local date = require "weft.date"

local conditions = {}

-- Whether a list of entity tags has this one; weak ones count when `weak`.
local function has_tag(list, etag, weak)
  if list:find("^%s*%*%s*$") then
    return true
  end
  for mark, tag in list:gmatch('(W?/?)("[^"]*")') do
    if tag == etag and (weak or mark == "") then
      return true
    end
  end
  return false
end

-- Whether it was changed since a date, which may be none: nil.
local function changed_since(representation, text)
  local since = text and date.parse(text)
  return since and representation.modified > since
end

--- Evaluates the preconditions in the order of section 13.2.2: 412 or 304, or
--- nil when the request goes on.
---@param headers table<string, string>
---@param representation { etag: string, modified: integer, size: integer }
---@return integer|nil
function conditions.check(headers, representation)
  local match, none_match = headers["if-match"], headers["if-none-match"]
  if match then
    if not has_tag(match, representation.etag, false) then
      return 412
    end
  elseif changed_since(representation, headers["if-unmodified-since"]) then
    return 412
  end
  if none_match then
    return has_tag(none_match, representation.etag, true) and 304 or nil
  elseif changed_since(representation, headers["if-modified-since"]) == false then
    return 304
  end
end

-- Whether the range is of what the client has the rest of (13.1.5).  A date is
-- good only when the file could not have changed twice in its second.
local function if_range(text, representation, now)
  if not text or text == representation.etag then
    return true
  end
  return date.parse(text) == representation.modified
         and representation.modified < now
end

--- The single range of bytes that is asked for: offset and length; nil when
--- the whole is to be sent, and nil, true when there is no such range (416).
--- Several ranges at once are answered by the whole.
---@param headers table<string, string>
---@param representation { etag: string, modified: integer, size: integer }
---@param now integer
---@return integer|nil offset
---@return integer|true|nil length
function conditions.range(headers, representation, now)
  local size = representation.size
  local range = headers.range
  if not range then
    return nil
  end
  local first, last = range:match("^[Bb][Yy][Tt][Ee][Ss]=%s*(%d*)%-(%d*)%s*$")
  if not first or first .. last == ""
     or not if_range(headers["if-range"], representation, now) then
    return nil
  elseif first == "" then -- the last so many bytes
    local length = math.min(tonumber(last), size)
    if length > 0 then
      return size - length, length
    end
    return nil, tonumber(last) == 0 or nil
  end
  first, last = tonumber(first), last == "" and math.huge or tonumber(last)
  if last < first then
    return nil
  elseif first >= size then
    return nil, true
  end
  return first, math.min(last, size - 1) - first + 1
end

-- The q value of what comes after a coding's name: 1, or 0 for nonsense.
local function weight(parameters)
  if parameters:find("^%s*$") then
    return 1
  end
  local q = parameters:match("^%s*;%s*[Qq]=([01]%.?%d?%d?%d?)%s*$")
  q = q and tonumber(q) or 0
  return q <= 1 and q or 0
end

--- Whether a client takes gzip, and likes it no less than plain bytes.
---@param accepted string Accept-Encoding
---@return boolean
function conditions.takes_gzip(accepted)
  local weights = {}
  for coding, parameters in accepted:gmatch("([^%s,;]+)([^,]*)") do
    weights[coding:lower()] = weight(parameters)
  end
  local gzip = weights.gzip or weights["x-gzip"] or weights["*"] or 0
  return gzip > 0 and gzip >= (weights.identity or 0)
end

return conditions
