-- Restarts while clients talk.  The server writes each message into a ledger and
-- echoes it then: an echo is a promise that the message is in there, once.  No end
-- of a process may break it, and whoever was not promised anything knows.
local case = require "support.case"
local child_process = require "support.child"
local patience = require "support.patience"

local CLIENTS = 8
local AT_ONCE = 5 -- messages on their way from each
local REPLACED = "weft: SIGHUP: the workers have been replaced"

local SERVER = [[
  local weft = require "weft"
  io.stdout:setvbuf "line"
  local ledger
  weft.serve {
    port = 0, workers = 2, drain = 0.2, grace = 5,
    on_worker = function(n, server, restarts)
      local shell = io.popen "echo $PPID"
      print(("worker %d started %d as %s on %s"):format(n, restarts, shell:read "*l", server:url()))
      shell:close()
      ledger = assert(io.open(arg[1], "a"))
      ledger:setvbuf "no" -- a line is one write, behind those of all others
    end,
    websocket = function(ws)
      for message in ws:messages() do
        assert(ledger:write(message .. "\n"))
        ws:send(message)
      end
    end,
  }
]]

--- One connection until it ends: what was sent on it, how many echoes came, all in
--- order, and the code of its end.
local function talk(crowd, ws)
  local sent, echoed = {}, 0
  local message, word, code
  repeat
    for _ = 1, AT_ONCE do
      crowd.number = crowd.number + 1
      if ws:send(tostring(crowd.number)) then
        sent[#sent + 1] = tostring(crowd.number)
      end
    end
    repeat
      message, word, code = ws:receive(patience(10))
      if message then
        echoed = echoed + 1
        crowd.echoes = crowd.echoes + 1
        assert.equal(sent[echoed], message)
      end
    until not message or echoed == #sent
  until not message
  assert.equal("closed", word)
  crowd.ends[#crowd.ends + 1] = { sent = sent, echoed = echoed, code = code }
end

--- Clients that talk and connect again, until crowd.stop: number (the last one
--- sent), echoes, open and ends (of connections), failures (to connect, as code and
--- message).
local function clients(t, url)
  local crowd = { number = 0, echoes = 0, open = 0, ends = {}, failures = {}, tasks = {} }
  for i = 1, CLIENTS do
    crowd.tasks[i] = t:spawn(function()
      while not crowd.stop do
        local ws, why, word = t.weft.connect(url)
        if ws then
          crowd.open = crowd.open + 1
          talk(crowd, ws)
          crowd.open = crowd.open - 1
        elseif not crowd.stop then
          crowd.failures[#crowd.failures + 1] = word .. ": " .. why
        end
      end
    end)
  end
  --- Waits until so many more echoes have come, and all are connected.
  function crowd.go_on(count)
    local goal = crowd.echoes + count
    t:wait_until(function()
      return crowd.echoes >= goal and crowd.open == CLIENTS
    end, count .. " more echoes", 10)
  end
  return crowd
end

--- How often each number stands in the ledger.
local function read_ledger(path)
  local times = {}
  for line in io.lines(path) do
    times[line] = (times[line] or 0) + 1
  end
  return times
end

--- The ends since the last call: how many of each code.
local function count_ends(crowd)
  local counts = {}
  for i = (crowd.counted or 0) + 1, #crowd.ends do
    local code = crowd.ends[i].code
    counts[code] = (counts[code] or 0) + 1
  end
  crowd.counted = #crowd.ends
  return counts
end

--- Every echoed number is in the ledger once, and none is there twice.  What is
--- there without an echo was sent on a connection that was cut off.
local function check_promises(crowd, ledger)
  for number, times in pairs(ledger) do
    assert.equal(1, times, number .. " is in the ledger more than once")
  end
  for _, connection in ipairs(crowd.ends) do
    for i, number in ipairs(connection.sent) do
      if i <= connection.echoed then
        assert.equal(1, ledger[number], number .. " was echoed and is lost")
      elseif connection.code ~= 1006 then
        assert.is_nil(ledger[number], number .. " was taken, and nobody was told")
      end
    end
  end
end

describe("workers that are restarted under load", function()
  it("keep what they have promised, and refuse nobody", case(function(t)
    local path = os.tmpname()
    local child = child_process.start(t.weft, SERVER, path)
    child:wait_for "worker 1 started 0"
    child:wait_for "worker 2 started 0"
    local crowd = clients(t, child:output():match "on (ws%S+)")
    crowd.go_on(500)
    for round = 1, 2 do
      child:signal "HUP"
      t:wait_until(function()
        return select(2, child:output():gsub(REPLACED, "")) == round
      end, "the last replacement", 10)
      crowd.go_on(500)
    end
    assert.same({}, crowd.failures)
    local ends = count_ends(crowd)
    assert.is_true(ends[1001] >= 2 * CLIENTS)
    assert.same({ [1001] = ends[1001] }, ends)

    local victim = child:output():match "worker 1 started 2 as (%d+)"
    os.execute("kill -9 " .. victim)
    child:wait_for "worker 1 started 3"
    crowd.go_on(500)
    ends = count_ends(crowd)
    assert.same({ [1006] = ends[1006] }, ends)
    for _, failure in ipairs(crowd.failures) do -- its handshakes were cut off as well
      assert.is_nil(failure:find "^refused", failure)
    end

    crowd.stop = true
    child:signal "TERM"
    for _, task in ipairs(crowd.tasks) do
      assert(task:join(patience(10)))
    end
    assert.same({ [1001] = CLIENTS }, count_ends(crowd))
    local output, status = child:wait()
    assert.equal(0, status, output)
    check_promises(crowd, read_ledger(path))
    os.remove(path)
  end, 30))
end)
