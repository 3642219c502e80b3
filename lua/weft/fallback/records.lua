--- How weft.fallback writes messages as lines of text, in both directions: a
--- letter and what it is about.  Internal; docs/fallback.md tells it to others.
---
---     t  a text message: a backslash, LF and CR in it as \\, \n and \r
---     b  a binary message in base64
---     T  a piece of a text message, B of a binary one: more of it follows
---     c  the close: the code, and after a blank the reason, as in t

local core = require "weft.core"

local records = {}

local escapes = { ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r" }
local meanings = { ["\\\\"] = "\\", ["\\n"] = "\n", ["\\r"] = "\r" }

local function escape(text)
  return (text:gsub("[\\\n\r]", escapes))
end

-- The text, or nil when it is not what a text is written as.
local function unescape(line)
  if not line:find "[\\\r]" then -- as most are
    return core.is_utf8(line) and line or nil
  end
  local wrong = line:find("\r", 1, true) ~= nil
  local text = line:gsub("\\.?", function(pair)
    wrong = wrong or not meanings[pair]
    return meanings[pair]
  end)
  if not wrong and core.is_utf8(text) then
    return text
  end
end

--- A message as a line, without its end.
---@param message string
---@param kind weft.Kind
---@return string
function records.message(message, kind)
  if kind == "binary" then
    return "b" .. core.base64(message)
  end
  return "t" .. escape(message)
end

--- The close as a line.
---@param code integer
---@param reason string
---@return string
function records.close(code, reason)
  return "c" .. code .. (reason ~= "" and " " .. escape(reason) or "")
end

local function may_close_with(code)
  return code == 1000 or code == 1001 or code >= 3000 and code <= 4999
end

local function parse_close(line)
  local code, reason = line:match("^(%d%d%d%d) ?(.*)$")
  reason = reason and unescape(reason)
  if reason and #reason <= 123 and may_close_with(tonumber(code)) then
    return { what = "close", code = tonumber(code), reason = reason }
  elseif line == "" then
    return { what = "close" }
  end
end

--- What a record says. `what` is "message", "piece" or "close".
---@class weft.Record
---@field what string
---@field kind? weft.Kind
---@field data? string
---@field code? integer nil: the close carries none
---@field reason? string

--- A line as a record, or nil when it is none.
---@param line string
---@return weft.Record|nil
function records.parse(line)
  local letter, rest = line:sub(1, 1), line:sub(2)
  if letter == "c" then
    return parse_close(rest)
  end
  local kind = letter:lower() == "t" and "text" or letter:lower() == "b" and "binary"
  local data
  if kind == "text" then
    data = unescape(rest)
  elseif kind == "binary" then
    data = core.unbase64(rest)
  end
  return data and {
    what = letter == letter:lower() and "message" or "piece", kind = kind, data = data,
  }
end

-- As many records are looked at in one turn: a POST may have half a million.
local BATCH = 500

--- A function that gives the records of lines, one after the other, and nil for
--- one that is none.  It may wait, so it is not for a generic for.
---@param lines string each with its LF
---@param pause function called now and then; it lets others have their turn
---@return fun(): weft.Record|nil
function records.each(lines, pause)
  local next_line = lines:gmatch "([^\n]*)\n"
  local n = 0
  return function()
    local line = next_line()
    n = n + 1
    if n % BATCH == 0 then
      pause()
    end
    return line and records.parse(line)
  end
end

local function are_records(lines, pause)
  local _, count = lines:gsub("\n", "")
  local next_record = records.each(lines, pause)
  while next_record() do
    count = count - 1
  end
  return count == 0
end

--- What a client has posted: the number of the first record, the last event
--- that it has seen, and the records; nil when it is not well-formed. The records
--- are still lines, for records.each: as tables they would be many times as long,
--- and they may have to wait.
---@param body string
---@param pause function as for records.each
---@return integer|nil first
---@return integer? seen
---@return string? list
function records.parse_post(body, pause)
  local first, seen, at = body:match("^(%d+) (%d+)\n()")
  if not first or #first > 15 or #seen > 15 or body:sub(-1) ~= "\n" then
    return nil
  end
  local list = body:sub(at)
  if are_records(list, pause) then
    return tonumber(first), tonumber(seen), list
  end
end

return records
