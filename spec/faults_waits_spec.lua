-- Known faults of other libraries: close, abort and error from inside every
-- kind of wait, and waits where none can be.
local case = require "support.case"
local frame = require "support.frame"

local client = frame.client

local BULK = ("x"):rep(16 * 1024 * 1024)

--- Queues more than the kernel takes.
local function fill(ws)
  assert(ws:try_send(BULK, "binary"))
end

-- Each waits on a connection whose peer neither reads nor writes.
local waits = {
  receive = function(ws)
    return ws:receive()
  end,
  messages = function(ws)
    for _ in ws:messages() do
      error "there are no messages"
    end
    return nil, "closed"
  end,
  chunks = function(ws)
    for _ in ws:chunks() do
      error "there are no chunks"
    end
    return nil, "closed"
  end,
  send = function(ws)
    fill(ws)
    return ws:send(("y"):rep(100000))
  end,
  write = function(ws)
    local writer = ws:writer "binary"
    repeat
      local ok = writer:write(("z"):rep(1000000))
    until not ok
    return nil, "closed"
  end,
  flush = function(ws)
    fill(ws)
    return ws:flush()
  end,
  ping = function(ws)
    return ws:ping()
  end,
  wait_closed = function(ws)
    local over, why = ws:wait_closed()
    return nil, over and "closed" or why
  end,
}

-- Each ends that connection from outside of the wait.
local ends = {
  ["a close that does not wait"] = function(_, ws)
    ws:close(1000, "", 0)
  end,
  ["a close that waits"] = function(_, ws)
    ws:close()
  end,
  ["an abort"] = function(_, ws)
    ws:abort()
  end,
  ["the peer's close frame"] = function(_, _, raw)
    raw:send(client.close(1000))
  end,
  ["the peer hanging up"] = function(_, _, raw)
    raw:close()
  end,
  ["the peer's reset"] = function(_, _, raw)
    raw:reset()
  end,
  ["a bad frame"] = function(_, _, raw)
    raw:send(client.build(3))
  end,
  ["the server's end"] = function(_, _, _, listening)
    listening:close(0)
  end,
}

local options = { ping_interval = false, close_timeout = 0.1 }

describe("a task that waits in", function()
  for what, wait in pairs(waits) do
    for how, finish in pairs(ends) do
      it(what .. " is woken by " .. how, case(function(t)
        local listening = t:listen(options)
        local raw = t:upgrade(listening, { receive_buffer = 4096 })
        local ws = t:accepted()
        local result
        t:spawn(function()
          result = { wait(ws) }
        end)
        t.weft.sleep(0.01)
        assert.is_nil(result)
        finish(t, ws, raw, listening)
        t:wait_until(function()
          return result
        end, "the end of the wait")
        assert.same({ nil, "closed" }, { result[1], result[2] })
        t:wait_until(function()
          return ws.state == "closed"
        end, "the end of the connection")
      end))
    end

    it(what .. " is woken by its cancellation, once", case(function(t)
      t:upgrade(t:server(options), { receive_buffer = 4096 })
      local ws = t:accepted()
      local task = t.weft.spawn(wait, ws)
      t.weft.sleep(0.01)
      task:cancel()
      assert.is_true((task:join(5)))
      ws:abort()
    end))

    it(what .. " is let go when an error ends the handler beside it", case(function(t)
      local result
      local fail = false
      local raw = t:upgrade(t:server { ping_interval = false, close_timeout = 0.1, websocket = function(ws)
        t:spawn(function()
          result = { wait(ws) }
        end)
        t:wait_until(function()
          return fail
        end)
        error "from the handler"
      end }, { receive_buffer = 4096 })
      t.weft.sleep(0.01)
      fail = true
      t:wait_until(function()
        return result
      end, "the end of the wait")
      assert.same({ nil, "closed" }, { result[1], result[2] })
      raw:close()
      assert.matches("from the handler", t:reports()[1].error)
    end))
  end

  it("connect is let go by its cancellation", case(function(t)
    local dropped
    local port = t:serve_raw(function(raw)
      raw:parsed_head()
      dropped = select(2, raw:read_until_closed(1)) ~= "timeout"
    end)
    local task = t.weft.spawn(function()
      return t.weft.connect(t:url(port))
    end)
    t.weft.sleep(0.02)
    task:cancel()
    local joined = { task:join(5) }
    assert.same({ true, nil, "cancelled" }, { joined[1], joined[2], joined[4] })
    t:wait_until(function()
      return dropped ~= nil
    end, "the end of the half-made connection")
    assert.is_true(dropped)
  end))
end)

describe("close and abort", function()
  it("may come from the handler itself, between its waits", case(function(t)
    for _, finish in ipairs { "close", "abort" } do
      local after
      local raw = t:upgrade(t:server { websocket = function(ws)
        for _ in ws:messages() do
          ws:send "answer"
          ws[finish](ws, finish == "close" and 4000 or nil)
          after = { ws:receive() }
        end
      end })
      t:spawn(function()
        local got
        repeat
          got = raw:frame()
          if got and got.opcode == frame.CLOSE then
            raw:send(client.close(got.code))
          end
        until not got
      end)
      raw:send(client.text "go")
      t:wait_until(function()
        return after
      end)
      assert.same({ nil, "closed" }, { after[1], after[2] })
    end
  end))

  it("may come again and again", case(function(t)
    t:upgrade(t:server(options))
    local ws = t:accepted()
    local first = t:spawn(function()
      return ws:close(1000)
    end)
    t.weft.sleep(0)
    local second = t:spawn(function()
      return ws:close(1001)
    end)
    t.weft.sleep(0)
    ws:abort()
    ws:abort()
    assert.is_true(ws:close())
    first:join(5)
    second:join(5)
    assert.equal("closed", ws.state)
  end))

  it("of many connections may come from one of them", case(function(t)
    local all = {}
    local listening = t:listen { websocket = function(ws)
      all[#all + 1] = ws
      for _ in ws:messages() do
        for _, other in ipairs(all) do
          other:abort()
        end
      end
    end }
    local raws = {}
    for index = 1, 20 do
      raws[index] = t:upgrade(listening)
    end
    for _, raw in ipairs(raws) do
      raw:send(client.text "everybody out")
    end
    for _, raw in ipairs(raws) do
      assert.not_equal("timeout", select(2, raw:read_until_closed()))
    end
    assert.equal(0, listening:count())
  end))

  it("of the server may come from its handler", case(function(t)
    local listening
    local closed
    listening = t:listen { close_timeout = 0.1, websocket = function(ws)
      ws:receive()
      closed = { listening:close(1) }
    end }
    local other = t:upgrade(listening)
    local raw = t:upgrade(listening)
    raw:send(client.text "close")
    assert.equal(1001, (other:close_frame()))
    other:send(client.close(1001))
    t:wait_until(function()
      return closed
    end, "the close")
    assert.same({ true }, closed)
  end))
end)

-- Libraries that yield across a C function crash or raise "attempt to yield
-- across a C-call boundary", which helps nobody.
describe("a wait where none can be", function()
  local function objection(t, fn)
    local ok, err = pcall(fn)
    assert.is_false(ok)
    err = tostring(type(err) == "table" and err.message or err)
    assert.matches("weft%.spawn", err)
    assert.matches("weft%.wrap", err)
    return t
  end

  local connection_waits = {
    receive = function(ws)
      ws:receive()
    end,
    close = function(ws)
      ws:close()
    end,
    flush = function(ws)
      fill(ws)
      ws:flush()
    end,
    ping = function(ws)
      ws:ping()
    end,
    wait_closed = function(ws)
      ws:wait_closed()
    end,
  }
  for what, wait in pairs(connection_waits) do
    it("(" .. what .. " inside table.sort) says so, and the connection is good", case(function(t)
      local raw = t:upgrade(t:server(options))
      local ws = t:accepted()
      objection(t, function()
        table.sort({ 3, 1, 2 }, function(a, b)
          wait(ws)
          return a < b
        end)
      end)
      if what == "flush" then
        assert.equal(#BULK, #raw:message())
      end
      assert.equal("open", ws.state)
      raw:send(client.text "good")
      assert.equal("good", (ws:receive()))
    end))
  end

  it("(inside string.gsub) says so", case(function(t)
    objection(t, function()
      ("abc"):gsub(".", function()
        t.weft.sleep(1)
      end)
    end)
  end))

  it("(in somebody else's coroutine) says so", case(function(t)
    objection(t, function()
      coroutine.wrap(function()
        t.weft.sleep(1)
      end)()
    end)
  end))

  it("(connect inside table.sort) says so and leaves nothing behind", case(function(t)
    local listening = t:listen { websocket = case.echo }
    objection(t, function()
      table.sort({ 2, 1 }, function()
        return t.weft.connect(t:url(listening))
      end)
    end)
  end))

  local is_plain = _VERSION == "Lua 5.1" and not rawget(_G, "jit") -- see spec/lua51
  local it_yields = is_plain and function() end or it

  it_yields("may be an iterator, a metamethod, a pcall: those can wait", case(function(t)
    local raw = t:upgrade(t:server())
    local ws = t:accepted()
    raw:send(client.text "1" .. client.text "2" .. client.text "3")
    local lazy = setmetatable({}, { __index = function()
      return (ws:receive())
    end, __add = function()
      return (ws:receive())
    end })
    assert.equal("1", lazy.anything)
    assert.equal("2", lazy + 1)
    assert.same({ true, "3", "text" }, { pcall(ws.receive, ws) })
  end))
end)
