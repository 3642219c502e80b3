-- What a connection does when much goes through it: the short ways that most
-- messages take must not show, nor where they end.
local case = require "support.case"
local frame = require "support.frame"
local raises = require "support.raises"

local MANY = 100 -- methods looked up: past whatever a connection does about it

--- Both ends of a pair, the second one's methods used often.
local function busy_pair(t)
  local client, server = t.weft.pair()
  for i = 1, MANY do
    assert(server:send("message " .. i))
    assert.equal("message " .. i, (client:receive(1)))
  end
  return client, server
end

describe("a busy connection", function()
  it("has its fields, and its user's", case(function(t)
    local client, server = t.weft.pair()
    server.name = "before"
    for i = 1, MANY do
      assert(server:send(tostring(i)))
      assert.equal(tostring(i), (client:receive(1)))
    end
    assert.equal("before", server.name)
    server.name = "after"
    server.other = false
    assert.equal("after", server.name)
    assert.is_false(server.other)
    server.name = nil
    assert.is_nil(server.name)
    assert.is_nil(server.nothing)
    assert.equal("open", server.state)
    assert.equal(0, server.buffered)
    assert.is_table(server.request)
    assert.equal(server.request, server.request)
    assert.equal("weft", getmetatable(server))
    assert.truthy(tostring(server):find("^weft.Connection %(open%)"))
    assert.is_true(client:close(4001, "enough"))
    assert.equal("closed", server.state)
    assert.equal(4001, server.close_code)
    assert.equal("enough", server.close_reason)
  end))

  it("keeps what is weft's from being assigned", case(function(t)
    local client, server = busy_pair(t)
    for _, name in ipairs { "send", "receive", "state", "request" } do
      raises(function() server[name] = print end,
             "ws." .. name .. " is weft's own and cannot be assigned")
    end
    assert.is_true(server:send "still")
    assert.is_true(client:close())
  end))

  it("is told from anything else by its methods", case(function(t)
    local client, server = busy_pair(t)
    for _, value in ipairs { {}, 1, "ws", io.stdout, t.weft.room() } do
      local words = "argument 'self': expected a weft.Connection, got " .. type(value)
      raises(function() return (server.send(value, "text")) end, "ws:send: " .. words)
      raises(function() return (server.receive(value)) end, "ws:receive: " .. words)
    end
    assert.is_true(client:close())
  end))

  it("joins rooms", case(function(t)
    local client, server = busy_pair(t)
    local room = t.weft.room()
    assert.is_true(room:join(server))
    assert.same({ 1, 0 }, { room:send "to all" })
    assert.equal("to all", (client:receive(1)))
    assert.is_true(client:close())
  end))

  it("is collected", case(function(t)
    local seen = setmetatable({}, { __mode = "k" })
    do
      local client, server = busy_pair(t)
      seen[client], seen[server] = true, true
    end
    for _ = 1, 4 do
      collectgarbage()
      t.weft.sleep(0)
    end
    assert.is_nil(next(seen))
  end))
end)

describe("a short message", function()
  local messages = {
    { "", "text" }, { "", "binary" }, { "a", "text" }, { ("a"):rep(15), "text" },
    { ("a"):rep(16), "text" }, { ("a"):rep(17), "text" }, { ("a"):rep(31) .. "\u{e9}", "text" },
    { "\u{10ffff}" .. ("a"):rep(20), "text" }, { ("\u{20ac}"):rep(40), "text" },
    { ("a"):rep(123) .. "\u{e9}", "text" }, { ("a"):rep(125), "text" }, { ("a"):rep(126), "text" },
    { ("\xFF"):rep(33), "binary" }, { ("\x80"):rep(125), "binary" }, { ("\xFF"):rep(126), "binary" },
  }

  it("comes as it was sent, whatever its bytes", case(function(t)
    local client, server = t.weft.pair()
    for _ = 1, 3 do
      for _, message in ipairs(messages) do
        assert.is_true(client:send(message[1], message[2]))
        assert.same(message, { server:receive(1) })
        assert.is_true(server:send(message[1], message[2]))
        assert.same(message, { client:receive(1) })
      end
    end
    assert.is_true(client:close())
  end))

  it("comes through a handler's loop, many at a time", case(function(t)
    local server = t:listen { websocket = function(ws)
      for message, kind in ws:messages() do
        assert(ws:send(message, kind))
      end
    end }
    local client = t:connect(server)
    for _ = 1, 5 do
      for _, message in ipairs(messages) do
        assert(client:send(message[1], message[2]))
      end
    end
    for _ = 1, 5 do
      for _, message in ipairs(messages) do
        assert.same(message, { client:receive(5) })
      end
    end
    assert.is_true(client:close())
  end))

  it("is a number, if it is one", case(function(t)
    local client, server = t.weft.pair()
    assert.is_true(server:send(12))
    assert.is_true(server:send(0.5, "text", 1))
    assert.same({ "12", "text" }, { client:receive(1) })
    assert.same({ "0.5", "text" }, { client:receive(1) })
    assert.is_true(client:close())
  end))

  it("that is no text is refused, in a handler as elsewhere", case(function(t)
    local bad = { "\xFF", ("a"):rep(16) .. "\xC3", ("a"):rep(60) .. "\xED\xA0\x80" }
    local results = {}
    local server = t:listen { websocket = function(ws)
      for i = 1, MANY do
        ws:send(tostring(i))
      end
      for i, text in ipairs(bad) do
        results[i] = select(2, pcall(ws.send, ws, text))
        results[#bad + i] = select(2, pcall(ws.send, ws, text, "txt"))
      end
      results.done = ws:send("good", nil, nil)
    end }
    local client = t:connect(server)
    for i = 1, MANY do
      assert.equal(tostring(i), (client:receive(5)))
    end
    assert.equal("good", (client:receive(5)))
    for i = 1, #bad do
      assert.truthy(results[i]:find("ws:send: argument 'message': expected UTF-8 text", 1, true))
      assert.truthy(results[#bad + i]:find('argument \'kind\': expected "text" or "binary", got "txt"',
                                           1, true))
    end
    assert.is_true(results.done)
  end))
end)

describe("long messages", function()
  local SIZE = 16 * 1024

  --- A message of its own for each number.
  local function message(i)
    return ("%08d"):format(i):rep(SIZE / 8)
  end

  it("sent many in one turn arrive whole, though the collector runs", case(function(t)
    local COUNT = 150 -- more than are lent at a time
    local server = t:listen { send_buffer = 16 * 1024 * 1024, websocket = function(ws)
      for i = 1, COUNT do
        assert(ws:send(message(i), "binary"))
        if i % 50 == 0 then
          collectgarbage()
        end
      end
      ws:flush()
    end }
    local client = t:connect(server)
    for i = 1, COUNT do
      if i % 40 == 0 then
        collectgarbage()
      end
      assert.is_true(message(i) == client:receive(10))
    end
  end))

  it("are let go of once they are sent", case(function(t)
    local client, server = t.weft.pair()
    local before
    for round = 1, 3 do
      for i = 1, 80 do
        assert(server:send(message(i), "binary"))
        assert.is_true(message(i) == client:receive(10))
      end
      for _ = 1, 3 do
        collectgarbage()
        t.weft.sleep(0)
      end
      local now = collectgarbage "count"
      before = before or now
      assert.is_true(now < before + 256, ("round %d: %.0f KiB, before %.0f"):format(round, now, before))
    end
    assert.is_true(client:close())
  end))

  it("leave a collector alone that is stopped", case(function(t)
    local client, server = t.weft.pair()
    collectgarbage()
    collectgarbage "stop"
    local before = collectgarbage "count"
    local ok, err = pcall(function()
      for i = 1, 100 do
        assert(server:send(message(i), "binary"))
        assert(client:receive(10))
      end
      assert.is_true(collectgarbage "count" > before + 100 * SIZE / 1024)
    end)
    collectgarbage "restart"
    assert(ok, err)
    assert.is_true(client:close())
  end))
end)

describe("large messages that follow one another", function()
  local SIZE = 160 * 1024 -- a turn that has one whole reads no further
  local STREAMS = 6

  --- Sends large messages until it is told to stop.
  local function stream(t, server, going)
    local raw = t:upgrade(server, { path = "/large" })
    t:spawn(function()
      local bytes = frame.client.binary(("x"):rep(SIZE), { mask = "\0\0\0\0" })
      while going.on do
        assert(raw:send(bytes))
      end
      raw:reset()
    end)
  end

  it("from some connections hold up no other one's", case(function(t)
    local large, going = 0, { on = true }
    local server = t:listen { websocket = function(ws)
      for message in ws:messages() do
        if ws.request.path == "/large" then
          large = large + 1
        else
          ws:send(message)
        end
      end
    end }
    local small = { t:upgrade(server), t:upgrade(server) }
    for _ = 1, STREAMS do
      stream(t, server, going)
    end
    local most = 0
    for round = 1, 40 do
      t:wait_until(function() return large > round * STREAMS end, "a few large messages")
      local before = large
      for _, raw in ipairs(small) do
        raw:send(frame.client.text "small")
      end
      for _, raw in ipairs(small) do
        assert.equal("small", (raw:message()))
      end
      most = math.max(most, large - before)
    end
    going.on = false
    -- whoever was ready has had its turn by then, and a turn has one large
    -- message: the streams are ready at both their ends
    assert.is_true(most <= 4 * (STREAMS + #small), most .. " large messages came first")
  end))
end)
