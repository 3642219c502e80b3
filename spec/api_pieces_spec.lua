local case = require "support.case"
local frame = require "support.frame"
local raises = require "support.raises"

local MIB = 1024 * 1024

--- The chunks of the next message, joined, how many, and the longest.
local function gather(ws)
  local parts, longest = {}, 0
  for chunk in ws:chunks() do
    assert.equal("string", type(chunk))
    parts[#parts + 1] = chunk
    longest = math.max(longest, #chunk)
  end
  return table.concat(parts), #parts, longest
end

--- The first chunk of the next message, the rest of which is left.
local function first_chunk(ws)
  local next_chunk, state, control = ws:chunks()
  return (next_chunk(state, control))
end

describe("chunks", function()
  it("receive one message piece by piece, and no more than that one", case(function(t)
    local client, server = t.weft.pair()
    server:send "the first"
    server:send("the second", "binary")
    server:send "the third"
    assert.equal("the first", (gather(client)))
    assert.equal("the second", (gather(client)))
    assert.equal("the third", client:receive(5))
    client:abort()
  end))

  it("give a large message before it is whole", case(function(t)
    local raw = t:upgrade((t:listen { max_message = 100 * MIB }))
    local ws = t:accepted()
    local bytes = frame.client.binary(("0123456789abcdef"):rep(MIB / 16))
    raw:send(bytes:sub(1, 1000))
    local next_chunk, state, control = ws:chunks()
    local first = next_chunk(state, control)
    assert.is_true(#first > 0 and #first <= 992)
    assert.equal(("0123456789abcdef"):rep(62):sub(1, #first), first)
    local sender = t:spawn(function() return raw:send(bytes:sub(1001)) end)
    local length = #first
    while true do
      local chunk = next_chunk(state, control)
      if not chunk then
        break
      end
      length = length + #chunk
    end
    assert.equal(MIB, length)
    assert.same({ true, true }, { sender:join(5) })
    raw:send(frame.client.text "next")
    assert.equal("next", ws:receive(5))
  end))

  it("hold 64 KiB at most, however large the message", case(function(t)
    local client, server = t:both({ max_message = 64 * MIB })
    local message = ("x"):rep(16 * MIB)
    local sender = t:spawn(function()
      assert.is_true(server:send(message, "binary"))
      return server:flush()
    end)
    local length = 0
    local longest = 0
    for chunk in client:chunks() do
      length = length + #chunk
      longest = math.max(longest, #chunk)
    end
    assert.equal(#message, length)
    assert.is_true(longest <= 65536, longest)
    assert.same({ true, true }, { sender:join(5) })
    client:abort()
  end))

  it("go over the borders of frames and around control frames", case(function(t)
    local raw = t:upgrade((t:listen()))
    local ws = t:accepted()
    local reader = t:spawn(function() return (gather(ws)) end)
    raw:send(frame.client.text("Hel", { fin = false }))
    raw:send(frame.client.ping "?")
    raw:send(frame.client.continuation("", { fin = false }) .. frame.client.continuation("lo", { fin = false }))
    raw:send(frame.client.continuation " there")
    assert.equal(frame.PONG, raw:frame().opcode)
    assert.same({ true, "Hello there" }, { reader:join(5) })
  end))

  it("of an empty message are none, or empty", case(function(t)
    local client, server = t.weft.pair()
    server:send ""
    server:send "after"
    assert.equal("", (gather(client)))
    assert.equal("after", client:receive(5))
    client:abort()
  end))

  it("left early skip the rest", case(function(t)
    local raw = t:upgrade((t:listen()))
    local ws = t:accepted()
    local frames = frame.client.fragments(frame.TEXT, ("piece "):rep(100), 60)
    raw:send(table.concat(frames, "", 1, 3))
    assert.equal("piece ", first_chunk(ws):sub(1, 6))
    raw:send(table.concat(frames, "", 4))
    raw:send(frame.client.text "the next message")
    assert.equal("the next message", ws:receive(5))
  end))

  it("left early with the message whole skip it, too", case(function(t)
    local client, server = t:both({}, { max_message = MIB })
    local message = ("x"):rep(500000)
    t:spawn(function()
      assert(client:send(message))
      assert(client:send "next")
    end)
    assert.is_string(first_chunk(server))
    assert.equal("next", (gather(server)))
    client:abort()
  end))

  it("are bounded by max_message", case(function(t)
    local client, server = t:both({}, { max_message = 1000 })
    client:send(("x"):rep(1001))
    for _ in server:chunks() do
      error "the head announced too much: no chunk may come"
    end
    assert.same({ true, 1009 }, { (client:wait_closed(5)), client.close_code })
    assert.equal("too_big", server.close_cause)
  end))

  it("end when the connection fails, which shows in close_cause", case(function(t)
    local raw = t:upgrade((t:listen()))
    local ws = t:accepted()
    raw:send(frame.client.text("half a mess", { fin = false }))
    local parts = {}
    for chunk in ws:chunks() do
      parts[#parts + 1] = chunk
      raw:close()
    end
    assert.equal("half a mess", table.concat(parts))
    assert.equal("eof", ws.close_cause)
  end))

  it("end at text that is not UTF-8", case(function(t)
    local raw = t:upgrade((t:listen()))
    local ws = t:accepted()
    raw:send(frame.client.text("good", { fin = false }) .. frame.client.continuation "\xFF")
    local parts = {}
    for chunk in ws:chunks() do
      parts[#parts + 1] = chunk
    end
    assert.equal("good", table.concat(parts))
    assert.equal(1007, (raw:close_frame()))
    assert.equal("protocol", ws.close_cause)
  end))

  it("end when the peer closes instead of sending", case(function(t)
    local client, server = t.weft.pair()
    local reader = t:spawn(function() return (gather(client)) end)
    t.weft.sleep(0)
    server:close(1000, "", 0)
    assert.same({ true, "" }, { reader:join(5) })
    assert.equal("peer", client.close_cause)
  end))

  it("wait for one task at a time, like receive", case(function(t)
    local client, server = t.weft.pair()
    local reader = t:spawn(function() return (gather(client)) end)
    t.weft.sleep(0)
    raises(function() client:receive() end, "receive")
    server:send "whole"
    assert.same({ true, "whole" }, { reader:join(5) })
    client:abort()
  end))
end)

describe("a writer", function()
  it("sends one message piece by piece", case(function(t)
    local client, server = t.weft.pair()
    local writer = client:writer()
    assert.is_true(writer:write "Hel")
    assert.is_true(writer:write "lo ")
    assert.is_true(writer:write "")
    assert.is_true(writer:write "there")
    assert.same({ nil, "timeout" }, { server:receive(0.002) })
    assert.is_true(writer:close())
    assert.same({ "Hello there", "text" }, { server:receive(5) })
    client:abort()
  end))

  it("sends binary when asked, and empty messages", case(function(t)
    local client, server = t.weft.pair()
    local writer = client:writer "binary"
    assert.is_true(writer:write "\xFF\0")
    assert.is_true(writer:close())
    assert.same({ "\xFF\0", "binary" }, { server:receive(5) })
    assert.is_true(client:writer():close())
    assert.same({ "", "text" }, { server:receive(5) })
    client:abort()
  end))

  it("sends each piece when it is written, not at the end", case(function(t)
    local client, server = t:both()
    local next_chunk, state, control = server:chunks()
    local writer = client:writer()
    for i = 1, 3 do
      assert.is_true(writer:write("piece " .. i))
      assert.equal("piece " .. i, next_chunk(state, control))
    end
    assert.is_true(writer:close())
    local last = next_chunk(state, control)
    assert.is_truthy(last == nil or last == "")
    client:abort()
  end))

  it("may cut a character, but not leave one unfinished", case(function(t)
    local client, server = t.weft.pair()
    local writer = client:writer()
    assert.is_true(writer:write "caf\xC3")
    assert.is_true(writer:write "\xA9")
    assert.is_true(writer:close())
    assert.equal("café", server:receive(5))
    writer = client:writer()
    assert.is_true(writer:write "caf\xC3")
    assert.has_error(function() writer:close() end)
    assert.is_true(writer:write "\xA9")
    assert.is_true(writer:close())
    assert.equal("café", server:receive(5))
    client:abort()
  end))

  it("raises for bytes that are not UTF-8 and goes on", case(function(t)
    local client, server = t.weft.pair()
    local writer = client:writer()
    assert.is_true(writer:write "good ")
    raises(function() writer:write "a\xFF" end, "write", "2", "binary")
    raises(function() writer:write {} end, "write", "string")
    assert.is_true(writer:write "still")
    assert.is_true(writer:close())
    assert.equal("good still", server:receive(5))
    client:abort()
  end))

  it("makes other sends wait, in the order they came", case(function(t)
    local client, server = t.weft.pair()
    local writer = client:writer()
    writer:write "first, "
    local order = {}
    for i = 1, 2 do
      t:spawn(function()
        assert.is_true(client:send("send " .. i))
        order[#order + 1] = i
      end)
    end
    t.weft.sleep(0.002)
    assert.same({}, order)
    local ok, word = client:try_send "now"
    assert.same({ nil, "full" }, { ok, word })
    assert.same({ nil, "timeout" }, { client:send("soon", "text", 0.002) })
    writer:write "and last"
    assert.is_true(writer:close())
    assert.equal("first, and last", server:receive(5))
    assert.equal("send 1", server:receive(5))
    assert.equal("send 2", server:receive(5))
    client:abort()
  end))

  it("makes other writers wait", case(function(t)
    local client, server = t.weft.pair()
    local first = client:writer()
    first:write "one"
    t:spawn(function()
      local second = client:writer()
      second:write "two"
      assert.is_true(second:close())
    end)
    t.weft.sleep(0.002)
    assert.is_true(first:close())
    assert.equal("one", server:receive(5))
    assert.equal("two", server:receive(5))
    client:abort()
  end))

  it("lets pings and pongs pass between its pieces", case(function(t)
    local client, server = t:both()
    local writer = client:writer()
    writer:write "before"
    assert.is_true(client:ping("", 5) >= 0)
    assert.is_true(server:ping("", 5) >= 0)
    writer:write " after"
    assert.is_true(writer:close())
    assert.equal("before after", server:receive(5))
    client:abort()
  end))

  it("waits when the peer is slow", case(function(t)
    local server = t:listen { send_buffer = 1000 }
    local raw = t:upgrade(server)
    local ws = t:accepted()
    local written = 0
    local writing = t:spawn(function()
      local writer = ws:writer "binary"
      for _ = 1, 160 do
        assert.is_true(writer:write(("x"):rep(65536)))
        written = written + 1
      end
      return writer:close()
    end)
    t.weft.sleep(0.02)
    assert.is_true(written < 160, "the backlog has no bound")
    local length = 0
    repeat
      local got = raw:frame()
      length = length + #got.payload
    until got.fin
    assert.equal(160 * 65536, length)
    assert.same({ true, true }, { writing:join(5) })
  end))

  it("says closed when the connection goes", case(function(t)
    local client, server = t.weft.pair()
    local writer = client:writer()
    writer:write "half"
    server:abort()
    client:wait_closed(5)
    assert.same({ n = 4, nil, "closed", 1006, "" }, table.pack(writer:write "more"))
    assert.same({ n = 4, nil, "closed", 1006, "" }, table.pack(writer:close()))
  end))

  it("abandoned unfinished fails the connection", case(function(t)
    local client, server = t.weft.pair();
    (function() client:writer():write "half a message" end)()
    for _ = 1, 4 do
      collectgarbage()
      t.weft.sleep(0)
    end
    local message, word = server:receive(5)
    assert.same({ nil, "closed" }, { message, word })
    assert.is_true((client:wait_closed(5)))
    assert.not_equal(1000, server.close_code)
  end))

  it("cannot be used when it is closed", case(function(t)
    local client, server = t.weft.pair()
    local writer = client:writer()
    writer:write "done"
    assert.is_true(writer:close())
    assert.has_error(function() writer:write "more" end)
    assert.equal("done", server:receive(5))
    client:send "well"
    assert.equal("well", server:receive(5))
    client:abort()
  end))

  it("left unfinished by a handler that returns fails the connection", case(function(t)
    local server = t:listen { websocket = function(ws)
      local writer = ws:writer()
      ws.writer_of_mine = writer
      writer:write "half"
    end }
    local raw = t:upgrade(server)
    local first = raw:frame()
    assert.is_false(first.fin)
    local got, why = raw:frame()
    assert.is_truthy(got == nil and why ~= "timeout" or got.opcode == frame.CLOSE)
  end))
end)
