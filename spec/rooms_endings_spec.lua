-- Who comes, goes or closes in a turn, and what of the room's messages of that turn
-- each gets.
--
-- A body is a task that keeps its turn until it waits.
local case = require "support.case"
local frame = require "support.frame"
local rooms = require "support.room"

local members, party, hears = rooms.members, rooms.party, rooms.hears
local hears_no_more, speaker = rooms.hears_no_more, rooms.speaker

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
      local raw = speaker(t, function(message) room:send(message) end)
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
