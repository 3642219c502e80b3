--- Programs that serve with two workers, and connections to them.
local child_process = require "support.child"

local workers = {}

--- What each begins with: a handler, and on_worker.
workers.PRELUDE = [[
  local weft = require "weft"
  io.stdout:setvbuf "line"
  local function pid()
    local shell = io.popen "echo $PPID"
    local number = shell:read "*n"
    shell:close()
    return number
  end
  -- tells "id pid", then echoes; "stop" ends the worker
  local function handler(ws)
    ws:send(("%d %d"):format(weft.worker_id(), pid()))
    for message in ws:messages() do
      if message == "stop" then weft.stop() end
      if message == "hang" then print "hanging" while true do end end
      ws:send(message)
    end
  end
  local function on_worker(n, server, restarts)
    print(("worker %d started %d %s"):format(n, restarts, server:url()))
  end
]]

--- A program that serves, once both of its workers have started; its URL.
function workers.start(t, script)
  local child = child_process.start(t.weft, workers.PRELUDE .. script)
  child:wait_for "worker 1 started 0"
  child:wait_for "worker 2 started 0"
  return child, child:output():match "started 0 (ws%S+)\n"
end

--- The plainest of them.
workers.SIMPLE = [[
  assert(weft.worker_id() == nil)
  print("served", weft.serve { port = 0, workers = 2, websocket = handler, on_worker = on_worker })
  assert(weft.worker_id() == nil)
]]

--- A connection to the server, and which worker has it: number, pid.
function workers.dial(t, url, options)
  local ws = t:connect(url, options)
  local id, pid = ws:receive(5):match "^(%d+) (%d+)$"
  return ws, math.tointeger(id), math.tointeger(pid)
end

--- Connections, at least one to each of two workers: by number { ws, pid }.  Who
--- has just been started again may need a moment.
function workers.both(t, url, options)
  local found, all = {}, {}
  for tries = 1, 500 do
    if tries > 50 then
      t.weft.sleep(0.01)
    end
    local ws, id, pid = workers.dial(t, url, options)
    all[#all + 1] = ws
    found[id] = found[id] or { ws = ws, pid = pid }
    if found[1] and found[2] then
      return found, all
    end
  end
  error "five hundred connections met one worker"
end

function workers.lives(pid)
  return (os.execute(("kill -0 %d 2>/dev/null"):format(pid)))
end

function workers.gone(t, pid)
  t:wait_until(function() return not workers.lives(pid) end, "the end of a worker", 10)
end

function workers.terminate(child)
  child:signal "TERM"
  return child:wait()
end

return workers
