--- weft.serve once the server listens: signals, and the wait for its end.
--- Internal.

local core = require "weft.core"
local compat = require "weft.compat"
local protected = require "weft.protected"

local serving = {}

--- Who is being served in one instance.
---@class weft.Serving
---@field loop weft.Loop
---@field signalled table<weft.Server, true> those that a signal closes
---@field watcher? weft.Task
---@field main? weft.Server the one that the main thread waits for
---@field count integer how many are served
---@field worker? integer which one this process is

---@param loop weft.Loop
---@return weft.Serving
function serving.new(loop)
  return { loop = loop, signalled = {}, count = 0 }
end

--- Closes servers from a task of its own, so that whoever asks never waits.
local function close_all(loop, servers)
  for server in pairs(servers) do
    core.spawn(loop, server.finish, server)
  end
end

-- SIGHUP: certificates may have been renewed.
local function reload_all(servers)
  for server in pairs(servers) do
    local ok, message = server:reload()
    if not server:say { event = "reload", message = message } and not ok then
      io.stderr:write("weft: SIGHUP: ", message, "\n")
    end
  end
end

local function watch(state)
  local name = core.wait_signal(state.loop)
  while name do
    if name == "SIGHUP" then
      reload_all(state.signalled)
    else
      close_all(state.loop, state.signalled)
    end
    name = core.wait_signal(state.loop)
  end
end

-- One task waits for signals, however many servers are served.
local function begin(state, server)
  if not next(state.signalled) then
    core.signals_begin(state.loop, true)
    state.watcher = core.spawn(state.loop, watch, state)
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

-- What on_worker is there for comes before the first connection.
local function prepare_and_wait(server, prepare)
  if prepare then
    server:rest()
    prepare()
    server:wake()
  end
  return server:wait()
end

--- Waits until the server has closed: true, or nil, "cancelled".  `prepare` is
--- called once signals are seen to, before the server accepts.
---@param state weft.Serving
---@param server weft.Server
---@param signals boolean
---@param prepare? fun()
---@return boolean|nil, string?
function serving.serve(state, server, signals, prepare)
  local is_main = compat.is_main()
  if signals then
    begin(state, server)
  end
  local blocks
  if is_main then
    state.main = server
    blocks = core.keep_blocks()
  end
  state.count = state.count + 1
  local ok, err, word = protected(prepare_and_wait, server, prepare)
  state.count = state.count - 1
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

--- weft.worker_id: a process that serves without workers is its only one.
---@param state weft.Serving
---@return integer|nil
function serving.worker_id(state)
  return state.worker or state.count > 0 and 1 or nil
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
