local case = require "support.case"
local raises = require "support.raises"

describe("a queue", function()
  it("gives what was put, in order", case(function(t)
    local queue = t.weft.queue()
    local thing = {}
    for _, item in ipairs { 1, "two", thing, true } do
      assert.is_true(queue:put(item))
    end
    assert.is_true(queue:put(false))
    assert.equal(1, queue:take())
    assert.equal("two", queue:take())
    assert.equal(thing, queue:take())
    assert.equal(true, queue:take())
    assert.equal(false, queue:take())
  end))

  it("lets a taker wait for what is put", case(function(t)
    local queue = t.weft.queue()
    local taker = t:spawn(function() return queue:take() end)
    t.weft.sleep(0)
    queue:put "here"
    assert.same({ true, "here" }, { taker:join(5) })
  end))

  it("serves takers in the order they came", case(function(t)
    local queue = t.weft.queue()
    local order = {}
    local takers = {}
    for i = 1, 4 do
      takers[i] = t:spawn(function()
        local item = queue:take()
        order[#order + 1] = i .. ":" .. item
      end)
      t.weft.sleep(0)
    end
    for _, item in ipairs { "a", "b", "c", "d" } do
      queue:put(item)
    end
    for i = 1, 4 do
      takers[i]:join(5)
    end
    table.sort(order)
    assert.same({ "1:a", "2:b", "3:c", "4:d" }, order)
  end))

  it("does not let someone who comes later overtake", case(function(t)
    local queue = t.weft.queue()
    local taker = t:spawn(function() return queue:take() end)
    t.weft.sleep(0)
    queue:put "for who waited"
    assert.same({ nil, "timeout" }, { queue:take(0) })
    assert.same({ true, "for who waited" }, { taker:join(5) })
  end))

  it("gives \"timeout\" when nothing comes", case(function(t)
    local queue = t.weft.queue()
    assert.same({ n = 2, nil, "timeout" }, table.pack(queue:take(0)))
    local began = t.weft.now()
    assert.same({ n = 2, nil, "timeout" }, table.pack(queue:take(0.005)))
    assert.is_true(t.weft.now() - began >= 0.005)
    queue:put "after"
    assert.equal("after", queue:take(0))
  end))

  it("with a limit makes put wait and try_put say \"full\"", case(function(t)
    local queue = t.weft.queue(2)
    assert.is_true(queue:try_put(1))
    assert.is_true(queue:put(2))
    assert.same({ n = 2, nil, "full" }, table.pack(queue:try_put(3)))
    local order = {}
    local putters = {}
    for i = 3, 5 do
      putters[i - 2] = t:spawn(function()
        assert.is_true(queue:put(i))
        order[#order + 1] = i
      end)
      t.weft.sleep(0)
    end
    assert.same({}, order)
    for i = 1, 5 do
      assert.equal(i, queue:take(5))
    end
    for i = 1, 3 do
      assert.is_true((putters[i]:join(5)))
    end
    assert.same({ 3, 4, 5 }, order)
    assert.is_true(queue:try_put(6))
  end))

  it("hands over ten thousand items between two tasks", case(function(t)
    local queue = t.weft.queue(10)
    local putter = t:spawn(function()
      for i = 1, 10000 do
        queue:put(i)
      end
      queue:close()
    end)
    local expected = 0
    while true do
      local item, word = queue:take()
      if not item then
        assert.equal("closed", word)
        break
      end
      expected = expected + 1
      assert(item == expected)
    end
    assert.equal(10000, expected)
    assert.is_true((putter:join(5)))
  end))

  it("closed gives what is in it, then \"closed\" for ever", case(function(t)
    local queue = t.weft.queue()
    queue:put "one"
    queue:put "two"
    queue:close()
    queue:close()
    assert.same({ nil, "closed" }, { (select(1, queue:put "three")), (select(2, queue:put "three")) })
    assert.same({ nil, "closed" }, { (select(1, queue:try_put "three")), (select(2, queue:try_put "three")) })
    assert.equal("one", queue:take())
    assert.equal("two", queue:take(1))
    for _ = 1, 2 do
      assert.same({ nil, "closed" }, { (select(1, queue:take())), (select(2, queue:take())) })
      assert.equal("closed", (select(2, queue:take(0))))
    end
  end))

  it("closed wakes who waits, to take and to put", case(function(t)
    local empty, full = t.weft.queue(), t.weft.queue(1)
    full:put "in"
    local tasks = {}
    for i = 1, 2 do
      tasks[i] = t:spawn(function() return (select(2, empty:take())) end)
      tasks[i + 2] = t:spawn(function() return (select(2, full:put "out")) end)
    end
    t.weft.sleep(0)
    empty:close()
    full:close()
    for i = 1, 4 do
      assert.same({ true, "closed" }, { tasks[i]:join(5) })
    end
    assert.equal("in", full:take())
    assert.equal("closed", (select(2, full:take())))
  end))

  it("loses nothing to a taker that was cancelled or timed out", case(function(t)
    local queue = t.weft.queue()
    local cancelled = t:spawn(function() return queue:take() end)
    local late = t:spawn(function() return queue:take(0.001) end)
    t.weft.sleep(0)
    cancelled:cancel()
    queue:put "first"
    queue:put "second"
    local got = {}
    for _, task in ipairs { cancelled, late } do
      local ok, item = task:join(5)
      if ok and item then
        got[#got + 1] = item
      end
    end
    while #got < 2 do
      got[#got + 1] = assert(queue:take(1))
    end
    table.sort(got)
    assert.same({ "first", "second" }, got)
  end))

  it("does not put what a cancelled putter held", case(function(t)
    local queue = t.weft.queue(1)
    queue:put "in"
    local result
    local putter = t:spawn(function() result = table.pack(queue:put "out") end)
    t.weft.sleep(0)
    putter:cancel()
    putter:join(5)
    assert.same({ n = 2, nil, "cancelled" }, result)
    assert.equal("in", queue:take())
    assert.same({ nil, "timeout" }, { queue:take(0) })
  end))

  it("takes no nil, which would look like nothing", case(function(t)
    local queue = t.weft.queue()
    raises(function() queue:put(nil) end, "put")
    raises(function() queue:try_put() end, "try_put")
    assert.same({ nil, "timeout" }, { queue:take(0) })
  end))

  it("has a limit that is a whole number", case(function(t)
    for _, limit in ipairs { 0, -1, 1.5, 0 / 0 } do
      raises(function() t.weft.queue(limit) end, "queue", "limit")
    end
    assert.is_true(t.weft.queue(math.huge):try_put(1))
    assert.is_true(t.weft.queue(1):try_put(1))
  end))

  it("forgets what was taken", case(function(t)
    local queue = t.weft.queue()
    local weak = setmetatable({}, { __mode = "k" })
    for _ = 1, 10 do
      local item = {}
      weak[item] = true
      queue:put(item)
    end
    for _ = 1, 9 do
      queue:take()
    end
    collectgarbage()
    collectgarbage()
    local left = 0
    for _ in pairs(weak) do
      left = left + 1
    end
    assert.is_true(left <= 2, left)
  end))

  it("that nobody refers to does not keep run() going", case.blocking(function(t)
    t.weft.queue():try_put "forgotten"
    assert.is_true(t.weft.run())
  end))

  it("works between tasks and the main thread", case.blocking(function(t)
    local to, from = t.weft.queue(), t.weft.queue(1)
    t.weft.spawn(function()
      while true do
        local item = to:take()
        if not item then
          return
        end
        from:put(item * 2)
      end
    end)
    to:put(1)
    to:put(2)
    to:put(3)
    assert.same({ 2, 4, 6 }, { from:take(5), from:take(5), from:take(5) })
    to:close()
    t.weft.run()
  end))
end)
