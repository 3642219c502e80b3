-- Known faults of other libraries: ends that go unnoticed, never come, or are
-- never checked.
local case = require "support.case"
local frame = require "support.frame"
local handshake = require "support.handshake"
local patience = require "support.patience"

local client = frame.client

-- Libraries that read only inside receive() send into a connection that the
-- peer has closed long ago, without a word.
describe("a peer that closes meanwhile", function()
  it("is noticed by the next send", case(function(t)
    local result
    local raw = t:upgrade(t:server { websocket = function(ws)
      ws:send "working"
      t:wait_until(function()
        return ws.state ~= "open"
      end, "the close")
      result = { ws:send "the result" }
    end })
    assert.equal("working", (raw:message()))
    raw:send(client.close(4000, "changed my mind"))
    assert.equal(4000, (raw:close_frame()))
    t:wait_until(function()
      return result
    end, "the send")
    assert.same({ nil, "closed", 4000, "changed my mind" }, result)
  end))

  it("is noticed by the next send after a sleep", case(function(t)
    local result
    local raw = t:upgrade(t:server { websocket = function(ws)
      t.weft.sleep(0.1)
      result = { ws:send "the result" }
    end })
    raw:send(client.close(1001))
    t:wait_until(function()
      return result
    end, "the send")
    assert.same({ nil, "closed", 1001, "" }, result)
  end))

  it("is noticed when it hangs up without a word", case(function(t)
    local raw = t:upgrade(t:server())
    local ws = t:accepted()
    raw:close()
    t:wait_until(function()
      return ws.state == "closed"
    end, "the end")
    assert.same({ nil, "closed", 1006, "" }, { ws:send "x" })
    assert.same({ nil, "closed", 1006, "" }, { ws:try_send "x" })
    assert.same({ nil, "closed", 1006, "" }, { ws:flush() })
    assert.same({ nil, "closed", 1006, "" }, { ws:ping() })
    assert.is_true(ws:close())
    assert.same({ true, 1006, "" }, { ws:wait_closed() })
  end))

  it("is noticed by a send that waits for room", case(function(t)
    local raw = t:upgrade(t:server { ping_interval = false }, { receive_buffer = 4096 })
    local ws = t:accepted()
    local result
    t:spawn(function()
      repeat
        result = { ws:send(("x"):rep(1000000), "binary") }
      until not result[1]
    end)
    t.weft.sleep(0.05)
    assert.is_true(ws.buffered > 0)
    raw:reset()
    t:wait_until(function()
      return ws.state == "closed"
    end, "the end")
    t:wait_until(function()
      return result[2]
    end, "the send's end")
    assert.same({ nil, "closed", 1006, "" }, result)
    assert.equal("reset", ws.close_cause)
  end))

  --- A client on the main thread, and its raw server.
  local function connected(t)
    local peer
    local port = t:serve_upgraded(function(raw)
      peer = raw
    end)
    local ws = t:connect(port)
    return ws, t:wait_until(function()
      return peer
    end)
  end

  it("is noticed by a send that finds the pipe broken, before any receive", case.blocking(function(t)
    local ws, peer = connected(t)
    peer:close()
    os.execute "sleep 0.05" -- its FIN comes, and nobody reads it
    assert.is_true(ws:send "answered by a reset")
    os.execute "sleep 0.05"
    assert.same({ nil, "closed", 1006, "" }, { ws:send "into a broken pipe" })
  end))

  it("by a reset is told as one, though a send notices it first", case.blocking(function(t)
    local ws, peer = connected(t)
    peer:reset()
    os.execute "sleep 0.05"
    assert.same({ nil, "closed", 1006, "" }, { ws:send "x" })
    assert.same({ nil, "closed", 1006, "" }, { ws:receive(5) })
    assert.equal("reset", ws.close_cause)
  end))
end)

-- Libraries whose close() waits for the peer's answer wait for ever.
describe("a close that the peer never answers", function()
  it("ends after close_timeout: nil, timeout", case(function(t)
    local raw = t:upgrade(t:server { close_timeout = 0.1 })
    local ws = t:accepted()
    local begin = t.weft.now()
    assert.same({ nil, "timeout" }, { ws:close(1000, "are you there?") })
    assert.is_true(t.weft.now() - begin < patience(2))
    assert.same({ "closed", "timeout", 1006, 1000 }, { ws.state, ws.close_cause, ws.close_code, ws.sent_code })
    assert.same({ 1000, "are you there?" }, { raw:close_frame() })
    assert.not_equal("timeout", select(2, raw:read_until_closed()))
  end))

  it("ends after its own timeout", case(function(t)
    t:upgrade(t:server { close_timeout = 60 })
    local ws = t:accepted()
    assert.same({ nil, "timeout" }, { ws:close(1000, "", 0.05) })
    assert.equal("closed", ws.state)
  end))

  it("with timeout 0 does not wait, and the loop ends it", case(function(t)
    t:upgrade(t:server { close_timeout = 0.1 })
    local ws = t:accepted()
    ws:close(1000, "", 0)
    assert.equal("closing", ws.state)
    assert.is_true(ws:wait_closed(5))
    assert.equal("timeout", ws.close_cause)
  end))

  it("ends though the peer goes on talking", case(function(t)
    local raw = t:upgrade(t:server { close_timeout = 0.1 })
    local ws = t:accepted()
    local closing = t:spawn(function()
      assert.same({ nil, "timeout" }, { ws:close() })
    end)
    assert.equal(1000, (raw:close_frame()))
    local deadline = t.weft.now() + 5
    while raw:send(client.text "blah" .. client.ping "blah") do
      assert.is_true(t.weft.now() < deadline)
      t.weft.sleep(0.01)
    end
    assert.is_true(closing:join(5))
  end))

  it("ends though the peer takes nothing of what is queued", case(function(t)
    t:upgrade(t:server { close_timeout = 0.1, ping_interval = false }, { receive_buffer = 4096 })
    local ws = t:accepted()
    ws:try_send(("x"):rep(16 * 1024 * 1024), "binary")
    assert.same({ nil, "timeout" }, { ws:close() })
    assert.equal("closed", ws.state)
  end))

  it("does not keep a server from closing", case(function(t)
    local listening = t:listen { close_timeout = 60, websocket = case.echo }
    local raw = t:upgrade(listening)
    local begin = t.weft.now()
    assert.is_true(listening:close(0.1))
    assert.is_true(t.weft.now() - begin < patience(2))
    assert.equal(0, listening:count())
    assert.equal(1001, (raw:close_frame()))
    assert.not_equal("timeout", select(2, raw:read_until_closed()))
  end))

  it("nor does a handler that never ends, nor a half-open handshake", case(function(t)
    local listening = t:listen { close_timeout = 60, websocket = function()
      t.weft.sleep(math.huge)
    end }
    t:upgrade(listening)
    t:dial(listening):send "GET / HT"
    t.weft.sleep(0.02)
    local begin = t.weft.now()
    assert.is_true(listening:close(0.1))
    assert.is_true(t.weft.now() - begin < patience(2))
    assert.equal(0, listening:count())
    assert.is_true(listening:close())
  end))

  it("nor does a page that takes for ever", case(function(t)
    local listening = t:listen { http = function()
      t.weft.sleep(math.huge)
      return 503
    end }
    local raw = t:dial(listening)
    raw:send(handshake.http())
    t.weft.sleep(0.02)
    assert.is_true(listening:close(0.1))
    assert.not_equal("timeout", select(2, raw:read_until_closed()))
  end))

  it("does not keep a client", case(function(t)
    local port = t:serve_upgraded(function(raw)
      raw:read_until_closed(patience(5))
    end)
    local ws = t:connect(port, { close_timeout = 0.1 })
    assert.same({ nil, "timeout" }, { ws:close() })
  end))

  it("does not keep a client whose server leaves TCP open", case(function(t)
    local port = t:serve_upgraded(function(raw)
      raw:close_frame()
      raw:send(frame.server.close(1000))
      raw:read_until_closed(patience(5))
    end)
    local ws = t:connect(port, { close_timeout = 0.1 })
    local begin = t.weft.now()
    ws:close()
    assert.is_true(t.weft.now() - begin < patience(2))
    assert.is_true(ws:wait_closed(5))
    assert.equal("closed", ws.state)
  end))
end)

-- A library that does not look at Sec-WebSocket-Accept takes a cache's stale
-- 101 for a connection.
describe("a connect", function()
  it("does not return true on a wrong accept key", case(function(t)
    local port = t:serve_raw(function(raw)
      raw:parsed_head()
      raw:send(handshake.response(handshake.KEY) .. frame.server.text "poison")
      raw:read_until_closed()
    end)
    local ws, message, code = t.weft.connect(t:url(port))
    assert.is_nil(ws)
    assert.matches("Sec%-WebSocket%-Accept", message)
    assert.equal("handshake", code)
  end))
end)

-- Libraries without per-connection error handling stop serving everyone.
describe("a handler that fails", function()
  it("takes nobody else down", case(function(t)
    local listening = t:listen { websocket = function(ws)
      for message in ws:messages() do
        if message == "fail" then
          error "as asked"
        end
        ws:send(message)
      end
    end }
    local bystander = t:upgrade(listening)
    for _ = 1, 5 do
      local raw = t:upgrade(listening)
      raw:send(client.text "fail")
      assert.same({ 1011, "" }, { raw:close_frame() })
      bystander:send(client.text "still served")
      assert.equal("still served", (bystander:message()))
    end
    assert.equal(5, #t:reports())
  end))
end)
