-- How much is held where, and for how long: back-pressure both ways, flush and
-- buffered, and the clocks that end a connection.
local case = require "support.case"
local command = require "support.command"
local frame = require "support.frame"
local patience = require "support.patience"

local client = frame.client
local MEBI = 1024 * 1024

--- A server's connection and its raw client, whose kernel buffer is small.
local function slow_reader(t, options)
  local merged = { ping_interval = false }
  for name, value in pairs(options or {}) do
    merged[name] = value
  end
  local raw = t:upgrade(t:server(merged), { receive_buffer = 4096 })
  return t:accepted(), raw
end

--- Queues more than the kernel takes.
local function fill(t, ws, bytes)
  assert(ws:try_send(("x"):rep(bytes or 16 * MEBI), "binary"))
  t.weft.sleep(0.02)
  assert.is_true(ws.buffered > 0)
end

describe("the loop", function()
  it("runs on the poller that the environment names", function()
    local weft = require "weft"
    local wanted = os.getenv "WEFT_POLLER"
    if wanted and wanted ~= "" then
      assert.equal(wanted, weft.loop:backend())
    else
      assert.is_true(({ epoll = true, kqueue = true, poll = true })[weft.loop:backend()])
    end
    local instance = weft.new()
    assert.equal(weft.loop:backend(), instance.loop:backend())
    instance.close()
  end)

  it("does not start on a poller that nobody knows", case(function(t)
    local environment = { "LUA_CPATH=build/?.so;;", "WEFT_POLLER=slect" }
    local child = command.start(t.weft, { "--version" }, { environment = environment })
    local output, errors, status = child:wait()
    assert.same({ "", 1 }, { output, status })
    assert.is_truthy(errors:find("WEFT_POLLER in the environment: expected poll", 1, true), errors)
    assert.is_truthy(errors:find('got "slect"', 1, true), errors)
  end))
end)

describe("sending", function()
  it("waits above the mark and goes on when the reader reads", case(function(t)
    local ws, raw = slow_reader(t, { send_buffer = 65536 })
    local sent, total = 0, 400
    local task = t:spawn(function()
      for index = 1, total do
        assert.is_true(ws:send(("%08d"):format(index):rep(8192), "binary"))
        sent = index
      end
    end)
    local before
    repeat
      before = sent
      t.weft.sleep(0.05)
    until sent == before
    assert.is_true(sent < total)
    assert.is_true(ws.buffered > 0)
    assert.is_true(ws.buffered <= 65536 + 65536 + 14)
    for index = 1, total do
      local message = raw:message()
      assert.equal(65536, #message)
      assert.equal(("%08d"):format(index), message:sub(1, 8))
    end
    assert.is_true(task:join(1))
    assert.equal(total, sent)
  end))

  it("in several tasks is first come, first served", case(function(t)
    local ws, raw = slow_reader(t)
    fill(t, ws)
    for index = 1, 10 do
      t:spawn(function()
        ws:send(("%d"):format(index):rep(100000), "binary")
      end)
      t.weft.sleep(0)
    end
    assert.equal(16 * MEBI, #raw:message())
    for index = 1, 10 do
      assert.equal(("%d"):format(index):rep(100000), (raw:message()))
    end
  end))

  it("gives up after its timeout, and nothing of it is sent", case(function(t)
    local ws, raw = slow_reader(t)
    fill(t, ws)
    assert.same({ nil, "timeout" }, { ws:send("never", "text", 0.05) })
    assert.same({ nil, "timeout" }, { ws:send("never", "text", 0) })
    assert.equal(16 * MEBI, #raw:message())
    assert.is_true(ws:send "at last")
    assert.equal("at last", (raw:message()))
  end))

  it("without waiting is full above the mark, and below it queues", case(function(t)
    local ws, raw = slow_reader(t)
    assert.is_true(ws:try_send "first")
    fill(t, ws)
    assert.same({ nil, "full" }, { ws:try_send "second" })
    assert.equal("first", (raw:message()))
    assert.equal(16 * MEBI, #raw:message())
    t:wait_until(function()
      return ws.buffered == 0
    end, "an empty queue")
    assert.is_true(ws:try_send "third")
    assert.equal("third", (raw:message()))
  end))

  it("keeps to a mark of its own", case(function(t)
    local ws, raw = slow_reader(t, { send_buffer = 1000000 })
    fill(t, ws)
    local bulk = ws.buffered
    raw:receive(bulk + 10)
    t:wait_until(function()
      return ws.buffered <= 1000000
    end, "a lower queue")
    assert.is_true(ws:try_send "fits")
  end))

  it("goes by messages of every size, whole and in order", case(function(t)
    local near, far = t:both({ max_message = 16 * MEBI }, { max_message = 16 * MEBI })
    local sizes = { 0, 1, 125, 126, 65535, 65536, 100000, MEBI, 5 * MEBI + 3, 7 }
    for _, pair in ipairs { { near, far }, { far, near } } do
      local from, to = pair[1], pair[2]
      t:spawn(function()
        for _, size in ipairs(sizes) do
          assert.is_true(from:send(("0123456789abcde"):rep(math.floor(size / 15) + 1):sub(1, size)))
        end
      end)
      for _, size in ipairs(sizes) do
        local message = to:receive()
        assert.equal(size, #message)
        assert.is_true(message == ("0123456789abcde"):rep(math.floor(size / 15) + 1):sub(1, size))
      end
    end
  end))
end)

describe("flush", function()
  it("is true at once when nothing is queued", case(function(t)
    local ws = slow_reader(t)
    assert.is_true(ws:flush())
    ws:send "x"
    assert.is_true(ws:flush())
    assert.equal(0, ws.buffered)
  end))

  it("times out on a reader that does not read, and then is true", case(function(t)
    local ws, raw = slow_reader(t)
    fill(t, ws)
    assert.same({ nil, "timeout" }, { ws:flush(0.05) })
    t:spawn(function()
      assert.equal(16 * MEBI, #raw:message())
    end)
    assert.is_true(ws:flush(5))
    assert.equal(0, ws.buffered)
  end))
end)

describe("buffered", function()
  it("counts heads and payloads until the kernel has them", case(function(t)
    local ws = slow_reader(t)
    assert.equal(0, ws.buffered)
    assert(ws:try_send "12345")
    assert.equal(7, ws.buffered)
    assert(ws:try_send(("x"):rep(200), "binary"))
    assert.equal(7 + 204, ws.buffered)
    assert(ws:flush())
    assert.equal(0, ws.buffered)
  end))
end)

describe("a connection that nobody receives from", function()
  it("pushes back on its peer, and loses nothing", case(function(t)
    local listening = t:listen { ping_interval = false, receive_buffer = 65536 }
    local raw = t:upgrade(listening, { send_buffer = 16384 })
    local ws = t:accepted()
    local sent, total = 0, 1000
    t:spawn(function()
      for index = 1, total do
        raw:send(client.text(("%08d"):format(index):rep(2048), { mask = "\0\0\0\0" }))
        sent = index
      end
    end)
    local before
    repeat
      before = sent
      t.weft.sleep(0.1)
    until sent == before
    assert.is_true(sent < total, "the peer was never held back")
    for index = 1, total do
      local message = ws:receive()
      assert.equal(16384, #message)
      assert.equal(("%08d"):format(index), message:sub(1, 8))
    end
  end))

  it("receives a message larger than its read-ahead all the same", case(function(t)
    local near, far = t:both({}, { receive_buffer = 4096 })
    t:spawn(function()
      near:send(("y"):rep(MEBI), "binary")
    end)
    t.weft.sleep(0.05)
    assert.equal(MEBI, #far:receive())
  end))

  it("answers pings and notices the close", case(function(t)
    local raw = t:upgrade(t:server())
    local ws = t:accepted()
    raw:send(client.ping "1")
    assert.equal("\x8A\x011", (raw:receive(3)))
    raw:send(client.text "unread" .. client.close(4000, "bye"))
    assert.equal(4000, (raw:close_frame()))
    t:wait_until(function()
      return ws.state ~= "open"
    end, "the close")
    assert.same({ nil, "closed", 4000, "bye" }, { ws:send "too late" })
    assert.equal("unread", (ws:receive()))
    assert.same({ nil, "closed", 4000, "bye" }, { ws:receive() })
  end))

  it("keeps its keepalive clock still while reading is stopped", case(function(t)
    local listening = t:listen { ping_interval = 0.05, ping_timeout = 0.25, receive_buffer = 16384 }
    local raw = t:upgrade(listening, { send_buffer = 16384 })
    local ws = t:accepted()
    local total, sent = 300, 0
    t:spawn(function()
      for index = 1, total do
        assert(raw:send(client.binary(("z"):rep(16384), { mask = "\0\0\0\0" }), patience(10)))
        sent = index
      end
    end)
    t.weft.sleep(0.5)
    assert.is_true(sent < total)
    assert.equal("open", ws.state)
    for _ = 1, total do
      assert.equal(16384, #assert(ws:receive(5)))
    end
    assert.equal("open", ws.state)
  end))
end)

describe("a reader that takes nothing", function()
  it("is dropped after write_timeout, as slow", case(function(t)
    local ws = slow_reader(t, { write_timeout = 0.1 })
    assert(ws:try_send(("x"):rep(16 * MEBI), "binary"))
    local task = t:spawn(function()
      assert.same({ nil, "closed", 1006, "" }, { ws:send "behind it" })
    end)
    assert.is_true(ws:wait_closed(5))
    assert.same({ "slow", 1006 }, { ws.close_cause, ws.close_code })
    assert.is_true(task:join(1))
    assert.same({ nil, "closed", 1006, "" }, { ws:send "x" })
  end))

  -- What the kernels at both ends take between them comes in two parts: until the
  -- socket is full, and a little later.
  it("is dropped well before twice that", case(function(t)
    local timeout = patience(0.4)
    local ws = slow_reader(t, { write_timeout = timeout })
    assert(ws:try_send(("x"):rep(16 * MEBI), "binary"))
    t.weft.sleep(1.6 * timeout) -- timers come in their order
    assert.same({ "slow", "closed" }, { ws.close_cause, ws.state })
  end))

  --- It reads a piece now and then, and then the rest.
  local function is_kept(t, write_timeout, size, pause)
    local ws, raw = slow_reader(t, { write_timeout = patience(write_timeout) })
    assert(ws:try_send(("x"):rep(8 * MEBI), "binary"))
    local got, begin = 0, t.weft.now()
    while t.weft.now() - begin < patience(1) do
      got = got + #raw:receive(size)
      t.weft.sleep(patience(pause))
    end
    assert.equal("open", ws.state)
    assert.equal(8 * MEBI + 10 - got, #raw:receive(8 * MEBI + 10 - got))
    assert.equal("open", ws.state)
  end

  it("is kept as long as it takes a little", case(function(t)
    is_kept(t, 0.3, 65536, 0.01)
  end))

  -- The kernel says that a socket can be written to when a third of its buffer,
  -- which may be megabytes, is free.  A reader behind a proxy needs minutes.
  it("is kept when it takes less than the kernel tells of", case(function(t)
    is_kept(t, 0.2, 16384, 0.03)
  end))
end)

describe("idle_timeout", function()
  it("ends a connection without messages either way, as idle", case(function(t)
    local raw = t:upgrade(t:server { idle_timeout = 0.1, close_timeout = 0.1 })
    local ws = t:accepted()
    raw:send(client.ping "no message")
    assert.equal("no message", raw:frame().payload)
    local got = raw:frame()
    assert.equal(frame.CLOSE, got.opcode)
    assert.is_true(ws:wait_closed(5))
    assert.equal("idle", ws.close_cause)
  end))

  it("is put off by messages that come in, and by ones that go out", case(function(t)
    local raw = t:upgrade(t:server { idle_timeout = 0.9 })
    local ws = t:accepted()
    for _ = 1, 5 do
      t.weft.sleep(0.2)
      raw:send(client.text "in")
      assert.equal("in", (ws:receive()))
    end
    for _ = 1, 5 do
      t.weft.sleep(0.2)
      ws:send "out"
      assert.equal("out", (raw:message()))
    end
    assert.equal("open", ws.state)
  end))
end)

describe("the keepalive", function()
  it("drops a peer that answers nothing, as ping_timeout", case(function(t)
    local raw = t:upgrade(t:server { ping_interval = 0.05, ping_timeout = 0.05 })
    local ws = t:accepted()
    assert.same({ nil, "closed", 1006, "" }, { ws:receive() })
    assert.equal("ping_timeout", ws.close_cause)
    assert.equal(frame.PING, raw:frame().opcode)
    local _, ending = raw:read_until_closed()
    assert.not_equal("timeout", ending)
  end))

  it("keeps a peer that answers, and measures its latency", case(function(t)
    local raw = t:upgrade(t:server { ping_interval = 0.05, ping_timeout = 0.5 })
    local ws = t:accepted()
    assert.is_nil(ws.latency)
    for _ = 1, 5 do
      local got = raw:frame()
      assert.equal(frame.PING, got.opcode)
      raw:send(client.pong(got.payload))
    end
    assert.equal("open", ws.state)
    assert.is_true(ws.latency >= 0 and ws.latency < 5)
  end))

  it("pings every ping_interval, however long ping_timeout is", case(function(t)
    local raw = t:upgrade(t:server { ping_interval = 0.05, ping_timeout = 60 })
    for _ = 1, 4 do
      local got = raw:frame()
      assert.equal(frame.PING, got and got.opcode)
      raw:send(client.pong(got.payload))
    end
  end))

  it("takes any byte for life, half a frame too", case(function(t)
    local raw = t:upgrade(t:server { ping_interval = 0.05, ping_timeout = 0.9 })
    local ws = t:accepted()
    local message = client.text "a byte now and then"
    for at = 1, #message do
      raw:send(message:sub(at, at))
      t.weft.sleep(0.05)
    end
    assert.equal("a byte now and then", (ws:receive()))
    assert.equal("open", ws.state)
  end))

  it("between two wefts keeps both ends, though nobody receives", case(function(t)
    local quick = { ping_interval = 0.05, ping_timeout = 0.8 }
    local near, far = t:both(quick, quick)
    t.weft.sleep(1.2)
    assert.same({ "open", "open" }, { near.state, far.state })
    assert.is_number(near.latency)
    assert.is_number(far.latency)
  end))

  it("is off when ping_interval is false", case(function(t)
    local raw = t:upgrade(t:server { ping_interval = false, ping_timeout = 0.05 })
    assert.is_true(raw:is_silent(0.2))
    assert.equal("open", t:accepted().state)
  end))

  it("of a client notices a dead server", case(function(t)
    local port = t:serve_upgraded(function(raw)
      raw:read_until_closed(patience(5))
    end)
    local ws = t:connect(port, { ping_interval = 0.05, ping_timeout = 0.05 })
    assert.same({ nil, "closed", 1006, "" }, { ws:receive() })
    assert.equal("ping_timeout", ws.close_cause)
  end))
end)
