--- `weft.step(0, { seconds = S })`: the time is looked at between any two units of
--- work. With no time at all a step does the least there is, and yet all gets done.
local socket = require "socket"
local weft = require "weft"
local case = require "support.case"
local frame = require "support.frame"
local handshake = require "support.handshake"
local outside = require "support.outside"
local patience = require "support.patience"

local NONE = { seconds = 0 }

--- Steps without any time until the condition holds; gives how many it took.
local function step_until(t, condition, what)
  local deadline = weft.now() + patience(10)
  local steps = 0
  while not condition() do
    t.weft.step(0.01, NONE)
    steps = steps + 1
    assert(weft.now() < deadline, (what or "it") .. " never happened")
  end
  return steps
end

--- Sockets outside the loop that have been through the opening handshake.
local function upgraded(t, server, count)
  local socks = outside.dial_all(server, count, function() return handshake.request() end)
  step_until(t, function() return server:count() == count end, "an opening")
  t.weft.step()
  for _, sock in ipairs(socks) do
    sock:settimeout(patience(5))
    repeat
      local line = assert(sock:receive "*l")
    until line == ""
  end
  return socks
end

local function waiting(server)
  local count = 0
  for ws in server:connections() do
    count = count + (ws.buffered > 0 and 1 or 0)
  end
  return count
end

--- What a socket has to receive next, a text.
local function next_text(sock)
  local head = assert(sock:receive(2))
  local text = assert(sock:receive(head:byte(2)))
  assert.equal(frame.server.text(text), head .. text)
  return text
end

describe("a step without time", function()
  it("does one thing at least, and no more", case.blocking(function(t)
    local ran = 0
    for _ = 1, 10 do
      t.weft.spawn(function() ran = ran + 1 end)
    end
    for i = 1, 10 do
      t.weft.step(0, NONE)
      assert.equal(i, ran)
    end
  end))

  it("delivers one message of a batch", case.blocking(function(t)
    local client, server = t.weft.pair()
    local got = 0
    t.weft.spawn(function()
      for _ in server:messages() do
        got = got + 1
      end
    end)
    for _ = 1, 10 do
      client:try_send "x"
    end
    local before = 0
    step_until(t, function()
      assert.is_true(got - before <= 1)
      before = got
      return got == 10
    end)
    client:abort()
    t.weft.run()
  end))

  it("wakes one sleeper of many that are due", case.blocking(function(t)
    local woke = 0
    for _ = 1, 10 do
      t.weft.spawn(function()
        t.weft.sleep(0.0001)
        woke = woke + 1
      end)
    end
    t.weft.step()
    socket.sleep(0.002)
    for i = 1, 10 do
      t.weft.step(0, NONE)
      assert.is_true(woke <= i)
    end
    assert.equal(0, t.weft.timeout() or 0)
    step_until(t, function() return woke == 10 end)
  end))

  it("starts one handler of many requests", case.blocking(function(t)
    local seen = 0
    local server = t:listen { http = function()
      seen = seen + 1
      return 204
    end }
    local socks = outside.dial_all(server, 10, function() return handshake.http() end)
    local before = 0
    step_until(t, function()
      assert.is_true(seen - before <= 1)
      before = seen
      return seen == 10
    end)
    outside.close_all(socks)
  end))

  it("sends what a room says to one member after the other", case.blocking(function(t)
    local room = t.weft.room()
    local server = t:listen { websocket = { open = function(ws) room:join(ws) end } }
    local socks = upgraded(t, server, 20)
    step_until(t, function() return room:count() == 20 end)
    for i = 1, 3 do
      assert.same({ 20, 0 }, { room:send("message " .. i) })
    end
    t.weft.step(0, NONE)
    assert.is_true(waiting(server) >= 10, "one step sent to all of them")
    assert.equal(0, t.weft.timeout())
    assert.same({ 20, 0 }, { room:send "message 4" }) -- behind those
    step_until(t, function() return waiting(server) == 0 end, "the last send")
    for _, sock in ipairs(socks) do
      for i = 1, 4 do
        assert.equal("message " .. i, next_text(sock))
      end
    end
    outside.close_all(socks)
  end))

  it("sends to one connection after the other, the oldest messages first", case.blocking(function(t)
    local server = t:listen { websocket = { message = function() end } }
    local socks = upgraded(t, server, 20)
    for round = 1, 3 do
      coroutine.wrap(function() -- on the main thread each would leave at once
        for ws in server:connections() do
          assert.is_true(ws:try_send("round " .. round))
        end
      end)()
      t.weft.step(0, NONE)
    end
    assert.is_true(waiting(server) >= 10, "three steps sent to all of them")
    step_until(t, function() return waiting(server) == 0 end, "the last send")
    for _, sock in ipairs(socks) do
      for round = 1, 3 do
        assert.equal("round " .. round, next_text(sock))
      end
    end
    outside.close_all(socks)
  end))

  it("closes one connection after the other", case.blocking(function(t)
    local server = t:listen { websocket = function(ws) ws:wait_closed() end }
    local socks = upgraded(t, server, 10)
    for ws in server:connections() do
      ws:close(4000, "", 0)
    end
    outside.close_all(socks)
    step_until(t, function() return server:stats().connections == 0 end, "the last end")
  end))

  it("keeps what nobody receives, compressed, in order", case.blocking(function(t)
    local server = t:listen { compression = true, max_message = 100000 }
    local clients = {}
    for i = 1, 5 do
      clients[i] = t:connect(server)
    end
    for n = 1, 20 do
      for i = 1, 5 do
        assert.is_true(clients[i]:try_send(("x"):rep(10000) .. n))
      end
    end
    for _ = 1, 100 do
      t.weft.step(0, NONE)
    end
    local received = 0
    for _ = 1, 5 do
      local ws = table.remove(t.arrived)
      t.weft.spawn(function()
        for n = 1, 20 do
          assert.equal(("x"):rep(10000) .. n, ws:receive(patience(5)))
          received = received + 1
        end
      end)
    end
    step_until(t, function() return received == 100 end, "the last message")
  end))

  local function conversation(listening, connecting)
    return case.blocking(function(t)
      local server = t:listen {
        websocket = case.echo,
        tls = listening.tls, compression = listening.compression,
      }
      local done = 0
      for i = 1, 5 do
        t.weft.spawn(function()
          local ws = t:connect(server:url(), connecting)
          for n = 1, 10 do
            local text = ("%d of %d"):format(n, i)
            ws:send(text)
            assert.equal(text, ws:receive(patience(5)))
          end
          assert.is_true(ws:close())
          done = done + 1
        end)
      end
      step_until(t, function() return done == 5 end, "the end of the last one")
    end)
  end

  it("has whole conversations in the end", conversation({}, {}))
  it("has them compressed", conversation({ compression = true }, {}))
  it("has them over TLS", conversation({ tls = "self-signed" }, { tls = { verify = false } }))
end)

describe("steps with limits and without", function()
  it("may come in any order", case.blocking(function(t)
    local client, server = t.weft.pair()
    local got = {}
    t.weft.spawn(function()
      for message in server:messages() do
        got[#got + 1] = tonumber(message)
      end
    end)
    local limits = { NONE, { messages = 1 }, { messages = 2, seconds = 1 }, {}, { messages = math.huge, seconds = math.huge } }
    for i = 1, 100 do
      client:try_send(tostring(i))
      t.weft.step(0, limits[i % 5 + 1])
    end
    local deadline = weft.now() + patience(5)
    while #got < 100 do
      t.weft.step(0.01)
      assert(weft.now() < deadline, "it never ended")
    end
    for i = 1, 100 do
      assert.equal(i, got[i])
    end
    client:abort()
    t.weft.run()
  end))
end)
