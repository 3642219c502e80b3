--- The workers of weft.serve: processes that share its port, and the parent that
--- looks after them.  Internal.
---
--- The parent never turns its loop, so a worker is forked with a loop in which
--- there is nothing, and with the server as it was bound.  Workers end when the
--- pipe that they have from the parent does: it passes a signal on by that, as
--- a terminal's or timeout(1)'s has reached the workers already and a second
--- one kills, and its death needs no other way.

local core = require "weft.core"
local serving = require "weft.serving"

local workers = {}

-- Seconds: a worker that did not live so long is not started again at once,
-- but after a delay that is doubled each time.
local YOUNG, SHORTEST, LONGEST = 1, 0.1, 5

---@class weft.Worker
---@field pid? integer while it runs
---@field started number when it was
---@field due number when it is to be
---@field delay number how long after its end that was
---@field restarts integer

---@class weft.Parent
---@field serves weft.Serving
---@field server weft.Server
---@field options table of weft.serve, checked
---@field report fun(err: any, traceback: string)
---@field crew weft.Crew
---@field workers weft.Worker[]
---@field running integer

--- Raises, at the line of weft.serve's caller, where there cannot be workers.
---@param loop weft.Loop
---@param level integer
function workers.check(loop, level)
  local _, is_main = coroutine.running()
  local wrong
  if not is_main then
    wrong = "goes with the main thread, not with a task or another coroutine"
  elseif not core.is_unused(loop) then
    wrong = "there must be no task, server or connection yet:"
            .. " make them in on_worker"
  end
  if wrong then
    error("weft.serve: option 'workers': " .. wrong, level + 1)
  end
end

-- What math.random gives would be the same in every worker.
local function scatter(loop)
  math.randomseed(math.tointeger(core.random(loop) * 2 ^ 32),
                  math.tointeger(core.random(loop) * 2 ^ 32))
end

-- The worker's part, until its server has closed.
local function work(parent, n)
  local serves, server, options = parent.serves, parent.server, parent.options
  local restarts = parent.workers[n].restarts
  core.renew(serves.loop)
  scatter(serves.loop)
  server:take_part(n)
  serves.worker = n
  serving.serve(serves, server, options.signals, function()
    parent.crew:unblock()
    core.spawn(serves.loop, function()
      core.wait(serves.loop, parent.crew:lifeline(), "r", math.huge)
      server:close()
    end)
    if restarts > 0 then
      server:reload() -- when that fails, what the parent has read will do
    end
    if options.on_worker then
      options.on_worker(n, server, restarts)
    end
  end)
end

-- The same, and its end: a worker never comes back to the parent's program.
local function work_and_exit(parent, n)
  local ok = xpcall(work, function(err)
    parent.report(err, debug.traceback(tostring(err), 2))
  end, parent, n)
  core.exit(ok and 0 or 1)
end

-- When a worker that has ended is to be started again.
local function put_off(parent, n)
  local worker, now = parent.workers[n], core.now()
  if now - worker.started >= YOUNG then
    worker.delay = 0
  elseif worker.delay == 0 then
    worker.delay = SHORTEST
  else
    worker.delay = math.min(worker.delay * 2, LONGEST)
  end
  worker.due = now + worker.delay
  worker.restarts = worker.restarts + 1
  if worker.delay > 0 then
    parent.server:drop_part(n)
  end
end

local function start(parent, n)
  local worker = parent.workers[n]
  worker.started = core.now()
  parent.server:add_part(n)
  local pid, why = parent.crew:fork()
  if pid == 0 then
    work_and_exit(parent, n)
  elseif pid then
    worker.pid = pid
    parent.running = parent.running + 1
  else
    io.stderr:write(("weft: worker %d cannot be started: %s\n"):format(n, why))
    put_off(parent, n)
  end
end

local function say(parent, n, how, what, next)
  local ending = how == "killed" and "was killed by signal " .. what
                 or how == "exited" and "exited with status " .. what
                 or "has ended"
  io.stderr:write(("weft: worker %d (pid %d) %s%s\n"):format(
    n, parent.workers[n].pid, ending, next))
end

local function say_again(parent, n, how, what)
  put_off(parent, n)
  local delay = parent.workers[n].delay
  say(parent, n, how, what, "; starting it again"
      .. (delay > 0 and (" in %g s"):format(delay) or ""))
end

local function say_odd(parent, n, how, what)
  if how ~= "exited" or what ~= 0 then
    say(parent, n, how, what, "")
  end
end

local function say_nothing() end

-- Sees to those that have ended, and tells of each.
local function reap(parent, tell)
  for n, worker in ipairs(parent.workers) do
    local how, what
    if worker.pid then
      how, what = parent.crew:reap(worker.pid)
    end
    if how then
      tell(parent, n, how, what)
      worker.pid = nil
      parent.running = parent.running - 1
    end
  end
end

-- Starts those that are due; seconds until the next one is.
local function start_due(parent)
  local now, first = core.now(), math.huge
  for n, worker in ipairs(parent.workers) do
    if not worker.pid and worker.due <= now then
      start(parent, n)
    end
    if not worker.pid then
      first = math.min(first, worker.due - now)
    end
  end
  return math.max(first, 0)
end

-- Until a signal comes.
local function look_after(parent)
  while parent.crew:wait(start_due(parent)) == 0 do
    reap(parent, say_again)
  end
end

local function kill_all(parent)
  for _, worker in ipairs(parent.workers) do
    if worker.pid then
      parent.crew:kill(worker.pid)
    end
  end
end

-- Nobody is let in any more, and those who are there are told 1001; at the
-- second signal they are not waited for.
local function finish(parent)
  local tell, signals = say_odd, 0
  parent.server:close(0)
  parent.crew:dismiss()
  reap(parent, tell)
  while parent.running > 0 do
    signals = parent.crew:wait(math.huge)
    if signals == 2 and tell ~= say_nothing then
      tell = say_nothing
      kill_all(parent)
    end
    reap(parent, tell)
  end
  if signals == 2 then
    parent.crew:die()
  end
  parent.crew:close()
end

local function serve_forked(serves, server, options, report)
  local crew, why = core.crew(options.signals)
  if not crew then
    server:close(0)
    error("weft.serve: option 'workers': " .. why, 3)
  end
  local parent = {
    serves = serves, server = server, options = options, report = report,
    crew = crew, workers = {}, running = 0,
  }
  for n = 1, options.workers do
    parent.workers[n] = { started = 0, due = 0, delay = 0, restarts = 0 }
  end
  server:divide(options.workers)
  local ok, err = pcall(look_after, parent) -- lua.c's SIGINT raises
  finish(parent)
  if not ok then
    error(err, 0)
  end
  return true
end

--- Serves, by workers if there are to be any: true, or nil, "cancelled".
---@param serves weft.Serving
---@param server weft.Server
---@param options table of weft.serve, checked
---@param report fun(err: any, traceback: string) where workers' errors go
---@return boolean|nil, string?
function workers.serve(serves, server, options, report)
  local prepare
  if options.workers > 1 then
    return serve_forked(serves, server, options, report)
  elseif options.on_worker then
    function prepare()
      options.on_worker(1, server, 0)
    end
  end
  return serving.serve(serves, server, options.signals, prepare)
end

return workers
