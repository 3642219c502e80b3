local case = require "support.case"
local frame = require "support.frame"

local MIB = 1024 * 1024

--- A raw client and the server's end.
local function raw_pair(t, options)
  local raw = t:upgrade((t:listen(options)))
  return raw, t:accepted()
end

describe("close", function()
  it("sends the code and the reason after what is queued, and is true when the peer has answered", case(function(t)
    local raw, ws = raw_pair(t)
    ws:send "the last message"
    local closer = t:spawn(function() return ws:close(4321, "réason") end)
    assert.equal("the last message", (raw:message()))
    assert.same({ 4321, "réason" }, { raw:close_frame() })
    assert.same({ nil, "timeout" }, { closer:join(0.005) })
    raw:send(frame.client.close(4321))
    assert.same({ n = 2, true, true }, table.pack(closer:join(5)))
    assert.same({ "", "fin" }, { raw:read_until_closed() })
    assert.equal("local", ws.close_cause)
    assert.equal(4321, ws.sent_code)
  end))

  it("sends 1000 and no reason unless told", case(function(t)
    local raw, ws = raw_pair(t)
    ws:close(nil, nil, 0)
    local got = raw:frame()
    assert.same({ frame.CLOSE, "\3\xE8" }, { got.opcode, got.payload })
    raw:send(frame.client.close(1000))
  end))

  for _, code in ipairs { 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999 } do
    it("may say " .. code, case(function(t)
      local client, server = t.weft.pair()
      assert.is_true((client:close(code, ("r"):rep(123))))
      assert.equal(code, server.close_code)
      assert.equal(("r"):rep(123), server.close_reason)
    end))
  end

  it("gives \"timeout\" when the peer does not answer, and has dropped the connection", case(function(t)
    local raw, ws = raw_pair(t)
    local began = t.weft.now()
    assert.same({ n = 2, nil, "timeout" }, table.pack(ws:close(1000, "", 0.03)))
    assert.is_true(t.weft.now() - began >= 0.03)
    assert.equal("closed", ws.state)
    assert.equal(1006, ws.close_code)
    assert.equal(1000, (raw:close_frame()))
    local _, ending = raw:read_until_closed()
    assert.not_equal("timeout", ending)
  end))

  it("waits close_timeout unless told", case(function(t)
    local raw, ws = raw_pair(t, { close_timeout = 0.03 })
    local began = t.weft.now()
    assert.same({ nil, "timeout" }, { ws:close() })
    assert.is_true(t.weft.now() - began < 3)
    raw:close()
  end))

  it("with timeout 0 starts the closing and does not wait", case(function(t)
    local raw, ws = raw_pair(t)
    ws:close(1000, "", 0)
    assert.equal("closing", ws.state)
    assert.equal(1000, (raw:close_frame()))
    raw:send(frame.client.close(1000))
    assert.is_true((ws:wait_closed(5)))
    assert.equal("closed", ws.state)
  end))

  it("with timeout 0 is ended by close_timeout", case(function(t)
    local _, ws = raw_pair(t, { close_timeout = 0.03 })
    ws:close(1000, "", 0)
    assert.same({ true, 1006, "" }, { ws:wait_closed(5) })
    assert.equal("timeout", ws.close_cause)
  end))

  it("makes every send and receive say closed from then on", case(function(t)
    local raw, ws = raw_pair(t)
    ws:close(1000, "", 0)
    for _, call in ipairs { "send", "try_send" } do
      local ok, word = ws[call](ws, "late")
      assert.same({ nil, "closed" }, { ok, word })
    end
    assert.same({ nil, "closed" }, { (select(1, ws:ping())), (select(2, ws:ping())) })
    raw:send(frame.client.text "late" .. frame.client.close(1000))
    assert.same({ nil, "closed", 1000, "" }, { ws:receive(5) })
  end))

  it("may be called by several tasks, which all wait for the one closing", case(function(t)
    local raw, ws = raw_pair(t)
    local closers = {}
    for i = 1, 3 do
      closers[i] = t:spawn(function() return ws:close(4000 + i) end)
    end
    assert.equal(4001, (raw:close_frame()))
    raw:send(frame.client.close(4001))
    for i = 1, 3 do
      assert.same({ true, true }, { closers[i]:join(5) })
    end
    assert.same({ "", "fin" }, { raw:read_until_closed() })
  end))

  it("of both ends at once is clean for both", case(function(t)
    local client, server = t:both()
    local a = t:spawn(function() return client:close(4001) end)
    local b = t:spawn(function() return server:close(4002) end)
    assert.same({ true, true }, { a:join(5) })
    assert.same({ true, true }, { b:join(5) })
    assert.equal(4002, client.close_code)
    assert.equal(4001, server.close_code)
  end))

  it("answers the peer's close by itself, whether or not anyone receives", case(function(t)
    local raw, ws = raw_pair(t)
    raw:send(frame.client.close(4005, "going"))
    assert.equal(4005, (raw:close_frame()))
    assert.same({ true, 4005, "going" }, { ws:wait_closed(5) })
    assert.equal("peer", ws.close_cause)
    assert.same({ "", "fin" }, { raw:read_until_closed() })
  end))

  it("lets a wait that is cancelled return, and the closing go on", case(function(t)
    local raw, ws = raw_pair(t)
    local result
    local closer = t:spawn(function() result = table.pack(ws:close()) end)
    assert.equal(1000, (raw:close_frame()))
    closer:cancel()
    closer:join(5)
    assert.same({ n = 2, nil, "cancelled" }, result)
    raw:send(frame.client.close(1000))
    assert.same({ true, 1000, "" }, { ws:wait_closed(5) })
  end))
end)

describe("wait_closed", function()
  it("gives \"timeout\" while the connection stands", case(function(t)
    local _, ws = raw_pair(t)
    assert.same({ n = 2, nil, "timeout" }, table.pack(ws:wait_closed(0.005)))
    assert.same({ n = 2, nil, "timeout" }, table.pack(ws:wait_closed(0)))
    assert.equal("open", ws.state)
  end))

  it("may be done by many at once, beside a receiver", case(function(t)
    local raw, ws = raw_pair(t)
    local tasks = {}
    for i = 1, 5 do
      tasks[i] = t:spawn(function() return ws:wait_closed() end)
    end
    tasks[6] = t:spawn(function() return not ws:receive() end)
    t.weft.sleep(0)
    raw:send(frame.client.close(1001, "away"))
    for i = 1, 5 do
      assert.same({ true, true, 1001, "away" }, { tasks[i]:join(5) })
    end
    assert.same({ true, true }, { tasks[6]:join(5) })
  end))

  it("does not need anyone to receive", case(function(t)
    local raw, ws = raw_pair(t)
    raw:send(frame.client.text "unread" .. frame.client.close(1000))
    assert.same({ true, 1000, "" }, { ws:wait_closed(5) })
    assert.equal("unread", ws:receive())
  end))
end)

describe("abort", function()
  it("drops the connection now, without a word to the peer", case(function(t)
    local raw, ws = raw_pair(t)
    ws:abort()
    assert.equal("closed", ws.state)
    assert.equal("local", ws.close_cause)
    assert.same({ 1006, "" }, { ws.close_code, ws.close_reason })
    local bytes, ending = raw:read_until_closed()
    assert.equal("", bytes)
    assert.not_equal("timeout", ending)
  end))

  it("wakes every task that waits on it", case(function(t)
    local server = t:listen { send_buffer = 0 }
    t:upgrade(server)
    local ws = t:accepted()
    ws:send(("x"):rep(8 * MIB))
    local results = {}
    local function waits(name, ...)
      local arguments = table.pack(...)
      t:spawn(function()
        results[name] = select(2, ws[name](ws, table.unpack(arguments)))
      end)
    end
    waits "receive"
    waits("send", "more")
    waits "flush"
    waits "ping"
    waits "wait_closed"
    waits "close"
    t.weft.sleep(0.002)
    ws:abort()
    t:wait_until(function() return results.flush and results.receive and results.send and results.ping end, "their ends")
    t.weft.sleep(0)
    assert.same({ "closed", "closed", "closed", "closed" }, { results.receive, results.send, results.flush, results.ping })
    assert.equal(1006, results.wait_closed)
  end))
end)

describe("the cause of an end", function()
  local function ended(ws)
    assert.is_true((ws:wait_closed(5)))
    assert.equal("string", type(ws.close_message))
    assert.is_true(#ws.close_message > 0)
    return ws.close_cause
  end

  it('is "peer" when the peer closed', case(function(t)
    local raw, ws = raw_pair(t)
    raw:send(frame.client.close(1000))
    assert.equal("peer", ended(ws))
  end))

  it('is "local" when we did', case(function(t)
    local client, server = t.weft.pair()
    client:close()
    assert.equal("local", ended(client))
    assert.equal("peer", ended(server))
  end))

  it('is "handler" when the handler returned', case(function(t)
    local seen
    local server = t:listen { websocket = function(ws) seen = ws end }
    local client = t:connect(server)
    assert.same({ true, 1000, "" }, { client:wait_closed(5) })
    assert.equal("handler", ended(seen))
    assert.equal(1000, seen.sent_code)
  end))

  it('is "error" when it raised', case(function(t)
    local seen
    local server = t:listen { websocket = function(ws)
      seen = ws
      error "broken"
    end }
    t:connect(server):wait_closed(5)
    assert.equal("error", ended(seen))
    t:reports()
  end))

  it('is "protocol" when the peer broke a rule, and the message names its section', case(function(t)
    local raw, ws = raw_pair(t)
    raw:send(frame.client.build(3, "reserved"))
    assert.equal(1002, (raw:close_frame()))
    raw:close()
    assert.equal("protocol", ended(ws))
    assert.matches("5%.%d", ws.close_message)
    assert.equal(1002, ws.sent_code)
    assert.equal(1006, ws.close_code)
  end))

  it('is "too_big" when the message is', case(function(t)
    local raw, ws = raw_pair(t, { max_message = 100 })
    raw:send(frame.client.text(("x"):rep(101)))
    assert.equal(1009, (raw:close_frame()))
    raw:close()
    assert.equal("too_big", ended(ws))
  end))

  it('is "eof" when the peer hung up without a close', case(function(t)
    local raw, ws = raw_pair(t)
    raw:close()
    assert.equal("eof", ended(ws))
    assert.equal(1006, ws.close_code)
  end))

  it('is "reset" when the connection was reset', case(function(t)
    local raw, ws = raw_pair(t)
    raw:reset()
    assert.equal("reset", ended(ws))
  end))

  it('is "cancelled" when the instance was closed', case(function(t)
    local other = t.weft.new()
    local client, server = other.pair()
    client.other = server -- which nothing else holds
    other.close()
    assert.equal("closed", client.state)
    assert.is_truthy(client.close_cause == "cancelled" or client.close_cause == "shutdown", client.close_cause)
  end))
end)

describe("when a handler returns", function()
  it("its output is flushed and 1000 is sent", case(function(t)
    local big = ("x"):rep(4 * MIB)
    local server = t:listen { websocket = function(ws)
      ws:send(big)
      ws:send "and the end"
    end }
    local raw = t:upgrade(server)
    assert.is_true(raw:message() == big)
    assert.equal("and the end", (raw:message()))
    assert.same({ 1000, "" }, { raw:close_frame() })
    raw:send(frame.client.close(1000))
    assert.same({ "", "fin" }, { raw:read_until_closed() })
  end))

  it("after its own close nothing more is sent", case(function(t)
    local server = t:listen { websocket = function(ws)
      ws:close(4001, "mine", 0)
    end }
    local raw = t:upgrade(server)
    assert.same({ 4001, "mine" }, { raw:close_frame() })
    raw:send(frame.client.close(4001))
    assert.same({ "", "fin" }, { raw:read_until_closed() })
  end))

  it("messages that no one read do not matter", case(function(t)
    local server = t:listen { websocket = function(ws) ws:receive() end }
    local client = t:connect(server)
    for i = 1, 10 do
      client:try_send(tostring(i))
    end
    assert.same({ true, 1000, "" }, { client:wait_closed(5) })
  end))

  it("tasks that it left behind see the connection close", case(function(t)
    local result
    local server = t:listen { websocket = function(ws)
      t:spawn(function() result = table.pack(ws:receive()) end)
      t.weft.sleep(0.002)
    end }
    local client = t:connect(server)
    client:wait_closed(5)
    t:wait_until(function() return result end, "the end of the wait")
    assert.same({ n = 4, nil, "closed", 1000, "" }, result)
  end))
end)

describe("a connection that nothing refers to", function()
  --- Collects until nothing changes any more.
  local function collect()
    for _ = 1, 4 do
      collectgarbage()
    end
  end

  it("is dropped", case(function(t)
    local server = t:listen()
    t.weft.connect(t:url(server))
    local ws = t:accepted()
    collect()
    assert.is_true((ws:wait_closed(5)))
    assert.equal(1006, ws.close_code)
  end))

  it("is dropped for the cause \"collected\", which its peer in a pair can outlive", case(function(t)
    -- in a function of its own, whose registers are free afterwards
    local server = (function()
      local client, theirs = t.weft.pair()
      client.nickname = "ana"
      return theirs
    end)()
    collect()
    assert.same({ true, 1006, "" }, { server:wait_closed(5) })
  end))

  it("is kept while a task waits on it", case(function(t)
    local server = t:listen()
    local tasks = {}
    local got = {}
    for i, wait in ipairs {
      function(ws) return ws:receive() end,
      function(ws) return ws:wait_closed() end,
      function(ws)
        local next_message, state = ws:messages()
        return (next_message(state))
      end,
    } do
      tasks[i] = t:spawn(function()
        got[i] = wait(assert(t.weft.connect(t:url(server))))
      end)
    end
    local ends = { t:accepted(), t:accepted(), t:accepted() }
    t.weft.sleep(0.002)
    collect()
    t.weft.sleep(0.002)
    collect()
    for _, ws in ipairs(ends) do
      assert.equal("open", ws.state)
      ws:send "still there?"
      ws:close(1000, "", 0)
    end
    for _, task in ipairs(tasks) do
      assert.is_true((task:join(5)))
    end
    local texts = 0
    for _, value in pairs(got) do
      texts = texts + (value == "still there?" and 1 or 0)
    end
    assert.equal(2, texts)
  end))

  it("is kept while a task waits for its pong", case(function(t)
    local pings, answered = t.weft.queue(), t.weft.queue()
    local port = t:serve_upgraded(function(raw)
      assert(raw:frame()) -- the ping is there
      pings:put(raw)
      answered:take(5)
    end)
    local pinger = t:spawn(function()
      local ws = assert(t.weft.connect(t:url(port)))
      local seconds = ws:ping "keep me"
      ws:abort()
      return seconds
    end)
    local raw = pings:take(5)
    t.weft.sleep(0.002)
    collect()
    t.weft.sleep(0.002)
    collect()
    raw:send(frame.server.pong "keep me")
    local ok, seconds = pinger:join(5)
    answered:put(true)
    assert.is_true(ok and seconds > 0)
  end))

  it("is kept while it has events", case(function(t)
    local server = t:listen()
    local got
    t.weft.connect(t:url(server), { events = { message = function(_, message) got = message end } })
    local ws = t:accepted()
    collect()
    t.weft.sleep(0.002)
    collect()
    ws:send "to the events"
    t:wait_until(function() return got end, "the event")
    assert.equal("to the events", got)
    assert.is_true((ws:close()))
  end))

  it("is kept while it is in a room", case(function(t)
    local room = t.weft.room()
    local server = t:listen()
    ;(function()
      room:join((assert(t.weft.connect(t:url(server)))))
    end)()
    local ws = t:accepted()
    collect()
    t.weft.sleep(0.002)
    collect()
    assert.equal(1, room:count())
    room:send "to the room"
    assert.equal("to the room", ws:receive(5))
    assert.is_true((ws:close()))
    t:wait_until(function() return room:count() == 0 end, "the empty room")
  end))

  it("is kept while it is closing", case(function(t)
    local raw = t:upgrade((t:listen { websocket = function(ws)
      ws:close(4000, "", 0)
    end }))
    assert.equal(4000, (raw:close_frame()))
    collect()
    assert.is_true(raw:is_silent(0.005))
    raw:send(frame.client.close(4000))
    assert.same({ "", "fin" }, { raw:read_until_closed() })
  end))

  it("is kept while its handler runs, whatever that waits for", case(function(t)
    local go = t.weft.queue()
    local server = t:listen { websocket = function(ws)
      go:take()
      ws:send "kept"
    end }
    local raw = t:upgrade(server)
    collect()
    t.weft.sleep(0.002)
    collect()
    go:put(true)
    assert.equal("kept", (raw:message()))
  end))

  it("keeps its user's fields no longer than itself", case(function(t)
    local weak = setmetatable({}, { __mode = "k" })
    ;(function()
      local client = t.weft.pair()
      local field = {}
      client.data, field.owner = field, client
      weak[field] = true
    end)()
    collect()
    t.weft.sleep(0)
    collect()
    assert.is_nil(next(weak))
  end))
end)
