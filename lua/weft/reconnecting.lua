--- weft.reconnecting: one connection after the other.  Internal.

local core = require "weft.core"
local compat = require "weft.compat"

local reconnecting = {}

local LASTED = 10 -- seconds; a max_delay that is less counts instead

local function default_retry(_, code, _, response)
  if code == "url" or code == "tls" then
    return false
  end
  local status = response and response.status or 0
  return status < 400 or status > 499 or status == 408 or status == 429
end

-- What the server wants us to wait: seconds, 0 when it says nothing.
local function retry_after(response)
  if response and (response.status == 429 or response.status == 503) then
    return tonumber((response.headers["retry-after"] or ""):match("^%d+$")) or 0
  end
  return 0
end

--- Where one loop stands.
---@class weft.Reconnecting
---@field loop weft.Loop
---@field options table
---@field open fun(): weft.Connection|nil, string?, string?, weft.Response?
---@field ws? weft.Connection the one that the loop has now
---@field since number when that was opened
---@field attempt integer how many have failed since one was opened
---@field failures integer how many delays have been drawn since one lasted
---@field over boolean

-- Full jitter: anything from 0 to a ceiling that doubles, but not less than
-- `least`, and never more than max_delay.
local function draw_delay(state, least)
  local options = state.options
  local ceiling = math.min(options.max_delay, options.min_delay * 2 ^ state.failures)
  state.failures = state.failures + 1
  return math.min(least + core.random(state.loop) * ceiling, options.max_delay)
end

-- Waits before the next attempt; false when the task was cancelled.
local function pause(state, message, least)
  local delay = draw_delay(state, least)
  if state.options.on_retry then
    state.options.on_retry(delay, message)
  end
  return (core.sleep(state.loop, delay))
end

-- How a connection was lost, in words.
local function obituary(ws)
  local message = ws.close_message or "the connection was closed"
  if ws.close_cause == "peer" then
    local reason = ws.close_reason ~= "" and ", " .. ws.close_reason or ""
    message = ("%s (%d%s)"):format(message, ws.close_code, reason)
  end
  return message
end

-- Closes the connection that the loop has had, and waits; false when the task
-- was cancelled.
local function leave(state)
  local ws = state.ws
  local _, word = ws:close()
  state.ws = nil
  if word == "cancelled" then
    ws:abort()
    return false
  end
  if core.now() - state.since >= math.min(LASTED, state.options.max_delay) then
    state.failures = 0
  end
  return pause(state, obituary(ws), 0)
end

-- An attempt has failed: true to go on, false to end the loop, or nil and what
-- to raise.
local function judge(state, message, code, response)
  local options = state.options
  if code == "cancelled" then
    return false
  end
  state.attempt = state.attempt + 1
  local retry = options.retry or default_retry
  local goes_on = retry(message, code, state.attempt, response)
                  and state.attempt < options.max_attempts
  if goes_on then
    return pause(state, message, retry_after(response))
  elseif not options.retry then
    return nil, message
  end
  return false
end

-- The next connection, nil when there is none, or nil and what to raise.
local function advance(state)
  if state.ws and not leave(state) then
    return nil
  end
  while true do
    local ws, message, code, response = state.open()
    if ws then
      state.ws, state.since, state.attempt = ws, core.now(), 0
      return ws
    end
    local goes_on, failure = judge(state, message, code, response)
    if not goes_on then
      return nil, failure
    end
  end
end

-- The loop is left in its middle, by a break or an error: as with a <close>
-- variable, only the main thread waits for the end.
local function close(state)
  local ws = state.ws
  state.over, state.ws = true, nil
  if not ws then
    return
  end
  ws:close(nil, nil, 0)
  if compat.is_main() then
    ws:wait_closed()
  end
end

--- What a generic `for` takes: the iterator, two nils, and what closes the
--- connection when the loop is left (Lua 5.4 and later).
---@param loop weft.Loop
---@param options table checked
---@param open function connects once
function reconnecting.iterate(loop, options, open)
  local state = {
    loop = loop, options = options, open = open,
    since = 0, attempt = 0, failures = 0, over = false,
  }
  local function step()
    if state.over then
      return nil
    end
    state.over = true -- should this raise
    local ws, failure = advance(state)
    if failure then
      error(failure, 2)
    end
    state.over = ws == nil
    return ws
  end
  return step, nil, nil, setmetatable({}, {
    __close = function()
      close(state)
    end,
  })
end

return reconnecting
