-- Known faults of other libraries: connections that the collector takes while a
-- task still waits on them, and ones that live for ever because something
-- inside holds them.
local case = require "support.case"
local frame = require "support.frame"

local server = frame.server

local function collect(t)
  for _ = 1, 3 do
    collectgarbage()
    t.weft.sleep(0)
  end
end

--- A raw server, and the raw peer of its one connection.
local function raw_server(t)
  local peer
  local port = t:serve_upgraded(function(raw)
    peer = raw
  end)
  return t:url(port), function()
    return t:wait_until(function()
      return peer
    end, "a connection")
  end
end

describe("a connection that nothing refers to", function()
  it("is dropped: its peer sees the end, and no close frame", case(function(t)
    local url, peer = raw_server(t)
    assert(t.weft.connect(url))
    local raw = peer()
    collect(t)
    local bytes, ending = raw:read_until_closed()
    assert.equal("", bytes)
    assert.not_equal("timeout", ending)
  end))

  it("is told to have been collected", case(function(t)
    local url, peer = raw_server(t)
    local cause
    local function connect()
      -- marked for finalization first, so finalized after the connection
      local witness = setmetatable({}, { __gc = function(self)
        cause = self.ws.close_cause
      end })
      local ws = assert(t.weft.connect(url))
      ws.witness, witness.ws = witness, ws
    end
    connect()
    peer()
    collect(t)
    assert.equal("collected", cause)
  end))

  it("is dropped though it refers to itself", case(function(t)
    local url, peer = raw_server(t)
    local function connect()
      local ws = assert(t.weft.connect(url))
      ws.myself = ws
      ws.closure = function()
        return ws
      end
    end
    connect()
    local raw = peer()
    collect(t)
    assert.not_equal("timeout", select(2, raw:read_until_closed()))
  end))

  it("is dropped on a server too, once its handler has let go", case(function(t)
    local near = t:connect(t:server { websocket = function(ws)
      ws:send "hello"
      return t.weft.sleep(0.01)
    end })
    assert.equal("hello", (near:receive()))
    collect(t)
    assert.same({ nil, "closed", 1000, "" }, { near:receive() })
  end))

  it("loses none of what it sent", case(function(t)
    local url, peer = raw_server(t)
    local function connect()
      local ws = assert(t.weft.connect(url))
      assert(ws:send "last words")
      assert(ws:flush())
    end
    connect()
    local raw = peer()
    collect(t)
    assert.equal("last words", (raw:message()))
  end))

  it("is dropped a hundred times over without a leak", case(function(t)
    local listening = t:listen { websocket = case.echo }
    for _ = 1, 100 do
      local ws = assert(t.weft.connect(t:url(listening)))
      ws:send "x"
      assert.equal("x", (ws:receive()))
      collectgarbage "step"
    end
    collect(t)
    t:wait_until(function()
      collectgarbage()
      return listening:count() == 0
    end, "the last end")
  end))
end)

describe("a connection that nothing but a wait refers to", function()
  local waits = {
    receive = function(ws)
      return (ws:receive())
    end,
    messages = function(ws)
      local last
      for message in ws:messages() do
        last = message
      end
      return last
    end,
    chunks = function(ws)
      local all = {}
      for chunk in ws:chunks() do
        all[#all + 1] = chunk
      end
      return table.concat(all)
    end,
    wait_closed = function(ws)
      ws:wait_closed()
      return ws:receive(0)
    end,
  }
  for what, wait in pairs(waits) do
    it("is kept while a task waits in " .. what, case(function(t)
      local url, peer = raw_server(t)
      local got
      t.weft.spawn(function()
        got = wait(assert(t.weft.connect(url)))
      end)
      local raw = peer()
      for _ = 1, 5 do
        collect(t)
      end
      raw:send(server.text "still there?" .. server.close(1000))
      assert.equal(1000, (raw:close_frame()))
      raw:close()
      t:wait_until(function()
        collectgarbage()
        return got
      end, "the message")
      assert.equal("still there?", got)
    end))
  end

  it("is kept while a task waits in ping", case(function(t)
    local url, peer = raw_server(t)
    local seconds
    t:spawn(function()
      seconds = assert(t.weft.connect(url)):ping "?"
    end)
    local raw = peer()
    local got = raw:frame()
    collect(t)
    raw:send(server.pong(got.payload))
    assert.is_number(t:wait_until(function()
      return seconds
    end, "the pong"))
  end))

  it("is kept while a task waits in send and flush", case(function(t)
    local sent, flushed
    local peer
    local port = t:serve_upgraded(function(raw)
      peer = raw
    end)
    local size = 16 * 1024 * 1024
    t:spawn(function()
      local ws = assert(t.weft.connect(t:url(port), { ping_interval = false }))
      assert(ws:send(("x"):rep(size), "binary"))
      sent = ws:send "behind it"
      flushed = ws:flush()
    end)
    t:wait_until(function()
      return peer
    end)
    collect(t)
    assert.equal(size, #peer:message())
    collect(t)
    assert.equal("behind it", (peer:message()))
    t:wait_until(function()
      return flushed
    end)
    assert.same({ true, true }, { sent, flushed })
  end))

  it("is kept while it closes", case(function(t)
    local url, peer = raw_server(t)
    local function connect()
      local ws = assert(t.weft.connect(url))
      ws:close(4000, "bye", 0)
    end
    connect()
    local raw = peer()
    collect(t)
    assert.same({ 4000, "bye" }, { raw:close_frame() })
    collect(t)
    assert.is_true(raw:is_silent(0.02))
    raw:send(server.close(4000))
    raw:shutdown()
    assert.same({ "", "fin" }, { raw:read_until_closed() })
  end))

  it("is kept while it has events", case(function(t)
    local url, peer = raw_server(t)
    local got = {}
    t.weft.connect(url, { events = {
      message = function(ws, message)
        got[#got + 1] = message
        ws:send(message)
      end,
      close = function(_, code)
        got[#got + 1] = code
      end,
    } })
    local raw = peer()
    collect(t)
    raw:send(server.text "to an event")
    assert.equal("to an event", (raw:message()))
    collect(t)
    raw:send(server.close(4000))
    assert.equal(4000, (raw:close_frame()))
    raw:close()
    t:wait_until(function()
      return #got == 2
    end, "the close event")
    assert.same({ "to an event", 4000 }, got)
  end))

  it("is kept while it is in a room, and let go when it leaves", case(function(t)
    local url, peer = raw_server(t)
    local room = t.weft.room()
    room:join(assert(t.weft.connect(url)))
    local raw = peer()
    collect(t)
    assert.equal(1, room:count())
    room:send "to the room"
    assert.equal("to the room", (raw:message()))
    for _, ws in ipairs(room:members()) do
      room:leave(ws)
    end
    collect(t)
    assert.not_equal("timeout", select(2, raw:read_until_closed()))
  end))

  it("is kept while it connects with events", case(function(t)
    local opened
    local port = t:serve_raw(function(raw)
      t.weft.sleep(0.03)
      raw:accept_upgrade()
      raw:read_until_closed()
    end)
    t.weft.connect(t:url(port), { events = { open = function(ws)
      opened = ws.state
      ws:abort()
    end } })
    collect(t)
    assert.equal("open", t:wait_until(function()
      collectgarbage()
      return opened
    end, "the opening"))
  end))
end)

describe("a connection that is over", function()
  local function echo(ws, message)
    ws:send(message)
  end
  -- each makes the option `websocket`, and shows its connections to note()
  local ways = {
    ["its handler returned"] = function(note)
      return function(ws)
        return case.echo(note(ws))
      end
    end,
    ["its handler failed"] = function(note)
      return function(ws)
        echo(note(ws), ws:receive())
        error "as it should"
      end
    end,
    ["its events"] = function(note)
      return { open = note, message = echo }
    end,
  }
  for what, way in pairs(ways) do
    it("is let go by its server after " .. what, case(function(t)
      local seen, count = setmetatable({}, { __mode = "k" }), 0
      local room = t.weft.room()
      local listening = t:listen { websocket = way(function(ws)
        seen[ws], count = true, count + 1
        room:join(ws)
        return ws
      end) }
      local payload = ("x"):rep(20000) -- large enough to be lent to the kernel
      for _ = 1, 5 do
        local ws = t:connect(listening)
        ws:send(payload)
        assert.is_true(ws:receive() == payload)
        ws:close()
      end
      t:wait_until(function()
        return listening:count() == 0
      end, "the last end")
      t:reports()
      assert.equal(5, count)
      t:wait_until(function()
        collectgarbage()
        return next(seen) == nil
      end, "the collection of the last connection")
    end))
  end
end)
