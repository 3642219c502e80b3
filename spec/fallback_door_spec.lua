local case = require "support.case"
local fallback = require "support.fallback"
local raises = require "support.raises"

local served, joined = fallback.served, fallback.joined

describe("who may come", function()
  it("is everybody who has the name of the session, and nobody else", case(function(t)
    local client = joined(t, case.echo)
    for _, id in ipairs { "open", "", "x", ("A"):rep(32), client.id:sub(1, -2), client.id .. "A", client.id:reverse() } do
      local other = setmetatable({ id = id }, { __index = client })
      assert.equal(404, fallback.ask(t, client.server, { path = other:url() }).status, id)
    end
    assert.equal(204, (client:post {}))
  end))

  it("is decided by upgrade, which may wait", case(function(t)
    local server = served(t, case.echo, { upgrade = function(request)
      t.weft.sleep(0.001)
      if request.headers.cookie then
        return true, { headers = { ["Set-Cookie"] = "seen=1" } }
      elseif request.query.teapot then
        return nil, 418, "short and stout", { ["X-Pot"] = "tea" }
      end
      return nil
    end })
    assert.equal(403, fallback.try(t, server, "/chat").status)
    local answer = fallback.try(t, server, "/chat", { query = "teapot&weft=open&weft.v=1" })
    assert.same({ 418, "short and stout", "tea" }, { answer.status, answer.body, answer.headers["x-pot"] })
    local accepted, client = fallback.try(t, server, "/chat", { headers = { Cookie = "a=b" } })
    assert.equal("seen=1", accepted.headers["set-cookie"])
    assert.equal(204, (client:post {}))
  end))

  local mistakes = {
    { "yes", function() return "yes" end, "upgrade" },
    { "a protocol that was not offered", function() return true, { protocol = "v9" } end, "v9" },
    { "an unknown field", function() return true, { protocl = "v9" } end, "protocl" },
    { "a header with a line end", function() return true, { headers = { A = "b\r\nC: d" } } end, "A" },
    { "an error", function() error "the store is down" end, "store is down" },
  }
  for _, mistake in ipairs(mistakes) do
    it("is not decided by an upgrade that gives " .. mistake[1], case(function(t)
      local server = served(t, case.echo, { upgrade = mistake[2] })
      assert.equal(500, fallback.try(t, server, "/chat").status)
      local reports = t:reports()
      assert.equal(1, #reports)
      assert.is_truthy(tostring(reports[1].error):find(mistake[3], 1, true), reports[1].error)
    end))
  end

  it("is the server's own pages and those of no page", case(function(t)
    local server = served(t, case.echo)
    local own = "http://127.0.0.1:" .. server:port()
    local function try(origin)
      return fallback.try(t, server, "/chat", { headers = { Origin = origin } })
    end
    assert.equal(200, try(nil).status)
    assert.equal(200, try(own).status)
    for _, origin in ipairs { "http://evil.example", "http://127.0.0.1", "null", own .. ".evil.example" } do
      local answer = try(origin)
      assert.equal(403, answer.status, origin)
      assert.is_truthy(answer.body:find("origins", 1, true))
      assert.is_nil(answer.headers["access-control-allow-origin"])
    end
    local client = fallback.open(t, server, "/chat")
    local evil = { Origin = "http://evil.example", ["Content-Type"] = client.TYPE }
    assert.equal(403, client:post_body("1 0\ntx\n", evil).status)
    assert.equal(403, select(2, client:try_follow(0, { headers = evil })).status)
    assert.equal(403, fallback.ask(t, server, { method = "OPTIONS", path = "/chat?weft=open", headers = evil }).status)
  end))

  it("may be pages of other origins, which browsers are told", case(function(t)
    local server = served(t, case.echo, { origins = { "https://a.example", "https://*.b.example" } })
    for _, origin in ipairs { "https://a.example", "https://x.b.example" } do
      local from = { headers = { Origin = origin } }
      local answer, client = fallback.try(t, server, "/chat", from)
      assert.equal(200, answer.status)
      assert.equal(origin, answer.headers["access-control-allow-origin"])
      assert.equal("true", answer.headers["access-control-allow-credentials"])
      assert.equal("Origin", answer.headers.vary)
      local stream = client:follow(0, from)
      assert.equal(origin, stream.head.headers["access-control-allow-origin"])
      stream:close()
      assert.equal(origin, client:post_body("1 0\n", { Origin = origin, ["Content-Type"] = client.TYPE })
                                 .headers["access-control-allow-origin"])
      local asked = fallback.ask(t, server, { method = "OPTIONS", path = "/chat?weft=open", headers = {
        Origin = origin, ["Access-Control-Request-Method"] = "POST",
        ["Access-Control-Request-Headers"] = "content-type",
      } })
      assert.equal(204, asked.status)
      assert.equal(origin, asked.headers["access-control-allow-origin"])
      assert.is_truthy(asked.headers["access-control-allow-methods"]:find "POST")
      assert.equal("Content-Type", asked.headers["access-control-allow-headers"])
    end
    assert.equal(403, fallback.try(t, server, "/chat", { headers = { Origin = "https://c.example" } }).status)
    local any = served(t, case.echo, { origins = "*" })
    assert.equal(200, fallback.try(t, any, "/chat", { headers = { Origin = "https://c.example" } }).status)
  end))

  it("may be limited by nothing", case(function(t)
    local server = served(t, case.echo, { grace = math.huge, window = math.huge, max_sessions = math.huge, ping_interval = false })
    local answer, client = fallback.try(t, server, "/chat")
    assert.matches('"ping":86400,"grace":86400,"window":9007199254740992', answer.body)
    local stream = client:follow()
    client:post { "thello" }
    assert.same({ "thello" }, stream:records(1))
    stream:close()
  end))

  it("is no more than max_sessions", case(function(t)
    local server = served(t, function(ws) ws:receive() end, { max_sessions = 2, grace = 60 })
    local first = fallback.open(t, server, "/chat")
    fallback.open(t, server, "/chat")
    local answer = fallback.try(t, server, "/chat")
    assert.equal(503, answer.status)
    assert.is_truthy(answer.headers["retry-after"])
    local stream = first:follow()
    first:post { "c" }
    stream:records(1)
    first.seen = 1
    first:post {}
    assert.equal(200, fallback.try(t, server, "/chat").status)
  end))

  it("finds a subprotocol in the server's order", case(function(t)
    local server = served(t, function(ws)
      ws:send(tostring(ws.protocol))
      ws:receive()
    end, { protocols = { "v2", "v1" } })
    for offer, expected in pairs { ["v1,v2"] = "v2", ["v1"] = "v1", ["x,v1"] = "v1", ["x"] = "", [""] = "" } do
      local answer, client = fallback.try(t, server, "/chat", {
        query = "weft=open&weft.v=1&weft.protocols=" .. offer,
      })
      assert.equal(expected, answer.body:match '"protocol":"([^"]*)"')
      local stream = client:follow()
      assert.same({ expected == "" and "tnil" or "t" .. expected }, stream:records(1))
      stream:close()
    end
    local offer
    local chosen = served(t, case.echo, { upgrade = function(request)
      offer = request.headers["Sec-WebSocket-Protocol"]
      return true, { protocol = "mine" }
    end })
    assert.is_truthy(fallback.try(t, chosen, "/chat", { query = "weft=open&weft.v=1&weft.protocols=a%22,b,mine" })
                             .body:find('"protocol":"mine"', 1, true))
    assert.equal("b, mine", offer)
  end))
end)

describe("the page of weft.fallback", function()
  it("serves the client for browsers, which is kept until it changes", case(function(t)
    local server = served(t, case.echo)
    local answer = fallback.ask(t, server, { path = "/chat?weft.js", headers = { Origin = "https://other.example" } })
    assert.equal(200, answer.status)
    assert.equal("text/javascript; charset=utf-8", answer.headers["content-type"])
    assert.equal("*", answer.headers["access-control-allow-origin"]) -- modules ask
    assert.is_truthy(answer.headers["cache-control"]:find "max%-age")
    assert.is_truthy(answer.body:find("class WeftSocket", 1, true))
    local tag = answer.headers.etag
    assert.matches('^"%x+"$', tag)
    local again = fallback.ask(t, server, { path = "/chat?weft.js", headers = { ["If-None-Match"] = tag } })
    assert.same({ 304, "" }, { again.status, again.body })
    local head = fallback.ask(t, server, { method = "HEAD", path = "/chat?room=1&weft.js" })
    assert.equal(tag, head.headers.etag)
    assert.equal(tostring(#answer.body), head.headers["content-length"])
  end))

  it("says what it is to others", case(function(t)
    local server = served(t, case.echo)
    local answer = fallback.ask(t, server, { path = "/chat" })
    assert.equal(426, answer.status)
    assert.equal("websocket", answer.headers.upgrade)
    assert.equal(405, fallback.ask(t, server, { method = "PUT", path = "/chat?weft=open", body = "" }).status)
    assert.equal(404, fallback.ask(t, server, { path = "/chat?weft=open" }).status)
    assert.equal(404, fallback.ask(t, server, { path = "/chat?weft=<b>x</b>" }).status)
  end))

  it("repeats nothing of what it is asked", case(function(t)
    local server = served(t, case.echo)
    for _, path in ipairs { "/chat?weft=INJECTED", "/chat?INJECTED", "/chat?weft=INJECTED&weft.after=INJECTED" } do
      assert.is_nil(fallback.ask(t, server, { path = path }).body:find("INJECTED", 1, true))
    end
  end))

  it("refuses mistakes at the caller's line", case(function(t)
    raises(function() t.weft.fallback() end, "weft.fallback", "handler", "a function or a table of events")
    raises(function() t.weft.fallback {} end, "weft.fallback", "handler", "empty")
    raises(function() t.weft.fallback { ["/chat"] = print } end, "weft.fallback", "/chat")
    raises(function() t.weft.fallback(print, { gracie = 1 }) end, "weft.fallback", "gracie", "grace")
    raises(function() t.weft.fallback(print, { grace = -1 }) end, "weft.fallback", "grace", "seconds")
    raises(function() t.weft.fallback(print, { origins = "example.com" }) end, "weft.fallback", "origins")
    raises(function() t.weft.fallback(print, { upgrade = true }) end, "weft.fallback", "upgrade", "a function")
    raises(function() t.weft.fallback(print, { window = 0 }) end, "weft.fallback", "window")
    raises(function() t.weft.fallback(print, { nodelay = true }) end, "weft.fallback", "nodelay")
  end))
end)
