-- memory_limit: past it the largest offender is closed with 1013, before Lua runs,
-- and nobody else is.
local case = require "support.case"
local certificates = require "support.certificates"
local deflate = require "support.deflate"
local frame = require "support.frame"
local held = require "support.held"

local client = frame.client
local KIBI, MEBI = 1024, 1024 * 1024
local NO_MASK = "\0\0\0\0" -- a key like any other, and quickly laid over

--- A raw client that takes little, and its connection at the server.
local function slow(t, server, options)
  local merged = { receive_buffer = 4096 }
  for name, value in pairs(options or {}) do
    merged[name] = value
  end
  local raw = t:upgrade(server, merged)
  return raw, t:accepted()
end

--- Queues messages until there are so many bytes that the kernel has not taken.
local function fill(t, ws, bytes, size)
  local message = ("x"):rep(size or 10000)
  while ws.state == "open" and ws.buffered < bytes do
    for _ = 1, math.max(1, 20000 / #message) do
      ws:try_send(message, "binary")
    end
    t.weft.sleep(0) -- the kernel is offered it
  end
end

--- Reads up to the end, and gives the code of the close frame before it.
local function code_behind(raw)
  local bytes, ending = raw:read_until_closed()
  assert.equal("fin", ending)
  return string.unpack(">I2", (assert(bytes:match "\x88\2(..)$", "no close frame")))
end

--- The parts of a message of which the end is held back.
local function part(size)
  return client.binary(("y"):rep(size), { fin = false, mask = NO_MASK })
end

local function sink(ws)
  for _ in ws:messages() do end
end

local function outcome(ws)
  return { ws.state, ws.close_code, ws.sent_code, ws.close_cause }
end

local LOST = "memory_limit was passed, and this connection held the most"

describe("memory_limit, with readers that are slow,", function()
  for _, size in ipairs { 100, 1000, 10000, 100000 } do
    it(("closes the one with the longest queue: messages of %d bytes"):format(size), case(function(t)
      local server = t:server { memory_limit = MEBI, send_buffer = math.huge }
      local raw1, ws1 = slow(t, server)
      local raw2, ws2 = slow(t, server)
      fill(t, ws1, 400 * KIBI, size)
      fill(t, ws2, 2 * MEBI, size)
      assert.equal("open", ws1.state)
      assert.same({ nil, "closed", 1006, "" }, { ws2:send "late" })
      assert.is_true(held.bytes(t) <= 420 * KIBI + 2 * size)
      assert.equal(1013, (code_behind(raw2)))
      raw2:close()
      t:wait_until(function() return ws2.state == "closed" end, "the end")
      assert.same({ "closed", 1006, 1013, "slow" }, outcome(ws2))
      assert.equal(LOST, ws2.close_message)
      assert.equal(1, server:stats().over_memory)
      raw1:close()
      ws1:wait_closed(5)
      held.wait_until_none(t)
    end))
  end

  it("lets what is in the middle of a frame come to its end", case(function(t)
    local server = t:server { memory_limit = 20 * MEBI, send_buffer = math.huge }
    local raw, ws = slow(t, server)
    assert(ws:send(("a"):rep(16 * MEBI), "binary", 0))
    fill(t, ws, math.huge, MEBI)
    assert.is_true(held.bytes(t) > 4 * MEBI)
    assert.equal(("a"):rep(16 * MEBI), (raw:message()))
    assert.equal(1013, raw:close_frame())
  end))

  it("cuts the connection when even that is too much", case(function(t)
    local server = t:server { memory_limit = 100000, max_message = 16 * MEBI }
    local raw, ws = slow(t, server)
    assert(ws:send(("a"):rep(16 * MEBI), "binary", 0))
    t:wait_until(function() return ws.state == "closed" end, "the end")
    assert.same({ "closed", 1006, 1013, "slow" }, outcome(ws))
    assert.equal(0, held.bytes(t))
    assert.equal(1, server:stats().over_memory)
    raw:read_until_closed()
  end))

  it("counts within a turn, too", case(function(t)
    local LIMIT = 100000
    local server = t:server { memory_limit = LIMIT, send_buffer = math.huge }
    local raw, ws = slow(t, server)
    local sent = 0
    local short = ("s"):rep(120)
    fill(t, ws, 20000, 900) -- the kernel takes no more
    while ws:try_send(short) do -- never lets go of the processor
      sent = sent + #short
      assert.is_true(sent < 100 * LIMIT) -- the kernel may take some after all
    end
    assert.is_true(held.bytes(t) < 1000)
    assert.equal(1013, (code_behind(raw)))
  end))

  it("wakes who waits to send, with the words for closed", case(function(t)
    local server = t:server { memory_limit = 9 * MEBI }
    local _, ws = slow(t, server)
    local result
    local task = t:spawn(function()
      repeat
        result = { ws:send(("x"):rep(8 * MEBI), "binary") }
      until not result[1]
    end)
    t:wait_until(function() return ws.buffered > 0 end, "the first message")
    local _, ws2 = slow(t, server)
    assert(ws2:send(("x"):rep(7 * MEBI), "binary", 0))
    task:join(5)
    assert.same({ nil, "closed", 1006, "" }, result)
    assert.equal("open", ws2.state)
  end))

  it("takes the place of a close that was queued behind it all", case(function(t)
    local server = t:server { memory_limit = MEBI, send_buffer = math.huge }
    local raw, ws = slow(t, server)
    fill(t, ws, 900 * KIBI)
    ws:close(1000, "in vain", 0)
    local raw2, ws2 = slow(t, server)
    fill(t, ws2, 500 * KIBI)
    assert.equal("open", ws2.state)
    assert.equal(1013, (code_behind(raw)))
    raw2:close()
  end))

  it("gives a writer up in the middle of its message", case(function(t)
    local server = t:server { memory_limit = MEBI, send_buffer = math.huge }
    local raw, ws = slow(t, server)
    local writer, word = ws:writer "binary", nil
    for _ = 1, 1000 do
      local ok, why = writer:write(("x"):rep(50000), 5)
      if not ok then
        word = why
        break
      end
      t.weft.sleep(0)
    end
    assert.equal("closed", word)
    assert.equal(1013, (code_behind(raw)))
  end))

  it("holds over TLS", case(function(t)
    local server = t:server {
      memory_limit = MEBI, send_buffer = math.huge, tls = certificates.with(certificates.server),
    }
    local url = ("wss://localhost:%d/"):format(server:port())
    local ws = assert(t.weft.connect(url, { tls = { ca = certificates.ca }, receive_buffer = 1000 }))
    local far = t:accepted()
    local word
    for _ = 1, 1000 do
      local ok, why = far:try_send(("x"):rep(50000), "binary")
      t.weft.sleep(0)
      if not ok then
        word = why
        break
      end
    end
    assert.equal("closed", word)
    assert.is_true(held.bytes(t) < MEBI)
    repeat until not ws:receive(5)
    assert.equal(1013, ws.close_code)
  end))
end)

describe("memory_limit, with peers that hold back the rest,", function()
  it("closes the one of whose message the most has come", case(function(t)
    local server = t:server { memory_limit = MEBI, max_message = 2 * MEBI, websocket = sink }
    local few, most = {}, t:upgrade(server)
    for i = 1, 5 do
      few[i] = t:upgrade(server)
      few[i]:send(part(100 * KIBI))
    end
    most:send(part(400 * KIBI))
    t:wait_until(function() return held.bytes(t) == 900 * KIBI end, "all of it")
    assert.equal(0, server:stats().over_memory)
    few[1]:send(client.continuation(("y"):rep(150 * KIBI), { fin = false, mask = NO_MASK }))
    assert.equal(1013, most:close_frame())
    assert.equal(650 * KIBI, held.bytes(t))
    for _, raw in ipairs(few) do
      raw:send(client.continuation "." .. client.close(1000))
      assert.equal(1000, raw:close_frame())
    end
    assert.equal(1, server:stats().over_memory)
    most:close()
    held.wait_until_none(t)
  end))

  it("says so to the handler, which was not given anything", case(function(t)
    local seen
    local server = t:server { memory_limit = 100000, websocket = function(ws)
      local message, word, code, reason = ws:receive()
      seen = { message, word, code, reason, ws.close_cause, ws.close_message, ws.sent_code }
    end }
    local raw = t:upgrade(server)
    raw:send(part(200000))
    assert.equal(1013, raw:close_frame())
    t:wait_until(function() return seen end, "the handler")
    assert.same({ nil, "closed", 1006, "", "too_big", LOST, 1013 }, seen)
  end))

  it("is clean when it is less than one message", case(function(t)
    local server = t:server { memory_limit = 1000, websocket = case.echo }
    local raw = t:upgrade(server)
    raw:send(client.text "short ones pass in one piece")
    assert.equal("short ones pass in one piece", (raw:message()))
    raw:send(client.binary(("z"):rep(MEBI), { mask = NO_MASK }))
    assert.equal(1013, raw:close_frame())
    raw:close()
    held.wait_until_none(t)
  end))

  it("counts messages that nobody takes", case(function(t)
    local server = t:server { memory_limit = 100000, receive_buffer = MEBI }
    local raw = t:upgrade(server)
    local ws = t:accepted()
    raw:send(client.binary(("z"):rep(60000), { mask = NO_MASK }):rep(4))
    assert.equal(1013, raw:close_frame())
    assert.same({ nil, "closed", 1006, "" }, { ws:receive() })
    assert.equal("too_big", ws.close_cause)
  end))

  it("drops also what a connection has left behind that is closed", case(function(t)
    local server = t:server { memory_limit = 100000, receive_buffer = MEBI }
    local raw = t:upgrade(server)
    local ws = t:accepted()
    raw:send(client.binary(("z"):rep(60000), { mask = NO_MASK }) .. client.close(1000))
    assert.equal(1000, raw:close_frame())
    ws:wait_closed()
    assert.is_true(held.bytes(t) > 60000)
    local other = t:upgrade(server)
    other:send(part(50000))
    t:wait_until(function() return held.bytes(t) == 50000 end, "room")
    assert.same({ nil, "closed", 1000, "" }, { ws:receive() })
    assert.same({ "too_big", LOST }, { ws.close_cause, ws.close_message })
    assert.equal(0, server:stats().over_memory) -- it was closed before
    other:send(client.continuation "." .. client.close(1000))
    assert.equal(1000, other:close_frame())
  end))

  if deflate.available then
    it("counts what comes out of a bomb in parts", case(function(t)
      local server = t:server { memory_limit = MEBI, max_message = 64 * MEBI, compression = true, websocket = sink }
      local offer = deflate.offering()
      local bomb, innocent = t:upgrade(server, offer), t:upgrade(server)
      innocent:send(part(200000))
      local whole = deflate.bomb(2)
      bomb:send(deflate.client.binary(whole, { fin = false, mask = NO_MASK }))
      assert.equal(1013, bomb:close_frame())
      innocent:send(client.continuation "." .. client.close(1000))
      assert.equal(1000, innocent:close_frame())
    end))
  end

  it("protects a client alike", case(function(t)
    local server = t:server { memory_limit = 500000 }
    local code
    local ws = t:connect(t:serve_upgraded(function(raw)
      raw:send(frame.server.binary(("s"):rep(700000), { fin = false }))
      code = raw:close_frame()
      raw:close()
    end))
    assert.same({ nil, "closed", 1006, "" }, { ws:receive(5) })
    ws:wait_closed()
    assert.same({ "closed", 1006, 1013, "too_big" }, outcome(ws))
    assert.equal(1013, code)
    assert.equal(0, server:stats().over_memory)
  end))
end)
