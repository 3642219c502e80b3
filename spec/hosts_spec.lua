--- weft in the loops of others, with the adapters: what holds in each of them.
local socket = require "socket"
local weft = require "weft"
local case = require "support.case"
local hosts = require "support.hosts"
local patience = require "support.patience"
local raises = require "support.raises"

local POLL = weft.loop:backend() == "poll"

--- A host that has an instance attached: `host`, `attachment`, and `until_(fn)`,
--- which has the host turn until that holds and gives how many turns it took.
local function attached(t, kind, options)
  local host = kind.new()
  local world = { host = host, attachment = host:attach(t.weft, options) }

  function world.until_(condition, what)
    local turns, deadline = 0, weft.now() + patience(5)
    while not condition() do
      host:turn(patience(6)) -- longer than the deadline: a host that is not woken fails
      turns = turns + 1
      assert(weft.now() < deadline, (what or "it") .. " never happened")
    end
    return turns
  end

  function world.close()
    world.attachment:close()
    host:close()
  end

  return world
end

--- Calls fn every so often, until it gives false.
local function every(host, seconds, fn)
  host:after(seconds, function()
    if fn() ~= false then
      every(host, seconds, fn)
    end
  end)
end

--- Counts the steps that an instance makes from here on.
local function count_steps(instance)
  local step, count = instance.step, 0
  instance.step = function(...)
    count = count + 1
    return step(...)
  end
  return function() return count end
end

for _, name in ipairs { "cqueues", "luv", "copas", "luasocket" } do
  local kind = hosts[name]

  describe("weft in " .. name, function()
    it("has a client, a server and a timer of the host's side by side", case.blocking(function(t)
      local world = attached(t, kind)
      local server = t:listen { websocket = case.echo }
      local echoes, ticks, closed = 0, 0, false
      every(world.host, 0.001, function()
        ticks = ticks + 1
        return not closed
      end)
      t.weft.spawn(function()
        local ws = t:connect(server)
        for i = 1, 20 do
          ws:send(tostring(i))
          assert.equal(tostring(i), ws:receive(patience(5)))
          echoes = echoes + 1
        end
        while ticks < 5 do
          t.weft.sleep(0.001)
        end
        closed = ws:close()
      end)
      world.until_(function() return closed end)
      assert.equal(20, echoes)
      world.until_(function() return ticks >= 6 end) -- the last one
      world.close()
    end))

    it("turns as often as there is something to do", case.blocking(function(t)
      local world = attached(t, kind, { interval = 0.001 })
      local server = t:listen { websocket = case.echo }
      local steps = count_steps(t.weft)
      local echoes = 0
      local many = POLL and 20 or 1000
      t.weft.spawn(function()
        local ws = t:connect(server)
        for _ = 1, many do
          ws:send "ping"
          ws:receive()
          echoes = echoes + 1
        end
        ws:close()
      end)
      local turns = world.until_(function() return echoes == many end)
      if not POLL then -- which has nothing to wake by but time
        assert.is_true(turns <= 4 * many, turns)
        assert.is_true(steps() <= 4 * many, steps())
      end
      world.close()
    end))

    it("leaves the host alone while nothing happens", case.blocking(function(t)
      local world = attached(t, kind, { interval = 0.05 })
      local server = t:listen()
      local opened = false
      t.weft.spawn(function()
        t:connect(server, { ping_interval = false })
        opened = true
      end)
      world.until_(function() return opened and #t.arrived == 1 end)
      local steps, ticks, began = count_steps(t.weft), 0, weft.now()
      every(world.host, 0.002, function()
        ticks = ticks + 1
        return ticks < 50
      end)
      world.until_(function() return ticks == 50 end)
      -- luasocket's select turns weft each time it is called
      local most = 10 + (POLL and (weft.now() - began) / 0.05 or 0) + (name == "luasocket" and 60 or 0)
      assert.is_true(steps() <= most, steps() .. " steps")
      world.close()
    end))

    it("is woken by what the host sends", case.blocking(function(t)
      local world = attached(t, kind)
      local client, server = t:both()
      local got
      t.weft.spawn(function() got = server:receive() end)
      t.weft.step()
      world.host:after(0.005, function()
        assert.is_true(client:try_send "from the host")
      end)
      world.until_(function() return got end)
      assert.equal("from the host", got)
      world.close()
    end))

    it("is woken by what the host sends to a room, from any coroutine", case.blocking(function(t)
      local world = attached(t, kind)
      local client, server = t:both()
      local room, got = t.weft.room(), nil
      room:join(server)
      t.weft.spawn(function() got = client:receive() end)
      t.weft.step()
      world.host:after(0.005, coroutine.wrap(function()
        room:send "to everyone"
      end))
      world.until_(function() return got end)
      assert.equal("to everyone", got)
      world.close()
    end))

    it("is woken by a task that the host starts, and by what that waits for", case.blocking(function(t)
      local world = attached(t, kind)
      local slept = 0
      world.host:after(0.005, function()
        t.weft.spawn(function()
          for _ = 1, 5 do
            t.weft.sleep(0.002)
            slept = slept + 1
          end
        end)
      end)
      world.until_(function() return slept == 5 end)
      world.close()
    end))

    it("is woken by a queue that the host puts into, and by a cancelled task", case.blocking(function(t)
      local world = attached(t, kind)
      local queue, got, word = t.weft.queue(), nil, nil
      t.weft.spawn(function() got = queue:take() end)
      local sleeper = t.weft.spawn(function() word = select(2, t.weft.sleep(100)) end)
      t.weft.step()
      world.host:after(0.002, function() queue:try_put "an item" end)
      world.until_(function() return got end)
      world.host:after(0.002, function() sleeper:cancel() end)
      world.until_(function() return word end)
      assert.same({ "an item", "cancelled" }, { got, word })
      world.close()
    end))

    it("connects for the host, and tells it when that took too long", case.blocking(function(t)
      local world = attached(t, kind)
      local deaf = assert(socket.bind("127.0.0.1", 0)) -- it accepts nobody
      local _, port = deaf:getsockname()
      local words = {}
      world.host:after(0.002, function()
        t.weft.connect("ws://127.0.0.1:" .. port, { timeout = 0.02, events = {
          error = function(_, _, word) words[#words + 1] = word end,
        } })
        t.weft.connect("ws://127.0.0.1:" .. t:free_port(), { events = {
          error = function(_, _, word) words[#words + 1] = word end,
        } })
      end)
      world.until_(function() return #words == 2 end)
      table.sort(words)
      assert.same({ "refused", "timeout" }, words)
      deaf:close()
      world.close()
    end))

    it("asks for its timers again after a call that blocked the host", case.blocking(function(t)
      local world = attached(t, kind)
      local woke = false
      world.until_(function() return t.weft.timeout() == nil end)
      t.weft.spawn(function()
        t.weft.sleep(0.02)
        woke = true
      end)
      t.weft.sleep(0.001) -- the main thread: weft has turned without the host
      assert.is_false(woke)
      world.until_(function() return woke end)
      world.close()
    end))

    it("keeps to its limits in each turn", case.blocking(function(t)
      local world = attached(t, kind, { messages = 2 })
      local client, server = t:both()
      for i = 1, 20 do
        client:try_send(tostring(i))
      end
      local got, before = {}, 0
      t.weft.spawn(function()
        for message in server:messages() do
          got[#got + 1] = message
        end
      end)
      world.until_(function()
        -- both handles of luv's may be due in one turn
        assert.is_true(#got - before <= (name == "luv" and 4 or 2), #got - before .. " in one turn")
        before = #got
        return #got == 20
      end)
      assert.equal("20", got[20])
      world.close()
    end))

    it("lets no task's error into the host", case.blocking(function(t)
      local world = attached(t, kind)
      local ticks = 0
      t.weft.spawn(error, "in a task", 0)
      every(world.host, 0.001, function()
        ticks = ticks + 1
        return ticks < 5
      end)
      world.until_(function() return ticks == 5 end)
      assert.equal("in a task", t:reports()[1].error)
      world.close()
    end))

    it("has two instances side by side", case.blocking(function(t)
      local world = attached(t, kind)
      local other = weft.new()
      local second = world.host:attach(other)
      local server = t:listen { websocket = case.echo }
      local echoes = 0
      other.spawn(function()
        local ws = assert(other.connect(server:url()))
        for _ = 1, 20 do
          ws:send "across"
          assert.equal("across", ws:receive(patience(5)))
          echoes = echoes + 1
        end
        ws:close()
      end)
      world.until_(function() return echoes == 20 end)
      second:close()
      world.close()
      other.close()
    end))

    it("can be taken out, stepped by hand and put in again", case.blocking(function(t)
      local world = attached(t, kind)
      local ran = 0
      world.attachment:close()
      world.attachment:close()
      t.weft.spawn(function() ran = ran + 1 end)
      local ticked = false
      world.host:after(0.005, function() ticked = true end)
      world.until_(function() return ticked end)
      assert.equal(0, ran)
      t.weft.step()
      assert.equal(1, ran)
      world.attachment = world.host:attach(t.weft)
      t.weft.spawn(function() ran = ran + 1 end)
      world.until_(function() return ran == 2 end)
      world.close()
    end))

    for _, which in ipairs { "first", "second" } do
      it("may be attached twice, and the " .. which .. " attachment closed", case.blocking(function(t)
        local world = attached(t, kind)
        local second = world.host:attach(t.weft)
        local client, server = t:both()
        local got
        t.weft.spawn(function() got = server:receive() end)
        t.weft.step()
        if which == "first" then
          world.attachment:close()
          world.attachment = second
        else
          second:close()
        end
        local ticked = false
        world.host:after(0.005, function() ticked = true end)
        world.until_(function() return ticked end)
        world.host:after(0.005, function() client:try_send "from outside a turn" end)
        world.until_(function() return got end)
        assert.equal("from outside a turn", got)
        world.close()
      end))
    end

    it("can be closed first, with all that it has open", case.blocking(function(t)
      local host = kind.new()
      local other = weft.new()
      host:attach(other)
      local server = assert(other.listen { port = 0, websocket = case.echo })
      other.connect(server:url(), { events = { error = print } })
      other.spawn(other.sleep, 100)
      local ticked = 0
      host:after(0.001, function() ticked = ticked + 1 end)
      while ticked == 0 do
        host:turn(patience(5))
      end
      other.close()
      host:after(0.001, function() ticked = ticked + 1 end)
      while ticked == 1 do
        host:turn(patience(5))
      end
      host:close()
      assert.is_nil((t.weft.timeout()))
    end))

    it("outlives its host", case.blocking(function(t)
      local world = attached(t, kind)
      local client, server = t:both()
      world.until_(function() return t.weft.timeout() ~= 0 end)
      world.host:close()
      client:try_send "still there"
      assert.equal("still there", server:receive(patience(5)))
      world.attachment:close()
      world.host = kind.new()
      world.host:close()
    end))

    it("may close its attachment in a handler", case.blocking(function(t)
      local world = attached(t, kind)
      local ran, ticked = false, false
      t.weft.spawn(function()
        world.attachment:close()
        ran = true
      end)
      world.until_(function() return ran end)
      world.host:after(0.002, function() ticked = true end)
      world.until_(function() return ticked end)
      world.host:close()
    end))

    it("says what was wrong with the options", case.blocking(function(t)
      local attach = t.weft.adapters[name].attach
      local first = name == "cqueues" and kind.new()
      local function with(options)
        if first then
          return first.controller, options
        end
        return options
      end
      local where = "weft.adapters." .. name .. ".attach"
      raises(function() attach(with { messages = 0 }); return 1 end, where, "messages", "a whole number")
      raises(function() attach(with { seconds = -1 }); return 1 end, where, "seconds")
      raises(function() attach(with { interval = 0 }); return 1 end, where, "interval", "0.001")
      raises(function() attach(with { beside = 3 }); return 1 end, where, "beside")
      raises(function() attach(with { period = 1 }); return 1 end, where, "period")
      if first then
        raises(function() attach(); return 1 end, where, "controller", "cqueues.new()")
        first:close()
      end
    end))
  end)
end

describe("weft.adapters", function()
  it("has an adapter for each instance, the same each time", function()
    local other = weft.new()
    assert.equal(other.adapters.luasocket, other.adapters.luasocket)
    assert.are_not_equal(weft.adapters.luasocket, other.adapters.luasocket)
    other.close()
  end)

  it("names those there are", function()
    raises(function() return weft.adapters.libevent end, "weft.adapters.libevent", "copas, cqueues, luasocket and luv")
  end)

  it("says which library is missing", function()
    local other = weft.new()
    local loaded, path, cpath = package.loaded["weft.adapters.luv"], package.path, package.cpath
    package.loaded["weft.adapters.luv"], package.loaded.luv = nil, nil
    package.preload.luv = function() error "no such library here" end
    local message = raises(function() return other.adapters.luv end, "weft.adapters.luv", "no such library here")
    assert.is_truthy(message:find "library")
    package.preload.luv = nil
    package.loaded["weft.adapters.luv"], package.path, package.cpath = loaded, path, cpath
    other.close()
  end)
end)
