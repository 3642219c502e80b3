local case = require "support.case"
local fallback = require "support.fallback"
local frame = require "support.frame"
local mime = require "mime"
local patience = require "support.patience"

local served, joined = fallback.served, fallback.joined

-- Records that take a while: fewer where everything does.
local MANY = patience(1) > 1 and 20000 or 100000

describe("an opening of weft.fallback", function()
  it("has no body, which would be kept as long as the session", case(function(t)
    local server = served(t, case.echo)
    assert.equal(400, fallback.try(t, server, "/chat", { body = "x" }).status)
    assert.equal(400, fallback.try(t, server, "/chat", { body = ("x"):rep(1000000) }).status)
  end))
end)

describe("posts of weft.fallback", function()
  --- A session whose handler does not receive until it is told, and which has
  --- more in its way than its buffers take.
  local function stuck(t, options)
    local go = t.weft.queue()
    local got = {}
    local client, stream, server = joined(t, function(ws)
      go:take()
      for message in ws:messages() do
        got[#got + 1] = message
      end
    end, options)
    local filler = fallback.send(t, server, {
      method = "POST", path = client:url(), headers = { ["Content-Type"] = client.TYPE },
      body = "1 0\n" .. ("t" .. ("x"):rep(100000) .. "\n"):rep(8),
    })
    t.weft.sleep(0.05)
    return client, stream, go, got, filler
  end

  it("that only acknowledge do not wait for the handler", case(function(t)
    local client, stream, go, got, filler = stuck(t)
    local posted = t:spawn(function() return (client:post({}, 1)) end)
    assert.same({ true, 204 }, { posted:join(patience(2)) })
    go:put(true)
    assert.equal(204, filler:parsed_head().status)
    t:wait_until(function() return #got == 8 end)
    stream:close()
  end))

  it("whose clients went are not kept while the handler takes its time", case(function(t)
    local client, stream, go, _, filler = stuck(t)
    local body = "1 0\n" .. ("t" .. ("x"):rep(100000) .. "\n"):rep(10)
    collectgarbage()
    local before = collectgarbage "count"
    for _ = 1, 30 do
      fallback.send(t, client.server, {
        method = "POST", path = client:url(), headers = { ["Content-Type"] = client.TYPE }, body = body,
      }):close()
    end
    t.weft.sleep(0.2)
    collectgarbage()
    local more = collectgarbage "count" - before
    assert.is_true(more < 8 * 1024, ("%.0f KiB are kept"):format(more))
    go:put(true)
    assert.equal(204, filler:parsed_head().status)
    stream:close()
  end, 20))

  it("wait one at a time: of two the later one goes on", case(function(t)
    local client, stream, go, got, filler = stuck(t)
    local first = t:spawn(function() return (client:post({ "t1" }, 9)) end)
    t.weft.sleep(0.02)
    local second = t:spawn(function() return (client:post({ "t1", "t2" }, 9)) end)
    assert.same({ true, 503 }, { first:join(patience(2)) })
    go:put(true)
    assert.same({ true, 204 }, { second:join(patience(2)) })
    assert.equal(204, filler:parsed_head().status)
    t:wait_until(function() return #got == 10 end)
    assert.same({ "1", "2" }, { got[9], got[10] })
    assert.equal(204, (client:post({ "t3" }, 11)))
    stream:close()
  end))

  it("of very many records leave others their turns", case(function(t)
    local client, stream = joined(t, function(ws) ws:receive() end)
    local echo = t:upgrade(t:server { websocket = case.echo })
    local over = { done = true, failed = true, cancelled = true }
    local echoes = 0
    local posted = t:spawn(function()
      return client:post_body("1 0\n" .. ("t\n"):rep(MANY)).status
    end)
    while not over[posted:status()] do
      echo:send(frame.client.text "quick")
      assert.equal("quick", echo:message())
      echoes = echoes + 1
    end
    assert.same({ true, 204 }, { posted:join() })
    assert.is_true(echoes >= MANY / 5000, echoes)
    stream:close()
  end, 30))

  it("that are looked at when their session is given up start no handler", case(function(t)
    local ran = false
    local server = served(t, function() ran = true end, { grace = 0.005 })
    local client = fallback.open(t, server, "/chat")
    assert.equal(404, client:post_body("1 0\n" .. ("t\n"):rep(MANY)).status)
    assert.is_false(ran)
  end, 30))

  it("of a long message go on after its connection has closed, whose end is told", case(function(t)
    local client, stream = joined(t, function(ws) ws:receive() end, { max_message = 10 })
    assert.equal(204, (client:post { "T" .. ("x"):rep(20) }))
    assert.equal("c1009", stream:records(1)[1]:sub(1, 5))
    assert.equal(204, (client:post { "t", "b" .. mime.b64 "x", "t" }))
    stream:close()
    assert.equal("c1009", client:follow(0):records(1)[1]:sub(1, 5))
  end))
end)

describe("a room of sessions, WebSockets and event streams", function()
  for _, on_full in ipairs { "close", "drop" } do
    it("goes on without a session that does not keep up: on_full = " .. on_full, case(function(t)
      local room = t.weft.room { on_full = on_full }
      local function member(ws)
        room:join(ws)
        ws:receive()
      end
      local server = t:server {
        websocket = { ["/chat"] = member },
        http = {
          ["/chat"] = t.weft.fallback(member, {
            window = 1000, send_buffer = 1000, receive_buffer = 1000,
          }),
          ["/events"] = function(request)
            local events = request:event_stream()
            room:join(events)
            events:wait_closed()
          end,
        },
      }
      local slow = fallback.open(t, server, "/chat")
      local stream = slow:follow()
      local raw = t:upgrade(server, { path = "/chat" })
      local events = t:dial(server)
      events:send "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n"
      assert.equal(200, events:parsed_head().status)
      t:wait_until(function() return room:count() == 3 end)
      for i = 1, 200 do
        local text = i .. ("x"):rep(10000)
        room:send(text)
        assert.equal(text, raw:message())
        assert.equal("data: " .. text .. "\n\n", events:receive(#text + 8))
      end
      assert.equal(on_full == "close" and 2 or 3, room:count())
      local last = 0
      repeat -- what comes is in order, if not all
        local seen, record = stream:event()
        slow.seen = seen
        local n = tonumber(record:match "^t(%d+)x+$")
        assert.is_true(record == "c1013" or n and n > last, record:sub(1, 20))
        last = n or last
        assert.equal(204, (slow:post {}))
        if on_full == "drop" then
          room:send "999x" -- nobody minds if it is missed until there is room
        end
      until record == "c1013" or last == 999
      raw:close()
      events:close()
      stream:close()
    end, 20))
  end
end)

describe("an instance that closes", function()
  local states = {
    { "nobody has come to", function(t, server) return fallback.open(t, server, "/chat") end },
    { "a stream is there", function(t, server)
      return fallback.open(t, server, "/chat"):follow()
    end },
    { "the stream has gone", function(t, server)
      local client = fallback.open(t, server, "/chat")
      client:follow():close()
      t.weft.sleep(0.02)
    end },
    { "posts wait in", function(t, server)
      local client = fallback.open(t, server, "/chat")
      for _ = 1, 3 do
        fallback.send(t, server, {
          method = "POST", path = client:url(), headers = { ["Content-Type"] = client.TYPE },
          body = "1 0\n" .. ("t" .. ("x"):rep(100000) .. "\n"):rep(8),
        })
      end
      t.weft.sleep(0.05)
    end },
    { "the end waits to be seen in", function(t, server)
      local client = fallback.open(t, server, "/chat")
      client:follow()
      client:post { "c" }
    end },
  }
  for _, state in ipairs(states) do
    it("with a session that " .. state[1] .. " leaves nothing", case(function(t)
      local other = t.weft.new()
      other.on_error(function(err) t.reported[#t.reported + 1] = { error = err, traceback = "" } end)
      local driver = setmetatable({ weft = t.weft }, { __index = t })
      local server = assert(other.listen {
        port = 0,
        http = { ["/chat"] = other.fallback(function() other.sleep(60) end, { ping_interval = 0.02 }) },
      })
      local turning = true
      local turner = t:spawn(function()
        while turning do
          other.step(0)
          t.weft.sleep(0.001)
        end
      end)
      state[2](driver, server)
      turning = false
      turner:join(5)
      other.close()
    end))
  end
end)
