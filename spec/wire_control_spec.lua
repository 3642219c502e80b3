-- Pings and pongs (RFC 6455, 5.5.2 and 5.5.3): answered in order, between
-- fragments, whether or not anyone receives.
local case = require "support.case"
local frame = require "support.frame"

local client = frame.client

local function pings(count)
  local frames, pongs = {}, {}
  for index = 1, count do
    frames[index] = client.ping("ping " .. index)
    pongs[index] = frame.server.pong("ping " .. index)
  end
  return table.concat(frames), table.concat(pongs)
end

describe("a ping", function()
  for _, size in ipairs { 1, 2, 3, 7, 1000 } do
    describe("read " .. size .. " bytes at a time", function()
      it("is answered with its payload", case(function(t)
        local raw = t:upgrade(t:server { websocket = case.echo })
        for _, payload in ipairs { "", "?", "\0\xFF\x80", ("x"):rep(125) } do
          raw:send_in_pieces(client.ping(payload), size)
          assert.equal(frame.server.pong(payload), (raw:receive(2 + #payload)))
        end
      end))

      it("between two fragments is answered before the message", case(function(t)
        local raw = t:upgrade(t:server { websocket = case.echo })
        raw:send_in_pieces(client.text("Hel", { fin = false }) .. client.ping "?" .. client.continuation "lo", size)
        assert.equal("\x8A\1?\x81\5Hello", (raw:receive(10)))
      end))

      it("among ten gets one of ten pongs, in order", case(function(t)
        local raw = t:upgrade(t:server { websocket = case.echo })
        local frames, pongs = pings(10)
        raw:send_in_pieces(frames, size)
        assert.equal(pongs, (raw:receive(#pongs)))
        assert.is_true(raw:is_silent(0.02))
      end))

      it("is answered while the handler does something else", case(function(t)
        local awake = false
        local raw = t:upgrade(t:server { websocket = function()
          t:wait_until(function()
            return awake
          end)
        end })
        local frames, pongs = pings(10)
        raw:send_in_pieces(frames, size)
        assert.equal(pongs, (raw:receive(#pongs)))
        awake = true
        assert.equal(1000, (raw:close_frame()))
      end))
    end)
  end

  it("is answered a thousand times in one write", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo })
    local frames, pongs = pings(1000)
    raw:send(frames)
    assert.is_true(raw:receive(#pongs) == pongs)
  end))

  it("behind a message that nobody has received is answered all the same", case(function(t)
    local listening = t:listen()
    local raw = t:upgrade(listening)
    raw:send(client.text "unread" .. client.ping "now")
    assert.equal("\x8A\3now", (raw:receive(5)))
    assert.equal("unread", (t:accepted():receive()))
  end))

  it("is answered in its place among the echoes of one read", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo })
    raw:send(client.text "1" .. client.ping "2" .. client.text "3" .. client.ping "4")
    local texts, pongs = {}, {}
    for _ = 1, 4 do
      local got = raw:frame()
      local list = got.opcode == frame.PONG and pongs or texts
      list[#list + 1] = got.payload
    end
    assert.same({ "1", "3" }, texts)
    assert.same({ "2", "4" }, pongs)
  end))

  it("is merged with later ones behind a full socket only, the latest wins", case(function(t)
    local listening = t:listen { ping_interval = false, write_timeout = 60 }
    local raw = t:upgrade(listening, { receive_buffer = 4096 })
    local ws = t:accepted()
    assert(ws:try_send(("x"):rep(16 * 1024 * 1024), "binary"))
    t.weft.sleep(0.05)
    assert.is_true(ws.buffered > 0)
    for index = 1, 10 do
      raw:send(client.ping("ping " .. index))
      t.weft.sleep(0)
    end
    raw:send(client.text "the mark")
    assert.equal("the mark", (ws:receive()))
    assert.equal(16 * 1024 * 1024, #raw:frame().payload)
    local got = raw:frame()
    assert.same({ frame.PONG, "ping 10" }, { got.opcode, got.payload })
    assert.is_true(raw:is_silent(0.02))
    raw:send(client.ping "free again")
    assert.equal("free again", raw:frame().payload)
  end))

  it("of ours gives the round-trip time", case(function(t)
    local raw = t:upgrade(t:server { websocket = function(ws)
      local seconds = ws:ping "a payload"
      ws:send(math.type(seconds) == "float" and seconds >= 0 and seconds < 5 and "good" or "bad")
    end })
    local got = raw:frame()
    assert.same({ frame.PING, "a payload" }, { got.opcode, got.payload })
    raw:send(client.pong "somebody else's")
    raw:send(client.pong "a payload")
    assert.equal("good", (raw:message()))
  end))

  it("of ours that nobody answers times out, and the connection is good", case(function(t)
    local raw = t:upgrade(t:server { websocket = function(ws)
      local answer = { ws:ping("lost", 0.05) }
      ws:send(tostring(answer[1]) .. " " .. tostring(answer[2]))
      case.echo(ws)
    end })
    assert.equal(frame.PING, raw:frame().opcode)
    assert.equal("nil timeout", (raw:message()))
    raw:send(client.text "still here")
    assert.equal("still here", (raw:message()))
  end))

  it("of ours without a payload can be told from another", case(function(t)
    local times = {}
    local raw = t:upgrade(t:server { websocket = function(ws)
      times[1] = ws:ping()
      times[2] = ws:ping()
      ws:send "both"
    end })
    for _ = 1, 2 do
      local got = raw:frame()
      assert.equal(frame.PING, got.opcode)
      assert.is_true(#got.payload <= 125)
      raw:send(client.pong(got.payload))
    end
    assert.equal("both", (raw:message()))
    assert.equal(2, #times)
  end))
end)

describe("a pong", function()
  it("that nobody asked for is ignored", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo })
    raw:send(client.pong "hm" .. client.pong "" .. client.text "x" .. client.pong(("y"):rep(125)))
    assert.equal("x", (raw:message()))
    assert.is_true(raw:is_silent(0.02))
  end))

  it("between fragments leaves the message whole", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo })
    raw:send(client.text("a", { fin = false }) .. client.pong "hm" .. client.continuation "b")
    assert.equal("ab", (raw:message()))
  end))
end)
