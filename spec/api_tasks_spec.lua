local case = require "support.case"
local raises = require "support.raises"

describe("a task", function()
  it("starts in the next turn, not in spawn", case(function(t)
    local started = false
    t.weft.spawn(function() started = true end)
    assert.is_false(started)
    t.weft.sleep(0)
    assert.is_true(started)
  end))

  it("gets spawn's arguments", case(function(t)
    local task = t.weft.spawn(function(...) return select("#", ...), ... end, 1, nil, "three", nil)
    assert.same({ n = 6, true, 4, 1, nil, "three" }, table.pack(task:join(5)))
  end))

  it("runs in turn with the others, in the order they were spawned", case(function(t)
    local order = {}
    local tasks = {}
    for i = 1, 3 do
      tasks[i] = t.weft.spawn(function()
        for round = 1, 3 do
          order[#order + 1] = ("%d%s"):format(round, ("abc"):sub(i, i))
          coroutine.yield()
        end
      end)
    end
    for i = 1, 3 do
      assert.is_true(tasks[i]:join(5))
    end
    assert.equal("1a 1b 1c 2a 2b 2c 3a 3b 3c", table.concat(order, " "))
  end))

  it("gives way for one turn with a bare yield, which returns nothing", case(function(t)
    local turns, enough = 0, false
    t:spawn(function()
      while not enough do
        turns = turns + 1
        coroutine.yield()
      end
    end)
    coroutine.yield()
    local before = turns
    assert.same({ n = 0 }, table.pack(coroutine.yield()))
    assert.equal(before + 1, turns)
    coroutine.yield()
    assert.equal(before + 2, turns)
    enough = true
  end))

  it("that yields with values fails in words", case(function(t)
    local after = false
    local task = t.weft.spawn(function()
      coroutine.yield "a value"
      after = true
    end)
    local ok, err, traceback = task:join(5)
    assert.is_nil(ok)
    assert.equal("string", type(err))
    assert.is_truthy(err:find("yield", 1, true), err)
    assert.equal("string", type(traceback))
    assert.is_truthy(traceback:find("api_tasks_spec.lua", 1, true), traceback)
    assert.is_false(after)
  end))

  it("that yields nil as a value fails, too", case(function(t)
    local task = t.weft.spawn(function() coroutine.yield(nil) end)
    local ok, err = task:join(5)
    assert.is_nil(ok)
    assert.is_truthy(err:find("yield", 1, true), err)
  end))

  it("has a status", case(function(t)
    local inner
    local task = t.weft.spawn(function()
      inner = coroutine.running()
      t.weft.sleep(0.002)
    end)
    local fresh = task:status()
    assert.equal("string", type(fresh))
    t.weft.sleep(0)
    local waiting = task:status()
    task:join(5)
    local done = task:status()
    assert.is_true(waiting ~= done and fresh ~= done)
    assert.equal("dead", coroutine.status(inner))
    local failed = t.weft.spawn(function() error("x", 0) end)
    assert.is_nil((failed:join(5)))
    assert.not_equal(done, failed:status())
    local own
    own = t.weft.spawn(function() return own:status() end)
    local _, running = own:join(5)
    assert.is_true(running ~= waiting and running ~= done)
  end))

  it("may be spawned from anywhere, also from a task that is ending", case(function(t)
    local depth = 0
    local function deeper()
      depth = depth + 1
      if depth < 50 then
        t.weft.spawn(deeper)
      end
    end
    t:spawn(deeper)
    t:wait_until(function() return depth == 50 end, "the fiftieth task")
  end))

  it("is cheap: ten thousand at once", case(function(t)
    local n, done = 10000, 0
    local gate = t.weft.queue()
    local tasks = {}
    for i = 1, n do
      tasks[i] = t.weft.spawn(function()
        t.weft.sleep(0.001)
        gate:take()
        done = done + 1
        return i
      end)
    end
    t.weft.sleep(0.01)
    gate:close()
    local sum = 0
    for i = 1, n do
      local ok, number = tasks[i]:join(10)
      assert.is_true(ok)
      sum = sum + number
    end
    assert.equal(n, done)
    assert.equal(n * (n + 1) / 2, sum)
  end, 20))

  it("is not kept by anything once it has ended", case(function(t)
    local weak = setmetatable({}, { __mode = "k" });
    (function()
      local task = t.weft.spawn(function() return {} end)
      weak[task] = true
    end)()
    t.weft.sleep(0)
    coroutine.yield()
    for _ = 1, 4 do
      collectgarbage()
    end
    assert.is_nil(next(weak))
  end))

  it("goes on though nothing refers to it", case(function(t)
    local done = false;
    (function()
      t.weft.spawn(function()
        t.weft.sleep(0.002)
        done = true
      end)
    end)()
    collectgarbage()
    collectgarbage()
    t:wait_until(function() return done end, "the end of the task")
  end))

  it("has its own coroutine.running and coroutine.isyieldable", case(function(t)
    local threads = {}
    for i = 1, 2 do
      assert.is_true(t.weft.spawn(function()
        local thread, is_main = coroutine.running()
        assert.is_false(is_main)
        assert.is_true(not coroutine.isyieldable or coroutine.isyieldable()) -- since 5.3
        threads[i] = thread
      end):join(5))
    end
    assert.not_equal(threads[1], threads[2])
  end))

  it("whose coroutine somebody else resumes or closes takes nothing down", case(function(t)
    for _, meddle in ipairs { coroutine.resume, coroutine.close } do
      local ws = t:both()
      local thread
      local task = t.weft.spawn(function()
        thread = coroutine.running()
        ws:receive()
        ws:receive()
      end)
      t.weft.sleep(0)
      meddle(thread, "not a message")
      ws:abort()
      assert.is_nil((task:join(5)))
      assert.is_true(t.weft.sleep(0))
    end
  end))

  it("may use coroutines of its own for what does not wait", case(function()
    local generate = coroutine.wrap(function()
      for i = 1, 3 do
        coroutine.yield(i)
      end
    end)
    assert.same({ 1, 2, 3 }, { generate(), generate(), generate() })
  end))
end)

describe("join", function()
  it("gives true and the results", case(function(t)
    assert.same({ n = 1, true }, table.pack(t.weft.spawn(function() end):join()))
    assert.same({ n = 4, true, nil, false, nil }, table.pack(t.weft.spawn(function() return nil, false, nil end):join(5)))
  end))

  it("gives them again, to everyone who asks, before and after the end", case(function(t)
    local task = t.weft.spawn(function()
      t.weft.sleep(0.002)
      return "result"
    end)
    local joiners = {}
    for i = 1, 3 do
      joiners[i] = t.weft.spawn(function() return task:join() end)
    end
    for i = 1, 3 do
      assert.same({ true, true, "result" }, { joiners[i]:join(5) })
    end
    assert.same({ true, "result" }, { task:join() })
    assert.same({ true, "result" }, { task:join(0) })
  end))

  it("gives nil, the error and its traceback", case(function(t)
    local thing = {}
    local task = t.weft.spawn(function()
      t.weft.sleep(0)
      error(thing)
    end)
    local ok, err, traceback = task:join(5)
    assert.is_nil(ok)
    assert.equal(thing, err)
    assert.matches("stack traceback", traceback)
    assert.matches("api_tasks_spec.lua:%d+", traceback)
    assert.same({}, t:reports())
    ok, err = task:join()
    assert.is_nil(ok)
    assert.equal(thing, err)
  end))

  it("gives nil, \"timeout\", and can be tried again", case(function(t)
    local task = t.weft.spawn(function()
      t.weft.sleep(0.02)
      return "late"
    end)
    assert.same({ n = 2, nil, "timeout" }, table.pack(task:join(0)))
    assert.same({ n = 2, nil, "timeout" }, table.pack(task:join(0.001)))
    assert.same({ true, "late" }, { task:join(5) })
  end))

  it("of a task that nobody joined in time gives the error that was reported", case(function(t)
    local task = t.weft.spawn(function() error("unheard", 0) end)
    t:wait_until(function() return #t.reported > 0 end, "the report")
    local reports = t:reports()
    assert.equal("unheard", reports[1].error)
    assert.equal(task, reports[1].subject)
    assert.same({ nil, "unheard" }, { (select(1, task:join())), (select(2, task:join())) })
    assert.same({}, t:reports())
  end))

  it("that timed out before the task failed leaves the error to be reported", case(function(t)
    local task = t.weft.spawn(function()
      t.weft.sleep(0.01)
      error("after the timeout", 0)
    end)
    assert.same({ nil, "timeout" }, { task:join(0.001) })
    t:wait_until(function() return #t.reported > 0 end, "the report")
    assert.equal("after the timeout", t:reports()[1].error)
  end))

  it("gives each joiner the error", case(function(t)
    local task = t.weft.spawn(function()
      t.weft.sleep(0.002)
      error("for all", 0)
    end)
    local joiners = {}
    for i = 1, 3 do
      joiners[i] = t.weft.spawn(function()
        local ok, err = task:join()
        return ok, err
      end)
    end
    for i = 1, 3 do
      assert.same({ true, nil, "for all" }, { joiners[i]:join(5) })
    end
    assert.same({}, t:reports())
  end))

  it("of oneself raises", case(function(t)
    local task
    task = t.weft.spawn(function() raises(function() task:join() end, "join") end)
    assert.is_true(task:join(5))
  end))

  it("blocks on the main thread", case.blocking(function(t)
    local task = t.weft.spawn(function()
      t.weft.sleep(0.002)
      return 1, 2, 3
    end)
    assert.same({ true, 1, 2, 3 }, { task:join() })
    task = t.weft.spawn(function() error("x", 0) end)
    assert.same({ nil, "x" }, { (select(1, task:join())), (select(2, task:join())) })
  end))
end)

describe("an error in a task", function()
  it("is reported with its traceback and the task", case(function(t)
    local function deep()
      error "down here"
    end
    local task = t.weft.spawn(function()
      t.weft.sleep(0)
      deep()
    end)
    t:wait_until(function() return #t.reported > 0 end, "the report")
    local report = t:reports()[1]
    assert.matches("api_tasks_spec.lua:%d+: down here$", report.error)
    assert.matches("stack traceback", report.traceback)
    assert.is_truthy(report.traceback:find("deep", 1, true), report.traceback)
    assert.equal(task, report.subject)
  end))

  it("arrives unchanged, whatever it is", case(function(t)
    local things = { {}, 42, false, function() end, t.weft.queue(), "text" }
    for i = 1, #things do
      t.weft.spawn(function() error(things[i], 0) end)
      t:wait_until(function() return #t.reported > 0 end, "the report")
      assert.equal(things[i], t:reports()[1].error)
    end
  end))

  it("that cannot be shown takes nothing down", case(function(t)
    for _, meta in ipairs {
      { __tostring = function() error "I am nobody's text" end },
      { __tostring = function() return 5 end },
      { __name = 7 },
    } do
      local thing = setmetatable({}, meta)
      t.weft.spawn(function() error(thing) end)
      t:wait_until(function() return #t.reported > 0 end, "the report")
      local report = t:reports()[1]
      assert.is_true(rawequal(thing, report.error))
      assert.equal("string", type(report.traceback))
    end
  end))

  it("of memory or depth takes nothing down", case(function(t)
    local function forever()
      return 1 + forever()
    end
    local task = t.weft.spawn(forever)
    local ok, err = task:join(5)
    assert.is_nil(ok)
    assert.is_truthy(tostring(err):find "stack overflow", err)
    if math.tointeger(2 ^ 60) then -- elsewhere it is no count
      task = t.weft.spawn(function() return ("x"):rep(2 ^ 60) end)
      assert.is_nil((task:join(5)))
    end
  end))

end)

describe("cancel", function()
  local waits = {
    { "sleep", function(t) return t.weft.sleep(60) end },
    { "receive", function(_, ws) return ws:receive() end },
    { "receive with a timeout", function(_, ws) return ws:receive(60) end },
    { "ping", function(_, _, silent) return silent:ping() end },
    { "wait_closed", function(_, ws) return ws:wait_closed() end },
    { "join", function(t) return t.weft.spawn(t.weft.sleep, 0.05):join() end },
    { "take", function(t) return t.weft.queue():take() end },
    { "put", function(t)
      local queue = t.weft.queue(1)
      queue:put(1)
      return queue:put(2)
    end },
    { "wait", function(t, _, _, fd) return t.weft.wait(fd, "r") end },
    { "close", function(_, _, silent) return silent:close() end },
  }
  for _, wait in ipairs(waits) do
    it(wait[1] .. ' makes the wait in progress return nil, "cancelled"', case(function(t)
      local ws, server = t.weft.pair()
      ws.other = server -- which nothing else holds
      local raw = t:upgrade((t:listen()))
      local silent = t:accepted()
      local result, after
      local task = t.weft.spawn(function()
        result = table.pack(wait[2](t, ws, silent, raw.socket:getfd()))
        after = "ran on"
        return "an end of its own"
      end)
      t.weft.sleep(0.002)
      task:cancel()
      assert.is_nil(result)
      assert.same({ true, "an end of its own" }, { task:join(5) })
      assert.same({ n = 2, nil, "cancelled" }, result)
      assert.equal("ran on", after)
      ws:abort()
      silent:abort()
    end))
  end

  it("makes the next wait raise, which nobody reports", case(function(t)
    local first, after
    local task = t.weft.spawn(function()
      first = table.pack(t.weft.sleep(60))
      t.weft.sleep(60)
      after = true
    end)
    t.weft.sleep(0)
    task:cancel()
    assert.same({ n = 2, nil, "cancelled" }, table.pack(task:join(5)))
    assert.same({ n = 2, nil, "cancelled" }, first)
    assert.is_nil(after)
    assert.same({}, t:reports())
  end))

  it("swallowed twice closes the task where it stands", case(function(t)
    local swallowed = 0
    local task = t.weft.spawn(function()
      while true do
        if not pcall(t.weft.sleep, 60) then
          swallowed = swallowed + 1
        end
      end
    end)
    t.weft.sleep(0)
    task:cancel()
    assert.same({ n = 2, nil, "cancelled" }, table.pack(task:join(5)))
    assert.equal(2, swallowed)
    assert.same({}, t:reports())
  end))

  it("closes where it stands a task that only ever gives way", case(function(t)
    local rounds = 0
    local task = t.weft.spawn(function()
      while rounds < 1000 do
        rounds = rounds + 1
        coroutine.yield()
      end
    end)
    t.weft.sleep(0)
    task:cancel()
    assert.same({ nil, "cancelled" }, { task:join(5) })
    assert.is_true(rounds < 10, rounds)
  end))

  it("closes a task in the same way when it loops on the result", case(function(t)
    local rounds = 0
    local task = t.weft.spawn(function()
      while true do
        rounds = rounds + 1
        t.weft.sleep(60)
      end
    end)
    t.weft.sleep(0)
    task:cancel()
    assert.same({ nil, "cancelled" }, { task:join(5) })
    assert.equal(2, rounds)
  end))

  it("of a task that has not started keeps it from starting", case(function(t)
    local started = false
    local task = t.weft.spawn(function() started = true end)
    task:cancel()
    assert.same({ nil, "cancelled" }, { task:join(5) })
    t.weft.sleep(0)
    assert.is_false(started)
  end))

  it("of a task that has ended does nothing", case(function(t)
    local task = t.weft.spawn(function() return "done" end)
    task:join(5)
    local status = task:status()
    task:cancel()
    assert.equal(status, task:status())
    assert.same({ true, "done" }, { task:join() })
  end))

  it("twice is as once", case(function(t)
    local result
    local task = t.weft.spawn(function()
      result = table.pack(t.weft.sleep(60))
      return "clean"
    end)
    t.weft.sleep(0)
    task:cancel()
    task:cancel()
    assert.same({ true, "clean" }, { task:join(5) })
    assert.same({ n = 2, nil, "cancelled" }, result)
  end))

  it("of a task that can go on takes effect at its next wait", case(function(t)
    local result
    local task
    task = t.weft.spawn(function()
      task:cancel()
      result = table.pack(t.weft.sleep(60))
    end)
    task:join(5)
    assert.same({ n = 2, nil, "cancelled" }, result)
  end))

  it("leaves what does not wait alone", case(function(t)
    local client, server = t.weft.pair()
    local sent
    local task = t.weft.spawn(function()
      t.weft.sleep(60)
      sent = client:try_send "still works"
      client:close(1000, "", 0)
    end)
    t.weft.sleep(0)
    task:cancel()
    task:join(5)
    assert.is_true(sent)
    assert.equal("still works", server:receive(5))
    assert.is_true((server:wait_closed(5)))
  end))

  it("of a task that a handler waits for leaves its connection alone", case(function(t)
    local task, seen
    local server = t:listen { websocket = function(ws)
      seen = ws
      task = t.weft.spawn(function() ws:receive() end)
      task:join()
      ws:wait_closed()
    end }
    local client = t:connect(server)
    t:wait_until(function() return task end)
    task:cancel()
    t.weft.sleep(0.002)
    assert.equal("open", seen.state)
    assert.is_true(client:close())
  end))
end)
