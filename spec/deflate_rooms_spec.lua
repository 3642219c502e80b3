-- A room whose members have agreed on compression differently: each gets the
-- right message, compressed once for all that share parameters.
local case = require "support.case"
local deflate = require "support.deflate"
local frame = require "support.frame"

if not deflate.available then
  return pending "rooms and compression: built without zlib"
end

--- What members may have agreed on: the server's option, the offer, and the
--- window in which they inflate (nil: each message by itself).
local sorts = {
  plain = { compression = false, offer = deflate.OFFER },
  declined = { compression = true, offer = "permessage-deflate; level=9" },
  fresh = { compression = true, offer = deflate.OFFER },
  fresh_small = { compression = true, offer = "permessage-deflate; server_max_window_bits=9", fresh_bits = 9 },
  fresh_smallest = { compression = true, offer = "permessage-deflate; server_max_window_bits=8", fresh_bits = 8 },
  quick = { compression = { level = 1 }, offer = deflate.OFFER },
  reluctant = { compression = { threshold = 5000 }, offer = deflate.OFFER },
  sliding = { compression = { server_no_context_takeover = false }, offer = deflate.OFFER, bits = 12 },
  sliding_large = {
    compression = { server_no_context_takeover = false, server_max_window_bits = 15 }, offer = deflate.OFFER, bits = 15,
  },
  sliding_small = {
    compression = { server_no_context_takeover = false }, offer = "permessage-deflate; server_max_window_bits=9", bits = 9,
  },
}
local names = {}
for name in pairs(sorts) do
  names[#names + 1] = name
end
table.sort(names)

--- A member of each name: ws, raw and read() of its next message.
local function members(t, room, list)
  local all = {}
  for index, name in ipairs(list) do
    local sort = sorts[name]
    local raw = t:upgrade(t:server { compression = sort.compression }, deflate.offering(sort.offer))
    local ws = t:accepted()
    local inflate = sort.bits and deflate.inflater(sort.bits)
      or function(payload) return deflate.inflate(payload, sort.fresh_bits) end
    assert.is_true(room:join(ws))
    all[index] = {
      name = name, ws = ws, raw = raw,
      read = function()
        return deflate.read(raw, inflate)
      end,
    }
  end
  return all
end

describe("a room of members that agreed on different things", function()
  it("sends the right message to each", case(function(t)
    local room = t.weft.room()
    local all = members(t, room, names)
    for round = 1, 4 do
      for _, message in ipairs { deflate.text(3000, round), "short", deflate.text(600), deflate.noise(2000), "" } do
        assert.same({ #names, 0 }, { room:send(message, "binary") })
        for _, member in ipairs(all) do
          assert.is_true(member.read() == message, member.name)
        end
      end
    end
  end))

  it("compresses for those who agreed to it, above their thresholds", case(function(t)
    local room = t.weft.room()
    local all = members(t, room, names)
    local compressed = {
      plain = false, declined = false, fresh = true, fresh_small = true, fresh_smallest = true, quick = true,
      reluctant = false, sliding = true, sliding_large = true, sliding_small = true,
    }
    room:send(deflate.text(3000))
    for _, member in ipairs(all) do
      local _, frames = member.read()
      assert.equal(compressed[member.name] and deflate.RSV1 or 0, frames[1].rsv, member.name)
      assert.equal(1, #frames)
    end
    room:send(deflate.text(500))
    for _, member in ipairs(all) do
      local _, frames = member.read()
      assert.equal(0, frames[1].rsv, member.name)
    end
  end))

  it("sends the same bytes to all that share parameters", case(function(t)
    local room = t.weft.room()
    local all = members(t, room, { "fresh", "sliding_large", "fresh", "fresh", "sliding_large" })
    local text = deflate.text(3000)
    local payloads = {}
    for round = 1, 2 do
      room:send(text)
      for index, member in ipairs(all) do
        local _, frames = member.read()
        payloads[index] = frames[1].payload
      end
      for _, index in ipairs { 3, 4 } do
        assert.equal(payloads[1], payloads[index], "round " .. round)
      end
      assert.equal(payloads[2], payloads[5])
    end
  end))

  it("and what is sent to one of them before, between and after arrives", case(function(t)
    local room = t.weft.room()
    local all = members(t, room, names)
    for round = 1, 5 do
      for turn, member in ipairs(all) do
        local own = deflate.text(700 + turn, turn)
        assert(member.ws:send(own))
        assert(member.ws:send(own)) -- in its own window, where it has one
        if round % 2 == 0 then
          room:send(deflate.text(900, round))
          room:send("brief")
        end
        assert(member.ws:send(own, { compress = false }))
        room:send(deflate.text(900, round))
        assert(member.ws:send(own))
        room:send(own, { kind = "binary", compress = false })
        assert(member.ws:send(own .. own))
        for _, other in ipairs(all) do
          local expected = round % 2 == 0 and { deflate.text(900, round), "brief", deflate.text(900, round), own }
            or { deflate.text(900, round), own }
          if other == member then
            expected = round % 2 == 0
              and { own, own, deflate.text(900, round), "brief", own, deflate.text(900, round), own, own, own .. own }
              or { own, own, own, deflate.text(900, round), own, own, own .. own }
          end
          for _, message in ipairs(expected) do
            assert.equal(message, other.read(), other.name)
          end
        end
      end
    end
  end))

  it("has a sliding window again after a message to the room", case(function(t)
    local room = t.weft.room()
    local one = members(t, room, { "sliding" })[1]
    local text = deflate.text(1000)
    local sizes = {}
    local function sent()
      local message, frames = one.read()
      assert.equal(text, message)
      sizes[#sizes + 1] = #frames[1].payload
    end
    for _, send in ipairs { one.ws.send, one.ws.send, room.send, one.ws.send, one.ws.send } do
      send(send == room.send and room or one.ws, text)
      sent()
    end
    assert.is_true(sizes[2] < sizes[1] / 4)
    assert.is_true(sizes[5] < sizes[1] / 4)
  end))

  it("does not break into a message in pieces", case(function(t)
    local room = t.weft.room()
    local all = members(t, room, { "fresh", "sliding" })
    for _, member in ipairs(all) do
      local writer = member.ws:writer()
      assert(writer:write(deflate.text(800)))
      local other = members(t, t.weft.room(), { "fresh" })[1] -- who shares the pool meanwhile
      assert(other.ws:send(deflate.text(900, 7)))
      assert.equal(deflate.text(900, 7), other.read())
      assert(writer:write(deflate.text(800)))
      assert(writer:close())
      assert.equal(deflate.text(800):rep(2), member.read())
      room:send(deflate.text(1000, 3))
      for _, each in ipairs(all) do
        assert.equal(deflate.text(1000, 3), each.read())
      end
    end
  end))

  it("leaves out the one it is told to, whose window stays as it is", case(function(t)
    local room = t.weft.room()
    local all = members(t, room, { "sliding", "sliding", "fresh" })
    local text = deflate.text(1000)
    assert(all[1].ws:send(text))
    assert.equal(text, all[1].read())
    assert.same({ 2, 0 }, { room:send(text, "text", all[1].ws) })
    assert.same({ text, text }, { (all[2].read()), (all[3].read()) })
    assert(all[1].ws:send(text))
    local message, frames = all[1].read()
    assert.equal(text, message)
    assert.is_true(#frames[1].payload < 100)
  end))

  it("may be of clients, who mask for themselves", case(function(t)
    local room = t.weft.room()
    local raws, inflaters = {}, {}
    for index, answer in ipairs { "permessage-deflate", "permessage-deflate; client_no_context_takeover" } do
      local port = t:serve_raw(function(raw)
        raw:accept_upgrade(deflate.answering(answer))
        raws[index] = raw
      end)
      room:join(t:connect(port))
      inflaters[index] = index == 1 and deflate.inflater(12) or deflate.inflate
    end
    for round = 1, 3 do
      room:send(deflate.text(2000, round))
      for index, raw in ipairs(raws) do
        local message, frames = deflate.read(raw, inflaters[index])
        assert.equal(deflate.text(2000, round), message)
        assert.is_true(frames[1].masked)
      end
    end
  end))

  it("may be of both roles and of connections from weft to weft", case(function(t)
    local room = t.weft.room()
    local server = t:server { compression = { server_no_context_takeover = false } }
    local clients = {}
    for index = 1, 5 do
      clients[index] = t:connect(server, { compression = index ~= 3 })
      room:join(t:accepted())
    end
    for round = 1, 5 do
      room:send(deflate.text(1000 * round, round))
      for _, ws in ipairs(clients) do
        assert.equal(deflate.text(1000 * round, round), (ws:receive(5)))
      end
    end
  end))
end)

describe("a member that goes half-way", function()
  it("leaves the others what they get", case(function(t)
    local room = t.weft.room { on_full = "drop" }
    local all = members(t, room, { "fresh", "sliding", "fresh", "sliding" })
    all[1].raw:reset()
    all[2].raw:send(frame.client.close(1000))
    for round = 1, 3 do
      room:send(deflate.text(2000, round))
      t.weft.sleep(0.01)
      for _, index in ipairs { 3, 4 } do
        assert.equal(deflate.text(2000, round), all[index].read())
      end
    end
  end))
end)
