local case = require "support.case"
local frame = require "support.frame"

local MIB = 1024 * 1024

--- A room with n members: pairs { client, server }, the server's ends inside.
local function filled(t, n, options)
  local room, pairs_of = t.weft.room(options), {}
  for i = 1, n do
    local client, server = t.weft.pair()
    assert.is_true(room:join(server))
    pairs_of[i] = { client = client, server = server }
  end
  return room, pairs_of
end

local function close_all(pairs_of)
  for _, pair in ipairs(pairs_of) do
    pair.client:abort()
  end
end

describe("a room", function()
  it("sends a message to all its members", case(function(t)
    local room, members = filled(t, 5)
    assert.same({ n = 2, 5, 0 }, table.pack(room:send "hello"))
    assert.same({ n = 2, 5, 0 }, table.pack(room:send("\xFF\0", "binary")))
    for _, member in ipairs(members) do
      assert.same({ "hello", "text" }, { member.client:receive(5) })
      assert.same({ "\xFF\0", "binary" }, { member.client:receive(5) })
    end
    close_all(members)
  end))

  it("leaves one out when asked", case(function(t)
    local room, members = filled(t, 3)
    assert.same({ 2, 0 }, { room:send("not for two", "text", members[2].server) })
    assert.equal("not for two", members[1].client:receive(5))
    assert.equal("not for two", members[3].client:receive(5))
    assert.same({ nil, "timeout" }, { members[2].client:receive(0.005) })
    assert.same({ 3, 0 }, { room:send("for all", nil, members[2].client) })
    close_all(members)
  end))

  it("may be empty", case(function(t)
    local room = t.weft.room()
    assert.equal(0, room:count())
    assert.same({ n = 2, 0, 0 }, table.pack(room:send "to nobody"))
  end))

  it("counts and lists its members", case(function(t)
    local room, members = filled(t, 3)
    assert.equal(3, room:count())
    local listed = room:members()
    assert.equal("table", type(listed))
    assert.equal(3, #listed)
    local known = {}
    for _, member in ipairs(members) do
      known[member.server] = true
    end
    for _, ws in ipairs(listed) do
      assert.is_true(known[ws])
      known[ws] = nil
    end
    room:leave(members[1].server)
    assert.equal(3, #listed, "the list is a snapshot")
    assert.equal(2, #room:members())
    close_all(members)
  end))

  it("has a member once, however often it joins", case(function(t)
    local room, members = filled(t, 1)
    assert.is_true(room:join(members[1].server))
    assert.equal(1, room:count())
    assert.same({ 1, 0 }, { room:send "once" })
    assert.equal("once", members[1].client:receive(5))
    assert.same({ nil, "timeout" }, { members[1].client:receive(0.005) })
    room:leave(members[1].server)
    assert.equal(0, room:count())
    close_all(members)
  end))

  it("forgets who leaves, and does not mind who was no member", case(function(t)
    local room, members = filled(t, 2)
    room:leave(members[1].server)
    room:leave(members[1].server)
    room:leave(members[1].client)
    assert.same({ 1, 0 }, { room:send "hello" })
    assert.equal("hello", members[2].client:receive(5))
    assert.same({ nil, "timeout" }, { members[1].client:receive(0.005) })
    assert.equal("open", members[1].server.state)
    close_all(members)
  end))

  it("may have members that others have, too", case(function(t)
    local a, members = filled(t, 2)
    local b = t.weft.room()
    b:join(members[1].server)
    a:send "from a"
    b:send "from b"
    assert.equal("from a", members[1].client:receive(5))
    assert.equal("from b", members[1].client:receive(5))
    assert.equal("from a", members[2].client:receive(5))
    members[1].client:close()
    t:wait_until(function() return b:count() == 0 end, "the empty room")
    assert.equal(1, a:count())
    close_all(members)
  end))

  it("may have clients as members", case(function(t)
    local room = t.weft.room()
    local client, server = t:both()
    room:join(client)
    assert.same({ 1, 0 }, { room:send(("x"):rep(70000)) })
    assert.equal(70000, #server:receive(5))
    client:abort()
  end))

  it("is left by a connection that closes, however it does", case(function(t)
    for _, finish in ipairs {
      function(pair) pair.client:close() end,
      function(pair) pair.server:close() end,
      function(pair) pair.client:abort() end,
      function(pair) pair.server:abort() end,
    } do
      local room, members = filled(t, 2)
      finish(members[1])
      t:wait_until(function() return room:count() == 1 end, "the leave")
      assert.same({ 1, 0 }, { room:send "to who is left" })
      assert.equal("to who is left", members[2].client:receive(5))
      assert.equal(members[2].server, room:members()[1])
      close_all(members)
    end
  end))

  it("cannot be joined by a closed connection", case(function(t)
    local room = t.weft.room()
    local client, server = t.weft.pair()
    client:close(4001, "bye")
    server:wait_closed(5)
    assert.same({ n = 4, nil, "closed", 4001, "bye" }, table.pack(room:join(server)))
    assert.equal(0, room:count())
    room:leave(server)
  end))

  it("cannot be joined by a connection that is closing", case(function(t)
    local room = t.weft.room()
    local raw = t:upgrade((t:listen()))
    local ws = t:accepted()
    ws:close(1000, "", 0)
    local joined, word = room:join(ws)
    assert.same({ nil, "closed" }, { joined, word })
    assert.same({ 0, 0 }, { room:send "nobody" })
    raw:close()
  end))

  it("keeps the order between its messages and the connection's own", case(function(t)
    local room, members = filled(t, 1)
    local ws = members[1].server
    for i = 1, 20 do
      if i % 2 == 0 then
        room:send(tostring(i))
      else
        ws:try_send(tostring(i))
      end
    end
    for i = 1, 20 do
      assert.equal(tostring(i), members[1].client:receive(5))
    end
    close_all(members)
  end))

  it("never mixes its messages into one that is written in pieces", case(function(t)
    local room, members = filled(t, 2)
    local writer = members[1].server:writer()
    writer:write "one "
    local queued, dropped = room:send "from the room"
    assert.equal(2, queued + dropped)
    assert.equal("from the room", members[2].client:receive(5))
    if members[1].server.state == "open" then
      writer:write "piece"
      writer:close()
      assert.equal("one piece", members[1].client:receive(5))
    end
    close_all(members)
  end))

  it("sends large messages whole to everyone, slow ones too", case(function(t)
    local room = t.weft.room()
    local server = t:listen { websocket = function(ws)
      room:join(ws)
      ws:wait_closed()
    end }
    local raws = {}
    for i = 1, 4 do
      raws[i] = t:upgrade(server)
    end
    t:wait_until(function() return room:count() == 4 end, "four members")
    local message = ("0123456789abcdef"):rep(MIB / 16)
    assert.same({ 4, 0 }, { room:send(message, "binary") })
    for _, raw in ipairs(raws) do
      local got, kind = raw:message()
      assert.is_true(got == message)
      assert.equal("binary", kind)
    end
  end))
end)

describe("a room with a member that does not read", function()
  --- A room with one quick weft client and one raw one that is full up.
  local function clogged(t, options)
    local room = t.weft.room(options)
    local server = t:listen { send_buffer = 1000, websocket = function(ws)
      if ws.request.path == "/slow" then
        ws:send(("x"):rep(16 * MIB))
      end
      room:join(ws)
      ws:wait_closed()
    end }
    local raw = t:upgrade(server, { path = "/slow" })
    local quick = t:connect(server, { max_message = MIB })
    t:wait_until(function() return room:count() == 2 end, "two members")
    local slow
    for _, ws in ipairs(room:members()) do
      slow = ws.request.path == "/slow" and ws or slow
    end
    assert.is_true(slow.buffered > 1000)
    return room, slow, quick, raw
  end

  it("closes it with 1013 and holds nobody up", case(function(t)
    local room, slow, quick, raw = clogged(t)
    assert.same({ n = 2, 1, 1 }, table.pack(room:send "news"))
    assert.is_true(slow.buffered > 1000)
    assert.equal("news", quick:receive(5))
    assert.equal(1, (room:send "more"))
    assert.equal("more", quick:receive(5))
    assert.equal(16 * MIB, #raw:message())
    assert.equal(1013, (raw:close_frame()))
    raw:send(frame.client.close(1013))
    assert.is_true((slow:wait_closed(5)))
    assert.equal(1013, slow.sent_code)
    assert.equal("slow", slow.close_cause)
    assert.equal(1, room:count())
    assert.same({ 1, 0 }, { room:send "the rest" })
    quick:abort()
  end))

  it('with on_full = "drop" leaves it out this time', case(function(t)
    local room, slow, quick, raw = clogged(t, { on_full = "drop" })
    for i = 1, 3 do
      assert.same({ n = 2, 1, 1 }, table.pack(room:send("news " .. i)))
      assert.equal("news " .. i, quick:receive(5))
    end
    assert.equal(2, room:count())
    assert.equal("open", slow.state)
    assert.equal(16 * MIB, #raw:message())
    t:wait_until(function() return slow.buffered == 0 end, "the end of the backlog")
    assert.same({ 2, 0 }, { room:send "together again" })
    assert.equal("together again", (raw:message()))
    assert.equal("together again", quick:receive(5))
    quick:abort()
  end))
end)

describe("a room whose members change", function()
  it("takes who joins and lets go who leaves while messages are sent", case(function(t)
    local room = t.weft.room()
    local server = t:listen { websocket = function(ws)
      room:join(ws)
      for message in ws:messages() do
        room:send(message, "text", ws)
        if message == "leave" then
          room:leave(ws)
        end
      end
    end }
    local clients = {}
    for i = 1, 10 do
      clients[i] = t:connect(server)
      t:wait_until(function() return room:count() == i end)
      clients[i]:send("I am " .. i)
      for j = 1, i - 1 do
        assert.equal("I am " .. i, clients[j]:receive(5))
      end
    end
    clients[10]:send "leave"
    for i = 1, 9 do
      assert.equal("leave", clients[i]:receive(5))
    end
    assert.equal(9, room:count())
    for i = 1, 9 do
      clients[i]:abort()
    end
    t:wait_until(function() return room:count() == 0 end, "the empty room")
    clients[10]:abort()
  end))

  it("stands members that die in every way during sends", case(function(t)
    local room = t.weft.room()
    local server = t:listen { websocket = function(ws)
      room:join(ws)
      ws:wait_closed()
    end }
    local steady = t:connect(server)
    local expected = 0
    local reader = t:spawn(function()
      local got = 0
      for message in steady:messages() do
        got = got + 1
        assert.equal(tostring(got), message)
      end
      return got
    end)
    t:wait_until(function() return room:count() == 1 end)
    for round = 1, 20 do
      local raw = t:upgrade(server)
      t:wait_until(function() return room:count() >= 2 end, "the new member")
      if round % 4 == 0 then
        raw:reset()
      elseif round % 4 == 1 then
        raw:close()
      elseif round % 4 == 2 then
        raw:send(frame.client.close(1000))
      else
        raw:send(frame.client.build(3, "a fault"))
        raw:shutdown()
      end
      for _ = 1, 5 do
        expected = expected + 1
        room:send(tostring(expected))
        t.weft.sleep(0)
      end
      t:wait_until(function() return room:count() == 1 end, "the end of the member")
    end
    steady:close(1000, "", 0)
    assert.same({ true, expected }, { reader:join(5) })
  end))

  it("lets a member close, abort and leave in the middle of its list", case(function(t)
    local room, members = filled(t, 6)
    for i, ws in ipairs(room:members()) do
      if i % 3 == 0 then
        ws:abort()
      elseif i % 3 == 1 then
        ws:close(1000, "", 0)
      else
        room:leave(ws)
      end
      room:send("after " .. i)
    end
    t:wait_until(function() return room:count() == 0 end, "the empty room")
    close_all(members)
  end))

  it("may be forgotten with members in it", case(function(t)
    local client, server = t.weft.pair();
    (function()
      local room = t.weft.room()
      room:join(server)
      room:send "from a room that is gone"
    end)()
    collectgarbage()
    collectgarbage()
    assert.equal("from a room that is gone", client:receive(5))
    client:send "still here"
    assert.equal("still here", server:receive(5))
    assert.is_true(client:close())
  end))

  it("holds a thousand", case(function(t)
    local room, members = filled(t, 1000)
    assert.same({ 1000, 0 }, { room:send "all" })
    for _, member in ipairs(members) do
      assert.equal("all", member.client:receive(5))
    end
    for i = 1, 1000, 2 do
      members[i].server:abort()
    end
    assert.equal(500, room:count())
    assert.same({ 500, 0 }, { room:send "half" })
    close_all(members)
  end))
end)
