-- What a review of permessage-deflate found, each by a script that failed.
local case = require "support.case"
local deflate = require "support.deflate"
local frame = require "support.frame"

if not deflate.available then
  return pending "a review of compression: built without zlib"
end

-- Input behind a full read-ahead is kept as it came; the keepalive went on
-- counting while the pong stood in it, and dropped a peer that had answered.
describe("a pong that came behind messages nobody receives yet", function()
  it("is not missed", case(function(t)
    local port = t:server { compression = true, receive_buffer = 1000, ping_interval = 0.1, ping_timeout = 0.3 }
    local raw = t:upgrade(port, deflate.offering())
    local ws = t:accepted()
    local text = ("a"):rep(5000)
    local ping = raw:frame()
    assert.equal(frame.PING, ping.opcode)
    raw:send(deflate.client.text(deflate.compress(text)):rep(3) .. frame.client.pong(ping.payload))
    t.weft.sleep(0.8)
    for _ = 1, 3 do
      assert.is_true(ws:receive(5) == text)
    end
    assert.same({ n = 2, nil, "timeout" }, table.pack(ws:receive(0)))
    assert.equal("open", ws.state)
    assert.is_truthy(ws.latency)
  end))
end)

-- With that input used up, reading went on only when somebody asked for one
-- message more; who had what it wanted and waited for the end did not see it.
describe("a close frame that came behind messages nobody receives yet", function()
  it("is seen once they were received, though nobody asks for more", case(function(t)
    local raw = t:upgrade(t:server { compression = true, receive_buffer = 1000 }, deflate.offering())
    local ws = t:accepted()
    local text = ("a"):rep(3000)
    raw:send(deflate.client.text(deflate.compress(text)):rep(4))
    t.weft.sleep(0.05)
    raw:send(frame.client.close(4001))
    t.weft.sleep(0.05)
    for _ = 1, 4 do
      assert.is_true(ws:receive(5) == text)
      t.weft.sleep(0.01)
    end
    assert.same({ n = 3, true, 4001, "" }, table.pack(ws:wait_closed(2)))
  end))
end)
