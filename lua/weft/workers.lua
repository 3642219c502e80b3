--- The workers of weft.serve: processes that share its port, and the parent that
--- looks after them.  Internal.
---
--- At SIGHUP they are replaced one by one. The new one has the socket of the old
--- one, by way of the parent, who never closes it: nobody is refused, and who
--- has been waiting to be accepted by the one is accepted by the other.
---
--- The parent never turns its loop, so a worker is forked with a loop in which
--- there is nothing, and with the server as it was bound.  Workers end when the
--- pipe that they have from the parent does: it passes a signal on by that, as
--- a terminal's or timeout(1)'s has reached the workers already and a second
--- one kills, and its death needs no other way.

local core = require "weft.core"
local compat = require "weft.compat"
local serving = require "weft.serving"

local workers = {}

-- Seconds: a worker that did not live so long is not started again at once,
-- but after a delay that is doubled each time.
local YOUNG, SHORTEST, LONGEST = 1, 0.1, 5

-- Its socket stays for that long: who has been dealt to it waits, and to close it
-- would cut them off. For longer, better let the others have those who come.
local PATIENCE = 0.5

-- Seconds that a worker gets beside what it was given to end.
local LATE = 10

--- A worker, whichever process that is.
---@class weft.Worker
---@field running? weft.WorkerProcess
---@field due number when it is to be started
---@field delay number how long after its end that was
---@field restarts integer

---@class weft.WorkerProcess
---@field pid integer
---@field line integer its pipe, see weft.Crew
---@field started number when it was
---@field generation integer how often workers had been renewed then
---@field n integer which worker it is
---@field deadline? number when it is to have ended, once it was told to

---@class weft.Parent
---@field serves weft.Serving
---@field server weft.Server
---@field options table of weft.serve, checked
---@field report fun(err: any, traceback: string, subject: nil, about: weft.Listener)
---@field crew weft.Crew
---@field workers weft.Worker[]
---@field running integer
---@field generation integer how often SIGHUP came
---@field renewing boolean whether some are older than that
---@field coming? weft.WorkerProcess one that is to replace another, and does not accept yet
---@field leaving? weft.WorkerProcess one that was replaced
---@field leavers weft.WorkerProcess[] those that have stopped accepting by themselves

--- Raises, at the line of weft.serve's caller, where there cannot be workers.
---@param loop weft.Loop
---@param level integer
function workers.check(loop, level)
  local wrong
  if not compat.is_main() then
    wrong = "goes with the main thread, not with a task or another coroutine"
  elseif not core.is_unused(loop) then
    wrong = "there must be no task, server or connection yet:"
            .. " make them in on_worker"
  end
  if wrong then
    error("weft.serve: option 'workers': " .. wrong, level + 1)
  end
end

-- Tells the log, where no turn comes to it: whether that stands on stderr.
local function tell(parent, event)
  local told = parent.server:say(event)
  core.tell_log(parent.serves.loop)
  return told
end

-- What math.random gives would be the same in every worker.
local function scatter(loop)
  math.randomseed(math.floor(core.random(loop) * 2 ^ 31)) -- all that 5.1 takes
end

-- The worker's part, until its server has closed.
local function work(parent, n)
  local serves, server, options = parent.serves, parent.server, parent.options
  local crew, restarts = parent.crew, parent.workers[n].restarts
  core.renew(serves.loop)
  scatter(serves.loop)
  server:take_part(n)
  serves.worker = n
  serving.serve(serves, server, options.signals, function()
    crew:unblock()
    core.spawn(serves.loop, function()
      core.wait(serves.loop, crew:lifeline(), "r", math.huge)
      server.leaves = nil -- the parent knows
      if crew:is_replaced() then
        server:give_way()
      else
        server:finish()
      end
    end)
    if restarts > 0 then
      server:reload() -- when that fails, what the parent has read will do
    end
    if options.on_worker then
      options.on_worker(n, server, restarts)
    end
    crew:accepts() -- in this turn; and those who come sooner wait
    function server.leaves()
      crew:leaves()
    end
  end)
end

-- The same, and its end: a worker never comes back to the parent's program.
local function work_and_exit(parent, n)
  local ok = xpcall(function()
    work(parent, n)
  end, function(err)
    parent.report(err, debug.traceback(tostring(err), 2), nil, parent.server.listener)
    core.tell_log(parent.serves.loop)
  end)
  core.exit(ok and 0 or 1)
end

-- A process for the worker with that number; or nil, and it is told why not.
local function launch(parent, n)
  local started = core.now()
  parent.server:add_part(n)
  local pid, line = parent.crew:fork()
  if pid == 0 then
    work_and_exit(parent, n)
  elseif pid then
    parent.running = parent.running + 1
    tell(parent, { event = "worker_started", worker = n, pid = pid,
                   restarts = parent.workers[n].restarts })
    return { pid = pid, line = line, started = started, n = n, generation = parent.generation }
  end
  if not tell(parent, { event = "worker_failed", worker = n, message = line }) then
    io.stderr:write(("weft: worker %d cannot be started: %s\n"):format(n, line))
  end
end

-- When a worker that has ended is to be started again.
local function put_off(parent, n, started)
  local worker, now = parent.workers[n], core.now()
  if now - started >= YOUNG then
    worker.delay = 0
  elseif worker.delay == 0 then
    worker.delay = SHORTEST
  else
    worker.delay = math.min(worker.delay * 2, LONGEST)
  end
  worker.due = now + worker.delay
  worker.restarts = worker.restarts + 1
  if worker.delay > PATIENCE then
    parent.server:drop_part(n)
  end
end

local function start(parent, n)
  local worker, now = parent.workers[n], core.now()
  worker.running = launch(parent, n)
  if not worker.running then
    put_off(parent, n, now)
  end
end

-- How a process has ended, and what comes next.  Without a log, an orderly end
-- behind which nothing comes is not worth a word.
local function say(parent, process, how, what, next)
  local ending = how == "killed" and "was killed by signal " .. what
                 or how == "exited" and "exited with status " .. what
                 or "has ended"
  local told = tell(parent, {
    event = "worker_ended", worker = process.n, pid = process.pid,
    status = how == "exited" and what or nil, signal = how == "killed" and what or nil,
    message = ending .. (next or ""),
  })
  if not told and (next or how ~= "exited" or what ~= 0) then
    io.stderr:write(("weft: worker %d (pid %d) %s%s\n"):format(
      process.n, process.pid, ending, next or ""))
  end
end

local function say_nothing() end

-- How a process has ended, if it has; see crew:reap.
local function reap(parent, process)
  local how, what
  if process then
    how, what = parent.crew:reap(process.pid)
  end
  if how then
    parent.crew:forget(process.line)
    parent.running = parent.running - 1
  end
  return how, what
end

-- Replacing workers --------------------------------------------------------------

-- The next worker that is older than the last SIGHUP.
local function next_old(parent)
  for n, worker in ipairs(parent.workers) do
    if worker.running and worker.running.generation < parent.generation then
      return n, worker
    end
  end
end

-- Those that are there stay.
local function give_up(parent)
  for _, worker in ipairs(parent.workers) do
    if worker.running then
      worker.running.generation = parent.generation
    end
  end
  parent.renewing = false
end

-- One at a time: once the one that was replaced has ended, it is another's turn.
local function replace_next(parent)
  if not parent.renewing or parent.coming or parent.leaving then
    return
  end
  local n, worker = next_old(parent)
  if not n then
    parent.renewing = false
    if not tell(parent, { event = "renewed" }) then
      io.stderr:write("weft: SIGHUP: the workers have been replaced\n")
    end
    return
  end
  worker.restarts = worker.restarts + 1
  parent.coming = launch(parent, n)
  if not parent.coming then
    give_up(parent)
  end
end

-- At SIGHUP.
local function renew(parent)
  local ok, message = parent.server:reload()
  if not tell(parent, { event = "reload", message = message }) and not ok then
    io.stderr:write("weft: SIGHUP: ", message, "\n")
  end
  parent.generation = parent.generation + 1
  parent.renewing = true
end

-- Seconds that a worker has to end.
local function notice(parent)
  return parent.options.drain + parent.options.grace + LATE
end

-- One that accepts no more may have much to do until it ends: those who come do
-- not wait for that. When the whole group is told to end, that is seen to first.
local function start_another(parent, pid)
  for n, worker in ipairs(parent.workers) do
    local process = worker.running
    if process and process.pid == pid then
      parent.leavers[#parent.leavers + 1] = process
      worker.running = nil
      if parent.coming and parent.coming.n == n then
        worker.running, parent.coming = parent.coming, nil
      else
        put_off(parent, n, process.started)
        worker.due = math.max(worker.due, core.now() + SHORTEST)
      end
    end
  end
end

-- Once the one that is to come accepts, the one before it need not.
local function hear(parent)
  for pid in parent.crew.news, parent.crew do
    local coming = parent.coming
    if pid < 0 then
      start_another(parent, -pid)
    elseif coming and coming.pid == pid then
      local worker = parent.workers[coming.n]
      parent.leaving, worker.running, parent.coming = worker.running, coming, nil
      parent.leaving.deadline = core.now() + notice(parent)
      parent.crew:retire(parent.leaving.line)
    end
  end
end

local function see_to_replacements(parent)
  local coming, leaving = parent.coming, parent.leaving
  local how, what = reap(parent, coming)
  if how then
    say(parent, coming, how, what, " before it could replace another; those that are there stay")
    parent.coming = nil
    give_up(parent)
  end
  how, what = reap(parent, leaving)
  if how then
    say(parent, leaving, how, what)
    parent.leaving = nil
  elseif leaving and core.now() >= leaving.deadline then
    parent.crew:kill(leaving.pid)
    leaving.deadline = math.huge
  end
  for i = #parent.leavers, 1, -1 do
    how, what = reap(parent, parent.leavers[i])
    if how then
      local process = table.remove(parent.leavers, i)
      say(parent, process, how, what, parent.workers[process.n].running
          and "; another has been started already" or "; starting it again")
    end
  end
end

-- Looking after them -------------------------------------------------------------

local function see_to_workers(parent)
  for n, worker in ipairs(parent.workers) do
    local process = worker.running
    local how, what = reap(parent, process)
    if how and parent.coming and parent.coming.n == n then
      say(parent, process, how, what, "; another has been started already")
      worker.running, parent.coming = parent.coming, nil
    elseif how then
      worker.running = nil
      put_off(parent, n, process.started)
      say(parent, process, how, what, "; starting it again"
          .. (worker.delay > 0 and (" in %g s"):format(worker.delay) or ""))
    end
  end
end

-- Starts those that are due; seconds until there is something to do.
local function start_due(parent)
  local now, first = core.now(), parent.leaving and parent.leaving.deadline or math.huge
  for n, worker in ipairs(parent.workers) do
    if not worker.running and worker.due <= now then
      start(parent, n)
    end
    if not worker.running then
      first = math.min(first, worker.due)
    end
  end
  return math.max(first - now, 0)
end

-- Until a signal comes.
local function look_after(parent)
  local signals, hangup = parent.crew:wait(start_due(parent))
  while signals == 0 do
    hear(parent)
    see_to_workers(parent)
    see_to_replacements(parent)
    if hangup then
      renew(parent)
    end
    replace_next(parent)
    signals, hangup = parent.crew:wait(start_due(parent))
  end
end

-- All that run, in whatever place.
local function processes(parent)
  local list = { parent.coming }
  list[#list + 1] = parent.leaving
  compat.move(parent.leavers, 1, #parent.leavers, #list + 1, list)
  for _, worker in ipairs(parent.workers) do
    list[#list + 1] = worker.running
  end
  return list
end

local function kill_all(parent, list)
  for _, process in ipairs(list) do
    if not process.ended then
      parent.crew:kill(process.pid)
    end
  end
end

local function reap_all(parent, list, note)
  for _, process in ipairs(list) do
    local how, what
    if not process.ended then
      how, what = reap(parent, process)
    end
    if how then
      process.ended = true
      note(parent, process, how, what)
    end
  end
end

-- Nobody is let in any more, and those who are there are told 1001; at the
-- second signal they are not waited for, nor are those that take too long.
local function finish(parent)
  local note, signals, list = say, 0, processes(parent)
  local began = core.now()
  local deadline = began + notice(parent)
  parent.server:close(0)
  parent.crew:dismiss()
  reap_all(parent, list, note)
  while parent.running > 0 do
    signals = parent.crew:wait(math.max(deadline - core.now(), 0))
    if signals == 2 and note ~= say_nothing then
      note = say_nothing
      kill_all(parent, list)
    elseif core.now() >= deadline then
      deadline = math.huge
      kill_all(parent, list)
    end
    reap_all(parent, list, note)
  end
  tell(parent, { event = "closed", seconds = core.now() - began })
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
    crew = crew, workers = {}, leavers = {}, running = 0, generation = 0, renewing = false,
  }
  for n = 1, options.workers do
    parent.workers[n] = { due = 0, delay = 0, restarts = 0 }
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
---@param report fun(err: any, traceback: string, subject: nil, about: weft.Listener) where workers' errors go
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
