local case = require "support.case"

-- All Luas but plain 5.1 (see spec/lua51) can leave a coroutine there.
local it_yields_anywhere = _VERSION == "Lua 5.1" and not rawget(_G, "jit") and function() end or it

--- Fails unless fn raises, not at a line of weft's, and names the two ways out.
local function assert_names_the_way_out(fn)
  local ok, message = pcall(fn)
  assert.is_false(ok)
  assert.equal("string", type(message))
  assert.is_truthy(message:find("weft.spawn", 1, true), message)
  assert.is_truthy(message:find("weft.wrap", 1, true), message)
  assert.is_nil(message:find("lua/weft/", 1, true), message)
end

--- Runs fn in a coroutine that weft did not start; gives what fn does, raises
--- what it raises.
local function in_foreign_coroutine(fn)
  return coroutine.wrap(fn)()
end

local function in_sort(fn)
  local done = false
  table.sort({ 2, 1 }, function(a, b)
    if not done then
      done = true
      fn()
    end
    return a < b
  end)
end

local function in_gsub(fn)
  string.gsub("x", "x", function() fn() end)
end

local function in_finalizer(fn)
  local ok, message
  do
    setmetatable({}, { __gc = function() ok, message = pcall(fn) end })
  end
  collectgarbage()
  collectgarbage()
  if ok == false then
    error(message, 0)
  end
  assert.is_true(ok, "the finalizer has run")
end

--- The first turn of a loop over an iterator.
local function first_of(next_one, state, control)
  return next_one(state, control)
end

--- Every call that waits.  Each gets an open connection, its other end, and a
--- world in which it would wait.
local waits = {
  { "ws:receive", function(ws) ws:receive() end },
  { "ws:receive with a timeout", function(ws) ws:receive(5) end },
  { "ws:messages", function(ws) first_of(ws:messages()) end },
  { "ws:chunks", function(ws) first_of(ws:chunks()) end },
  { "ws:ping", function(ws) ws:ping() end },
  { "ws:close", function(ws) ws:close() end },
  { "ws:wait_closed", function(ws) ws:wait_closed() end },
  { "weft.sleep", function(_, t) t.weft.sleep(0.001) end },
  { "weft.wait", function(_, t) t.weft.wait(0, "rw", 5) end },
  { "task:join", function(_, t) t.weft.spawn(t.weft.sleep, 0.001):join() end },
  { "queue:take", function(_, t) t.weft.queue():take() end },
  { "queue:put on a full queue", function(_, t)
    local queue = t.weft.queue(1)
    queue:try_put(1)
    queue:put(2)
  end },
  { "weft.connect", function(_, t) t.weft.connect("ws://127.0.0.1:9/") end },
}

describe("a call that waits", function()
  local places = {
    { "inside table.sort", in_sort },
    { "inside string.gsub", in_gsub },
    { "in a finalizer", in_finalizer },
    { "in a coroutine that weft did not start", in_foreign_coroutine },
    { "in a coroutine inside table.sort", function(fn) in_sort(function() in_foreign_coroutine(fn) end) end },
  }
  for _, wait in ipairs(waits) do
    for _, place in ipairs(places) do
      it(("%s raises %s of a task"):format(wait[1], place[1]), case(function(t)
        local client, server = t.weft.pair()
        assert_names_the_way_out(function()
          place[2](function() wait[2](client, t) end)
        end)
        -- and nothing is the worse for it
        assert.equal("open", client.state)
        assert.is_true(server:send "well")
        assert.equal("well", client:receive(5))
        assert.is_true(client:close())
      end))
    end

    it(wait[1] .. " raises in a coroutine of the main thread", case.blocking(function(t)
      local client, server = t.weft.pair()
      client.other = server -- which nothing else holds
      assert_names_the_way_out(function()
        in_foreign_coroutine(function() wait[2](client, t) end)
      end)
      assert.equal("open", client.state)
      client:abort()
    end))
  end

  it("names itself when it raises", case(function(t)
    local client, server = t.weft.pair()
    client.other = server -- which nothing else holds
    local _, message = pcall(in_sort, function() client:receive() end)
    assert.matches("receive", message)
    _, message = pcall(in_sort, function() t.weft.sleep(1) end)
    assert.matches("sleep", message)
    client:abort()
  end))

  it("parks its task while others run", case(function(t)
    local order = {}
    local function note(what)
      order[#order + 1] = what
    end
    local client, server = t.weft.pair()
    local reader = t:spawn(function()
      note "receives"
      note(client:receive())
    end)
    local writer = t:spawn(function()
      note "sends"
      server:send "hello"
      note "sent"
    end)
    assert.is_true(writer:join(5))
    assert.is_true(reader:join(5))
    assert.same({ "receives", "sends", "sent", "hello" }, order)
    client:abort()
  end))

  it_yields_anywhere("works inside pcall, iterators and metamethods of a task", case(function(t)
    local sleep = t.weft.sleep
    assert.same({ true, true }, { pcall(sleep, 0) })
    assert.is_true(select(2, xpcall(function() return sleep(0.001) end, debug.traceback)))
    local rounds = 0
    for slept in function() rounds = rounds + 1 return rounds <= 2 and sleep(0.001) or nil end do
      assert.is_true(slept)
    end
    for slept in t.weft.wrap(function() coroutine.yield(sleep(0.001)) end) do
      assert.is_true(slept)
    end
    local lazy = setmetatable({}, {
      __index = function(_, key) sleep(0.001) return key .. "!" end,
      __add = function() return sleep(0) end,
      __call = function() return sleep(0) end,
      __eq = function() return sleep(0) end,
    })
    assert.equal("name!", lazy.name)
    assert.is_true(lazy + 1)
    assert.is_true(lazy())
    assert.is_true(lazy == setmetatable({}, getmetatable(lazy)))
  end))

  it("blocks on the main thread and turns the loop meanwhile", case.blocking(function(t)
    local ticks = 0
    local ticker = t.weft.spawn(function()
      while t.weft.sleep(0.001) do
        ticks = ticks + 1
      end
    end)
    local server = t:listen { websocket = function(ws)
      for message in ws:messages() do
        ws:send(message:upper())
      end
    end }
    local ws = t:connect(server)
    assert.is_true(ws:send "hello")
    assert.same({ "HELLO", "text" }, { ws:receive(5) })
    assert.is_true(t.weft.sleep(0.01))
    assert.is_true(ticks > 0)
    assert.is_number(ws:ping())
    assert.same({ nil, "timeout" }, { ws:receive(0.01) })
    assert.is_true(ws:close())
    assert.same({ true, 1000, "" }, { ws:wait_closed() })
    assert.is_true((server:close()))
    ticker:cancel()
  end))

  it("blocks on the main thread for tasks and queues, too", case.blocking(function(t)
    local queue = t.weft.queue()
    local task = t.weft.spawn(function(a, b)
      t.weft.sleep(0.001)
      queue:put "ready"
      return a + b
    end, 2, 3)
    assert.equal("ready", queue:take())
    assert.same({ true, 5 }, { task:join() })
    assert.same({ nil, "timeout" }, { queue:take(0.001) })
  end))

  it("leaves the order of turns alone on the main thread: nothing runs between two calls", case.blocking(function(t)
    local ran = false
    t.weft.spawn(function() ran = true end)
    assert.is_false(ran)
    t.weft.sleep(0)
    assert.is_true(ran)
  end))
end)

describe("a call that cannot wait", function()
  local calls = {
    { "try_send", function(ws) assert.is_true(ws:try_send "quick") end },
    { "receive(0)", function(ws) assert.same({ nil, "timeout" }, { ws:receive(0) }) end },
    { "close with timeout 0", function(ws) ws:close(1000, "", 0) end },
    { "abort", function(ws) ws:abort() end },
    { "spawn", function(_, t) t:spawn(function() end) end },
    { "room:send", function(ws, t)
      local room = t.weft.room()
      assert.is_truthy(room:join(ws))
      assert.equal(1, (room:send "all"))
      room:leave(ws)
    end },
    { "connect with events", function(_, t)
      local ws = t.weft.connect("ws://127.0.0.1:9/", { events = { error = function() end } })
      assert.equal("connecting", ws.state)
      ws:abort()
    end },
    { "listen", function(_, t) assert(t.weft.listen { port = 0, websocket = print }):close(0) end },
    { "queue:try_put and take(0)", function(_, t)
      local queue = t.weft.queue(1)
      assert.is_true(queue:try_put "x")
      assert.equal("x", queue:take(0))
      assert.same({ nil, "timeout" }, { queue:take(0) })
    end },
    { "reading a field", function(ws) assert.equal("open", ws.state) end },
  }
  local places = {
    { "in a task", function(fn) fn() end },
    { "inside table.sort", in_sort },
    { "inside string.gsub", in_gsub },
    { "in a finalizer", in_finalizer },
    { "in a coroutine that weft did not start", in_foreign_coroutine },
  }
  for _, call in ipairs(calls) do
    for _, place in ipairs(places) do
      it(("%s works %s"):format(call[1], place[1]), case(function(t)
        local client, server = t.weft.pair()
        place[2](function() call[2](client, t) end)
        client:abort()
        server:abort()
      end))
      it(("%s works %s, outside the loop"):format(call[1], place[1]), case.blocking(function(t)
        local client, server = t.weft.pair()
        place[2](function() call[2](client, t) end)
        client:abort()
        server:abort()
        t.weft.step()
      end))
    end
  end

  it("receive(0) gives what is there", case(function(t)
    local client, server = t.weft.pair()
    server:send "one"
    server:send("two", "binary")
    client:receive(5)
    in_foreign_coroutine(function()
      assert.same({ "two", "binary" }, { client:receive(0) })
      assert.same({ nil, "timeout" }, { client:receive(0) })
    end)
    client:abort()
  end))
end)

describe("weft.wrap", function()
  it("makes a generator in which weft's calls work", case(function(t)
    local client, server = t.weft.pair()
    local words = t.weft.wrap(function(ws)
      for message in ws:messages() do
        for word in message:gmatch "%S+" do
          coroutine.yield(word)
        end
      end
    end)
    t:spawn(function()
      server:send "never odd"
      t.weft.sleep(0.002)
      server:send "or even"
      server:close()
    end)
    local got = { words(client) }
    local word = words()
    while word do
      got[#got + 1], word = word, words()
    end
    assert.same({ "never", "odd", "or", "even" }, got)
  end))

  it("passes arguments in and results out, like coroutine.wrap", case(function(t)
    local f = t.weft.wrap(function(...)
      local a = coroutine.yield("first", ...)
      t.weft.sleep(0.001)
      local b, c = coroutine.yield("second", a)
      return "last", b, c
    end)
    assert.same({ n = 4, "first", 1, nil, 3 }, table.pack(f(1, nil, 3)))
    assert.same({ "second", "a" }, { f "a" })
    assert.same({ "last", "b", "c" }, { f("b", "c") })
    assert.has_error(function() f() end)
  end))

  it("raises what the function raises", case(function(t)
    local thing = {}
    local f = t.weft.wrap(function()
      t.weft.sleep(0)
      error(thing)
    end)
    local ok, raised = pcall(f)
    assert.is_false(ok)
    assert.equal(thing, raised)
  end))

  it("is dead after an error, whatever that was", case(function(t)
    for _, thing in ipairs { "words", print, setmetatable({}, { __call = function() return "called" end }) } do
      local f = t.weft.wrap(function() error(thing) end)
      assert.is_false((pcall(f)))
      local ok, message = pcall(f)
      assert.is_false(ok)
      assert.is_truthy(message:find("cannot resume dead coroutine", 1, true), message)
    end
  end))

  it("works inside another wrap", case(function(t)
    local outer = t.weft.wrap(function()
      local inner = t.weft.wrap(function()
        for i = 1, 3 do
          t.weft.sleep(0.001)
          coroutine.yield(i)
        end
      end)
      local i = inner()
      while i do
        coroutine.yield(i * 10)
        i = inner()
      end
    end)
    local got, i = {}, outer()
    while i do
      got[#got + 1], i = i, outer()
    end
    assert.same({ 10, 20, 30 }, got)
  end))

  it("works on the main thread, where it blocks", case.blocking(function(t)
    local f = t.weft.wrap(function(seconds)
      while true do
        seconds = coroutine.yield(t.weft.sleep(seconds))
      end
    end)
    assert.is_true(f(0.001))
    assert.is_true(f(0.001))
  end))

  it("still raises where its caller may not wait", case(function(t)
    assert_names_the_way_out(function()
      in_sort(t.weft.wrap(function() t.weft.sleep(0) end))
    end)
    assert_names_the_way_out(function()
      in_foreign_coroutine(t.weft.wrap(function() t.weft.sleep(0) end))
    end)
  end))

  it("is run by one task at a time", case(function(t)
    local f = t.weft.wrap(function()
      return (t.weft.sleep(0.005))
    end)
    local first = t.weft.spawn(f)
    local second = t.weft.spawn(function() return f "an intruder" end)
    local ok, err = second:join(5)
    assert.is_nil(ok)
    assert.equal("string", type(err))
    assert.same({ true, true }, { first:join(5) })
  end))

  it("lets a cancelled wait return inside it", case(function(t)
    local result
    local task = t:spawn(function()
      t.weft.wrap(function()
        result = table.pack(t.weft.sleep(60))
      end)()
    end)
    t.weft.sleep(0.001)
    task:cancel()
    task:join(5)
    assert.same({ n = 2, nil, "cancelled" }, result)
  end))
end)
