local case = require "support.case"
local frame = require "support.frame"
local handshake = require "support.handshake"
local raises = require "support.raises"

--- A table of events that notes what happens in `log`.
local function recorder(log)
  return {
    open = function() log[#log + 1] = "open" end,
    message = function(_, message, kind) log[#log + 1] = kind .. " " .. message end,
    close = function(_, code, reason) log[#log + 1] = ("close %d %s"):format(code, reason) end,
    error = function(_, message, code) log[#log + 1] = ("error %s: %s"):format(code, message) end,
  }
end

describe("a server with events", function()
  it("calls open, message and close, in that order, each with the connection", case(function(t)
    local log, seen = {}, {}
    local events = recorder(log)
    for _, name in ipairs { "open", "message", "close" } do
      local note = events[name]
      events[name] = function(ws, ...)
        seen[#seen + 1] = ws
        note(ws, ...)
      end
    end
    local server = t:listen { websocket = events }
    local client = t:connect(server)
    client:send "hello"
    client:send("\xFF", "binary")
    assert.is_true(client:close(4000, "bye"))
    t:wait_until(function() return log[4] end, "the close event")
    assert.same({ "open", "text hello", "binary \xFF", "close 4000 bye" }, log)
    for i = 2, 4 do
      assert.equal(seen[1], seen[i])
    end
    assert.equal("closed", seen[1].state)
  end))

  it("needs none of the events", case(function(t)
    local got
    local server = t:listen { websocket = { message = function(_, message) got = message end } }
    local client = t:connect(server)
    client:send "only this"
    t:wait_until(function() return got end, "the message")
    assert.is_true(client:close())
    local quiet = t:listen { websocket = { close = function(_, code) got = code end } }
    client = t:connect(quiet)
    client:send "nobody listens"
    assert.is_true(client:close(4003))
    t:wait_until(function() return got == 4003 end, "the close event")
  end))

  it("echoes, and may wait in its events", case(function(t)
    local server = t:listen { websocket = { message = function(ws, message, kind)
      t.weft.sleep(0.001)
      ws:send(message, kind)
    end } }
    local client = t:connect(server)
    for i = 1, 5 do
      client:send(tostring(i))
    end
    for i = 1, 5 do
      assert.equal(tostring(i), client:receive(5))
    end
    assert.is_true(client:close())
  end))

  it("never overlaps the events of one connection", case(function(t)
    local running, overlapped, count = 0, false, 0
    local function event()
      running = running + 1
      overlapped = overlapped or running > 1
      t.weft.sleep(0.002)
      running = running - 1
      count = count + 1
    end
    local server = t:listen { websocket = { open = event, message = event, close = event } }
    local client = t:connect(server)
    for i = 1, 5 do
      client:send(tostring(i))
    end
    client:close(1000, "", 0)
    t:wait_until(function() return count == 7 end, "seven events")
    assert.is_false(overlapped)
  end))

  it("runs the events of different connections beside each other", case(function(t)
    local gate = t.weft.queue()
    local server = t:listen { websocket = { message = function(ws, message)
      if message == "wait" then
        gate:take()
      end
      ws:send "done"
    end } }
    local slow, quick = t:connect(server), t:connect(server)
    slow:send "wait"
    quick:send "go"
    assert.equal("done", quick:receive(5))
    assert.same({ nil, "timeout" }, { slow:receive(0) })
    gate:put(true)
    assert.equal("done", slow:receive(5))
    slow:abort()
    quick:abort()
  end))

  it("calls close exactly once, last, however it ends", case(function(t)
    for name, finish in pairs {
      ["the peer closes"] = function(raw) raw:send(frame.client.close(1000)) end,
      ["the peer hangs up"] = function(raw) raw:close() end,
      ["the peer resets"] = function(raw) raw:reset() end,
      ["a rule is broken"] = function(raw)
        raw:send(frame.client.build(3, ""))
        raw:shutdown()
      end,
      ["we close"] = function(_, ws) ws:close(1000, "", 0.01) end,
      ["we abort"] = function(_, ws) ws:abort() end,
    } do
      local log, ws = {}, nil
      local events = recorder(log)
      local note = events.open
      events.open = function(connection)
        ws = connection
        note(connection)
      end
      local server = t:listen { websocket = events }
      local raw = t:upgrade(server)
      raw:send(frame.client.text "one")
      t:wait_until(function() return log[2] end, "the message")
      finish(raw, ws)
      t:wait_until(function() return log[3] end, "the close event when " .. name)
      t.weft.sleep(0.005)
      assert.equal(3, #log, name)
      assert.matches("^close %d+ ", log[3])
      assert.equal("closed", ws.state)
    end
  end))

  it("gives what arrived before the end before close", case(function(t)
    local log = {}
    local events = recorder(log)
    local note = events.message
    events.message = function(...)
      t.weft.sleep(0.001)
      note(...)
    end
    local server = t:listen { websocket = events }
    local raw = t:upgrade(server)
    raw:send(frame.client.text "1" .. frame.client.text "2" .. frame.client.text "3")
    raw:close()
    t:wait_until(function() return log[5] end, "the close event")
    assert.same({ "open", "text 1", "text 2", "text 3", "close 1006 " }, log)
  end))

  it("reports an error in an event, closes with 1011 and then calls close", case(function(t)
    for _, name in ipairs { "open", "message" } do
      local log = {}
      local events = recorder(log)
      local ws
      events[name] = function(connection)
        ws = connection
        error("in " .. name, 0)
      end
      local server = t:listen { websocket = events }
      local client = t:connect(server)
      client:try_send "hello"
      client:try_send "again"
      assert.same({ true, 1011, "" }, { client:wait_closed(5) })
      t:wait_until(function() return log[#log] and log[#log]:find "^close" end, "the close event")
      local reports = t:reports()
      assert.equal(1, #reports)
      assert.equal("in " .. name, reports[1].error)
      assert.matches("stack traceback", reports[1].traceback)
      assert.equal(ws, reports[1].subject)
      assert.equal("error", ws.close_cause)
    end
  end))

  it("reports an error in close, too", case(function(t)
    local server = t:listen { websocket = { close = function() error("in close", 0) end } }
    assert.is_true(t:connect(server):close())
    t:wait_until(function() return #t.reported > 0 end, "the report")
    assert.equal("in close", t:reports()[1].error)
  end))

  it("does not let such a connection be received from", case(function(t)
    local ws
    local server = t:listen { websocket = { open = function(connection) ws = connection end } }
    local client = t:connect(server)
    t:wait_until(function() return ws end)
    raises(function() ws:receive() end, "receive")
    raises(function() ws:receive(0) end, "receive")
    assert.has_error(function()
      for _ in ws:messages() do
        error("a message", 0)
      end
    end)
    assert.is_true(ws:send "sending is fine")
    assert.equal("sending is fine", client:receive(5))
    assert.is_true(ws:ping() >= 0)
    assert.is_true(client:close())
  end))

  it("closes with 1001 when the server closes", case(function(t)
    local log = {}
    local server = t:listen { websocket = recorder(log) }
    local client = t:connect(server)
    t:wait_until(function() return log[1] end)
    assert.is_true((server:close()))
    assert.equal(1001, select(2, client:wait_closed(5)))
    t:wait_until(function() return log[2] end, "the close event")
    assert.same({ "open", "close 1001 " }, log)
  end))

  it("may close and wait for the end inside an event: close comes after it", case(function(t)
    for _, name in ipairs { "open", "message" } do
      for _, call in ipairs { "close", "wait_closed" } do
        local log = {}
        local events = { close = function(ws, code)
          log[#log + 1] = "close " .. code
          log[#log + 1] = tostring((ws:wait_closed()))
        end }
        events[name] = function(ws)
          log[#log + 1] = call
          local ok = ws[call](ws)
          log[#log + 1] = tostring(ok)
        end
        local client = t:connect((t:listen { websocket = events }))
        client:try_send "hello"
        t:wait_until(function() return log[1] end, "the " .. name .. " event")
        if call == "wait_closed" then
          client:close(1000)
        end
        t:wait_until(function() return log[4] end, "the close event")
        assert.same({ call, "true", "close 1000", "true" }, log)
      end
    end
  end))

  it("calls nothing but close once a connection is aborted in an event", case(function(t)
    for name, expected in pairs {
      open = { "open", "close 1006 " }, message = { "open", "text one", "close 1006 " },
    } do
      local log = {}
      local events = recorder(log)
      local note = events[name]
      events[name] = function(ws, ...)
        note(ws, ...)
        ws:abort()
      end
      local raw = t:dial((t:listen { websocket = events }))
      raw:send(handshake.request() .. frame.client.text "one" .. frame.client.text "two")
      t:wait_until(function() return log[#expected] end, "the close event")
      t.weft.sleep(0.005)
      assert.same(expected, log)
    end
  end))

  it("may close the server inside an event", case(function(t)
    local result
    local server
    server = t:listen { websocket = { message = function()
      result = server:close(5)
    end } }
    local client = t:connect(server)
    client:send "shut down"
    assert.same({ n = 4, nil, "closed", 1001, "" }, table.pack(client:receive(5)))
    t:wait_until(function() return result end, "the end of close")
    assert.is_true(result)
  end))

  it("may start tasks that outlive the event", case(function(t)
    local server = t:listen { websocket = { open = function(ws)
      t:spawn(function()
        for i = 1, 3 do
          t.weft.sleep(0.001)
          ws:send("tick " .. i)
        end
        ws:close()
      end)
    end } }
    local got = {}
    for message in t:connect(server):messages() do
      got[#got + 1] = message
    end
    assert.same({ "tick 1", "tick 2", "tick 3" }, got)
  end))
end)

describe("a client with events", function()
  it("connects in the background: state \"connecting\" at once", case(function(t)
    local log = {}
    local server = t:listen()
    local ws = t:connect(server, { events = recorder(log) })
    assert.equal("connecting", ws.state)
    assert.same({}, log)
    local theirs = t:accepted()
    t:wait_until(function() return log[1] end, "the open event")
    assert.equal("open", ws.state)
    theirs:send "welcome"
    theirs:close(4000, "enough", 0)
    t:wait_until(function() return log[3] end, "the close event")
    assert.same({ "open", "text welcome", "close 4000 enough" }, log)
  end))

  it("while connecting lets send wait and gives try_send \"connecting\"", case(function(t)
    local server = t:listen()
    local ws = t:connect(server, { events = { message = print } })
    assert.same({ n = 2, nil, "connecting" }, table.pack(ws:try_send "too early"))
    assert.is_true(ws:send "in time")
    assert.equal("open", ws.state)
    assert.equal("in time", t:accepted():receive(5))
    assert.is_true(ws:try_send "now")
    assert.is_true(ws:close())
  end))

  it("while connecting times out like everything", case(function(t)
    local port = t:serve_raw(function(raw) raw:read_until_closed() end)
    local ws = t:connect(port, { events = { error = function() end } })
    assert.same({ n = 2, nil, "timeout" }, table.pack(ws:send("never", "text", 0.005)))
    assert.same({ n = 2, nil, "timeout" }, table.pack(ws:wait_closed(0.005)))
    ws:abort()
    assert.equal("closed", ws.state)
  end))

  it("gets an error event and then close when it cannot connect", case(function(t)
    local log = {}
    local port = t:free_port()
    local ws = t:connect(port, { events = recorder(log) })
    t:wait_until(function() return #log >= 2 end, "the events")
    t.weft.sleep(0.005)
    assert.same({
      ("error refused: connect to 127.0.0.1:%d: connection refused"):format(port),
      "close 1006 ",
    }, log)
    assert.equal("closed", ws.state)
    assert.same({ n = 4, nil, "closed", 1006, "" }, table.pack(ws:send "late"))
  end))

  it("gets an error event for a refused handshake, and the response", case(function(t)
    local log = {}
    local port = t:serve_raw(function(raw)
      raw:head()
      raw:send "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope"
      raw:read_until_closed()
    end)
    local ws = t:connect(port, { events = recorder(log) })
    t:wait_until(function() return #log >= 2 end, "the events")
    assert.equal("error handshake: handshake refused: 404 Not Found", log[1])
    assert.equal(404, ws.response.status)
  end))

  it("gets an error event for a handshake that takes too long", case(function(t)
    local log = {}
    local port = t:serve_raw(function(raw) raw:read_until_closed() end)
    t:connect(port, { timeout = 0.01, events = recorder(log) })
    t:wait_until(function() return #log >= 2 end, "the events")
    assert.matches("^error timeout: ", log[1])
  end))

  it("wakes a send that waits when the connect fails", case(function(t)
    local ws = t:connect(t:free_port(), { events = { error = function() end } })
    assert.same({ n = 4, nil, "closed", 1006, "" }, table.pack(ws:send "never"))
  end))

  it("may be closed or aborted while connecting", case(function(t)
    for _, name in ipairs { "close", "abort" } do
      local log = {}
      local ws = t:connect((t:listen()), { events = recorder(log) })
      ws[name](ws)
      t:wait_until(function() return ws.state == "closed" end, "the end")
      t:wait_until(function() return log[#log] and log[#log]:find "^close" end, "the close event")
      t.weft.sleep(0.005)
      local closes = 0
      for _, event in ipairs(log) do
        closes = closes + (event:find "^close" and 1 or 0)
      end
      assert.equal(1, closes)
    end
  end))

  it("works without a URL that is right: that fails at once", case(function(t)
    local ws, message, code = t.weft.connect("http://127.0.0.1/", { events = { message = print } })
    assert.is_nil(ws)
    assert.equal("string", type(message))
    assert.equal("url", code)
  end))

  it("keeps run() going until it has closed", case.blocking(function(t)
    local log = {}
    local server = t:listen { websocket = function(ws)
      ws:send "one"
      t.weft.sleep(0.005)
      ws:send "two"
      t.weft.spawn(function() t.servers[1]:close() end)
    end }
    t:connect(server, { events = recorder(log) })
    assert.is_true(t.weft.run())
    assert.same({ "open", "text one", "text two" }, { log[1], log[2], log[3] })
    assert.matches("^close 100[01] ", log[4])
  end))
end)
