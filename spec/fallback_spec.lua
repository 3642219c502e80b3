-- Sessions of weft.fallback: how they begin, what their handlers have, and how they end.
local case = require "support.case"
local certificates = require "support.certificates"
local child_process = require "support.child"
local fallback = require "support.fallback"
local frame = require "support.frame"
local mime = require "mime"
local patience = require "support.patience"
local tls_peer = require "support.tls_peer"

local served, joined, watching = fallback.served, fallback.joined, fallback.watching

describe("a session of weft.fallback", function()
  it("echoes text and binary, in order", case(function(t)
    local client, stream = joined(t, case.echo)
    local bytes = "\0\1\2\253\254\255"
    assert.equal(204, client:post { "tHello", "t", "b" .. mime.b64(bytes), "b", "tback\\\\slash \\r\\n grüß \u{1F9F5}" })
    assert.same({ "tHello", "t", "b" .. mime.b64(bytes), "b", "tback\\\\slash \\r\\n grüß \u{1F9F5}" }, stream:records(5))
    assert.equal("text/event-stream", stream.head.headers["content-type"])
    stream:close()
  end))

  it("gives the handler what was meant", case(function(t)
    local got = {}
    local client, stream = joined(t, function(ws)
      for message, kind in ws:messages() do
        got[#got + 1] = { message, kind }
        ws:send "got it"
      end
    end)
    client:post { "ta\\nb\\r\\\\n", "bAP8=" }
    stream:records(2)
    assert.same({ { "a\nb\r\\n", "text" }, { "\0\255", "binary" } }, got)
    stream:close()
  end))

  it("tells at the opening what holds", case(function(t)
    local server = served(t, case.echo, { grace = 7.5, ping_interval = 3, window = 1000 })
    local answer = fallback.try(t, server, "/chat")
    assert.equal(200, answer.status)
    assert.equal("application/json", answer.headers["content-type"])
    assert.matches('^{"weft":1,"id":"[%w_-]+","protocol":"","ping":3,"grace":7.5,"window":1000}\n$', answer.body)
    assert.equal("no-store", answer.headers["cache-control"])
    assert.equal("nosniff", answer.headers["x-content-type-options"])
    assert.equal(400, fallback.try(t, server, "/chat", { query = "weft=open&weft.v=2" }).status)
    assert.equal(400, fallback.try(t, server, "/chat", { query = "weft=open" }).status)
  end))

  it("has a name of 192 random bits", case(function(t)
    local server = served(t, case.echo)
    local seen = {}
    for _ = 1, 50 do
      local id = fallback.open(t, server, "/chat").id
      assert.equal(32, #id)
      assert.is_nil(seen[id])
      seen[id] = true
    end
  end))

  it("has the request that opened it, and the client's address", case(function(t)
    local server = served(t, function(ws)
      local request = ws.request
      ws:send(("%s %s %s %s %s"):format(request.method, request.path, request.query.room,
                                        request.headers.cookie, request.user))
      ws:send(("%s %s"):format(ws.remote_address, math.type(ws.remote_port)))
      ws:receive()
    end, { upgrade = function(request)
      request.user = "ana"
      return true
    end })
    local client = fallback.open(t, server, "/chat", {
      query = "room=7&weft=open&weft.v=1", headers = { Cookie = "a=b" },
    })
    local stream = client:follow()
    assert.same({ "tPOST /chat 7 a=b ana", "t127.0.0.1 integer" }, stream:records(2))
    stream:close()
  end))

  it("knows that the client came by TLS", case(function(t)
    local server = served(t, function(ws)
      ws:send(ws.tls.version)
    end, nil, { tls = certificates.with(certificates.server) })
    local function ask(start, more)
      local openssl = tls_peer.s_client(t, server, { "-quiet" })
      openssl:write(start .. " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" .. more .. "\r\n")
      return (openssl:finish())
    end
    local opened = ask("POST /chat?weft=open&weft.v=1", "Content-Type: application/x-weft\r\nContent-Length: 0\r\n")
    local events = ask("GET /chat?weft=" .. opened:match '"id":"([^"]*)"', "")
    assert.is_truthy(events:find("data: tTLSv1.3\n", 1, true), events)
    assert.is_truthy(events:find("data: c1000\n", 1, true), events)
  end))

  it("starts its handler when the client comes with the name", case(function(t)
    local started = 0
    local server = served(t, function(ws)
      started = started + 1
      ws:receive()
    end)
    local client = fallback.open(t, server, "/chat")
    t.weft.sleep(0.01)
    assert.equal(0, started)
    assert.equal(204, client:post {})
    t:wait_until(function() return started == 1 end)
    client:follow():close()
    t.weft.sleep(0.01)
    assert.equal(1, started)
  end))

  it("may be handled by events", case(function(t)
    local seen = t.weft.queue()
    local client, stream = joined(t, {
      open = function(ws) ws:send "welcome" end,
      message = function(ws, message, kind) ws:send(message:upper(), kind) end,
      close = function(_, code, reason) seen:put { code, reason } end,
    })
    client:post { "thello" }
    assert.same({ "twelcome", "tHELLO" }, stream:records(2))
    client:post { "c4001 done" }
    assert.same({ "c4001" }, stream:records(1))
    assert.same({ nil, "end" }, { stream:event() })
    assert.same({ 4001, "done" }, seen:take(5))
  end))

  it("calls only close for events that have no close of their own", case(function(t)
    local client, stream, server = joined(t, { open = function(ws) ws:send "hi" end })
    stream:records(1)
    assert.equal(1, server:count())
    client:post { "c" }
    assert.same({ "c1005" }, stream:records(1))
    stream:close()
    assert.is_true(server:close(5))
  end))

  it("shares rooms with WebSockets", case(function(t)
    local room = t.weft.room()
    local function chat(ws)
      room:join(ws)
      for text in ws:messages() do
        room:send(text)
      end
    end
    local client, stream, server = joined(t, chat)
    local raw = t:upgrade(server, { path = "/chat" })
    t:wait_until(function() return room:count() == 2 end)
    assert.equal(2, server:count())
    local n = 0
    for ws in server:connections() do
      assert.equal("open", ws.state)
      n = n + 1
    end
    assert.equal(2, n)
    client:post { "tfrom the session" }
    raw:send(frame.client.text "from the socket")
    assert.equal("from the session", raw:message())
    assert.equal("from the socket", raw:message())
    assert.same({ "tfrom the session", "tfrom the socket" }, stream:records(2))
    client:post { "c" }
    t:wait_until(function() return room:count() == 1 end)
    stream:close()
  end))

  it("sends long messages and takes them in pieces", case(function(t)
    local client, stream = joined(t, case.echo, { max_message = 400000 })
    local text = ("0123456789"):rep(30000)
    assert.equal(204, client:post { "T" .. text:sub(1, 100000), "T" .. text:sub(100001, 250000) })
    assert.equal(204, client:post { "t" .. text:sub(250001), "tshort" })
    assert.same({ "t" .. text }, stream:records(1))
    client.seen = 1 -- it was more than the window
    assert.equal(204, (client:post {}))
    assert.same({ "tshort" }, stream:records(1))
    assert.equal(204, client:post { "B" .. mime.b64 "ab", "b" .. mime.b64 "c" })
    assert.same({ "b" .. mime.b64 "abc" }, stream:records(1))
    stream:close()
  end))

  it("is over when the pieces of two messages are mixed", case(function(t)
    local handler, ends = watching(t)
    local client, stream = joined(t, handler)
    assert.equal(404, (client:post { "Ttext", "bAP8=" }))
    assert.equal("closed", ends:take(5)[1])
    assert.equal(404, (client:post {}))
    assert.is_nil((stream:event()))
  end))

  it("closes with 1009 for a message that is too long", case(function(t)
    local handler, ends = watching(t)
    local client, stream = joined(t, handler, { max_message = 1000 })
    client:post { "t" .. ("x"):rep(1001), "tmore" }
    assert.same({ "c1009" }, { (stream:records(1)[1]:match "^c1009") })
    assert.equal("too_big", ends:take(5)[4])
    client, stream = joined(t, handler, { max_message = 1000 })
    client:post { "T" .. ("x"):rep(600), "t" .. ("x"):rep(600) }
    assert.equal("c1009", stream:records(1)[1]:sub(1, 5))
  end))

  it("may be ended by idle_timeout", case(function(t)
    local _, stream = joined(t, function(ws) ws:receive() end, { idle_timeout = 0.05 })
    assert.matches("^c100[01]", stream:records(1)[1])
  end))
end)

describe("the end of a session", function()
  it("is what the handler says", case(function(t)
    local client, stream = joined(t, function(ws)
      ws:send "last"
      ws:close(4000, "no more\nof it")
    end)
    assert.same({ "tlast", "c4000 no more\\nof it" }, stream:records(2))
    assert.same({ nil, "end" }, { stream:event() })
    client.seen = 2
    assert.equal(204, (client:post {}))
    assert.equal(404, (client:post {}))
  end))

  it("is 1000 when the handler returns", case(function(t)
    local _, stream = joined(t, function(ws) ws:send "bye" end)
    assert.same({ "tbye", "c1000" }, stream:records(2))
    assert.same({ nil, "end" }, { stream:event() })
  end))

  it("is 1011 when the handler raises, which is reported with the connection", case(function(t)
    local subject
    local _, stream = joined(t, function(ws)
      subject = ws
      error "the chat broke"
    end)
    assert.same({ "c1011" }, stream:records(1))
    local reports = t:reports()
    assert.equal(1, #reports)
    assert.matches("the chat broke$", reports[1].error)
    assert.equal(subject, reports[1].subject)
  end))

  it("is what the client says", case(function(t)
    for record, expected in pairs {
      ["c4321 good\\nbye"] = { "closed", 4321, "good\nbye", "peer" },
      ["c1000"] = { "closed", 1000, "", "peer" },
      ["c1001"] = { "closed", 1001, "", "peer" },
      ["c"] = { "closed", 1005, "", "peer" }, -- as after a WebSocket's close()
    } do
      local handler, ends = watching(t)
      local client, stream = joined(t, handler)
      assert.equal(204, (client:post { record }))
      assert.same(expected, ends:take(5))
      assert.equal("c" .. expected[2], stream:records(1)[1])
      assert.same({ nil, "end" }, { stream:event() })
    end
  end))

  it("comes after what was sent before it", case(function(t)
    local got = {}
    local client, stream = joined(t, function(ws)
      for message in ws:messages() do
        got[#got + 1] = message
      end
    end)
    client:post { "t1", "t2", "c4000", "t3" }
    assert.same({ "c4000" }, stream:records(1))
    assert.same({ "1", "2" }, got)
  end))

  it("is told again to a client that missed it", case(function(t)
    local client, stream = joined(t, function(ws) ws:close(4000) end)
    stream:records(1)
    stream:close()
    local again = client:follow(0)
    assert.same({ "c4000" }, again:records(1))
    assert.same({ nil, "end" }, { again:event() })
  end))

  it("is forgotten once the client has acknowledged it", case(function(t)
    local client, stream = joined(t, function(ws) ws:close(4000) end)
    stream:records(1)
    client.seen = 1
    assert.equal(204, (client:post {}))
    local none, answer = client:try_follow(1)
    assert.is_nil(none)
    assert.equal(404, answer.status)
  end))
end)

describe("a server that closes", function()
  it("ends its sessions with 1001, and waits for their handlers", case(function(t)
    local handler, ends = watching(t)
    local through = false
    local _, stream, server = joined(t, function(ws)
      handler(ws)
      t.weft.sleep(0.05)
      through = true
    end)
    assert.equal(1, server:count())
    local closing = t:spawn(function() return server:close(5), through end)
    assert.same({ "c1001" }, stream:records(1))
    assert.same({ nil, "end" }, { stream:event() })
    stream:close()
    assert.same({ true, true, true }, { closing:join(5) })
    assert.same({ "closed", 1001, "", "shutdown" }, ends:take(5))
    assert.equal(0, server:count())
  end))

  it("does not wait for clients that are away", case(function(t)
    local handler, ends = watching(t)
    local client, stream, server = joined(t, handler, { grace = 60, ping_interval = 0.01 })
    fallback.open(t, server, "/chat")
    stream:close()
    t.weft.sleep(0.05)
    local begun = t.weft.now()
    assert.is_true(server:close(10))
    assert.is_true(t.weft.now() - begun < patience(4))
    assert.same({ "closed", 1001, "", "shutdown" }, ends:take(5))
    assert.is_truthy(client)
  end))

  it("waits for handlers that are events", case(function(t)
    local through = false
    local _, stream, server = joined(t, {
      open = function(ws) ws:send "hello" end,
      close = function()
        t.weft.sleep(0.05)
        through = true
      end,
    })
    stream:records(1)
    local closing = t:spawn(function() return server:close(5), through end)
    assert.same({ "c1001" }, stream:records(1))
    stream:close()
    assert.same({ true, true, true }, { closing:join(5) })
  end))

  it("cancels handlers that take longer than it may", case(function(t)
    local ending
    local _, stream, server = joined(t, function(ws)
      ws:receive()
      ending = { t.weft.sleep(60) }
    end)
    local closing = t:spawn(function() return server:close(0.05) end)
    assert.same({ "c1001" }, stream:records(1))
    assert.is_true((closing:join(5)))
    assert.same({ nil, "cancelled" }, ending)
  end))

  it("may be closed by a handler, for which it does not wait", case(function(t)
    local said, others, server = nil, 0, nil
    local client, stream
    client, stream, server = joined(t, function(ws)
      if ws:receive() then
        said = { server:close(5) }
      else
        others = others + 1
      end
    end)
    local other = fallback.open(t, server, "/chat"):follow()
    client:post { "tclose" }
    for _, one in ipairs { stream, other } do
      assert.same({ "c1001" }, one:records(1))
      assert.same({ nil, "end" }, { one:event() })
      one:close()
    end
    t:wait_until(function() return said end)
    assert.same({ true }, said)
    assert.equal(1, others)
  end))

  it("at once drops them", case(function(t)
    local handler, ends = watching(t)
    local _, stream, server = joined(t, handler)
    server:close(0)
    assert.equal("cancelled", ends:take(5)[1])
    assert.is_nil((stream:event()))
    stream:close()
  end))
end)

describe("a session of one of several workers", function()
  it("is found by trying", case(function(t)
    local child = child_process.start(t.weft, [[
      local weft = require "weft"
      io.stdout:setvbuf "line"
      local function echo(ws)
        for message in ws:messages() do
          ws:send(weft.worker_id() .. " " .. message)
        end
      end
      weft.serve {
        port = 0, workers = 2,
        websocket = { ["/chat"] = echo }, http = { ["/chat"] = weft.fallback(echo) },
        on_worker = function(n, server) print(("worker %d at %s"):format(n, server:url())) end,
      }
    ]])
    child:wait_for "worker 1 at"
    child:wait_for "worker 2 at"
    local port = math.tointeger(tonumber(child:output():match ":(%d+)\n"))
    local elsewhere = 0
    local function insist(ask)
      for _ = 1, 100 do
        local result, answer = ask()
        if result and result ~= 421 then
          return result
        end
        assert.equal(421, answer and answer.status or result)
        elsewhere = elsewhere + 1
      end
      error "a hundred connections met the wrong worker"
    end
    for _ = 1, 10 do
      local client = fallback.open(t, { port = function() return port end }, "/chat")
      local worker = client.id:match "^([12])%.[%w_-]+$"
      local stream = insist(function() return client:try_follow(0) end)
      assert.equal(204, insist(function() return (client:post({ "thello" }, 1)) end))
      assert.same({ "t" .. worker .. " hello" }, stream:records(1))
      assert.equal(204, insist(function() return (client:post({ "c" }, 2)) end))
      assert.same({ "c1005" }, stream:records(1))
      stream:close()
      client.id = worker .. "." .. client.id:sub(3):reverse()
      assert.equal(404, insist(function() return (client:post({}, 1)) end))
    end
    assert.is_true(elsewhere > 0)
    child:signal "TERM"
    assert.equal(0, (select(2, child:wait())))
  end, 25))
end)
