--- A line that is typed at a terminal while other lines are printed above it.
--- Internal: it is given the keys as bytes and writes what a terminal shows, and
--- knows no descriptor.

local core = require "weft.core"

local prompt = {}

local MARK = "> "
local CLEAR = "\r\27[K" -- to the row's beginning, and empty it

---@class weft.Prompt
---@field private write fun(text: string)
---@field private room integer columns for what is typed
---@field private line string[] characters
---@field private at integer how many of them stand before the cursor
---@field private keys string bytes of a key that is not complete
---@field private history string[]
---@field private past integer where in it; one more than there are: a new line
---@field private draft string[] the new line, while an old one is looked at
---@field private shown boolean
local Prompt = {}
Prompt.__index = Prompt

--- A prompt that is not shown yet.
---@param write fun(text: string)
---@param columns integer the terminal's
---@return weft.Prompt
function prompt.new(write, columns)
  return setmetatable({
    write = write, room = columns - #MARK - 1,
    line = {}, at = 0, keys = "",
    history = {}, past = 1, draft = {},
    shown = false,
  }, Prompt)
end

-- How many columns a character takes; too many is better than too few.
local function width(character)
  local wide = character >= "\225\132\128" -- U+1100, and whatever has more bytes
  return wide and core.is_utf8(character) and 2 or 1
end

local function total(line, from, to)
  local sum = 0
  for i = from, to do
    sum = sum + width(line[i])
  end
  return sum
end

-- What is shown of one: no tab, no half character.
local function visible(character)
  return character == "\t" and " " or core.is_utf8(character) and character or "?"
end

--- Draws the row anew: as much of the line as there is room for, the cursor
--- within.
function Prompt:show()
  local line, first, last = self.line, 1, #self.line
  while first <= self.at and total(line, first, self.at) > self.room do
    first = first + 1
  end
  while last > self.at and total(line, first, last) > self.room do
    last = last - 1
  end
  local row = {}
  for i = first, last do
    row[#row + 1] = visible(line[i])
  end
  local back = total(line, self.at + 1, last)
  self.write(CLEAR .. MARK .. table.concat(row)
             .. (back > 0 and "\27[" .. back .. "D" or ""))
  self.shown = true
end

--- Takes the row away, with what was typed so far.
function Prompt:hide()
  if self.shown then
    self.write(CLEAR)
    self.shown = false
  end
end

--- Prints a line above the one that is being typed.
---@param text string
function Prompt:print(text)
  self:hide()
  self.write(text .. "\n")
  self:show()
end

-- Replaces the line by another, the cursor at its end.
local function set(self, line)
  self.line, self.at = line, #line
end

local function split(text)
  local line = {}
  for character in text:gmatch("[%z\1-\127\192-\255][\128-\191]*") do
    line[#line + 1] = character
  end
  return line
end

-- One line back (-1) or forth (1) in what was typed before.
local function recall(self, step)
  local past = self.past + step
  if past < 1 or past > #self.history + 1 then
    return
  elseif self.past > #self.history then
    self.draft = self.line
  end
  self.past = past
  set(self, past > #self.history and self.draft or split(self.history[past]))
end

-- Removes the characters from one place to another.
local function cut(self, from, to)
  for _ = from, math.min(to, #self.line) do
    table.remove(self.line, from)
  end
  self.at = math.min(self.at, from - 1)
end

-- Where the word before the cursor begins.
local function word_start(self)
  local from = self.at
  while from > 0 and self.line[from] == " " do
    from = from - 1
  end
  while from > 0 and self.line[from] ~= " " do
    from = from - 1
  end
  return from + 1
end

local actions = {
  left = function(self) self.at = math.max(self.at - 1, 0) end,
  right = function(self) self.at = math.min(self.at + 1, #self.line) end,
  home = function(self) self.at = 0 end,
  finish = function(self) self.at = #self.line end,
  up = function(self) recall(self, -1) end,
  down = function(self) recall(self, 1) end,
  back = function(self)
    if self.at > 0 then
      cut(self, self.at, self.at)
    end
  end,
  delete = function(self)
    local at = self.at
    cut(self, at + 1, at + 1)
    self.at = at
  end,
  cut_before = function(self) cut(self, 1, self.at) end,
  cut_after = function(self) cut(self, self.at + 1, #self.line) end,
  cut_word = function(self) cut(self, word_start(self), self.at) end,
  redraw = function(self) self.write("\27[H\27[2J") end,
}

local controls = {
  [1] = "home", [2] = "left", [5] = "finish", [6] = "right", [8] = "back",
  [11] = "cut_after", [12] = "redraw", [14] = "down", [16] = "up",
  [21] = "cut_before", [23] = "cut_word", [127] = "back",
}

local escapes = {
  A = "up", B = "down", C = "right", D = "left", H = "home", F = "finish",
  ["1~"] = "home", ["7~"] = "home", ["4~"] = "finish", ["8~"] = "finish",
  ["3~"] = "delete",
}

-- How many bytes a character has that begins with this one.
local function length(byte)
  return byte < 0xC0 and 1 or byte < 0xE0 and 2 or byte < 0xF0 and 3 or 4
end

-- The first key in the bytes: it, and how long it is; nil when more is to come.
local function key_of(keys)
  if keys:sub(1, 1) ~= "\27" then
    local size = length(keys:byte())
    local whole = keys:match("^.[\128-\191]*"):sub(1, size)
    if #whole < size and #whole == #keys then
      return nil
    end
    return whole, #whole
  end
  local body = keys:match("^\27[%[O]([%d;]*[@-~])")
  if body then
    return actions[escapes[body]] or "", #body + 2
  elseif keys:find("^\27$") or keys:find("^\27[%[O][%d;]*$") then
    return nil
  end
  return "", keys:find("^\27[%[O]") and 2 or 1 -- of no meaning here
end

local function insert(self, character)
  self.at = self.at + 1
  table.insert(self.line, self.at, character)
end

-- The end of a line: it stays on the screen as it was typed.
local function enter(self)
  local text = table.concat(self.line)
  local row = {}
  for i, character in ipairs(self.line) do
    row[i] = visible(character)
  end
  self.write(CLEAR .. MARK .. table.concat(row) .. "\n")
  self.shown = false
  if text ~= "" and text ~= self.history[#self.history] then
    table.insert(self.history, text)
  end
  self.past = #self.history + 1
  set(self, {})
  return text
end

--- Takes bytes from the keyboard and calls on_line with each line that is
--- complete. Returns true when the input has ended (Ctrl-D on an empty line);
--- false when on_line has returned nothing.
---@param bytes string
---@param on_line fun(line: string): any
---@return boolean|nil ended
function Prompt:type(bytes, on_line)
  self.keys = self.keys .. bytes
  while self.keys ~= "" do
    local key, size = key_of(self.keys)
    if not key then
      break
    end
    self.keys = self.keys:sub(size + 1)
    local code = size == 1 and type(key) == "string" and key:byte()
    local action = type(key) == "function" and key or actions[controls[code]]
    if action then
      action(self)
    elseif code == 10 or code == 13 then
      if not on_line(enter(self)) then
        return false
      end
    elseif code == 4 then
      if #self.line == 0 then
        return true
      end
      actions.delete(self)
    elseif key ~= "" and (key == "\t" or not key:find("^%c")) then
      insert(self, key)
    end
  end
  self:show()
end

return prompt
