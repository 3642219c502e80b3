--- `weft bench`: loads an echo server and measures it.  Internal.

local common = require "weft.cli.common"
local core = require "weft.core"
local figures = require "weft.cli.figures"
local terminal = require "weft.cli.terminal"
local urls = require "weft.url"
local words = require "weft.cli.words"

local bench = {}

bench.usage = [[
usage: weft bench URL [OPTION]...
Loads an echo server: on every connection so many messages are outstanding, and
each that comes back is followed by the next. Prints how many a second there
were and how long one took. Ctrl-C ends it early, with what was measured until
then. Exits 0 after a report, 1 after a failure, 2 for a mistake in the command
line, 128 and its number after a signal before there was anything to report.

  -c, --connections N  connections (100)
  -d, --duration S     seconds of measuring (10)
  -s, --size BYTES     bytes of a message (64)
  -p, --depth N        messages outstanding on each connection (1)
  --binary             send binary messages instead of text
  --compression        offer to compress messages; the server must agree to it
  --warmup S           seconds before measuring (1): echoes are compared byte by
                       byte then, later they are counted and their length checked
  --timeout S          seconds without an echo after which it gives up (10)
  --json               print one JSON object; times in it are microseconds

of wss:// URLs:
  --insecure           accept any certificate, for anyone; for tests only
  --ca FILE            trust these certificates instead of the system's

The load runs on one core. Give the server another, or another machine: what
they share is measured as well. No proxy is used.
]]

local function seconds(least)
  return function(text)
    local number = text:find("^[%d.]+$") and tonumber(text)
    return number and number >= least and number <= 86400 and number or nil
  end
end

local function file(text)
  return text ~= "" and text or nil
end

bench.arguments = 1
bench.expected = "one URL"

local connections = { key = "connections", value = common.whole(1, 60000),
                      expected = "a number from 1 to 60000" }
local duration = { key = "seconds", value = seconds(0.01), expected = "seconds" }
local size = { key = "size", value = common.whole(0, 2 ^ 28), expected = "bytes, at most 268435456" }
local depth = { key = "depth", value = common.whole(1, 4096), expected = "a number from 1 to 4096" }

bench.options = {
  ["-c"] = connections, ["--connections"] = connections,
  ["-d"] = duration, ["--duration"] = duration,
  ["-s"] = size, ["--size"] = size,
  ["-p"] = depth, ["--depth"] = depth,
  ["--binary"] = { key = "binary" },
  ["--compression"] = { key = "compression" },
  ["--warmup"] = { key = "warmup", value = seconds(0), expected = "seconds" },
  ["--timeout"] = { key = "patience", value = seconds(0.01), expected = "seconds" },
  ["--json"] = { key = "json" },
  ["--insecure"] = { key = "insecure" },
  ["--ca"] = { key = "ca", value = file, expected = "a file" },
}

local AT_ONCE = 64 -- connections on their way
local SLICE = 0.25 -- seconds between two looks at the clock and for signals
local FAREWELL = 0.25 -- seconds for the closing handshake of the first one
local MOST = 2 ^ 30 -- bytes outstanding on a connection

local function complain(...)
  common.complain("weft bench", ...)
end

--- One run of the command.
---@class weft.Bench
---@field weft weft
---@field options table
---@field run? weft.LoadRun
---@field signal? string that ended it
---@field live boolean somebody looks on
---@field seen? { at: number, total: integer } at the last look

-- The plan of a load of where that connection leads.
local function plan_for(state, ws, url)
  local o, target = state.options, assert(urls.parse(url))
  local headers = ""
  for _, name in ipairs { "User-Agent", "Authorization" } do
    local value = ws.request.headers[name]
    headers = headers .. (value and ("%s: %s\r\n"):format(name, value) or "")
  end
  state.url = ("%s://%s%s"):format(target.scheme, target.host_header, target.target)
  return {
    address = ws.remote_address, port = ws.remote_port,
    host = target.host, host_header = target.host_header, target = target.target,
    headers = headers, at_once = AT_ONCE,
    tls = target.scheme == "wss", verify = not o.insecure, ca = o.ca,
    connections = o.connections, depth = o.depth, size = o.size,
    binary = o.binary, compression = o.compression,
    seconds = o.seconds, warmup = o.warmup, patience = o.patience,
  }
end

-- Opens one connection as `weft connect` does, which names all that is wrong,
-- and closes it again. The plan of the load; or nil and the exit status.
local function reach(state, url)
  local o = state.options
  local called, ws, message, code = common.connect(state.weft, url, {
    tls = { verify = not o.insecure, ca = o.ca },
    compression = o.compression == true,
    proxy = false,
    timeout = o.patience,
  })
  if not called then
    complain(words(ws), " (see weft bench --help)")
    return nil, 2
  elseif not ws then
    if not (code == "cancelled" and state.signal) then
      complain(words(message))
    end
    return nil, 1
  elseif o.compression and (ws.extensions or "") == "" then
    complain("the server does not agree to compress")
    ws:close(1000, "", FAREWELL)
    return nil, 1
  end
  local plan = plan_for(state, ws, url)
  ws:close(1000, "", FAREWELL)
  return plan
end

-- Whoever looks on sees how it goes, in a line that is written over.
local function show(state)
  local r, at = state.run:report(), state.weft.now()
  local seen = state.seen or { at = at, total = 0 }
  local text
  if r.phase == "opening" then
    text = ("opening connections: %d of %d"):format(r.opened, state.options.connections)
  else
    local rate = at > seen.at and (r.total - seen.total) / (at - seen.at) or 0
    text = ("%s messages/s"):format(figures.count(rate))
    if r.phase == "measuring" then
      text = ("%.1f s of %g: %s%s"):format(r.seconds, state.options.seconds, text,
        r.echoes > 0 and ", p99 " .. figures.time(r.p99) or "")
    else
      text = r.phase .. ": " .. text
    end
  end
  state.seen = { at = at, total = r.total }
  io.stderr:write("\r\27[K", text)
end

local function clear(state)
  if state.live then
    io.stderr:write("\r\27[K")
  end
end

-- Turns the load until it is done or a signal comes; nil and why it failed.
local function turn(state)
  repeat
    local phase, message = state.run:step(SLICE)
    if not phase then
      return nil, message
    elseif state.live and phase ~= "done" then
      show(state)
    end
    state.weft.sleep(0) -- signals are seen to in the loop
  until phase == "done" or state.signal
  return true
end

-- The figures on stdout; the exit status.
local function report(state, plan)
  local r = state.run:report()
  if r.echoes == 0 and state.signal then
    complain("ended before anything was measured")
    return common.signal_status[state.signal]
  elseif r.echoes == 0 then
    complain(("no echo came within %g seconds of measuring"):format(plan.seconds))
    return 1
  end
  local print_to = state.options.json and figures.json or figures.text
  local early = r.phase == "measuring"
  local written, why = io.stdout:write(print_to(plan, r, state.url, early))
  if written then
    written, why = io.stdout:flush()
  end
  if not written then
    complain("cannot write to stdout: ", why)
    return 1
  end
  return 0
end

-- Measures; the exit status.
local function measure(state, load, url)
  local plan, status = reach(state, url)
  if not plan or state.signal then
    return status
  end
  local room, why = load.allow(plan.connections)
  if not room then
    complain(("%d connections are more than this process may open: %s (see ulimit -n)"):format(
      plan.connections, why))
    return 1
  end
  local run, message = load.new(plan)
  if not run then
    complain(words(message))
    return 1
  end
  state.run = run
  local ended, fault = turn(state)
  clear(state)
  if not ended then
    complain(words(fault))
    status = 1
  else
    status = report(state, plan)
  end
  run:close()
  return status
end

-- A signal ends the opening, or the load after its next slice.
local function watch(state, main)
  state.signal = core.wait_signal(state.weft.loop)
  if state.signal and not state.run then
    main:cancel()
  end
end

-- What is not said, and what is wrong with the rest.
local function complete(options)
  for name, default in pairs { connections = 100, seconds = 10, size = 64, depth = 1,
                               warmup = 1, patience = 10 } do
    options[name] = options[name] or default
  end
  if options.size * options.depth > MOST then
    return ("--size times --depth is more than %d bytes"):format(MOST)
  end
end

--- Loads a server and reports.
---@param weft weft
---@param options table
---@param url string
---@return integer status
function bench.run(weft, options, url)
  local mistake = complete(options)
  if mistake then
    complain(mistake, " (see weft bench --help)")
    return 2
  end
  local found, load = pcall(require, "weft.load")
  if not found then
    complain("the module weft.load is not built or not installed")
    return 1
  end
  local state = { weft = weft, options = options, live = terminal.is(2) }
  core.signals_begin(weft.loop)
  local main = weft.spawn(measure, state, load, url)
  local watcher = weft.spawn(watch, state, main)
  local ended, status = weft.run(main.join, main)
  watcher:cancel()
  core.signals_end(weft.loop)
  if state.signal and not state.run then
    return common.signal_status[state.signal]
  end
  assert(ended, status)
  return status
end

return bench
