-- The log of several processes: one stderr, whole lines, and what the parent sees
-- of its workers.
local case = require "support.case"
local certificates = require "support.certificates"
local child_process = require "support.child"
local handshake = require "support.handshake"

local SERVER = [[
  local weft = require "weft"
  io.stdout:setvbuf "line"
  local options = { port = 0, workers = 2, log = "text", close_timeout = 0.1 }
  function options.http(request)
    if request.path == "/die" then os.exit(3) end
    return 200, nil, "worker " .. weft.worker_id()
  end
  function options.websocket() end
  function options.on_worker(n, server, restarts)
    print(("worker %%d: %%d, port %%d."):format(n, restarts, server:port()))
  end
  %s
  print("served", weft.serve(options))
]]

local function start(t, more)
  local child = child_process.start(t.weft, SERVER:format(more or ""))
  child:wait_for "worker 1: 0"
  child:wait_for "worker 2: 0"
  return child, math.tointeger(tonumber(child:output():match "port (%d+)%."))
end

-- Waits for a line of the log with these words in it.
local function wait_for_line(t, child, ...)
  local words = { ... }
  return t:wait_until(function()
    for line in child:output():gmatch "time=[^\n]*\n" do
      local all = true
      for _, word in ipairs(words) do
        all = all and line:find(word, 1, true)
      end
      if all then
        return line
      end
    end
  end, "a line with " .. table.concat(words, ", "))
end

-- Ends it: the lines of its log, without their time.
local function finish(child)
  child:signal "TERM"
  local output, status = child:wait()
  assert.equal(0, status, output)
  local lines = {}
  for line in output:gmatch "[^\n]+" do
    if not (line:find "^worker " or line == "served\ttrue") then
      local rest = line:match "^time=%d+%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ (.*)$"
      assert(rest, "not a line of the log: " .. line)
      lines[#lines + 1] = rest
    end
  end
  return lines
end

local function count(lines, pattern)
  local n = 0
  for _, line in ipairs(lines) do
    n = n + (line:find(pattern) and 1 or 0)
  end
  return n
end

describe("the log of workers", function()
  it("is one, from the beginning of all to the end of all", case(function(t)
    local child, port = start(t)
    for _ = 1, 8 do
      t:http(port)
    end
    local lines = finish(child)
    assert.matches("^event=listening url=ws://127%.0%.0%.1:%d+ workers=2$", lines[1])
    assert.matches("^event=closed seconds=", lines[#lines])
    for n = 1, 2 do
      assert.equal(1, count(lines, ("^event=worker_started worker=%d pid=%%d+ restarts=0$"):format(n)))
      assert.equal(1, count(lines, ("^event=closing worker=%d connections=0$"):format(n)))
      assert.equal(1, count(lines, ("^event=closed worker=%d seconds="):format(n)))
      assert.equal(1, count(lines, ('^event=worker_ended worker=%d pid=%%d+ status=0 message="exited with status 0"$'):format(n)))
    end
    assert.equal(8, count(lines, "^event=request worker=[12] connection=%d+ "))
    assert.equal(1, count(lines, "^event=closing$"))
    assert.equal(1 + 2 * 4 + 8 + 2, #lines)
  end, 25))

  it("has whole lines, however many come at once", case(function(t)
    local child, port = start(t)
    local CONNECTIONS, REQUESTS = 8, 100
    local path = "/" .. ("y"):rep(450)
    for i = 1, CONNECTIONS do
      t:spawn(function()
        local raw = t:dial(port)
        for _ = 1, REQUESTS do
          raw:send(handshake.http { path = path .. i, keep = true })
          assert.equal(200, raw:parsed_head().status)
          assert.matches("^worker %d$", raw:receive(8))
        end
        raw:close()
      end)
    end
    t:wait_until(function()
      return select(2, child:output():gsub("event=request", "")) == CONNECTIONS * REQUESTS
    end, "all requests", 15)
    local lines = finish(child)
    assert.equal(CONNECTIONS * REQUESTS,
                 count(lines, "^event=request worker=%d connection=%d+ remote_address=127%.0%.0%.1 method=GET"
                              .. " path=/y+%d status=200 bytes=8 seconds=%d+%.%d%d%d$"))
  end, 25))

  it("tells how workers end, and that others begin", case(function(t)
    local child, port = start(t)
    local raw = t:dial(port)
    raw:send(handshake.http { path = "/die" })
    local line = wait_for_line(t, child, "event=worker_ended", "status=3")
    local n = line:match "worker=(%d)"
    assert.matches('message="exited with status 3; starting it again in 0%.1 s"\n$', line)
    line = wait_for_line(t, child, "event=worker_started worker=" .. n, "restarts=1")
    child:wait_for(("worker %s: 1"):format(n))
    os.execute("kill -KILL " .. line:match "pid=(%d+)")
    wait_for_line(t, child, "event=worker_ended worker=" .. n, "signal=9", "was killed by signal 9")
    wait_for_line(t, child, "event=worker_started worker=" .. n, "restarts=2")
    child:wait_for(("worker %s: 2"):format(n))
    finish(child)
  end, 25))

  it("tells how they are replaced at SIGHUP", case(function(t)
    local child = start(t)
    child:signal "HUP"
    wait_for_line(t, child, "event=renewed")
    local lines = finish(child)
    assert.equal(1, count(lines, "^event=reload$"))
    for n = 1, 2 do
      assert.equal(1, count(lines, ("^event=worker_started worker=%d pid=%%d+ restarts=1$"):format(n)))
      assert.equal(2, count(lines, ("^event=worker_ended worker=%d pid=%%d+ status=0 "):format(n)))
    end
  end, 25))

  it("has the error that ends a worker before it begins", case(function(t)
    local child = start(t, [[
      local before = options.on_worker
      function options.on_worker(n, server, restarts)
        if n == 2 and restarts == 0 then error "not\nyet" end
        if n == 2 then restarts = 0 end
        before(n, server, restarts)
      end
    ]])
    local line = wait_for_line(t, child, "event=error worker=2")
    assert.matches([[ message="[^"]*: not\nyet" traceback="stack traceback:]], line)
    finish(child)
  end, 25))

  it("is told to a function in whatever process it happens", case(function(t)
    local child, port = start(t, [[
      function options.log(event)
        print(("log of %s: %s %s"):format(tostring(weft.worker_id()), event.event, tostring(event.worker)))
      end
    ]])
    t:http(port)
    for n = 1, 2 do
      child:wait_for(("log of nil: worker_started %d\n"):format(n))
    end
    t:wait_until(function()
      return child:output():find "log of ([12]): request %1\n"
    end, "a request")
    child:signal "TERM"
    local output = child:wait()
    for n = 1, 2 do
      assert.is_truthy(output:find(("log of %d: closed %d\n"):format(n, n), 1, true), output)
      assert.is_truthy(output:find(("log of nil: worker_ended %d\n"):format(n), 1, true), output)
    end
    assert.matches("log of nil: closed nil\nserved\ttrue\n$", output)
  end, 25))
end)

describe("the log of one process", function()
  it("tells of SIGHUP, also where a certificate cannot be read", case(function(t)
    local both = os.tmpname()
    os.execute(("cat %s %s >%s"):format(certificates.server.cert, certificates.server.key, both))
    local child = child_process.start(t.weft, SERVER:format([[
      options.workers, options.tls = 1, { cert = arg[1] }
    ]]), both)
    child:wait_for "worker 1: 0"
    child:signal "HUP"
    wait_for_line(t, child, "event=reload\n")
    os.remove(both)
    child:signal "HUP"
    local line = wait_for_line(t, child, "event=reload message=")
    assert.matches('message="tls%.cert: [^"]*: No such file or directory"\n$', line)
    local lines = finish(child)
    assert.equal(2, count(lines, "^event=reload"))
    assert.matches("^event=closed seconds=", lines[#lines])
  end, 25))
end)
