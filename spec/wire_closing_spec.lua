-- The closing handshake (RFC 6455, 5.5.1 and 7): codes and reasons on the wire,
-- what both ends are told, and who ends TCP when.
local case = require "support.case"
local frame = require "support.frame"

local client, server = frame.client, frame.server

--- A server whose only connection can be looked at; listen options, and
--- a function that gives the connection.
local function observed(t, options)
  local seen
  local merged = { websocket = function(ws)
    seen = ws
    case.echo(ws)
  end }
  for name, value in pairs(options or {}) do
    merged[name] = value
  end
  return t:listen(merged), function()
    return t:wait_until(function()
      return seen and seen.state == "closed" and seen
    end, "the end of the server's connection")
  end
end

local function told(ws)
  return { code = ws.close_code, reason = ws.close_reason, sent = ws.sent_code, cause = ws.close_cause }
end

local valid = { 1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999 }
local invalid = { 0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535 }

describe("a close frame", function()
  for _, code in ipairs(valid) do
    it("with " .. code .. " is valid and answered with the same", case(function(t)
      local listening, ended = observed(t)
      local raw = t:upgrade(listening)
      raw:send(client.close(code, "so long"))
      assert.same({ code }, { (raw:close_frame()) })
      assert.same({ "", "fin" }, { raw:read_until_closed() })
      assert.same({ code = code, reason = "so long", sent = code, cause = "peer" }, told(ended()))
    end))
  end

  for _, code in ipairs(invalid) do
    it("with " .. code .. " must not be sent: 1002 (7.4)", case(function(t)
      local listening, ended = observed(t)
      local raw = t:upgrade(listening)
      raw:send(client.close(code))
      assert.equal(1002, (raw:close_frame()))
      assert.same({ "", "fin" }, { raw:read_until_closed() })
      raw:close()
      local ws = ended()
      assert.equal("protocol", ws.close_cause)
      assert.equal(1002, ws.sent_code)
    end))
  end

  for _, code in ipairs { 1005, 1006, 1015, 2999 } do
    it("with " .. code .. " from a server fails the client with 1002", case(function(t)
      local answer
      local port = t:serve_upgraded(function(raw)
        raw:send(server.close(code))
        answer = raw:close_frame()
        raw:close()
      end)
      local ws = t:connect(port)
      assert.same({ nil, "closed", 1006, "" }, { ws:receive() })
      assert(ws:wait_closed())
      assert.equal("protocol", ws.close_cause)
      t:wait_until(function()
        return answer
      end, "an answer")
      assert.equal(1002, answer)
    end))
  end

  it("without a body is 1005 and answered without one", case(function(t)
    local listening, ended = observed(t)
    local raw = t:upgrade(listening)
    raw:send(client.close())
    assert.equal("\x88\0", (raw:receive(2)))
    assert.same({ "", "fin" }, { raw:read_until_closed() })
    assert.same({ code = 1005, reason = "", sent = 1005, cause = "peer" }, told(ended()))
  end))

  it("with a body of one byte fails with 1002 (5.5.1)", case(function(t)
    local raw = t:upgrade((observed(t)))
    raw:send(client.build(8, "\x03"))
    assert.equal(1002, (raw:close_frame()))
  end))

  for _, reason in ipairs { "\xFF", "fine, but \xC3", "\xED\xA0\x80" } do
    it(("with a reason that is not UTF-8 fails with 1007 (%q)"):format(reason), case(function(t)
      local raw = t:upgrade((observed(t)))
      raw:send(client.close(1000, reason))
      assert.equal(1007, (raw:close_frame()))
    end))
  end

  it("may carry a reason of 123 bytes", case(function(t)
    local listening, ended = observed(t)
    local raw = t:upgrade(listening)
    local reason = ("\xC3\xA9"):rep(61) .. "!"
    raw:send(client.close(4321, reason))
    assert.equal(4321, (raw:close_frame()))
    assert.equal(reason, ended().close_reason)
  end))

  for _, size in ipairs { 1, 2, 3, 7 } do
    it("may arrive " .. size .. " bytes at a time", case(function(t)
      local listening, ended = observed(t)
      local raw = t:upgrade(listening)
      raw:send_in_pieces(client.close(4000, "in pieces"), size)
      assert.equal(4000, (raw:close_frame()))
      assert.equal("in pieces", ended().close_reason)
    end))
  end

  it("ends what is looked at: a message after it is not answered", case(function(t)
    local raw = t:upgrade((observed(t)))
    raw:send(client.text "before" .. client.close(1000) .. client.text "after" .. client.build(3, "nonsense"))
    assert.equal("before", (raw:message()))
    assert.equal(1000, (raw:close_frame()))
    assert.equal("", (raw:read_until_closed()))
  end))

  it("in the middle of a fragmented message is obeyed", case(function(t)
    local listening, ended = observed(t)
    local raw = t:upgrade(listening)
    raw:send(client.text("unfinished", { fin = false }) .. client.close(1001))
    assert.equal(1001, (raw:close_frame()))
    assert.equal("peer", ended().close_cause)
  end))
end)

describe("after a clean closing handshake", function()
  it("the server ends TCP at once, without waiting for the client (7.1.1)", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo, close_timeout = 60 })
    local begin = t.weft.now()
    raw:send(client.close(1000))
    assert.equal(1000, (raw:close_frame()))
    assert.same({ "", "fin" }, { raw:read_until_closed() })
    assert.is_true(t.weft.now() - begin < 2)
  end))

  it("the server that began it ends TCP at once too", case(function(t)
    local closed
    local raw = t:upgrade(t:server { close_timeout = 60, websocket = function(ws)
      closed = { ws:close(4000, "begun here") }
    end })
    assert.same({ 4000, "begun here" }, { raw:close_frame() })
    raw:send(client.close(4000, "agreed"))
    local begin = t.weft.now()
    assert.same({ "", "fin" }, { raw:read_until_closed() })
    assert.is_true(t.weft.now() - begin < 2)
    assert.same({ true }, closed)
  end))

  it("messages that crossed the close are dropped, their pings unanswered or not", case(function(t)
    local server_side
    local raw = t:upgrade(t:server { websocket = function(ws)
      server_side = ws
      assert.is_true(ws:close(1000))
    end })
    assert.equal(1000, (raw:close_frame()))
    raw:send(client.text "crossed" .. client.close(1000))
    assert.same({ "", "fin" }, { raw:read_until_closed() })
    assert.same({ nil, "closed", 1000, "" }, { server_side:receive() })
  end))
end)

describe("both ends are told", function()
  it("of a close by the client", case(function(t)
    local near, far = t:both()
    assert.is_true(near:close(4001, "done"))
    t:wait_until(function()
      return far.state == "closed"
    end, "the end")
    assert.same({ code = 4001, reason = "done", sent = 4001, cause = "peer" }, told(far))
    assert.same({ 4001, 4001, "local" }, { near.sent_code, near.close_code, near.close_cause })
    assert.same({ nil, "closed", 4001, "done" }, { far:receive() })
    assert.same({ nil, "closed", 4001, "done" }, { far:send "late" })
  end))

  it("of a close by the server", case(function(t)
    local near, far = t:both()
    t:spawn(function()
      assert.same({ nil, "closed", 4002, "enough" }, { near:receive() })
    end)
    assert.is_true(far:close(4002, "enough"))
    t:wait_until(function()
      return near.state == "closed"
    end, "the end")
    assert.same({ code = 4002, reason = "enough", sent = 4002, cause = "peer" }, told(near))
    assert.same({ 4002, 4002, "local" }, { far.sent_code, far.close_code, far.close_cause })
  end))

  it("of closes that cross", case(function(t)
    local near, far = t:both()
    near:close(4001, "mine", 0)
    far:close(4002, "yours", 0)
    assert.is_true(near:wait_closed(5))
    assert.is_true(far:wait_closed(5))
    assert.same({ code = 4002, reason = "yours", sent = 4001, cause = "local" }, told(near))
    assert.same({ code = 4001, reason = "mine", sent = 4002, cause = "local" }, told(far))
  end))

  it("of a handler that returns: 1000", case(function(t)
    local server_side
    local ws = t:connect(t:server { websocket = function(connection)
      server_side = connection
      connection:send "one word"
    end })
    assert.equal("one word", (ws:receive()))
    assert.same({ nil, "closed", 1000, "" }, { ws:receive() })
    assert(ws:wait_closed())
    t:wait_until(function()
      return server_side.state == "closed"
    end, "the end")
    assert.same({ code = 1000, reason = "", sent = 1000, cause = "peer" }, told(ws))
    assert.same({ 1000, "handler" }, { server_side.sent_code, server_side.close_cause })
  end))

  it("of a handler that fails: 1011 with an empty reason", case(function(t)
    local server_side
    local ws = t:connect(t:server { websocket = function(connection)
      server_side = connection
      connection:send "last words"
      error "a secret of the server's"
    end })
    assert.equal("last words", (ws:receive()))
    assert.same({ nil, "closed", 1011, "" }, { ws:receive() })
    t:wait_until(function()
      return server_side.state == "closed"
    end, "the end")
    assert.same({ 1011, "error" }, { server_side.sent_code, server_side.close_cause })
    local reports = t:reports()
    assert.equal(1, #reports)
    assert.matches("a secret of the server's", reports[1].error)
    assert.matches("wire_closing_spec", reports[1].traceback)
    assert.equal(server_side, reports[1].subject)
  end))

  it("of a server that shuts down: 1001", case(function(t)
    local listening = t:listen()
    local ws = t:connect(listening)
    local far = t:accepted()
    t:spawn(function()
      assert.same({ nil, "closed", 1001, "" }, { ws:receive() })
    end)
    assert.is_true(listening:close(5))
    assert.same({ 1001, "shutdown" }, { far.sent_code, far.close_cause })
    assert.equal("closed", far.state)
  end))

  it("of a connection that just ends: 1006 and eof", case(function(t)
    local listening, ended = observed(t)
    t:upgrade(listening):close()
    assert.same({ code = 1006, reason = "", cause = "eof" }, told(ended()))
  end))

  it("of a connection that ends inside a frame: 1006 and eof", case(function(t)
    local listening, ended = observed(t)
    local raw = t:upgrade(listening)
    raw:send(client.text("half of it", { announce = 20 }))
    raw:close()
    assert.same({ code = 1006, reason = "", cause = "eof" }, told(ended()))
  end))

  it("of a reset: 1006 and reset", case(function(t)
    local listening, ended = observed(t)
    t:upgrade(listening):reset()
    assert.same({ code = 1006, reason = "", cause = "reset" }, told(ended()))
  end))

  it("of an abort: the peer sees the drop, no close frame", case(function(t)
    local server_side
    local raw = t:upgrade(t:server { websocket = function(ws)
      server_side = ws
      ws:flush()
      ws:abort()
      assert.equal("closed", ws.state)
    end })
    assert.equal("", (raw:read_until_closed()))
    assert.same({ code = 1006, reason = "", cause = "local" }, told(server_side))
  end))

  it("of messages first, then of the close, for ever", case(function(t)
    local port = t:serve_upgraded(function(raw)
      raw:send(server.text "one" .. server.text "two" .. server.close(4000, "three"))
      raw:close_frame()
      raw:close()
    end)
    local ws = t:connect(port)
    t:wait_until(function()
      return ws.state ~= "open"
    end, "the close")
    assert.equal("one", (ws:receive()))
    assert.equal("two", (ws:receive()))
    for _ = 1, 3 do
      assert.same({ nil, "closed", 4000, "three" }, { ws:receive() })
      assert.same({ nil, "closed", 4000, "three" }, { ws:receive(0) })
    end
  end))

  it("of messages first when the connection just ended", case(function(t)
    local port = t:serve_upgraded(function(raw)
      raw:send(server.text "one" .. server.text "two")
      raw:close()
    end)
    local ws = t:connect(port)
    assert.equal("one", (ws:receive()))
    t.weft.sleep(0.02)
    assert.equal("two", (ws:receive()))
    assert.same({ nil, "closed", 1006, "" }, { ws:receive() })
  end))
end)
