local case = require "support.case"
local frame = require "support.frame"
local handshake = require "support.handshake"
local raises = require "support.raises"

--- A server whose connections say which route took them and with what.
local function routed(t, patterns)
  local routes = {}
  for _, pattern in ipairs(patterns) do
    routes[pattern] = function(ws)
      ws:send(pattern)
      local names = {}
      for name, value in pairs(ws.request.params) do
        names[#names + 1] = name .. "=" .. value
      end
      table.sort(names)
      ws:send(table.concat(names, " "))
    end
  end
  return t:listen { websocket = routes }
end

--- Which route takes a path, with what parameters; or nil and the status.
local function route_of(t, server, path)
  local ws, _, code, response = t.weft.connect(t:url(server, path))
  if not ws then
    assert.equal("handshake", code)
    return nil, response.status
  end
  local pattern, params = ws:receive(5), ws:receive(5)
  assert.same({ true, 1000, "" }, { ws:wait_closed(5) })
  return pattern, params
end

describe("routes", function()
  it("go by the path, and what has none gets 404", case(function(t)
    local server = routed(t, { "/chat", "/", "/a/b" })
    assert.same({ "/chat", "" }, { route_of(t, server, "/chat") })
    assert.same({ "/", "" }, { route_of(t, server, "/") })
    assert.same({ "/a/b", "" }, { route_of(t, server, "/a/b") })
    for _, path in ipairs { "/nothing", "/chat/", "/chat/more", "/a", "/CHAT", "//", "/a//b" } do
      assert.same({ nil, 404 }, { route_of(t, server, path) }, path)
    end
  end))

  it("do not look at the query", case(function(t)
    local server = routed(t, { "/chat", "/room/:name" })
    assert.equal("/chat", (route_of(t, server, "/chat?room=/lobby")))
    assert.same({ "/room/:name", "name=5" }, { route_of(t, server, "/room/5?x=/y") })
  end))

  it("take names for segments", case(function(t)
    local server = routed(t, { "/room/:name", "/room/:name/:seat", "/:all" })
    assert.same({ "/room/:name", "name=lobby" }, { route_of(t, server, "/room/lobby") })
    assert.same({ "/room/:name/:seat", "name=a seat=7" }, { route_of(t, server, "/room/a/7") })
    assert.same({ "/:all", "all=room" }, { route_of(t, server, "/room") })
    assert.same({ nil, 404 }, { route_of(t, server, "/room//7") })
    assert.same({ nil, 404 }, { route_of(t, server, "/room/a/7/8") })
  end))

  it("decode what names stand for, segment by segment", case(function(t)
    local server = routed(t, { "/room/:name" })
    assert.same({ "/room/:name", "name=two words" }, { route_of(t, server, "/room/two%20words") })
    assert.same({ "/room/:name", "name=a/b" }, { route_of(t, server, "/room/a%2Fb") })
    assert.same({ "/room/:name", "name=grün" }, { route_of(t, server, "/room/gr%C3%BCn") })
    assert.same({ "/room/:name", "name=a+b" }, { route_of(t, server, "/room/a+b") })
  end))

  it("take all the rest with a star", case(function(t)
    local server = routed(t, { "/files/*", "/files/index" })
    assert.equal("/files/*", (route_of(t, server, "/files/a")))
    assert.equal("/files/*", (route_of(t, server, "/files/a/b/c.txt")))
    assert.equal("/files/index", (route_of(t, server, "/files/index")))
    assert.same({ nil, 404 }, { route_of(t, server, "/file") })
  end))

  it("go exact before name before star", case(function(t)
    local server = routed(t, { "/x/*", "/x/:name", "/x/fixed", "/*" })
    assert.equal("/x/fixed", (route_of(t, server, "/x/fixed")))
    assert.equal("/x/:name", (route_of(t, server, "/x/other")))
    assert.equal("/x/*", (route_of(t, server, "/x/other/more")))
    assert.equal("/*", (route_of(t, server, "/y")))
    assert.equal("/*", (route_of(t, server, "/")))
  end))

  it("may lead to tables of events", case(function(t)
    local server = t:listen { websocket = {
      ["/events"] = { message = function(ws, message) ws:send("event " .. message) end },
      ["/task"] = function(ws) ws:send("task " .. ws:receive()) end,
    } }
    local ws = t:connect(t:url(server, "/events"))
    ws:send "1"
    assert.equal("event 1", ws:receive(5))
    assert.is_true(ws:close())
    ws = t:connect(t:url(server, "/task"))
    ws:send "2"
    assert.equal("task 2", ws:receive(5))
    assert.is_true((ws:wait_closed(5)))
  end))

  it("are checked when they are given", case(function(t)
    for _, bad in ipairs {
      { ["/a"] = print, b = print }, { ["/a"] = 5 }, { ["/:"] = print }, { ["/*/more"] = print },
      { ["/:x/:x"] = print }, { ["/:a"] = print, ["/:b"] = print }, { ["/a"] = { mesage = print } }, {},
    } do
      raises(function() t.weft.listen { port = 0, websocket = bad } end, "listen", "websocket")
    end
  end))
end)

describe("the request of a connection", function()
  it("says how it was reached", case(function(t)
    local _, port = t:listen()
    local ws = t:connect(("ws://127.0.0.1:%d/caf%%C3%%A9/x?room=a%%20b&empty=&flag"):format(port), {
      headers = { ["X-Many"] = { "1", "2" }, Cookie = "a=b" }, origin = "http://127.0.0.1:" .. port,
    })
    local request = t:accepted().request
    assert.equal("GET", request.method)
    assert.equal("/caf%C3%A9/x?room=a%20b&empty=&flag", request.target)
    assert.equal("/café/x", request.path)
    assert.equal("room=a%20b&empty=&flag", request.query_string)
    assert.equal("a b", request.query.room)
    assert.equal("", request.query.empty)
    assert.equal("", request.query.flag)
    assert.equal("127.0.0.1:" .. port, request.host)
    assert.equal("a=b", request.headers.cookie)
    assert.equal("a=b", request.headers.Cookie)
    assert.equal("a=b", request.headers.COOKIE)
    assert.equal("1, 2", request.headers["X-Many"])
    assert.is_nil(request.headers["x-none"])
    assert.is_nil(request.headers.Accept)
    assert.same({}, request.params)
    ws:abort()
  end))

  it("has an empty query when there was none", case(function(t)
    local server = t:listen()
    local ws = t:connect(server)
    local request = t:accepted().request
    assert.same({}, request.query)
    assert.is_truthy(request.query_string == nil or request.query_string == "")
    assert.equal("/", request.path)
    ws:abort()
  end))

  it("keeps the fields that are set on it", case(function(t)
    local server = t:listen()
    local ws = t:connect(server)
    local accepted = t:accepted()
    local request = accepted.request
    request.user = "ana"
    assert.equal(request, accepted.request)
    assert.equal("ana", accepted.request.user)
    ws:abort()
  end))

  it("can be read after the connection has closed", case(function(t)
    local server = t:listen()
    local ws = t:connect(t:url(server, "/late?x=1"))
    local accepted = t:accepted()
    assert.is_true(ws:close())
    assert.equal("1", accepted.request.query.x)
    assert.equal("/late", ws.request.path)
    assert.equal(101, ws.response.status)
  end))

  it("joins repeated headers with a comma", case(function(t)
    local server = t:listen()
    local raw = t:upgrade(server, { lines = { "X-List: a", "x-list: b", "X-LIST: c, d" } })
    assert.equal("a, b, c, d", t:accepted().request.headers["X-List"])
    raw:close()
  end))

  it("is on a client what was sent, with the response that came back", case(function(t)
    local port = t:serve_upgraded(function(raw)
      raw:read_until_closed()
    end, { headers = { ["X-Served-By"] = "a raw peer" } })
    local ws = t:connect(t:url(port, "/path?x=1"), { headers = { Cookie = "a=b" } })
    assert.equal("GET", ws.request.method)
    assert.equal("/path?x=1", ws.request.target)
    assert.equal("/path", ws.request.path)
    assert.equal("a=b", ws.request.headers.cookie)
    assert.equal("13", ws.request.headers["Sec-WebSocket-Version"])
    assert.equal(101, ws.response.status)
    assert.equal("a raw peer", ws.response.headers["x-served-by"])
    assert.equal("websocket", ws.response.headers.Upgrade:lower())
    ws:abort()
  end))
end)

describe("upgrade", function()
  --- A server with this upgrade function, which echoes one message.
  local function guarded(t, upgrade, more)
    local options = { upgrade = upgrade, websocket = function(ws)
      ws:send(ws.request.user or "nobody")
    end }
    for name, value in pairs(more or {}) do
      options[name] = value
    end
    return t:listen(options)
  end

  it("lets in with true, and its request is the connection's", case(function(t)
    local seen, handled
    local server = t:listen {
      upgrade = function(request)
        seen = request
        request.user = request.headers.cookie and "ana"
        return true
      end,
      websocket = function(ws)
        handled = ws.request
        ws:send(ws.request.user)
      end,
    }
    local ws = t:connect(t:url(server, "/chat?x=1"), { headers = { Cookie = "id=1" } })
    assert.equal("ana", ws:receive(5))
    assert.equal(seen, handled)
    assert.equal("/chat", seen.path)
    assert.equal("1", seen.query.x)
    assert.equal("GET", seen.method)
    assert.is_true((ws:wait_closed(5)))
  end))

  it("refuses with 403 for nil", case(function(t)
    local server = guarded(t, function() return nil end)
    local ws, message, code, response = t.weft.connect(t:url(server))
    assert.is_nil(ws)
    assert.equal("handshake refused: 403 Forbidden", message)
    assert.equal("handshake", code)
    assert.equal(403, response.status)
  end))

  it("refuses with a status, words and headers of its own", case(function(t)
    local server = guarded(t, function()
      return nil, 401, "who are you?", { ["WWW-Authenticate"] = "Basic" }
    end)
    local ws, message, _, response = t.weft.connect(t:url(server))
    assert.is_nil(ws)
    assert.equal("handshake refused: 401 Unauthorized", message)
    assert.equal(401, response.status)
    assert.equal("Basic", response.headers["WWW-Authenticate"])
    assert.is_truthy(response.body:find("who are you?", 1, true))
  end))

  it("may wait, while others talk", case(function(t)
    local gate = t.weft.queue()
    local server = guarded(t, function(request)
      if request.path == "/slow" then
        gate:take()
      end
      request.user = request.path
      return true
    end)
    local order = {}
    local function visit(path)
      local ws = t:connect(t:url(server, path))
      local path_seen = ws:receive(5)
      order[#order + 1] = path_seen
      ws:wait_closed(5)
    end
    local first = t:spawn(visit, "/slow")
    local second = t:spawn(visit, "/fast")
    assert.is_true(second:join(5))
    gate:put(true)
    assert.is_true(first:join(5))
    assert.same({ "/fast", "/slow" }, order)
  end))

  it("may choose the subprotocol and add headers", case(function(t)
    local server = guarded(t, function()
      return true, { protocol = "v1", headers = { ["Set-Cookie"] = "id=7", ["X-Two"] = { "a", "b" } } }
    end)
    local ws = t:connect(server, { protocols = { "v2", "v1" } })
    assert.equal("v1", ws.protocol)
    assert.equal("id=7", ws.response.headers["set-cookie"])
    assert.equal("a, b", ws.response.headers["x-two"])
    ws:abort()
  end))

  local mistakes = {
    { "an error", function() error "the session store is down" end, "session store" },
    { "a protocol that was not offered", function() return true, { protocol = "v9" } end, "v9" },
    { "a header with a line end in it", function()
      return true, { headers = { ["X-Bad"] = "a\r\nX-Injected: 1" } }
    end, "X-Bad" },
    { "a header of the handshake's own", function()
      return true, { headers = { ["Sec-WebSocket-Accept"] = "x" } }
    end, "Sec-WebSocket-Accept" },
    { "an unknown field", function() return true, { protocl = "v1" } end, "protocl" },
    { "neither true nor nil", function() return "yes" end, "upgrade" },
    { "a status that is none", function() return nil, 42 end, "upgrade" },
    { "a refusal with a line end in a header", function() return nil, 401, "no", { A = "b\nc" } end, "A" },
  }
  for _, mistake in ipairs(mistakes) do
    local what, upgrade, word = table.unpack(mistake)
    it(what .. " is a 500 and a report, and the server goes on", case(function(t)
      local broken = true
      local server = guarded(t, function()
        if broken then
          return upgrade()
        end
        return true
      end)
      local ws, _, code, response = t.weft.connect(t:url(server), { protocols = { "v1" } })
      assert.is_nil(ws)
      assert.equal("handshake", code)
      assert.equal(500, response.status)
      assert.is_nil(response.headers["X-Injected"])
      assert.is_nil(response.body:find("session store", 1, true))
      local reports = t:reports()
      assert.equal(1, #reports)
      assert.is_truthy(tostring(reports[1].error):find(word, 1, true), reports[1].error)
      broken = false
      local good = t:connect(server)
      assert.equal("nobody", good:receive(5))
      assert.is_true((good:wait_closed(5)))
    end))
  end

  it("is not asked about paths that have no route", case(function(t)
    local asked = 0
    local server = t:listen { websocket = { ["/chat"] = function() end }, upgrade = function()
      asked = asked + 1
      return true
    end }
    assert.equal(404, (select(4, t.weft.connect(t:url(server, "/other")))).status)
    assert.equal(0, asked)
  end))

  it("sees the parameters of the route", case(function(t)
    local server = t:listen { websocket = { ["/room/:name"] = function(ws)
      ws:send(ws.request.room)
    end }, upgrade = function(request)
      request.room = "room " .. request.params.name
      return true
    end }
    local ws = t:connect(t:url(server, "/room/7"))
    assert.equal("room 7", ws:receive(5))
    assert.is_true((ws:wait_closed(5)))
  end))

  it("may outlive its server, which then lets no one in", case(function(t)
    local asked, answer = t.weft.queue(), t.weft.queue()
    local handled = false
    local server = t:listen {
      upgrade = function()
        asked:put(true)
        return answer:take()
      end,
      websocket = function() handled = true end,
    }
    local connecting = t:spawn(function()
      local ws, _, code, response = t.weft.connect(t:url(server))
      return ws, code, response and response.status
    end)
    asked:take(5)
    local closing = t:spawn(function() return (server:close(5)) end)
    t.weft.sleep(0)
    answer:put(true)
    assert.same({ n = 4, true, nil, "handshake", 503 }, table.pack(connecting:join(5)))
    assert.same({ true, true }, { closing:join(5) })
    assert.is_false(handled)
  end))

  it("may outlive its peer", case(function(t)
    local asked, answer, answered = t.weft.queue(), t.weft.queue(), false
    local server = t:listen { websocket = function(ws) ws:receive() end, upgrade = function()
      asked:put(true)
      answered = answer:take()
      return true
    end }
    local raw = t:dial(server)
    raw:send(handshake.request())
    asked:take(5)
    raw:reset()
    t.weft.sleep(0)
    answer:put(true)
    t:wait_until(function() return answered end, "the end of upgrade")
    t:wait_until(function() return server:count() == 0 end, "the end of the connection")
  end))
end)

describe("subprotocols", function()
  it("are chosen in the server's order of preference", case(function(t)
    local server = t:listen { protocols = { "chat.v2", "chat.v1" } }
    local function agreed(offer)
      local ws = t:connect(server, { protocols = offer })
      local accepted = t:accepted()
      assert.equal(ws.protocol, accepted.protocol)
      ws:abort()
      return ws.protocol
    end
    assert.equal("chat.v2", agreed { "chat.v1", "chat.v2" })
    assert.equal("chat.v1", agreed { "chat.v1" })
    assert.equal("chat.v1", agreed { "other", "chat.v1" })
    assert.is_nil(agreed { "other" })
    assert.is_nil(agreed { "CHAT.V1" })
    assert.is_nil(agreed(nil))
  end))

  it("are left out by a server that speaks none", case(function(t)
    local server = t:listen()
    local raw = t:upgrade(server, { headers = { ["Sec-WebSocket-Protocol"] = "chat" } })
    assert.is_nil(raw.response.headers["sec-websocket-protocol"])
    assert.is_nil(t:accepted().protocol)
  end))
end)

describe("origins", function()
  local function status(t, server, origin)
    local raw = t:dial(server)
    raw:send(handshake.request {
      host = "127.0.0.1:" .. server:port(), headers = { Origin = origin },
    })
    local answer = raw:parsed_head()
    local body = answer.status ~= 101 and raw:read_until_closed() or ""
    raw:close()
    return answer.status, body
  end

  it("unset, let in the server's own pages and who names none", case(function(t)
    local server, port = t:listen()
    assert.equal(101, (status(t, server, nil)))
    assert.equal(101, (status(t, server, "http://127.0.0.1:" .. port)))
    local refused, body = status(t, server, "http://evil.example")
    assert.equal(403, refused)
    assert.is_truthy(body:find("origins", 1, true), body)
    assert.equal(403, (status(t, server, "http://127.0.0.1")))
    assert.equal(403, (status(t, server, "null")))
  end))

  it("given, let in those, below a star too", case(function(t)
    local server, port = t:listen { origins = { "https://example.com", "https://*.example.net" } }
    assert.equal(101, (status(t, server, "https://example.com")))
    assert.equal(101, (status(t, server, "https://EXAMPLE.com")))
    assert.equal(101, (status(t, server, "https://a.example.net")))
    assert.equal(101, (status(t, server, "https://a.b.example.net")))
    assert.equal(403, (status(t, server, "https://example.net")))
    assert.equal(403, (status(t, server, "https://evilexample.net")))
    assert.equal(403, (status(t, server, "http://example.com")))
    assert.equal(403, (status(t, server, "https://example.com.evil.net")))
    assert.equal(403, (status(t, server, "http://127.0.0.1:" .. port)))
    assert.equal(101, (status(t, server, nil)))
  end))

  it('"*" lets in any', case(function(t)
    local server = t:listen { origins = "*" }
    assert.equal(101, (status(t, server, "http://evil.example")))
    assert.equal(101, (status(t, server, "null")))
  end))
end)

describe("an http handler", function()
  it("answers plain requests beside the WebSocket", case(function(t)
    local server = t:listen {
      http = function(request)
        return 200, { ["Content-Type"] = "text/html" }, ("<p>%s %s</p>"):format(request.method, request.path)
      end,
      websocket = function(ws) ws:send "hello" end,
    }
    local answer = t:http(server, { path = "/page?x" })
    assert.equal(200, answer.status)
    assert.equal("text/html", answer.headers["content-type"])
    assert.equal("<p>GET /page</p>", answer.body)
    assert.equal("fin", answer.ending)
    local raw = t:upgrade(server)
    assert.equal("hello", raw:message())
    raw:send(frame.client.close(1000))
  end))

  it("may wait, and its error is a 500 and a report", case(function(t)
    local server = t:listen { http = function(request)
      t.weft.sleep(0.002)
      if request.path == "/bad" then
        error "the page broke"
      end
      return 200, {}, "waited"
    end, websocket = print }
    assert.equal("waited", t:http(server).body)
    local answer = t:http(server, { path = "/bad" })
    assert.equal(500, answer.status)
    assert.is_nil(answer.body:find("page broke", 1, true))
    assert.matches("the page broke$", t:reports()[1].error)
    assert.equal(200, t:http(server).status)
  end))

  it("may be routes, and there is a line for who expects none", case(function(t)
    local server = t:listen { http = {
      ["/"] = function() return 200, {}, "index" end,
      ["/user/:name"] = function(request) return 200, {}, "user " .. request.params.name end,
    }, websocket = print }
    assert.equal("index", t:http(server).body)
    assert.equal("user ana", t:http(server, { path = "/user/ana" }).body)
    assert.equal(404, t:http(server, { path = "/none" }).status)
    local bare = t:http((t:listen { websocket = print }))
    assert.equal(426, bare.status)
    assert.is_true(#bare.body > 0)
  end))
end)
