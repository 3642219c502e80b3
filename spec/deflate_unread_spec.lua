-- Messages that are small on the wire and large inflated, and that nobody
-- receives: they wait as they came, within receive_buffer and one message.
local case = require "support.case"
local deflate = require "support.deflate"
local frame = require "support.frame"
local memory = require "support.memory"

if not deflate.available then
  return pending "unread compressed messages: built without zlib"
end

local MIB = 1048576
local COUNT = 64

local HANDLER = [[
  compression = %s,
  websocket = function(ws)
    gate:take()
    local zeros = ("\0"):rep(1048576)
    for message in ws:messages() do
      ws:send(message == zeros and "good" or "bad")
      message = nil
      collectgarbage()
    end
  end,
]]

--- The bytes of that many messages of 1 MiB of zeros.
local function messages(compress)
  local zeros, list = ("\0"):rep(MIB), {}
  for index = 1, COUNT do
    list[index] = deflate.client.binary(compress(zeros))
  end
  return table.concat(list)
end

local kinds = {
  ["each by itself"] = { "true", deflate.compress },
  ["in a sliding window"] = { "{ client_no_context_takeover = false }", deflate.compressor(12) },
}

describe("64 messages of 1 MiB of zeros in one packet", function()
  for name, one in pairs(kinds) do
    it(name .. " do not pile up, and all arrive once they are received", case(function(t)
      local server = memory.serve(t, HANDLER:format(one[1]))
      local raw = t:upgrade(server.port, deflate.offering())
      local bytes = messages(one[2]) .. frame.client.ping "behind"
      assert.is_true(#bytes < 256 * 1024)
      local known = memory.is_known()
      if known then
        server:reset()
      end
      raw:send(bytes)
      assert.is_true(raw:is_silent(0.3)) -- the ping waits behind them
      if known then
        local peak = server:peak()
        assert.is_true(peak < 6 * 1024, ("it grew by %d KiB"):format(peak))
      end
      server:go()
      local pongs = 0
      for _ = 1, COUNT + 1 do
        local got = raw:frame()
        if got.opcode == frame.PONG then
          assert.equal("behind", got.payload)
          pongs = pongs + 1
        else
          assert.equal("good", got.payload)
        end
      end
      assert.equal(1, pongs)
      if known then
        local peak = server:peak()
        assert.is_true(peak < 24 * 1024, ("it grew by %d KiB"):format(peak))
      end
      raw:close()
      server:close()
    end, 25))
  end
end)

describe("a compressed message that nobody receives yet", function()
  it("does not keep a ping behind it waiting while there is room", case(function(t)
    local raw = t:upgrade(t:server { compression = true }, deflate.offering())
    local ws = t:accepted()
    raw:send(deflate.client.text(deflate.compress(deflate.text(30000))) .. frame.client.ping "soon")
    local pong = raw:frame()
    assert.same({ frame.PONG, "soon" }, { pong.opcode, pong.payload })
    assert.equal(deflate.text(30000), ws:receive(5))
  end))

  it("is there when the close frame behind it has ended the connection", case(function(t)
    local raw = t:upgrade(t:server { compression = true, max_message = 300000 }, deflate.offering())
    local ws = t:accepted()
    local zeros = ("\0"):rep(300000)
    for _ = 1, 5 do
      raw:send(deflate.client.binary(deflate.compress(zeros)))
    end
    raw:send(frame.client.close(4001, "done"))
    t.weft.sleep(0.05)
    for _ = 1, 5 do
      local message, kind = ws:receive(5)
      assert.is_true(message == zeros, kind)
    end
    assert.same({ n = 4, nil, "closed", 4001, "done" }, table.pack(ws:receive(5)))
    assert.equal(4001, (raw:close_frame()))
  end))

  it("is dropped with what comes after it by a close of ours", case(function(t)
    local raw = t:upgrade(t:server { compression = true }, deflate.offering())
    local ws = t:accepted()
    local zeros = deflate.compress(("\0"):rep(MIB))
    for _ = 1, 8 do
      raw:send(deflate.client.binary(zeros))
    end
    t.weft.sleep(0.05)
    local closing = t:spawn(ws.close, ws, 1000)
    assert.equal(1000, (raw:close_frame()))
    raw:send(deflate.client.binary(zeros) .. frame.client.close(1000))
    assert.same({ true, true }, { closing:join(5) })
  end))

  it("wakes whoever receives it later, time and again", case(function(t)
    local raw = t:upgrade(t:server { compression = true, receive_buffer = 1000 }, deflate.offering())
    local ws = t:accepted()
    local text = deflate.text(5000)
    local payload = deflate.compress(text)
    for _ = 1, 20 do
      raw:send(deflate.client.text(payload):rep(5))
      t.weft.sleep(0.005)
      for _ = 1, 5 do
        assert.equal(text, (ws:receive(5)))
      end
      assert.same({ n = 2, nil, "timeout" }, table.pack(ws:receive(0)))
    end
  end))
end)
