-- Rooms with very many members, on sockets, and members that come, go and die
-- while the room is sent to: nobody misses, repeats or reorders anything.
local case = require "support.case"
local child_process = require "support.child"
local command = require "support.command"
local folder = require "support.folder"
local patience = require "support.patience"

local MIB = 1024 * 1024

--- What a program of many descriptors may have, at most.
local function most_descriptors()
  local shell = assert(io.popen "ulimit -Hn")
  local limit = shell:read "*l"
  shell:close()
  return math.tointeger(tonumber(limit)) or math.maxinteger
end

-- Ten thousand, where the system lets a process have so many descriptors; fewer
-- with poll(2), which looks at each of them each time.
local CROWD = math.min(os.getenv "WEFT_POLLER" == "poll" and 2000 or 10000, most_descriptors() - 100)
-- What both programs begin with: for whoever connects to /control they run pieces
-- of Lua, and tell what these return.
local PRELUDE = [[
  local weft = require "weft"
  weft.on_error(function(err, traceback)
    print("error", err, traceback)
    os.exit(1)
  end)
  local function control(ws)
    for piece in ws:messages() do ws:send(tostring((assert(load(piece))()))) end
  end
  local function serve(routes)
    routes["/control"] = control
    weft.serve { port = 0, backlog = 4096, websocket = routes, on_worker = function(_, server)
      print("port " .. server:port())
      io.stdout:flush()
    end }
  end
]]

-- A room that whoever comes is a member of.
local SERVER = PRELUDE .. [[
  local room, said, talking = weft.room(), 0, false
  local function tell()
    said = said + 1
    return ("%d,%d"):format(room:send(tostring(said)))
  end
  -- so many numbers in one turn; each call's counts
  function say(count)
    local counts = {}
    for i = 1, count do counts[i] = tell() end
    return table.concat(counts, " ")
  end
  -- a number now and then, until told to be quiet
  function talk()
    talking = true
    weft.spawn(function() while talking do tell() weft.sleep(0.02) end end)
  end
  function quiet() talking = false return said end
  function members() return room:count() end
  function finish() return room:send "end" end
  serve { ["/"] = {
    open = function(ws) room:join(ws) end,
    message = function(ws)
      room:leave(ws)
      ws:send "left"
    end,
  } }
]]

-- Members, who see to it that the numbers count up by one, and that nothing comes
-- behind the end.
local MEMBERS = PRELUDE .. [[
  local url, opened, open, all = arg[1], 0, 0, {}
  local function hear(self, message)
    assert(not self.ended and not self.left, "something comes behind the end")
    self.ended, self.left = message == "end", message == "left"
    if not self.ended and not self.left then
      local number = math.tointeger(tonumber(message))
      assert(not self.last or number == self.last + 1, message .. " came after " .. tostring(self.last))
      self.first, self.last = self.first or number, number
    end
  end
  -- so many that open, a hundred at once; how many are open then
  function crowd(kind, count)
    all[kind] = {}
    for i = 1, count do
      local self = {}
      self.ws = assert(weft.connect(url, { timeout = 30, events = {
        open = function() open = open + 1 end,
        message = function(_, message) hear(self, message) end,
        error = function(_, message) error(message) end,
      } }))
      all[kind][i] = self
      while opened + i - open > 100 do weft.sleep(0) end
    end
    opened = opened + count
    while open < opened do weft.sleep(0) end
    return open
  end
  local function each(kind, fn)
    for i, self in ipairs(all[kind]) do
      fn(self)
      if i % 50 == 0 then weft.sleep(0) end
    end
  end
  function die(kind) each(kind, function(self) self.ws:abort() end) end
  function leave(kind) each(kind, function(self) self.ws:send "leave" end) end
  -- once all of a kind have heard one of these: how many are such
  function heard(kind, what)
    local count = 0
    each(kind, function(self)
      while not self[what] do weft.sleep(0.005) end
      count = count + 1
    end)
    return count
  end
  -- how many of a kind heard the numbers from the first to the last of these
  function between(kind, first, last)
    local count = 0
    each(kind, function(self)
      if (not first or self.first == first) and self.last == last then count = count + 1 end
    end)
    return count
  end
  serve {}
]]

--- Starts one of them: what runs a piece of Lua in it, the child, and its URL.
local function start(t, script, ...)
  local child = child_process.start_after(t.weft, 'ulimit -n "$(ulimit -Hn)"', script, ...)
  child:wait_for "\n"
  local port = assert(child:output():match "port (%d+)", child:output())
  local ws = t:connect(("ws://127.0.0.1:%d/control"):format(port))
  return function(piece, ...)
    assert(ws:send(piece:format(...)))
    return (assert(ws:receive(patience(15)), child:output()))
  end, child, ("ws://127.0.0.1:%d/"):format(port)
end

local function finish(child)
  child:signal "KILL"
  local output = child:wait()
  assert.is_nil(output:find "error", output)
end

describe("a room of ten thousand", function()
  it("tells each of them everything, once and in order", case(function(t)
    local server, server_child, url = start(t, SERVER)
    local clients, clients_child = start(t, MEMBERS, url)
    assert.equal(tostring(CROWD), clients("return crowd('all', %d)", CROWD))
    t:wait_until(function() return server "return members()" == tostring(CROWD) end, "all members")
    for _ = 1, 3 do
      assert.equal((("%d,0 "):format(CROWD)):rep(8):sub(1, -2), server "return say(8)")
    end
    assert.equal(tostring(CROWD), server "return finish()")
    assert.equal(tostring(CROWD), clients "return heard('all', 'ended')")
    assert.equal(tostring(CROWD), clients "return between('all', 1, 24)")
    finish(clients_child)
    finish(server_child)
  end, 90))

  it("goes on while some join, leave and drop dead", case(function(t)
    local server, server_child, url = start(t, SERVER)
    local clients, clients_child = start(t, MEMBERS, url)
    local steady = CROWD - 900
    clients("crowd('steady', %d) crowd('leaving', 300) return crowd('dying', 300)", steady)
    t:wait_until(function() return server "return members()" == tostring(steady + 600) end, "all members")
    server "talk()"
    clients "die 'dying'"
    clients "leave 'leaving'"
    clients "crowd('late', 300)"
    assert.equal("300", clients "return heard('leaving', 'left')")
    t:wait_until(function() return server "return members()" == tostring(steady + 300) end, "who is there in the end")
    local last = tonumber(server "return quiet()")
    assert.equal(("%d,0"):format(steady + 300), server "return say(1)")
    server "finish()"
    assert.equal(tostring(steady), clients "return heard('steady', 'ended')")
    assert.equal("300", clients "return heard('late', 'ended')")
    assert.equal(tostring(steady), clients("return between('steady', 1, %d)", last + 1))
    assert.equal("300", clients("return between('late', nil, %d)", last + 1))
    finish(clients_child)
    finish(server_child)
  end, 90))
end)

-- What the kernel is asked for, as strace(1) has seen it.
describe("what a room says in a turn", function()
  local MEMBER_COUNT, MESSAGES = 60, 40
  local SCRIPT = ([[
    local weft = require "weft"
    io.stdout:setvbuf "no"
    local room = weft.room()
    weft.serve { port = 0, on_worker = function(_, server) print("port " .. server:port()) end, websocket = function(ws)
      room:join(ws)
      if ws:receive() ~= "go" then return end
      while room:count() < %d do weft.sleep(0) end
      print "begin"
      for i = 1, %d do
        room:send(tostring(i))
        if i %% 10 == 0 then for _, member in ipairs(room:members()) do member:send "own" end end
      end
      weft.sleep(0)
      weft.sleep(0)
      print "end"
      ws:receive()
      weft.stop()
    end }
  ]]):format(MEMBER_COUNT, MESSAGES)

  it("leaves each member's socket in one call of the system", case(function(t)
    local place = folder.make { ["server.lua"] = SCRIPT }
    local child = command.start(t.weft, {
      "-qq", "-f", "-s", "8", "-e", "trace=write,writev,sendto,sendmsg,sendmmsg", "-o", place:at "trace",
      os.getenv "LUA" or "lua5.4", place:at "server.lua",
    }, { program = { "strace" }, environment = {}, variables = { "ASAN_OPTIONS=detect_leaks=0" } })
    local port = math.tointeger(tonumber((child:wait_for "port (%d+)\n")))
    local members = {}
    for i = 1, MEMBER_COUNT do
      members[i] = t:connect(port)
    end
    members[1]:send "go"
    for _, ws in ipairs(members) do
      for i = 1, MESSAGES do
        assert.equal(tostring(i), (ws:receive(patience(5))))
        if i % 10 == 0 then
          assert.equal("own", (ws:receive(patience(5))))
        end
      end
    end
    child:wait_for "end\n"
    members[1]:send "stop"
    child:wait()
    local calls, times = 0, {}
    local file = assert(io.open(place:at "trace"))
    local between = file:read ("*a"):match 'write%(1, "begin.-\n(.-)[^\n]*write%(1, "end'
    file:close()
    for descriptor in between:gmatch "send%w+%((%d+)" do
      calls = calls + 1
      times[descriptor] = (times[descriptor] or 0) + 1
    end
    for descriptor, count in pairs(times) do
      assert.equal(1, count, "descriptor " .. descriptor)
    end
    assert.equal(MEMBER_COUNT, calls, between)
    place:remove()
  end, 30))
end)

describe("a member's end", function()
  for name, leaving in pairs {
    handler = function(room, counts)
      return function(ws)
        room:join(ws)
        ws:send "welcome"
        ws:wait_closed()
        counts[#counts + 1] = table.pack(room:send(ws.remote_port .. " has left"))
      end
    end,
    ["close event"] = function(room, counts)
      return {
        open = function(ws)
          room:join(ws)
          ws:send "welcome"
        end,
        close = function(ws)
          counts[#counts + 1] = table.pack(room:send(ws.remote_port .. " has left"))
        end,
      }
    end,
  } do
    it(("is told to all others by its %s, also when many end at once"):format(name), case(function(t)
      local room, counts, members = t.weft.room(), {}, {}
      local server = t:server { websocket = leaving(room, counts) }
      for i = 1, 150 do
        members[i] = t:connect(server)
        assert.equal("welcome", members[i]:receive(5))
      end
      for i = 1, 150 do
        if i % 3 == 1 then
          members[i]:abort()
        elseif i % 3 == 2 then
          members[i]:close(1000, "", 0)
        end
      end
      t:wait_until(function() return #counts == 100 end, "the end of a hundred")
      assert.equal(50, room:count())
      for _, count in ipairs(counts) do
        assert.same({ true, 0 }, { count[1] >= 50 and count[1] < 150, count[2] })
      end
      assert.equal(50, counts[100][1])
      for i = 3, 150, 3 do
        local heard = {}
        for _ = 1, 100 do
          local message = members[i]:receive(5)
          assert.is_nil(heard[message])
          heard[message] = true
        end
        assert.is_nil(heard[members[i].remote_port .. " has left"])
        assert.same({ nil, "timeout" }, { members[i]:receive(0) })
      end
    end))
  end
end)

describe("a room in which many do not read", function()
  local QUICK, SLOW = 150, 20

  for on_full, expected in pairs { drop = { QUICK, SLOW }, close = { QUICK, 0 } } do
    it("counts them exactly, and the others miss nothing: on_full = " .. on_full, case(function(t)
      local room = t.weft.room { on_full = on_full }
      local server = t:listen { websocket = function(ws)
        if ws.request.path == "/slow" then
          ws:try_send(("x"):rep(8 * MIB))
          ws:flush(0.01)
        end
        room:join(ws)
        ws:wait_closed()
      end }
      local quick = {}
      for i = 1, QUICK do
        quick[i] = t:connect(server)
        if i <= SLOW then
          t:upgrade(server, { path = "/slow", receive_buffer = 4096 })
        end
      end
      t:wait_until(function() return room:count() == QUICK + SLOW end, "all members")
      assert.same({ QUICK, SLOW }, { room:send "1" })
      for i = 2, 50 do
        assert.same(expected, { room:send(tostring(i)) })
        if i % 7 == 0 then
          t.weft.sleep(0)
        end
      end
      assert.equal(on_full == "drop" and QUICK + SLOW or QUICK, room:count())
      for _, ws in ipairs(quick) do
        for i = 1, 50 do
          assert.equal(tostring(i), (ws:receive(5)))
        end
      end
    end, 20))
  end
end)
