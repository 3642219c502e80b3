--- Where `weft connect` reads lines from and prints messages to: a pipe or file,
--- or somebody at a terminal.  Internal.

local core = require "weft.core"
local protected = require "weft.protected"
local prompt = require "weft.cli.prompt"
local terminal = require "weft.cli.terminal"

local lines = {}

--- Both have the same face: `print` prints a message, or gives nil and why it
--- cannot; `each` calls on_line with
--- each line until that returns nothing, and gives true when stdin has ended, nil
--- and perhaps a message when it failed; `finish` leaves a terminal as it was.
---@class weft.Lines
---@field prompts boolean whether somebody types
---@field print fun(self: weft.Lines, message: string): any, string?
---@field each fun(self: weft.Lines, on_line: fun(line: string): any): boolean?, string?
---@field finish fun(self: weft.Lines)

-- Calls on_bytes with what comes from stdin, until it returns something: that.
-- True when stdin has ended, nil when the task is cancelled, nil and a message
-- when stdin is broken.
local function each_piece(weft, on_bytes)
  while true do
    local open, ready = protected(weft.wait, 0, "r")
    if not open then -- started without a stdin
      return true
    elseif not ready then
      return nil
    end
    local bytes, why = core.read(0, 4096)
    local result
    if bytes == "" then
      return true
    elseif bytes then
      result = on_bytes(bytes)
    elseif why ~= "again" then
      return nil, "cannot read stdin: " .. why
    end
    if result ~= nil then
      return result or nil
    end
  end
end

local function write(text)
  local written, why = io.stdout:write(text)
  if written then
    written, why = io.stdout:flush()
  end
  return written, why
end

-- A pipe or a file ---------------------------------------------------------

local Plain = {}
Plain.__index = Plain

function Plain:print(message)
  return write((self.visible and terminal.harmless(message) or message) .. "\n")
end

function Plain:each(on_line)
  local pieces = {} -- of a line whose end has not come
  local ended, why = each_piece(self.weft, function(bytes)
    local from = 1
    while true do
      local at = bytes:find("\n", from, true)
      pieces[#pieces + 1] = bytes:sub(from, at and at - 1)
      if not at then
        return nil
      end
      from = at + 1
      local line = table.concat(pieces)
      pieces = {}
      if not on_line(line) then
        return false
      end
    end
  end)
  local last = table.concat(pieces)
  if ended and last ~= "" then
    return on_line(last) and true or nil
  end
  return ended, why
end

function Plain:finish() end

-- A terminal ---------------------------------------------------------------

local Typed = {}
Typed.__index = Typed

function Typed:print(message)
  local line = "< " .. terminal.harmless(message)
  if self.restore then
    self.prompt:print(line)
    return true
  end
  return write(line .. "\n")
end

function Typed:each(on_line)
  self.prompt:show()
  return each_piece(self.weft, function(bytes)
    return self.prompt:type(bytes, on_line)
  end)
end

function Typed:finish()
  if self.restore then
    self.prompt:hide()
    self.restore()
    self.restore = nil
  end
end

--- Stdin and stdout, whatever they are. With a terminal on both sides there is
--- a prompt, which `finish` must end.
---@param weft weft
---@return weft.Lines
function lines.open(weft)
  local visible = terminal.is(1)
  if visible and terminal.is(0) then
    local restore, columns = terminal.keys()
    if restore then
      return setmetatable({
        weft = weft, prompts = true, restore = restore,
        prompt = prompt.new(write, columns),
      }, Typed)
    end
  end
  return setmetatable({ weft = weft, prompts = false, visible = visible }, Plain)
end

return lines
