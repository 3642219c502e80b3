-- Members that differ get the same from a room: slow ones and quick ones, with TLS
-- and without, compressed or not, at either end.
local case = require "support.case"
local certificates = require "support.certificates"
local deflate = require "support.deflate"
local frame = require "support.frame"
local rooms = require "support.room"
local tls_peer = require "support.tls_peer"

local members, hears = rooms.members, rooms.hears

local MIB = 1024 * 1024

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
