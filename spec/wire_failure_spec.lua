-- Around a failure: what came before the bad frame is delivered, its answers
-- leave before the failure's close frame, nothing after it is looked at; then
-- weft ends its direction and discards input for a bounded while, so that no
-- reset destroys what was sent.
local case = require "support.case"
local frame = require "support.frame"

local client, server = frame.client, frame.server
local BAD = client.build(3, "bad")

describe("before the failure's close frame", function()
  for _, size in ipairs { 1, 2, 3, 7, 1000 } do
    it("the answers to what came before leave, " .. size .. " bytes at a time", case(function(t)
      local raw = t:upgrade(t:server { websocket = case.echo })
      raw:send_in_pieces(client.text "one" .. client.ping "two" .. client.text "three" .. BAD .. client.text "four"
        .. client.ping "five", size)
      local bytes, ending = raw:read_until_closed(1)
      local frames = frame.parse(bytes)
      assert.equal("fin", ending)
      assert.equal(4, #frames)
      local texts = {}
      for _, got in ipairs(frames) do
        if got.opcode == frame.TEXT then
          texts[#texts + 1] = got.payload
        end
      end
      assert.same({ "one", "three" }, texts)
      assert.equal(1002, frames[4].code)
    end))
  end

  it("a handler that takes its time may answer", case(function(t)
    local raw = t:upgrade(t:server { websocket = function(ws)
      for message in ws:messages() do
        t.weft.sleep(0.02)
        assert(ws:send(message .. "!"))
      end
    end })
    raw:send(client.text "one" .. client.text "two" .. client.text "three" .. BAD .. client.text "four")
    assert.equal("one!", (raw:message()))
    assert.equal("two!", (raw:message()))
    assert.equal("three!", (raw:message()))
    assert.equal(1002, (raw:close_frame()))
    assert.same({ "", "fin" }, { raw:read_until_closed() })
  end))

  it("the answer to the last message may be large", case(function(t)
    local raw = t:upgrade(t:server { websocket = function(ws)
      for _ in ws:messages() do
        assert(ws:send(("x"):rep(2000000), "binary"))
      end
    end })
    raw:send(client.text "go" .. BAD)
    assert.equal(2000000, #raw:message())
    assert.equal(1002, (raw:close_frame()))
  end))

  it("the handler is given closed, not an error, after what came before", case(function(t)
    local got = {}
    local raw = t:upgrade(t:server { websocket = function(ws)
      got[1] = { ws:receive() }
      got[2] = { ws:receive() }
      got[3] = { ws:send "too late" }
    end })
    raw:send(client.text "one" .. BAD)
    assert.equal(1002, (raw:close_frame()))
    t:wait_until(function()
      return got[3]
    end)
    assert.same({ { "one", "text" }, { nil, "closed", 1006, "" }, { nil, "closed", 1006, "" } }, got)
  end))

  it("a client's answers leave too", case(function(t)
    local answers
    local port = t:serve_upgraded(function(raw)
      raw:send(server.text "one" .. server.text "two" .. server.build(3, "bad") .. server.text "three")
      answers = frame.parse((raw:read_until_closed()))
      raw:close()
    end)
    local ws = t:connect(port)
    case.echo(ws)
    t:wait_until(function()
      return answers
    end, "the end")
    assert.same({ "one", "two" }, { answers[1].payload, answers[2].payload })
    assert.equal(1002, answers[3].code)
    assert.equal(3, #answers)
  end))
end)

describe("a failure nobody receives", function()
  it("is told at once when no message waits before it", case(function(t)
    local raw = t:upgrade(t:server { close_timeout = 60 })
    raw:send(BAD)
    assert.equal(1002, (raw:close_frame()))
  end))

  it("is told within close_timeout when messages wait before it", case(function(t)
    local raw = t:upgrade(t:server { close_timeout = 0.1 })
    raw:send(client.text "unread" .. BAD)
    local bytes = raw:read_until_closed()
    local frames = frame.parse(bytes)
    if #frames > 0 then
      assert.equal(1002, frames[1].code)
    end
    local ws = t:accepted()
    assert.is_true(ws:wait_closed(5))
    assert.equal("protocol", ws.close_cause)
  end))

  it("ends a handler's wait for something else on the connection", case(function(t)
    local waited
    local raw = t:upgrade(t:server { websocket = function(ws)
      waited = { ws:ping("never answered", 10) }
    end })
    assert.equal(frame.PING, raw:frame().opcode)
    raw:send(BAD)
    assert.equal(1002, (raw:close_frame()))
    assert.same({ nil, "closed", 1006, "" }, t:wait_until(function()
      return waited
    end))
  end))
end)

describe("after the failure's close frame", function()
  it("512 KiB of junk do not destroy what was sent", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo })
    raw:send(client.text "before" .. BAD)
    assert.is_true(raw:send(("junk"):rep(128 * 1024)))
    assert.equal("before", (raw:message()))
    assert.equal(1002, (raw:close_frame()))
    assert.same({ "", "fin" }, { raw:read_until_closed() })
  end))

  it("junk that keeps coming does not keep the connection", case(function(t)
    local listening = t:listen { websocket = case.echo, close_timeout = 0.2 }
    local raw = t:upgrade(listening)
    raw:send(BAD)
    local begin = t.weft.now()
    repeat
      local ok = raw:send(("junk"):rep(1024))
      t.weft.sleep(0)
    until not ok or t.weft.now() - begin > 8
    assert.is_true(t.weft.now() - begin < 5)
    t:wait_until(function()
      return listening:count() == 0
    end, "the end of the connection")
  end))

  it("no more than about a mebibyte is discarded", case(function(t)
    local listening = t:listen { websocket = case.echo, close_timeout = 0.5 }
    local raw = t:upgrade(listening, { send_buffer = 16384 })
    raw:send(BAD)
    local sent = 0
    while sent < 64 * 1024 * 1024 and raw:send(("junk"):rep(4096), 0.1) do
      sent = sent + 16384
      t.weft.sleep(0)
    end
    assert.is_true(sent >= 512 * 1024)
    assert.is_true(sent < 32 * 1024 * 1024)
    t:wait_until(function()
      return listening:count() == 0
    end, "the end of the connection")
  end))

  it("a peer that says nothing more is dropped within close_timeout", case(function(t)
    local listening = t:listen { websocket = case.echo, close_timeout = 0.1 }
    local raw = t:upgrade(listening)
    raw:send(BAD)
    assert.equal(1002, (raw:close_frame()))
    assert.same({ "", "fin" }, { raw:read_until_closed() })
    t:wait_until(function()
      return listening:count() == 0
    end, "the end of the connection")
  end))

  it("a peer that ends its side ends the connection at once", case(function(t)
    local ws
    local raw = t:upgrade(t:server { close_timeout = 60, websocket = function(connection)
      ws = connection
      case.echo(connection)
    end })
    raw:send(BAD)
    assert.equal(1002, (raw:close_frame()))
    raw:shutdown()
    t:wait_until(function()
      return ws.state == "closed"
    end, "the end")
  end))

  it("others on the same server go on", case(function(t)
    local listening = t:listen { websocket = case.echo }
    local bystander = t:upgrade(listening)
    local raw = t:upgrade(listening)
    raw:send(BAD)
    bystander:send(client.text "unharmed")
    assert.equal("unharmed", (bystander:message()))
    assert.equal(1002, (raw:close_frame()))
  end))
end)
