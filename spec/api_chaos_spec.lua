--- Any calls, in any order, from any tasks, on connections that come and go:
--- nothing crashes, nothing hangs, nothing is left open (which `case` checks),
--- and no error comes out of weft itself.
local case = require "support.case"

local SECONDS = 0.4

local random = math.random

local function one_of(list)
  return list[random(#list)]
end

local function payload()
  return ("z"):rep(one_of { 0, 5, 126, 1000, 70000, 300000 })
end

local function kind()
  return one_of { "text", "binary" }
end

--- A world to act in: `act(ws, n)` does n things with a connection.
local function new_world(t)
  local world = {
    seen = setmetatable({}, { __mode = "k" }), held = {}, tasks = {}, rooms = {},
    deadline = t.weft.now() + SECONDS,
  }
  for i = 1, 3 do
    world.rooms[i] = t.weft.room { on_full = one_of { "close", "drop" } }
  end

  local actions = {
    function(ws) ws:send(payload(), kind(), random() * 0.02) end,
    function(ws) ws:try_send(payload()) end,
    function(ws) ws:receive(random() * 0.01) end,
    function(ws)
      for _ in ws:messages() do
        if random(4) == 1 then
          break
        end
      end
    end,
    function(ws)
      for _ in ws:chunks() do
        if random(4) == 1 then
          break
        end
      end
    end,
    function(ws)
      local writer = ws:writer(kind())
      for _ = 1, random(4) do
        writer:write(payload())
      end
      if random(8) > 1 then
        writer:close()
      end
    end,
    function(ws) ws:ping(("p"):rep(random(0, 125)), random() * 0.02) end,
    function(ws) ws:flush(random() * 0.01) end,
    function(ws) ws:wait_closed(random() * 0.01) end,
    function(ws)
      if random(6) == 1 then
        ws:close(3000 + random(100), "bye", one_of { 0, 0.01 })
      end
    end,
    function(ws)
      if random(10) == 1 then
        ws:abort()
      end
    end,
    function(ws) one_of(world.rooms):join(ws) end,
    function(ws) one_of(world.rooms):leave(ws) end,
    function(ws) one_of(world.rooms):send(payload(), kind(), ws) end,
    function() t.weft.sleep(random() * 0.002) end,
    function(ws) world.tasks[random(20)] = t.weft.spawn(world.act, ws, random(5)) end,
    function()
      local task = world.tasks[random(20)]
      if task and random(4) == 1 then
        task:cancel()
      end
    end,
    function() collectgarbage "step" end,
    function()
      if random(10) == 1 then
        error("chaos", 0)
      end
    end,
  }

  function world.act(ws, n)
    world.seen[ws] = true
    world.held[random(20)] = ws -- the others may be collected
    for _ = 1, n do
      if t.weft.now() > world.deadline then
        return
      end
      -- a second receiver, an abandoned writer: mistakes, which may raise
      local ok, err = pcall(one_of(actions), ws)
      if not ok and err == "chaos" then
        error(err, 0)
      end
    end
  end

  function world.abort_all()
    for ws in pairs(world.seen) do
      ws:abort()
    end
  end

  return world
end

local function random_options()
  return {
    close_timeout = 0.05, write_timeout = 0.05, ping_timeout = 0.02,
    ping_interval = one_of { 0.01, false, false },
    send_buffer = one_of { 0, 1000, 65536 },
    receive_buffer = one_of { 1, 1000, 65536 },
    max_message = one_of { 100, 100000, 1048576 },
  }
end

--- A server whose connections act, by a handler or by events.
local function chaotic_server(t, world)
  local options = random_options()
  options.websocket = one_of {
    function(ws) world.act(ws, random(20)) end,
    {
      message = function(ws) world.act(ws, random(3)) end,
      close = function(ws)
        assert(not ws.has_closed, "a connection closed twice")
        ws.has_closed = true
      end,
    },
  }
  options.upgrade = one_of {
    function() return true end,
    function()
      t.weft.sleep(random() * 0.003)
      return random(10) > 1 or nil
    end,
  }
  return (t:listen(options))
end

--- Opens connections, one after the other, and acts on them.
local function chaotic_client(t, world, servers)
  while t.weft.now() < world.deadline do
    local options = random_options()
    local ws
    if random(4) == 1 then
      local other
      ws, other = t.weft.pair(options, random_options())
      world.seen[other] = true
      t.weft.spawn(world.act, other, random(10))
    else
      options.timeout = 0.2
      options.events = random(2) == 1 and { message = function(it) world.act(it, 1) end } or nil
      ws = t.weft.connect(one_of(servers):url(), options)
    end
    if ws then
      world.seen[ws] = true
      pcall(world.act, ws, random(15))
    end
    t.weft.sleep(0)
  end
end

describe("a world in which anything happens", function()
  for seed = 1, 3 do
    it("stands (seed " .. seed .. ")", case(function(t)
      math.randomseed(seed)
      local world = new_world(t)
      local servers = { chaotic_server(t, world), chaotic_server(t, world), chaotic_server(t, world) }
      local clients = {}
      for i = 1, 10 do
        clients[i] = t:spawn(chaotic_client, t, world, servers)
      end
      while t.weft.now() < world.deadline do
        t.weft.sleep(random() * 0.05)
        local i = random(#servers)
        servers[i]:close(one_of { 0, 0.02 })
        servers[i] = chaotic_server(t, world)
        collectgarbage()
      end
      while #clients > 0 do -- they may be waiting for what never comes
        world.abort_all()
        if clients[#clients]:join(0.001) then
          clients[#clients] = nil
        end
      end
      world.abort_all()
      for _, server in ipairs(servers) do
        server:close(0)
      end
      for _, report in ipairs(t:reports()) do
        if report.error ~= "chaos" then
          error(report.error, 0)
        end
      end
    end, 20))
  end
end)
