-- What the server has told of the field, and where to draw everybody between
-- two of its messages.
local protocol = require "protocol"

local LINES, LINE_TIME = 6, 12 -- of the chat, and the seconds each is shown

local world = {}
world.__index = world

function world.new()
  local self = setmetatable({}, world)
  self:clear()
  return self
end

--- What was known is over: there is a new connection, or none.
function world:clear()
  self.players = {} -- by id
  self.me = nil -- an id
  self.chat = {}
end

-- What the server may tell, and how many words each takes at least: a server of
-- another version may say anything.
local tells, words_of = {}, { welcome = 1, player = 3, left = 1, said = 2, at = 0 }

function tells.welcome(self, id)
  self.me = id
end

function tells.player(self, id, colour, name)
  self.players[id] = {
    name = name, colour = protocol.COLOURS[tonumber(colour)] or { 255, 255, 255 },
  }
end

function tells.left(self, id)
  self.players[id] = nil
end

function tells.said(self, name, text)
  table.insert(self.chat, { name = name, text = text, at = love.timer.getTime() })
  if #self.chat > LINES then
    table.remove(self.chat, 1)
  end
end

function tells.at(self, ...)
  local now = love.timer.getTime()
  for i = 1, select("#", ...), 3 do
    local id, x, y = select(i, ...)
    local player = self.players[id]
    x, y = tonumber(x), tonumber(y)
    if player and x and y then
      local from_x, from_y = self:position(player)
      player.x, player.y, player.since = x, y, now
      player.from_x, player.from_y = from_x or player.x, from_y or player.y
    end
  end
end

--- Takes a message of the server's.
function world:hear(message)
  local words = protocol.words(message)
  local tell = tells[words[1]]
  if tell and #words > words_of[words[1]] then
    tell(self, unpack(words, 2))
  end
end

--- Where to draw a player now; nil when the server has not said yet.  From where
--- it was drawn when the last word came, it takes until the next one.
function world:position(player)
  if not player.x then
    return nil
  end
  local part = math.min(1, (love.timer.getTime() - player.since) * protocol.RATE)
  return player.from_x + (player.x - player.from_x) * part,
         player.from_y + (player.y - player.from_y) * part
end

--- The lines of the chat that are new enough to be shown.
function world:recent_chat()
  local lines = {}
  for _, line in ipairs(self.chat) do
    if love.timer.getTime() - line.at < LINE_TIME then
      lines[#lines + 1] = line
    end
  end
  return lines
end

return world
