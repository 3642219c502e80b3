--- `weft.step(0, { messages = N })`: whatever there is to do, a step does N of it
--- at most, loses nothing and keeps the order.
local socket = require "socket"
local weft = require "weft"
local case = require "support.case"
local handshake = require "support.handshake"
local outside = require "support.outside"
local patience = require "support.patience"

local MOST = 3

--- Steps until all is done, each with the limit: `count` says how much has been
--- done so far; gives how many steps did any.
local function step_all(t, count, all)
  local deadline = weft.now() + patience(5)
  local before, busy = count(), 0
  while before < all do
    t.weft.step(0.01, { messages = MOST })
    local now = count()
    assert.is_true(now - before <= MOST, ("%d in one step"):format(now - before))
    busy = busy + (now > before and 1 or 0)
    before = now
    assert(weft.now() < deadline, "it never ended")
  end
  return busy
end

local function numbers(count)
  local list = {}
  for i = 1, count do
    list[i] = i
  end
  return list
end

describe("a step with a limit of messages", function()
  it("starts no more handlers of plain requests", case.blocking(function(t)
    local paths = {}
    local server = t:listen { http = function(request)
      paths[#paths + 1] = request.path
      return 200, {}, request.path
    end }
    local socks = outside.dial_all(server, 20, function(i)
      return handshake.http { path = "/" .. i }
    end)
    assert.is_true(step_all(t, function() return #paths end, 20) >= 20 / MOST)
    t.weft.step(0.01)
    for i, sock in ipairs(socks) do
      sock:settimeout(patience(5))
      assert.is_truthy(sock:receive("*a"):find("\r\n\r\n/" .. i, 1, true))
    end
    outside.close_all(socks)
  end))

  it("answers pipelined requests in their order", case.blocking(function(t)
    local seen = {}
    local server = t:listen { http = function(request)
      seen[#seen + 1] = tonumber(request.path:sub(2))
      return 200, {}, "x"
    end }
    local requests = {}
    for i = 1, 20 do
      requests[i] = handshake.http { path = "/" .. i, keep = i < 20 }
    end
    local sock = outside.dial(server, table.concat(requests))
    step_all(t, function() return #seen end, 20)
    assert.same(numbers(20), seen)
    sock:close()
  end))

  it("starts no more handlers of connections", case.blocking(function(t)
    local opened = 0
    local server = t:listen { websocket = function(ws)
      opened = opened + 1
      ws:wait_closed()
    end }
    local socks = outside.dial_all(server, 20, function() return handshake.request() end)
    assert.is_true(step_all(t, function() return opened end, 20) >= 20 / MOST)
    outside.close_all(socks)
  end))

  it("accepts no more connections", case.blocking(function(t)
    local server = t:listen()
    local socks = outside.dial_all(server, 20)
    assert.is_true(step_all(t, function() return server:stats().accepted end, 20) >= 20 / MOST)
    outside.close_all(socks)
  end))

  it("calls no more events, and a connection's in order", case.blocking(function(t)
    local log = {}
    local server = t:listen { websocket = {
      open = function() log[#log + 1] = 0 end,
      message = function(_, message) log[#log + 1] = tonumber(message) end,
      close = function() log[#log + 1] = 11 end,
    } }
    local ws = t:connect(server)
    for i = 1, 10 do
      assert.is_true(ws:try_send(tostring(i)))
    end
    ws:close(1000, "", 0)
    step_all(t, function() return #log end, 12)
    table.insert(log, table.remove(log, 1)) -- open came while we connected
    assert.equal(0, table.remove(log))
    assert.same(numbers(11), log)
  end))

  it("opens no more clients with events", case.blocking(function(t)
    local server = t:listen { websocket = { message = function() end } }
    local opened, clients = 0, {}
    for i = 1, 10 do
      clients[i] = t.weft.connect(server:url(), { events = {
        open = function() opened = opened + 1 end,
      } })
      t.connections[i] = clients[i]
    end
    step_all(t, function() return opened end, 10)
  end))

  it("delivers no more compressed messages", case.blocking(function(t)
    local got = {}
    local server = t:listen { compression = true, websocket = function(ws)
      for message in ws:messages() do
        got[#got + 1] = tonumber(message:match "%d+$")
      end
    end }
    local ws = t:connect(server)
    assert.is_truthy(ws.extensions)
    for i = 1, 20 do
      assert.is_true(ws:try_send(("a"):rep(1000) .. i))
    end
    assert.is_true(step_all(t, function() return #got end, 20) >= 20 / MOST)
    assert.same(numbers(20), got)
  end))

  it("starts no more tasks, in their order", case.blocking(function(t)
    local ran = {}
    for i = 1, 20 do
      t.weft.spawn(function() ran[#ran + 1] = i end)
    end
    assert.is_true(step_all(t, function() return #ran end, 20) >= 20 / MOST)
    assert.same(numbers(20), ran)
  end))

  it("wakes no more sleepers, in the order of their times", case.blocking(function(t)
    local woke = {}
    for i = 20, 1, -1 do
      t.weft.spawn(function()
        t.weft.sleep(i / 100) -- further apart than a slow machine may take between two
        woke[#woke + 1] = i
      end)
    end
    t.weft.step()
    socket.sleep(0.3) -- a long pause: all are due
    assert.is_true(step_all(t, function() return #woke end, 20) >= 20 / MOST)
    assert.same(numbers(20), woke)
  end))

  it("delivers what came in a long pause over several steps", case.blocking(function(t)
    local client, server = t:both()
    for i = 1, 100 do
      client:try_send(tostring(i))
    end
    local got = {}
    t.weft.spawn(function()
      for message in server:messages() do
        got[#got + 1] = tonumber(message)
      end
    end)
    assert.is_true(step_all(t, function() return #got end, 100) >= 100 / MOST)
    assert.same(numbers(100), got)
  end))

  it("lets tasks go on beside a flood of messages", case.blocking(function(t)
    local client, server = t.weft.pair()
    local got, ticks, stop = 0, 0, false
    t.weft.spawn(function()
      for _ in server:messages() do
        got = got + 1
      end
    end)
    t.weft.spawn(function()
      while not stop do
        ticks = ticks + 1
        coroutine.yield()
      end
    end)
    for _ = 1, 200 do
      for _ = 1, 10 do
        client:try_send "flood"
      end
      t.weft.step(0, { messages = 1 })
    end
    assert.is_true(got >= 50, "messages starved: " .. got)
    assert.is_true(ticks >= 50, "the task starved: " .. ticks)
    stop = true
    client:abort()
    t.weft.run()
  end))

  it("lets one connection's messages through beside another's flood", case.blocking(function(t)
    local loud, loud_server = t.weft.pair()
    local quiet, quiet_server = t.weft.pair()
    local heard
    t.weft.spawn(function()
      for _ in loud_server:messages() do end -- luacheck: ignore 542
    end)
    t.weft.spawn(function() heard = quiet_server:receive() end)
    local steps = 0
    t.weft.step()
    quiet:try_send "here"
    while not heard do
      for _ = 1, 10 do
        loud:try_send "flood"
      end
      t.weft.step(0, { messages = 1 })
      steps = steps + 1
      assert.is_true(steps < 50, "it starved")
    end
    assert.equal("here", heard)
    loud:abort()
    quiet:abort()
    t.weft.run()
  end))

  it("says by timeout and fd that there is more", case.blocking(function(t)
    local fd = t.weft.fd()
    local pollable = { getfd = function() return fd end }
    local ran = 0
    for _ = 1, 5 do
      t.weft.spawn(function() ran = ran + 1 end)
    end
    while ran < 5 do
      assert.equal(0, t.weft.timeout())
      if fd then
        assert.equal(pollable, socket.select({ pollable }, nil, 0)[1])
      end
      t.weft.step(0, { messages = 1 })
    end
    assert.is_nil((t.weft.timeout()))
    t.weft.step()
    if fd then
      assert.is_nil(socket.select({ pollable }, nil, 0)[1])
    end
  end))
end)

describe("a log in steps with a limit", function()
  -- Whoever is refused is seen by no handler, but by the log: they all are here, at
  -- the same moment.
  local function refuse(t, server, count)
    local socks = outside.dial_all(server, count)
    t:wait_until(function() return server:stats().accepted >= count end, "the last one")
    for i, sock in ipairs(socks) do
      assert(sock:send(("GET /%d HTTP/1.1\r\n\r\n"):format(i))) -- without a Host
    end
    return socks
  end

  it("is told no more, and all of it in the end", case.blocking(function(t)
    local told = {}
    local server = t:listen { log = function(event)
      told[#told + 1] = event.event == "refused" and event.path or event.event
    end }
    local socks = refuse(t, server, 20)
    step_all(t, function() return #told end, 21)
    outside.close_all(socks)
    local seen = {}
    for i = 2, 21 do
      seen[tonumber(told[i]:sub(2))] = true
    end
    assert.equal(20, #seen)
  end))

  it("does not keep handlers from running, nor they the log", case.blocking(function(t)
    local heard, told = 0, 0
    local server = t:listen {
      log = function() told = told + 1 end,
      websocket = { message = function() heard = heard + 1 end },
    }
    local clients = {}
    for i = 1, 5 do
      clients[i] = t:connect(server)
    end
    local socks = refuse(t, server, 25)
    for _, ws in ipairs(clients) do
      ws:try_send "hello"
    end
    local deadline = weft.now() + patience(5)
    while heard < 5 or told < 1 + 5 + 25 do
      local before = told
      t.weft.step(0.01, { seconds = 0 })
      assert.is_true(told - before <= 1)
      assert(weft.now() < deadline, "it never ended")
    end
    outside.close_all(socks)
  end))

  it("is told the end of its server, when nothing else is left", case.blocking(function(t)
    local told = {}
    local server = t.weft.listen { port = 0, websocket = case.echo, log = function(event)
      told[#told + 1] = event.event
    end }
    t.weft.spawn(function() server:close() end)
    while t.weft.step(0.01, { messages = 1 }) do end -- luacheck: ignore 542
    assert.same({ "listening", "closing", "closed" }, told)
  end))
end)
