-- What a room says in a turn leaves in one piece when the turn ends.  Nobody may
-- see that: each member gets what it is sent in the order in which it was sent,
-- whoever sent it, and the counts are what they would be one message at a time.
--
-- A body is a task that keeps its turn until it waits.
local case = require "support.case"
local frame = require "support.frame"
local new_weft = require("weft").new
local rooms = require "support.room"

local members, party, hears = rooms.members, rooms.party, rooms.hears
local hears_no_more, speaker = rooms.hears_no_more, rooms.speaker

local MIB = 1024 * 1024

describe("the messages of a turn come in order", function()
  it("from a room and from the connection itself", case(function(t)
    local room, all = party(t, 3)
    local ws = all[2].ws
    for i = 1, 30 do
      if i % 3 == 0 then
        assert.is_true(ws:send(tostring(i)))
      elseif i % 7 == 0 then
        assert.is_true(ws:try_send(tostring(i), "binary"))
      else
        assert.same({ 3, 0 }, { room:send(tostring(i)) })
      end
    end
    for i = 1, 30 do
      hears(all[2].raw, tostring(i))
      if i % 3 ~= 0 and i % 7 ~= 0 then
        hears(all[1].raw, tostring(i))
        hears(all[3].raw, tostring(i))
      end
    end
    hears_no_more(all[1])
    hears_no_more(all[2])
  end))

  it("when the connection's own is large", case(function(t)
    local room, all = party(t, 2)
    local large = ("large"):rep(20000)
    room:send "before"
    assert.is_true(all[1].ws:try_send(large))
    room:send "after"
    hears(all[1].raw, "before", large, "after")
    hears(all[2].raw, "before", "after")
  end))

  it("from two rooms with members in common", case(function(t)
    local a, of_a = party(t, 2)
    local b, of_b = party(t, 2)
    local both = members(t, a, 2)
    for _, member in ipairs(both) do
      b:join(member.ws)
    end
    local said = {}
    for i = 1, 40 do
      local room = (i % 2 == 0 or i % 7 == 0) and a or b
      said[i] = (room == a and "a" or "b") .. i
      assert.same({ 4, 0 }, { room:send(said[i]) })
    end
    for _, text in ipairs(said) do
      hears(both[1].raw, text)
      hears(both[2].raw, text)
      for _, member in ipairs(text:sub(1, 1) == "a" and of_a or of_b) do
        hears(member.raw, text)
      end
    end
  end))

  it("from a handler that answers, and tells all others", case(function(t)
    local room, all = party(t, 2)
    local raw = speaker(t, function(message, ws)
      room:join(ws)
      room:send(message .. " for others", "text", ws)
      ws:send(message .. " for you")
      room:send(message .. " for all")
    end)
    raw:send(frame.client.text "one" .. frame.client.text "two")
    for _, word in ipairs { "one", "two" } do
      hears(raw, word .. " for you", word .. " for all")
      hears(all[1].raw, word .. " for others", word .. " for all")
      hears(all[2].raw, word .. " for others", word .. " for all")
    end
  end))

  it("when one is left out of some", case(function(t)
    local room, all = party(t, 3)
    assert.same({ 3, 0 }, { room:send "1" })
    assert.same({ 2, 0 }, { room:send("2", "text", all[2].ws) })
    assert.same({ 3, 0 }, { room:send "3" })
    assert.same({ 2, 0 }, { room:send("4", "binary", all[1].ws) })
    assert.same({ 3, 0 }, { room:send "5" })
    hears(all[1].raw, "1", "2", "3", "5")
    hears(all[2].raw, "1", "3", "4", "5")
    hears(all[3].raw, "1", "2", "3", "4", "5")
  end))

  it("with a ping among them", case(function(t)
    local room, all = party(t, 1)
    local raw = all[1].raw
    local reader = t:spawn(function()
      hears(raw, "before")
      local got = raw:frame()
      assert.same({ frame.PING, "ping" }, { got.opcode, got.payload })
      raw:send(frame.client.pong "ping")
      hears(raw, "after")
    end)
    room:send "before"
    local pinger = t:spawn(function() return all[1].ws:ping("ping", 5) end)
    t:spawn(function() room:send "after" end) -- in the same turn as the ping
    assert.is_true(reader:join(5))
    assert.is_true(pinger:join(5))
  end))

  it("with a ping among them, all in one turn", case(function(t)
    local room, all = party(t, 1)
    local pinger = t:spawn(function()
      room:send "before"
      all[1].ws:ping("ping", 0.01)
    end)
    t:spawn(function() room:send "after" end)
    hears(all[1].raw, "before")
    assert.equal(frame.PING, all[1].raw:frame().opcode)
    hears(all[1].raw, "after")
    assert.is_true(pinger:join(5))
  end))

  it("when there are more than sixteen kilobytes of short ones", case(function(t)
    local room, all = party(t, 3)
    local n = 150
    for i = 1, n do
      assert.same({ 3, 0 }, { room:send(("%03d"):format(i):rep(100)) })
      if i == 70 then
        all[2].ws:try_send "in between"
      end
    end
    for i = 1, n do
      for _, member in ipairs(all) do
        hears(member.raw, ("%03d"):format(i):rep(100))
      end
      if i == 70 then
        hears(all[2].raw, "in between")
      end
    end
    hears_no_more(all[1])
  end))

  it("when short ones and long ones are mixed", case(function(t)
    local room, all = party(t, 2, { send_buffer = MIB })
    local sizes = { 0, 5, 125, 126, 1024, 1025, 3, 70000, 200, 65535, 65536, 1, 1020, 16384, 2, 2000, 0, 7 }
    for i, size in ipairs(sizes) do
      assert.same({ 2, 0 }, { room:send(string.char(64 + i):rep(size), i % 2 == 0 and "text" or "binary") })
    end
    for _, member in ipairs(all) do
      for i, size in ipairs(sizes) do
        local message, kind = member.raw:message()
        assert.is_true(string.char(64 + i):rep(size) == message)
        assert.equal(i % 2 == 0 and "text" or "binary", kind)
      end
      hears_no_more(member)
    end
  end))

  it("when the turn goes on after a flush", case(function(t)
    local room, all = party(t, 2)
    room:send "one"
    all[1].ws:flush(0)
    room:send "two"
    all[1].ws:flush(0)
    room:send "three"
    hears(all[1].raw, "one", "two", "three")
    hears(all[2].raw, "one", "two", "three")
  end))

  it("over many turns", case(function(t)
    local room, all = party(t, 2)
    for i = 1, 40 do
      for j = 1, i % 4 do
        room:send(i .. "." .. j)
      end
      if i % 5 == 0 then
        all[1].ws:try_send(i .. " alone")
      end
      t.weft.sleep(0)
    end
    for i = 1, 40 do
      for j = 1, i % 4 do
        hears(all[1].raw, i .. "." .. j)
        hears(all[2].raw, i .. "." .. j)
      end
      if i % 5 == 0 then
        hears(all[1].raw, i .. " alone")
      end
    end
  end))
end)

describe("a pong comes after what was said before it", function()
  it("when a ping came in the same turn", case(function(t)
    local room, all = party(t, 2)
    local raw = speaker(t, function(message) room:send(message) end)
    raw:send(frame.client.text "one")
    all[1].raw:send(frame.client.ping "?")
    hears(all[1].raw, "one")
    local pong = all[1].raw:frame()
    assert.same({ frame.PONG, "?" }, { pong.opcode, pong.payload })
    hears(all[2].raw, "one")
  end))
end)

describe("a message in pieces", function()
  it("begun in the middle of a turn stands where it was begun", case(function(t)
    local room = t.weft.room { on_full = "drop" }
    local all = members(t, room, 2)
    assert.same({ 2, 0 }, { room:send "before" })
    local writer = all[1].ws:writer()
    writer:write "one "
    assert.same({ 1, 1 }, { room:send "meanwhile" })
    writer:write "piece"
    assert.same({ 1, 1 }, { room:send "meanwhile too" })
    writer:close()
    assert.same({ 2, 0 }, { room:send "after" })
    hears(all[1].raw, "before")
    for _, expected in ipairs { { false, "one " }, { false, "piece" }, { true, "" } } do
      local got = all[1].raw:frame()
      assert.same(expected, { got.fin, got.payload })
    end
    hears(all[1].raw, "after")
    hears(all[2].raw, "before", "meanwhile", "meanwhile too", "after")
    hears_no_more(all[1])
  end))

  it("begun in an earlier turn goes on", case(function(t)
    local room = t.weft.room { on_full = "drop" }
    local all = members(t, room, 2)
    local writer = all[1].ws:writer()
    writer:write "one "
    t.weft.sleep(0)
    assert.same({ 1, 1 }, { room:send "meanwhile" })
    writer:write "piece"
    writer:close()
    assert.same({ 2, 0 }, { room:send "after" })
    for _, expected in ipairs { { false, "one " }, { false, "piece" }, { true, "" } } do
      local got = all[1].raw:frame()
      assert.same(expected, { got.fin, got.payload })
    end
    hears(all[1].raw, "after")
    hears(all[2].raw, "meanwhile", "after")
  end))

  it("costs its reader the room, unless told otherwise", case(function(t)
    local room, all = party(t, 2)
    assert.same({ 2, 0 }, { room:send "before" })
    local writer = all[1].ws:writer()
    writer:write "half"
    assert.same({ 1, 1 }, { room:send "meanwhile" })
    assert.same({ 1, 0 }, { room:send "after" })
    hears(all[1].raw, "before")
    assert.equal("half", all[1].raw:frame().payload)
    assert.equal(1013, (all[1].raw:close_frame()))
    hears(all[2].raw, "before", "meanwhile", "after")
  end))
end)

describe("ws.buffered", function()
  it("counts what the room has just said", case(function(t)
    local room, all = party(t, 2)
    room:send "hello"
    assert.equal(7, all[1].ws.buffered)
    room:send(("x"):rep(200))
    assert.equal(7 + 204, all[1].ws.buffered)
    assert.equal(7 + 204, all[2].ws.buffered)
    all[1].ws:try_send "own"
    assert.equal(7 + 204 + 5, all[1].ws.buffered)
    assert.is_true(all[1].ws:flush(5))
    assert.equal(0, all[1].ws.buffered)
    assert.equal(7 + 204, all[2].ws.buffered)
    hears(all[1].raw, "hello", ("x"):rep(200), "own")
    hears(all[2].raw, "hello", ("x"):rep(200))
    assert.equal(0, all[2].ws.buffered)
  end))
end)

describe("between turns", function()
  it("a room's messages wait for the next one, which is due at once", case.blocking(function(t)
    local room, all = party(t, 2)
    t.weft.step(0)
    assert.same({ 2, 0 }, { room:send "one" })
    assert.equal(0, t.weft.timeout())
    assert.same({ 2, 0 }, { room:send "two" })
    assert.is_true(t.weft.step(5)) -- it does not wait
    for _, member in ipairs(all) do
      local bytes = member.raw.socket:receive(10)
      assert.equal("\x81\3one\x81\3two", bytes)
    end
  end))

  it("a connection's own leaves at once, behind the room's", case.blocking(function(t)
    local room, all = party(t, 2)
    room:send "one"
    assert.is_true(all[1].ws:send "own")
    room:send "two"
    assert.is_true(all[1].ws:try_send "own too")
    hears(all[1].raw, "one", "own", "two", "own too")
    hears(all[2].raw, "one", "two")
  end))

  it("a connection may close, leave and join", case.blocking(function(t)
    local room, all = party(t, 3)
    room:send "one"
    room:leave(all[1].ws)
    all[2].ws:close(1000, "", 0)
    room:send "two"
    room:join(all[1].ws)
    room:send "three"
    hears(all[1].raw, "one", "three")
    hears(all[2].raw, "one")
    assert.equal(1000, (all[2].raw:close_frame()))
    hears(all[3].raw, "one", "two", "three")
  end))

  it("an instance may be closed with something gathered", case(function()
    local own = new_weft()
    local client, server = own.pair()
    local room = own.room()
    room:join(server)
    assert.same({ 1, 0 }, { room:send "never" })
    own.close()
    assert.equal("closed", client.state)
    assert.equal("closed", server.state)
    assert.equal(0, room:count())
  end))
end)
