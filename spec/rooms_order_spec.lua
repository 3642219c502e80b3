-- What a room says in a turn leaves in one piece when the turn ends.  Nobody may
-- see that: each member gets what it is sent in the order in which it was sent,
-- whoever sent it, and the counts are what they would be one message at a time.
--
-- A body is a task that keeps its turn until it waits.
local case = require "support.case"
local certificates = require "support.certificates"
local deflate = require "support.deflate"
local frame = require "support.frame"
local new_weft = require("weft").new
local tls_peer = require "support.tls_peer"

local MIB = 1024 * 1024

--- n members on sockets, { ws =, raw = } each, in the room.
local function members(t, room, n, options, peer_options)
  local server, all = t:server(options), {}
  for i = 1, n do
    local raw = t:upgrade(server, peer_options)
    all[i] = { raw = raw, ws = t:accepted() }
    assert.is_true(room:join(all[i].ws))
  end
  return all
end

--- A room with that many.
local function party(t, n, options)
  local room = t.weft.room()
  return room, members(t, room, n, options)
end

--- The next messages of a raw peer are these.
local function hears(raw, ...)
  for _, expected in ipairs { ... } do
    assert.equal(expected, (raw:message()))
  end
end

--- Nothing else has come: whatever was sent before comes before this.
local function hears_no_more(member)
  assert.is_true(member.ws:try_send "no more")
  hears(member.raw, "no more")
end

--- What is said in a turn in which a peer has sent these bytes: they are there
--- when the server looks for input again, and so is the word for who speaks.
local function speaker(t, room, say)
  local raw = t:upgrade(t:server { websocket = function(ws)
    for message in ws:messages() do
      say(message, ws)
    end
  end })
  t.weft.sleep(0)
  return raw, room
end

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
    local raw = speaker(t, room, function(message, ws)
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

describe("whoever comes or goes in a turn", function()
  it("gets what was said before it left, and nothing after", case(function(t)
    local room, all = party(t, 3)
    assert.same({ 3, 0 }, { room:send "before" })
    room:leave(all[2].ws)
    assert.same({ 2, 0 }, { room:send "after" })
    hears(all[1].raw, "before", "after")
    hears(all[2].raw, "before")
    hears(all[3].raw, "before", "after")
    hears_no_more(all[2])
  end))

  it("gets what was said before it left as the last", case(function(t)
    local room, all = party(t, 1)
    room:send "before"
    room:leave(all[1].ws)
    assert.same({ 0, 0 }, { room:send "to nobody" })
    hears(all[1].raw, "before")
    hears_no_more(all[1])
  end))

  it("gets what is said after it has joined, and nothing before", case(function(t)
    local room, all = party(t, 2)
    local other = t.weft.room()
    local new = members(t, other, 1)[1]
    other:leave(new.ws)
    assert.same({ 2, 0 }, { room:send "before" })
    assert.is_true(room:join(new.ws))
    assert.same({ 3, 0 }, { room:send "after" })
    hears(new.raw, "after")
    hears(all[1].raw, "before", "after")
    hears_no_more(new)
  end))

  it("misses what was said while it was away", case(function(t)
    local room, all = party(t, 2)
    room:send "one"
    room:leave(all[1].ws)
    room:send "two"
    room:join(all[1].ws)
    room:send "three"
    room:leave(all[1].ws)
    room:join(all[1].ws)
    assert.same({ 2, 0 }, { room:send "four" })
    hears(all[1].raw, "one", "three", "four")
    hears(all[2].raw, "one", "two", "three", "four")
  end))

  it("may abort: it is counted before, and not after, and harms nobody", case(function(t)
    local room, all = party(t, 3)
    assert.same({ 3, 0 }, { room:send "before" })
    all[2].ws:abort()
    assert.same({ 2, 0 }, { room:send "after" })
    all[1].ws:abort()
    all[3].ws:abort()
    assert.same({ 0, 0 }, { room:send "to nobody" })
    assert.equal(0, room:count())
  end))

  it("may be the first, the last or in the middle when it aborts", case(function(t)
    for gone = 1, 3 do
      local room, all = party(t, 3)
      room:send "before"
      all[gone].ws:abort()
      room:send "after"
      for i = 1, 3 do
        if i ~= gone then
          hears(all[i].raw, "before", "after")
        end
      end
    end
  end))

  it("may have a socket that has broken", case(function(t)
    local room, all = party(t, 4)
    all[2].raw:reset()
    all[3].raw:close()
    for i = 1, 3 do -- the server has not looked yet
      assert.same({ 4, 0 }, { room:send("news " .. i) })
    end
    hears(all[1].raw, "news 1", "news 2", "news 3")
    hears(all[4].raw, "news 1", "news 2", "news 3")
    t:wait_until(function() return room:count() == 2 end, "the end of two members")
    assert.same({ 2, 0 }, { room:send "the rest" })
    hears(all[1].raw, "the rest")
    hears(all[4].raw, "the rest")
  end))

  it("may be all, when nobody refers to the room any more", case(function(t)
    local all;
    (function()
      local room
      room, all = party(t, 2)
      room:send "one"
      all[1].ws:try_send "own"
      room:send "two"
    end)()
    collectgarbage()
    collectgarbage()
    assert.is_true(all[1].ws:try_send "still open")
    hears(all[1].raw, "one", "own", "two", "still open")
    hears(all[2].raw, "one", "two")
    hears_no_more(all[2])
  end))
end)

describe("a message comes before the close frame", function()
  --- A handler that tells the room what it hears.
  local function answers(room)
    return function(ws)
      for message in ws:messages() do
        room:send(message .. " to you")
      end
    end
  end

  --- A server whose connections join the room and do this.
  local function serving(t, room, act, options)
    local all = { websocket = function(ws)
      room:join(ws)
      act(ws)
    end }
    for name, value in pairs(options or {}) do
      all[name] = value
    end
    return t:upgrade(t:server(all))
  end

  it("of ws:close", case(function(t)
    local room, all = party(t, 2)
    room:send "one"
    room:send "two"
    all[1].ws:close(4001, "enough", 0)
    assert.same({ 1, 0 }, { room:send "three" })
    hears(all[1].raw, "one", "two")
    assert.same({ 4001, "enough" }, { all[1].raw:close_frame() })
    hears(all[2].raw, "one", "two", "three")
  end))

  it("of a handler that returns", case(function(t)
    local room = t.weft.room()
    local raw = serving(t, room, function() room:send "farewell" end)
    hears(raw, "farewell")
    assert.equal(1000, (raw:close_frame()))
  end))

  it("of a handler that fails", case(function(t)
    local room = t.weft.room()
    local raw = serving(t, room, function()
      room:send "farewell"
      error "on purpose"
    end)
    hears(raw, "farewell")
    assert.equal(1011, (raw:close_frame()))
    assert.equal(1, #t:reports())
  end))

  it("of a server that closes", case(function(t)
    local room = t.weft.room()
    local server = t:server()
    local raw = t:upgrade(server)
    room:join(t:accepted())
    local closer = t:spawn(function()
      room:send "farewell"
      return server:close(5)
    end)
    hears(raw, "farewell")
    assert.equal(1001, (raw:close_frame()))
    raw:send(frame.client.close(1001))
    assert.is_true(closer:join(5))
  end))

  it("that answers a fault of the peer's, whoever sees it first", case(function(t)
    local room = t.weft.room()
    local raw = serving(t, room, answers(room))
    raw:send(frame.client.text "one" .. frame.client.text "two" .. frame.client.build(3, "bad"))
    hears(raw, "one to you", "two to you")
    assert.equal(1002, (raw:close_frame()))
  end))

  it("that answers a fault which was seen in an earlier turn", case(function(t)
    local room = t.weft.room()
    local raw = serving(t, room, function(ws)
      for message in ws:messages() do
        room:send(message .. " to you")
        if message == "one" then
          t.weft.sleep(0) -- the rest is read ahead
        end
      end
    end)
    raw:send(frame.client.text "one" .. frame.client.text "two" .. frame.client.build(3, "bad"))
    hears(raw, "one to you", "two to you")
    assert.equal(1002, (raw:close_frame()))
  end))

  it("that answers a close of the peer's", case(function(t)
    local room = t.weft.room()
    local raw = serving(t, room, answers(room))
    raw:send(frame.client.text "one" .. frame.client.text "two" .. frame.client.close(4002))
    hears(raw, "one to you", "two to you")
    assert.equal(4002, (raw:close_frame()))
  end))

  for name, bytes in pairs {
    close = frame.client.close(1000), fault = frame.client.build(3, "bad"),
  } do
    it("of who listens only, and whose " .. name .. " came in the same turn", case(function(t)
      local room, all = party(t, 2)
      local raw = speaker(t, room, function(message) room:send(message) end)
      raw:send(frame.client.text "one" .. frame.client.text "two")
      all[1].raw:send(bytes)
      hears(all[1].raw, "one", "two")
      assert.equal(name == "close" and 1000 or 1002, (all[1].raw:close_frame()))
      hears(all[2].raw, "one", "two")
    end))
  end

  it("of a writer that was left in the middle of its message", case(function(t)
    local room, all = party(t, 1)
    room:send "before";
    (function() all[1].ws:writer():write "half" end)()
    collectgarbage()
    collectgarbage()
    hears(all[1].raw, "before")
    local half = all[1].raw:frame()
    assert.same({ false, "half" }, { half.fin, half.payload })
    assert.equal(1011, (all[1].raw:close_frame()))
  end))
end)

describe("a pong comes after what was said before it", function()
  it("when a ping came in the same turn", case(function(t)
    local room, all = party(t, 2)
    local raw = speaker(t, room, function(message) room:send(message) end)
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

describe("a member that is slow", function()
  local HEAD = 4

  --- Sends to it until the kernel takes nothing more: how many messages that
  --- were, each of a thousand bytes.
  local function clog(t, ws, piece)
    local n, calm = 0, 0
    while calm < 5 do
      if ws.buffered == 0 then
        n, calm = n + 1, 0
        assert.is_true(ws:try_send(piece))
        ws:flush(0)
      else
        calm = calm + 1
        t.weft.sleep(0.005)
      end
    end
    return n
  end

  for _, mark in ipairs { 1000, 16384, 20000, 40000 } do
    for _, on_full in ipairs { "drop", "close" } do
      it(("has its send_buffer of %d, and not a message more: %s"):format(mark, on_full), case(function(t)
        local room = t.weft.room { on_full = on_full }
        local quick = members(t, room, 1)[1]
        local slow = members(t, room, 1, { send_buffer = mark, ping_interval = false }, { receive_buffer = 4096 })[1]
        local before = clog(t, slow.ws, ("-"):rep(1000))
        local backlog = slow.ws.buffered
        assert.is_true(backlog > 0 and backlog <= 1000 + HEAD)
        local taken, missed = 0, 0
        for i = 1, 60 do
          local fits = backlog <= mark
          local gone = on_full == "close" and missed > 0
          assert.same({ gone and 1 or fits and 2 or 1, (fits or gone) and 0 or 1 },
                      { room:send(("%04d"):format(i):rep(250)) }, "message " .. i)
          if fits then
            backlog = backlog + 1000 + HEAD
            taken = taken + 1
          else
            missed = missed + 1
          end
        end
        assert.equal(on_full == "close" and 1 or 2, room:count())
        assert.is_true(taken > 0 and missed > 0)
        slow.raw:receive(before * (HEAD + 1000))
        for i = 1, taken do
          hears(slow.raw, ("%04d"):format(i):rep(250))
        end
        if on_full == "close" then
          assert.equal(1013, (slow.raw:close_frame()))
          slow.raw:send(frame.client.close(1013))
          assert.is_true((slow.ws:wait_closed(5)))
          assert.equal("slow", slow.ws.close_cause)
        else
          t:wait_until(function() return slow.ws.buffered == 0 end, "the end of the backlog")
          assert.same({ 2, 0 }, { room:send "again" })
          hears(slow.raw, "again")
        end
        for i = 1, 60 do
          hears(quick.raw, ("%04d"):format(i):rep(250))
        end
      end))
    end
  end

  it("gets what was said over many turns, when it reads at last", case(function(t)
    local room = t.weft.room()
    local quick = members(t, room, 1)[1]
    local slow = members(t, room, 1, { send_buffer = MIB, ping_interval = false }, { receive_buffer = 4096 })[1]
    local before = clog(t, slow.ws, ("-"):rep(1000))
    for i = 1, 100 do
      assert.same({ 2, 0 }, { room:send(("%04d"):format(i):rep(1 + i % 250)) })
      if i % 7 == 0 then
        t.weft.sleep(0)
      end
    end
    slow.raw:receive(before * (HEAD + 1000))
    for i = 1, 100 do
      hears(slow.raw, ("%04d"):format(i):rep(1 + i % 250))
      hears(quick.raw, ("%04d"):format(i):rep(1 + i % 250))
    end
  end))

  it("that waits for its backlog to go is told when it has", case(function(t)
    local room = t.weft.room()
    local slow = members(t, room, 1, { send_buffer = 32 * MIB })[1]
    local much = ("x"):rep(16 * MIB)
    assert.is_true(slow.ws:try_send(much))
    for i = 1, 20 do
      room:send(tostring(i))
    end
    local flusher = t:spawn(function() return slow.ws:flush(5) end)
    assert.same({ nil, "timeout" }, { flusher:join(0.005) })
    assert.same({ 1, 0 }, { room:send "one more" })
    assert.is_true(much == slow.raw:message())
    for i = 1, 20 do
      hears(slow.raw, tostring(i))
    end
    hears(slow.raw, "one more")
    assert.same({ true, true }, { flusher:join(5) })
  end))
end)

describe("members of all sorts", function()
  --- A weft client of the server in the room: ws (the server's end), client.
  local function joined(t, room, server, client)
    local ws = t:accepted()
    assert.is_true(room:join(ws))
    return { server = server, client = client, ws = ws }
  end

  --- Says something of each size to the room, and to each member, in one turn,
  --- and has everybody tell what it got.
  local function talk(t, room, all)
    local said = { "alone" }
    assert.same({ #all, 0 }, { room:send "alone" })
    t.weft.sleep(0)
    for i = 1, 29 do
      local text = ("%d of %s,"):format(i, i % 4 == 0 and "many" or "few"):rep(i % 4 == 0 and i * 60 or 1)
      assert.same({ #all, 0 }, { room:send(text) })
      said[#said + 1] = text
      if i % 5 == 0 then
        for _, member in ipairs(all) do
          assert.is_true(member.ws:try_send("own " .. i))
        end
        said[#said + 1] = "own " .. i
      end
    end
    for index, member in ipairs(all) do
      for _, text in ipairs(said) do
        assert.equal(text, (member.client:receive(5)), "member " .. index)
      end
    end
  end

  if deflate.available then
    it("compress, or do not", case(function(t)
      local room, all = t.weft.room(), {}
      for i, compression in ipairs { false, true, false, { threshold = 1 }, { server_no_context_takeover = false } } do
        local server = t:server { compression = compression, send_buffer = MIB }
        all[i] = joined(t, room, server, t:connect(server))
      end
      talk(t, room, all)
      talk(t, room, all)
    end))

    it("get what is worth it compressed, when they have agreed on it", case(function(t)
      local room = t.weft.room()
      local packed = members(t, room, 1, { compression = true }, deflate.offering(deflate.OFFER))[1]
      local plain = members(t, room, 1)[1]
      local text = ("a text "):rep(100)
      for _ = 1, 3 do
        assert.same({ 2, 0 }, { room:send(text) })
        assert.same({ 2, 0 }, { room:send "short" })
      end
      for _ = 1, 3 do
        local got = packed.raw:frame()
        assert.equal(4, got.rsv)
        assert.equal(text, (deflate.inflate(got.payload)))
        hears(packed.raw, "short")
        hears(plain.raw, text, "short")
      end
    end))
  end

  it("have TLS, or have not", case(function(t)
    local room, all = t.weft.room(), {}
    for i, tls in ipairs { false, true, true, false } do
      local server = t:server { tls = tls and certificates.with(certificates.server) or nil, send_buffer = MIB }
      all[i] = joined(t, room, server, tls and t:connect(tls_peer.url(server), tls_peer.trusting())
                                       or t:connect(server))
    end
    talk(t, room, all)
    talk(t, room, all)
  end))

  it("are clients, or servers", case(function(t)
    local room, all = t.weft.room(), {}
    for i = 1, 4 do
      local server = t:server { send_buffer = MIB }
      local client = t:connect(server, { send_buffer = MIB })
      local ws = t:accepted()
      local member = i % 2 == 0 and { ws = ws, client = client } or { ws = client, client = ws }
      assert.is_true(room:join(member.ws))
      all[i] = member
    end
    talk(t, room, all)
    talk(t, room, all)
  end))

  it("have no socket, or have one", case(function(t)
    local room, all = t.weft.room(), {}
    for i = 1, 4 do
      if i % 2 == 0 then
        local server = t:server { send_buffer = MIB }
        all[i] = joined(t, room, server, t:connect(server))
      else
        local client, ws = t.weft.pair()
        room:join(ws)
        all[i] = { client = client, ws = ws }
      end
    end
    talk(t, room, all)
    talk(t, room, all)
    for _, member in ipairs(all) do
      member.client:abort()
    end
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
