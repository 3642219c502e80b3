-- The way to the server, which comes back by itself.  A task of weft's waits for
-- messages; all of it runs inside weft.step(), which main.lua calls once a frame.
local weft = require "weft"
local protocol = require "protocol"

local connection = {}
connection.__index = connection

-- A server that is not there yet may come; a wrong URL stays wrong.
local function retry(_, code)
  return code ~= "url"
end

-- One connection after the other.
local function stay(self, url, name, options)
  for ws in weft.reconnecting(url, options) do
    self.ws, self.status = ws, "connected"
    self.world:clear()
    self:say("join", name)
    self:say("steer", self.dx, self.dy) -- the keys may be down already
    for message, kind in ws:messages() do
      if kind == "text" then
        self.world:hear(message)
      end
    end
    self.ws = nil
    self.world:clear()
  end
  self.status = "this is no address of a server: " .. url
end

--- Starts connecting, and returns at once.  tls: as for weft.connect.
function connection.open(url, name, world, tls)
  local self = setmetatable({
    world = world, dx = 0, dy = 0, status = "connecting to " .. url,
  }, connection)
  self.task = weft.spawn(stay, self, url, name, {
    tls = tls,
    max_delay = 5,
    ping_interval = 5, ping_timeout = 5,
    retry = retry,
    on_retry = function(_, message)
      self.status = message
    end,
  })
  return self
end

--- Says something, if there is somebody to hear it.  In a frame nothing may
--- wait: try_send() never does, where send() would.
function connection:say(...)
  return self.ws and self.ws:try_send(protocol.line(...))
end

--- Where the player wants to go, which is said when it changes.
function connection:steer(dx, dy)
  if dx ~= self.dx or dy ~= self.dy then
    self.dx, self.dy = dx, dy
    self:say("steer", dx, dy)
  end
end

--- Ends it for good; in the next weft.step() the server gets to know.
function connection:close()
  if self.ws then
    self.ws:close(1001, "", 0) -- 0: without waiting for an answer
  end
  self.task:cancel()
end

return connection
