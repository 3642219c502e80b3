--- weft.serve once the server listens: signals, and the wait for its end.
--- Internal.

local core = require "weft.core"

local serving = {}

--- Who is being served in one instance.
---@class weft.Serving
---@field loop weft.Loop
---@field signalled table<weft.Server, true> those that a signal closes
---@field watcher? weft.Task
---@field main? weft.Server the one that the main thread waits for

---@param loop weft.Loop
---@return weft.Serving
function serving.new(loop)
  return { loop = loop, signalled = {} }
end

--- Closes servers from a task of its own, so that whoever asks never waits.
local function close_all(loop, servers)
  for server in pairs(servers) do
    core.spawn(loop, server.close, server)
  end
end

-- One task waits for signals, however many servers are served.
local function begin(state, server)
  if not next(state.signalled) then
    core.signals_begin(state.loop)
    state.watcher = core.spawn(state.loop, function()
      while core.wait_signal(state.loop) do
        close_all(state.loop, state.signalled)
      end
    end)
  end
  state.signalled[server] = true
end

local function finish(state, server)
  state.signalled[server] = nil
  if not next(state.signalled) then
    core.signals_end(state.loop)
    state.watcher:cancel()
    state.watcher = nil
  end
end

--- Waits until the server has closed: true, or nil, "cancelled".
---@param state weft.Serving
---@param server weft.Server
---@param signals boolean
---@return boolean|nil, string?
function serving.serve(state, server, signals)
  local _, is_main = coroutine.running()
  if signals then
    begin(state, server)
  end
  local blocks
  if is_main then
    state.main = server
    blocks = core.keep_blocks()
  end
  local ok, err, word = pcall(server.wait, server)
  if is_main then
    state.main = nil
    if blocks then
      core.free_blocks(blocks)
    end
  end
  if signals then
    finish(state, server)
  end
  if ok and word == "closed" then
    return true
  end
  server:close(0) -- nobody else may know of it
  if not ok then
    error(err, 0)
  end
  return nil, word
end

--- weft.stop: ends the serve that the main thread is in; false without one.
---@param state weft.Serving
---@return boolean
function serving.stop(state)
  if state.main then
    close_all(state.loop, { [state.main] = true })
  end
  return state.main ~= nil
end

return serving
