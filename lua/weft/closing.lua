--- How a server closes once it accepts nothing any more.  Internal.

local core = require "weft.core"

local closing = {}

-- Seconds: those who are due within so many of each other are told at once; and
-- how long a handshake that has begun is waited for, when those who come from
-- now on are somebody else's.
local STEP, OPENING = 0.01, 3

-- A connection, or a session of weft.fallback.
local function tell(either)
  if type(either) == "table" then
    either:shutdown()
  else
    core.shutdown(either)
  end
end

-- All that are to be told, in random order.
local function everyone(server)
  local list = server.listener:connections()
  for session in pairs(server.plan.attached) do
    list[#list + 1] = session
  end
  for i = #list, 2, -1 do
    local j = math.floor(core.random(server.loop) * i) + 1
    list[i], list[j] = list[j], list[i]
  end
  return list
end

-- Until none is at its handshake: true; or nil, "timeout" or "cancelled".
local function let_open(listener, seconds, own)
  local deadline = core.now() + seconds
  while listener:opening() > 0 do
    if core.now() >= deadline then
      return nil, "timeout"
    end
    local _, why = listener:wait_empty(STEP, own)
    if why == "cancelled" then
      return nil, why
    end
  end
  return true
end

-- Tells everyone, one after the other, evenly in the seconds.  It is over early
-- when nobody is left.  What it returns is as above.
local function drain(server, seconds, own)
  local list, told, began = everyone(server), 0, core.now()
  while told < #list do
    local passed = core.now() - began
    local due = passed < seconds and math.floor(passed / seconds * #list) + 1 or #list
    for i = told + 1, due do
      tell(list[i])
      list[i] = false -- it may be collected
    end
    told = due
    local pause = math.max(STEP, began + told / #list * seconds - core.now())
    local ok, why = server.listener:wait_empty(pause, own)
    if ok or why == "cancelled" then
      return ok, why
    end
  end
  return true
end

-- Waits until the handlers of weft.fallback's sessions are through, but for one
-- that is the caller itself: true, or nil, "timeout" or "cancelled".
local function wait_for_sessions(plan, deadline)
  local list = {} -- they go from the set as they end
  for session in pairs(plan.attached) do
    list[#list + 1] = session
  end
  for _, session in ipairs(list) do
    if not session:is_own() then
      local ok, why = session:wait(math.max(0, deadline - core.now()))
      if not ok then
        return nil, why
      end
    end
  end
  return true
end

-- Ends what is left when the time is up; the caller's own handler goes on.
local function drop(listener, plan)
  for session in pairs(plan.attached) do
    if not session:is_own() then
      session:drop()
    end
  end
  for _, ws in ipairs(listener:all()) do
    if not core.is_own_handler(ws) then
      ws:abort()
      core.cancel_handler(ws)
    end
  end
end

-- Who may still come to be a connection is let, and everyone is told in time.
local function go_gently(server, grace, seconds, own)
  local listener, plan = server.listener, server.plan
  local ok, why = true, nil
  plan.draining = true
  for _, ws in ipairs(listener:all()) do
    if core.is_idle(ws) then
      core.shutdown(ws)
    end
  end
  if server.succeeded then
    ok, why = let_open(listener, math.min(grace, OPENING), own)
  end
  if why ~= "cancelled" and seconds > 0 then
    ok, why = drain(server, seconds, own)
  end
  plan.draining = false
  return ok, why
end

-- Tells everyone who has not been, and waits: true, or nil, "timeout" or
-- "cancelled".
local function end_all(server, grace, own)
  local listener, plan = server.listener, server.plan
  for _, ws in ipairs(listener:all()) do
    core.shutdown(ws)
  end
  for session in pairs(plan.attached) do
    session:shutdown()
  end
  if grace == 0 then
    return nil, "timeout"
  end
  local deadline = core.now() + grace
  local ok, why = listener:wait_empty(grace, own)
  if ok then
    ok, why = wait_for_sessions(plan, deadline)
  end
  return ok, why
end

--- Closes the connections of a server: those of WebSockets with 1001, one after
--- the other in `seconds`; then waits for at most `grace` seconds and drops what
--- is left. True, or nil, "cancelled", and all are dropped.
---@param server weft.Server
---@param grace number
---@param seconds number
---@return boolean|nil ok
---@return string? word
function closing.run(server, grace, seconds)
  local listener, plan = server.listener, server.plan
  local own = 0
  for _, ws in ipairs(listener:all()) do
    own = core.is_own_handler(ws) and 1 or own
  end
  local ok, why
  if seconds > 0 or server.succeeded then
    ok, why = go_gently(server, grace, seconds, own)
  end
  if why ~= "cancelled" then
    ok, why = end_all(server, grace, own)
  end
  if not ok then
    drop(listener, plan)
  end
  if why == "timeout" and grace > 0 then
    listener:wait_empty(1, own) -- those cancelled end in the next turns
    wait_for_sessions(plan, core.now() + 1)
  end
  if why == "cancelled" then
    return nil, why
  end
  return true
end

return closing
