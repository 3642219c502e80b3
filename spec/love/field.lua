-- One who looks on: the field as the server tells it to everybody.
local weft = require "weft"
local player = require "player"
local protocol = require "protocol"

local field = {}
field.__index = field

function field.watch(url)
  return setmetatable({ ws = assert(weft.connect(url)), players = {} }, field)
end

local tells = {}

function tells.player(self, id, colour, name)
  self.players[id] = { id = id, name = name, colour = protocol.COLOURS[tonumber(colour)] }
end

function tells.left(self, id)
  self.players[id] = nil
end

function tells.at(self, ...)
  for i = 1, select("#", ...), 3 do
    local id, x, y = select(i, ...)
    local one = self.players[id]
    one.still = one.x == tonumber(x) and one.y == tonumber(y)
    one.x, one.y = tonumber(x), tonumber(y)
  end
end

--- The player of that name, or nil.
function field:named(name)
  for _, one in pairs(self.players) do
    if one.name == name then
      return one
    end
  end
end

--- Looks on until a condition holds.
function field:look(condition, what)
  return player.wait_until(function()
    local message = self.ws:receive(1)
    if message then
      local words = protocol.words(message)
      if tells[words[1]] then
        tells[words[1]](self, table.unpack(words, 2))
      end
    end
    return condition(self)
  end, what)
end

return field
