-- Compressed messages that come and go in pieces: half-way through theirs, two
-- connections never mix; chunks() and writer() do as without compression.
-- luacheck: ignore 512 (a loop that is left in its first round)
local case = require "support.case"
local deflate = require "support.deflate"
local frame = require "support.frame"

if not deflate.available then
  return pending "compressed messages in pieces: built without zlib"
end

local MIB = 1048576

local fresh = true
local sliding = { server_no_context_takeover = false, client_no_context_takeover = false }

--- A payload as frames of so many bytes, as a list.
local function in_frames(payload, size)
  local frames = {}
  for at = 1, #payload, size do
    local build = at == 1 and deflate.client.binary or frame.client.continuation
    frames[#frames + 1] = build(payload:sub(at, at + size - 1), { fin = at + size > #payload })
  end
  return frames
end

for name, compression in pairs { ["each message by itself"] = fresh, ["sliding windows"] = sliding } do
  describe("with " .. name, function()
    it("connections half-way through their messages do not mix", case(function(t)
      local server = t:server { compression = compression, websocket = case.echo }
      local raws, texts, pieces, inflaters = {}, {}, {}, {}
      for index = 1, 7 do
        raws[index] = t:upgrade(server, deflate.offering())
        inflaters[index] = compression == sliding and deflate.inflater(12) or deflate.inflate
        texts[index] = deflate.text(20000 + index, index * 1000003)
      end
      for _ = 1, 2 do
        for index = 1, 7 do
          pieces[index] = in_frames(deflate.compress(texts[index], 12), 150)
        end
        for at = 1, #pieces[7] + 5 do
          for index, raw in ipairs(raws) do -- a piece of each in turn, cut within its frame
            local bytes = pieces[index][at]
            if bytes then
              raw:send(bytes:sub(1, 50))
            end
          end
          t.weft.sleep(0)
          for index, raw in ipairs(raws) do
            local bytes = pieces[index][at]
            if bytes then
              raw:send(bytes:sub(51))
            end
          end
          t.weft.sleep(0)
        end
        for index, raw in ipairs(raws) do
          assert.is_true(deflate.read(raw, inflaters[index]) == texts[index])
        end
      end
    end))

    it("one that fails or goes half-way leaves nothing to the others", case(function(t)
      local server = t:server { compression = compression, websocket = case.echo }
      local text = deflate.text(5000)
      local payload = deflate.compress(text, 12)
      for round = 1, 5 do
        local bad, gone, good = t:upgrade(server, deflate.offering()), t:upgrade(server, deflate.offering()),
          t:upgrade(server, deflate.offering())
        for _, raw in ipairs { bad, gone, good } do
          raw:send(deflate.client.text(payload:sub(1, 100 * round), { fin = false }))
        end
        t.weft.sleep(0.002)
        bad:send(frame.client.continuation "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF")
        bad:close_frame()
        bad:close()
        gone:reset()
        good:send(frame.client.continuation(payload:sub(100 * round + 1)))
        assert.is_true(deflate.read(good, deflate.inflater(12)) == text)
        local fourth = t:upgrade(server, deflate.offering())
        fourth:send(deflate.client.text(payload))
        assert.is_true(deflate.read(fourth, deflate.inflater(12)) == text)
      end
    end))

    it("chunks() gives what comes, piece by piece", case(function(t)
      local raw = t:upgrade(t:server { compression = compression, max_message = 8 * MIB }, deflate.offering())
      local ws = t:accepted()
      local text = deflate.text(MIB)
      local payload = deflate.compress(text, 12)
      t:spawn(function()
        for _, bytes in ipairs(in_frames(payload, 5000)) do
          raw:send(bytes)
          t.weft.sleep(0)
        end
        raw:send(deflate.client.text(deflate.compress("the next", 12)))
      end)
      local parts, longest = {}, 0
      for chunk in ws:chunks() do
        parts[#parts + 1], longest = chunk, math.max(longest, #chunk)
      end
      assert.is_true(table.concat(parts) == text)
      assert.is_true(#parts > 10)
      assert.is_true(longest <= 65536, "a chunk of " .. longest .. " bytes")
      if compression == fresh then
        assert.equal("the next", (ws:receive(5)))
      end
    end))

    it("chunks() gives a whole message that was waiting, and what is between and behind", case(function(t)
      local raw = t:upgrade(t:server { compression = compression }, deflate.offering())
      local ws = t:accepted()
      local compress = compression == sliding and deflate.compressor(12) or deflate.compress
      local text = deflate.text(200000)
      raw:send(frame.client.text "plain" .. deflate.client.text(compress "small") .. deflate.client.text(compress(text))
               .. frame.client.ping "?" .. deflate.client.text(compress "last"))
      t.weft.sleep(0.02)
      for _, expected in ipairs { "plain", "small", text, "last" } do
        local parts = {}
        for chunk in ws:chunks() do
          parts[#parts + 1] = chunk
        end
        assert.is_true(table.concat(parts) == expected)
      end
    end))

    it("chunks() left early skips the rest", case(function(t)
      local raw = t:upgrade(t:server { compression = compression }, deflate.offering())
      local ws = t:accepted()
      local compress = compression == sliding and deflate.compressor(12) or deflate.compress
      for round = 1, 3 do
        raw:send(deflate.client.text(compress(deflate.text(500000, round))) .. deflate.client.text(compress("next " .. round)))
        local first
        for chunk in ws:chunks() do
          first = chunk
          break
        end
        assert.equal(deflate.text(500000, round):sub(1, #first), first)
        assert.equal("next " .. round, (ws:receive(5)))
      end
    end))

    it("chunks() ends where the message cannot be inflated", case(function(t)
      local raw = t:upgrade(t:server { compression = compression }, deflate.offering())
      local ws = t:accepted()
      local payload = deflate.compress(deflate.text(100000), 12)
      raw:send(deflate.client.text(payload:sub(1, -1000), { fin = false }) .. frame.client.continuation(("\xFF"):rep(2000)))
      local size = 0
      for chunk in ws:chunks() do
        size = size + #chunk
      end
      assert.is_true(size < 200000)
      assert.equal(1007, (raw:close_frame()))
      raw:close()
      t:wait_until(function()
        return ws.state == "closed"
      end)
      assert.equal("protocol", ws.close_cause)
    end))

    it("writer() sends what the other side can have at once", case(function(t)
      local raw = t:upgrade(t:server { compression = compression }, deflate.offering())
      local ws = t:accepted()
      local shared = deflate.inflater(12)
      for round = 1, 3 do
        local inflate = compression == sliding and shared or deflate.inflater()
        local writer = ws:writer()
        local sent, payload = {}, ""
        for index = 1, 5 do
          local piece = deflate.text(1000, index * round)
          assert(writer:write(piece))
          sent[index] = piece
          local one = raw:frame()
          assert.same({ index == 1 and deflate.RSV1 or 0, index == 1 and 1 or 0, false }, { one.rsv, one.opcode, one.fin })
          payload = payload .. one.payload
          -- all of it can be inflated now, whatever stands at its end
          if compression == fresh then
            local so_far = deflate.inflate(payload)
            assert.equal(table.concat(sent), so_far)
          end
        end
        assert(writer:close())
        repeat
          local one = raw:frame()
          assert.equal(0, one.rsv)
          payload = payload .. one.payload
        until one.fin
        assert.equal(table.concat(sent), inflate(payload))
        assert(ws:send(deflate.text(800)))
        assert.equal(deflate.text(800), deflate.read(raw, inflate))
      end
    end))

    it("writer() of nothing is an empty message", case(function(t)
      local raw = t:upgrade(t:server { compression = compression }, deflate.offering())
      local ws = t:accepted()
      assert(ws:writer():close())
      assert.equal("", deflate.read(raw))
      local writer = ws:writer "binary"
      assert(writer:write "")
      assert(writer:write "x")
      assert(writer:close())
      assert.equal("x", deflate.read(raw))
    end))

    it("writer() does not compress what it is told not to", case(function(t)
      local raw = t:upgrade(t:server { compression = compression }, deflate.offering())
      local ws = t:accepted()
      local writer = ws:writer { kind = "binary", compress = false }
      assert(writer:write(deflate.text(1000)))
      assert(writer:close())
      local message, frames = deflate.read(raw)
      assert.same({ 0, 2, deflate.text(1000) }, { frames[1].rsv, frames[1].opcode, message })
    end))

    it("pieces go from weft to weft both ways at once, on many connections", case(function(t)
      local server = t:server { compression = compression, max_message = 4 * MIB, websocket = function(ws)
        local writer
        for chunk in ws:chunks() do
          writer = writer or ws:writer "binary"
          assert(writer:write(chunk))
        end
        assert(writer:close())
        ws:wait_closed()
      end }
      for index = 1, 4 do
        t:spawn(function()
          local ws = t:connect(server, { max_message = 4 * MIB })
          local text = deflate.text(700000, index)
          local sending = t:spawn(function()
            local writer = ws:writer "binary"
            for at = 1, #text, 30000 do
              assert(writer:write(text:sub(at, at + 29999)))
              t.weft.sleep(0)
            end
            assert(writer:close())
          end)
          local parts = {}
          for chunk in ws:chunks() do
            parts[#parts + 1] = chunk
          end
          assert.is_true(table.concat(parts) == text)
          assert(sending:join(5))
          assert(ws:close())
        end)
      end
    end))
  end)
end

describe("a writer that was left in the middle", function()
  it("takes no compressor with it", case(function(t)
    local server = t:server { compression = true }
    for _ = 1, 5 do
      local raw = t:upgrade(server, deflate.offering())
      local ws = t:accepted()
      local writer = ws:writer()
      assert(writer:write(deflate.text(1000)))
      raw:reset()
      t:wait_until(function()
        return ws.state == "closed"
      end)
      assert.same({ nil, "closed" }, { (writer:write "more"), (select(2, writer:write "more")) })
    end
    local raw = t:upgrade(server, deflate.offering())
    assert(t:accepted():send(deflate.text(1000)))
    assert.equal(deflate.text(1000), deflate.read(raw))
  end))
end)
