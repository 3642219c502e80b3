--- The option `log`: a server's events for a function, or as lines on stderr.
--- Internal; the events are public.

local core = require "weft.core"

local log = {}

-- How they stand in a line.
local order = {
  "event", "worker", "pid", "connection", "remote_address", "method", "path", "kind",
  "protocol", "tls", "url", "workers", "status", "signal", "code", "sent_code", "reason", "cause",
  "option", "bytes", "seconds", "restarts", "connections", "message", "traceback",
  "dropped", "lost",
}

-- Bytes: a line is no longer than what a pipe takes as one (PIPE_BUF), so that the
-- lines of several workers do not mix.  Of each value there is room for so many, less
-- where there are more long ones than any event has.
local LONGEST, ROOM, TRACE_ROOM = 4096, 480, 1200

local STDERR = 2

-- What is not printed as it is, in UTF-8: controls, among them those with which
-- terminals begin their commands, what turns the direction of a text around, what
-- breaks lines, and what takes no room.
local hidden = {
  "\194[\128-\159]", -- U+0080 to U+009F
  "\216\156", -- U+061C
  "\226\128[\139-\143\168-\174]", -- U+200B to U+200F, U+2028 to U+202E
  "\226\129[\160-\175]", -- U+2060 to U+206F
  "\239\187\191", -- U+FEFF
}

-- Escapes what must not be printed: `low` each control, `code` each longer
-- character that is hidden, `wrong` what is no UTF-8.
local function escape(text, low, code, wrong)
  text = text:gsub("[%z\1-\31\127\"\\]", low)
  if not core.is_utf8(text) then
    text = text:gsub("[\128-\255]", wrong)
    return text
  end
  for _, pattern in ipairs(hidden) do
    text = text:gsub(pattern, code)
  end
  return text
end

-- The first bytes of a text, up to a whole character.
local function cut(text, length)
  for _ = 1, 3 do
    if text:find("^[\128-\191]", length + 1) then
      length = length - 1
    end
  end
  return text:sub(1, math.max(length, 0))
end

-- Escaped, and no longer than there is room: what does not fit is cut off. Escapes
-- are never shorter than what they stand for.
local function fit(value, room, escaped)
  local text = #value <= room and escaped(value)
  local length = math.min(#value, room)
  while not text or #text > room do
    text = escaped(cut(value, length)) .. "..."
    length = math.floor(length * room / (#text + 1))
  end
  return text
end

local short = { ["\n"] = "\\n", ["\t"] = "\\t", ["\r"] = "\\r", ["\""] = "\\\"", ["\\"] = "\\\\" }

-- A duration with a point, whatever the locale has.
local function seconds(value)
  local thousandths = math.floor(value * 1000 + 0.5)
  return ("%d.%03d"):format(math.floor(thousandths / 1000), thousandths % 1000)
end

local function time(value)
  local milliseconds = math.floor(value * 1000)
  return os.date("!%Y-%m-%dT%H:%M:%S", math.floor(milliseconds / 1000))
         .. (".%03dZ"):format(milliseconds % 1000)
end

local function as_bytes(text)
  return (text:gsub(".", function(byte)
    return ("\\x%02X"):format(byte:byte())
  end))
end

local function escaped_text(value)
  return escape(value, function(byte)
    return short[byte] or as_bytes(byte)
  end, as_bytes, as_bytes)
end

local function text_value(value, room)
  if #value <= room and value:find("^[A-Za-z0-9%-_./:@+,%%~%[%]*]+$") then
    return value
  end
  return '"' .. fit(value, room, escaped_text) .. '"'
end

-- Of those above, which have three bytes at most.
local function as_code(character)
  local first, second, third = character:byte(1, 3)
  local code = third and (first - 0xE0) * 4096 + (second - 0x80) * 64 + third - 0x80
               or second and (first - 0xC0) * 64 + second - 0x80
               or first
  return ("\\u%04X"):format(code)
end

local function escaped_json(value)
  return escape(value, function(byte)
    return short[byte] or as_code(byte)
  end, as_code, "\\uFFFD")
end

local function json_value(value, room)
  return '"' .. fit(value, room, escaped_json) .. '"'
end

-- How each form writes a field, and what stands around them.
local forms = {
  text = { field = "%s=%s", between = " ", before = "", after = "\n", value = text_value },
  json = { field = '"%s":%s', between = ",", before = "{", after = "}\n", value = json_value },
}

local function value_of(form, name, value, share)
  if name == "seconds" then
    return seconds(value)
  elseif type(value) == "number" then
    return ("%d"):format(value)
  end
  return form.value(value, math.floor((name == "traceback" and TRACE_ROOM or ROOM) * share))
end

-- The line, where values get that share of their room.
local function line_of(form, event, share)
  local fields = { form.field:format("time", form.value(time(event.time), ROOM)) }
  for _, name in ipairs(order) do
    local value = event[name]
    if value ~= nil then
      fields[#fields + 1] = form.field:format(name, value_of(form, name, value, share))
    end
  end
  return form.before .. table.concat(fields, form.between) .. form.after
end

-- Writes the event's line by one call of the system: whether all of it was.
local function write(self, event)
  local share = 1
  local line
  repeat
    line, share = self.torn .. line_of(self.form, event, share), share / 2
  until #line <= LONGEST
  local written = core.write_line(STDERR, line)
  if written == #line then
    self.torn = ""
  elseif written > 0 then
    self.torn = "\n" -- its rest would come too late: the next one begins anew
  end
  return written == #line
end

-- A line for which there is no room is dropped; once there is some again, another
-- says how many were.
local function write_or_drop(self, event)
  if self.dropped > 0 and write(self, {
    time = event.time, event = "dropped", worker = event.worker, dropped = self.dropped,
  }) then
    self.dropped = 0
  end
  if self.dropped > 0 or not write(self, event) then
    self.dropped = self.dropped + 1
  end
end

-- Whatever is wrong with the user's function is no matter of the server's.
local function caller(fn, report)
  local function explain(err)
    local trace = debug.traceback(type(err) == "string" and err or nil, 2)
    if type(err) == "string" and err:find("attempt to yield", 1, true) then
      err = "the function given to the option 'log' must not wait: " .. err
    end
    return { err, trace }
  end
  return function(event)
    local ok, failure = xpcall(function() fn(event) end, explain)
    if not ok and type(failure) == "table" then
      report(failure[1], failure[2])
    elseif not ok then -- memory was out, also for an explanation
      report(failure, "")
    end
  end
end

--- A server's log.
---@class weft.Log
---@field tell fun(event: weft.LogEvent)
---@field lines boolean whether it writes to stderr
---@field private form? table of the lines
---@field private worker? integer which one this process is
---@field private dropped integer lines
---@field private torn string what the next line begins with
local Log = {}
Log.__index = Log

--- In the worker with that number: what its parent could not write is its own.
---@param n integer
function Log:take_part(n)
  self.worker, self.dropped, self.torn = n, 0, ""
end

--- For the option `log`.
---@param option function|"text"|"json"
---@param report fun(err: any, traceback: string) where errors of the function go
---@return weft.Log
function log.new(option, report)
  local form = forms[option]
  local self = setmetatable({ lines = form ~= nil, form = form, dropped = 0, torn = "" }, Log)
  local call = not form and caller(option, report)
  function self.tell(event)
    event.worker = event.worker or self.worker
    if call then
      call(event)
    else
      write_or_drop(self, event)
    end
  end
  return self
end

--- For options.lua: what the option may be.
function log.kind(value)
  if type(value) == "function" or forms[value] then
    return value
  end
  return nil, "a function, 'text' or 'json'"
end

return log
