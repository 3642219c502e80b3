-- Redirects: where a client goes that is told to (RFC 9110, 15.4), and what it
-- does not take along.
local case = require "support.case"
local certificates = require "support.certificates"
local frame = require "support.frame"
local handshake = require "support.handshake"
local patience = require "support.patience"
local raises = require "support.raises"

--- A raw server that answers targets in `pages` (a Location, or the whole
--- answer when it begins with HTTP/) and upgrades for all others; the port, and
--- the list of the requests that came.
local function site(t, pages, status)
  local requests = {}
  local port = t:serve_raw(function(raw)
    local request = raw:parsed_head()
    requests[#requests + 1] = request
    local page = pages[request.target]
    if not page then
      local offered = request.headers["sec-websocket-protocol"]
      raw:send(handshake.response(request.headers["sec-websocket-key"], {
        headers = { ["Sec-WebSocket-Protocol"] = offered },
      }) .. frame.server.text("at " .. request.target))
      return -- the case closes it
    elseif page:find "^HTTP/" then
      raw:send(page)
    else
      raw:send(("HTTP/1.1 %s\r\nLocation: %s\r\nContent-Length: 5\r\n\r\nmoved"):format(status or "302 Found", page))
    end
    raw:read_until_closed()
    raw:close()
  end)
  return port, requests
end

local function targets(requests)
  local list = {}
  for i, request in ipairs(requests) do
    list[i] = request.target
  end
  return list
end

--- The failure of a connect: message, response.
local function refused(t, url, options)
  local ws, message, code, response = t.weft.connect(url, options)
  assert.is_nil(ws)
  assert.equal("handshake", code, message)
  return message, response
end

describe("a client that may follow redirects", function()
  for _, status in ipairs {
    "301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect",
  } do
    it("follows a " .. status, case(function(t)
      local port, requests = site(t, { ["/old?a=b"] = "/new?c=d" }, status)
      local ws = t:connect(t:url(port, "/old?a=b"), { redirects = 1 })
      assert.same({ "/old?a=b", "/new?c=d" }, targets(requests))
      assert.equal("GET", requests[2].method)
      assert.equal("127.0.0.1:" .. port, requests[2].headers.host)
      assert.equal("/new?c=d", ws.request.target)
      assert.equal(101, ws.response.status)
      assert.equal("at /new?c=d", ws:receive(5))
    end))
  end

  it("follows none unless it is told to", case(function(t)
    local port, requests = site(t, { ["/"] = "/new" })
    local message, response = refused(t, t:url(port))
    assert.equal("handshake refused: 302 Found", message)
    assert.same({ 302, "/new", "moved" }, { response.status, response.headers.location, response.body })
    assert.same({ "/" }, targets(requests))
  end))

  it("follows as many as it is told to, and gives the next one as the refusal it is", case(function(t)
    local port, requests = site(t, { ["/1"] = "/2", ["/2"] = "/3", ["/3"] = "/4" })
    assert.equal("at /4", t:connect(t:url(port, "/1"), { redirects = 3 }):receive(5))
    assert.same({ "/1", "/2", "/3", "/4" }, targets(requests))
    local message, response = refused(t, t:url(port, "/1"), { redirects = 2 })
    assert.equal("handshake refused: 302 Found", message)
    assert.equal("/4", response.headers.location)
    assert.equal(7, #requests)
  end))

  it("ends where a place leads to itself", case(function(t)
    local port, requests = site(t, { ["/"] = "" })
    local message = refused(t, t:url(port), { redirects = 5 })
    assert.equal("handshake refused: 302 Found", message)
    assert.equal(6, #requests)
  end))

  for location, target in pairs {
    ["new"] = "/a/b/new", ["../new"] = "/a/new", ["?x=1"] = "/a/b/c?x=1", ["/new#part"] = "/new", ["./"] = "/a/b/",
    ["/gr\u{FC}n"] = "/gr%C3%BCn",
  } do
    it(("is led by %q"):format(location), case(function(t)
      local port, requests = site(t, { ["/a/b/c?q"] = location })
      t:connect(t:url(port, "/a/b/c?q"), { redirects = 1 })
      assert.equal(target, requests[2].target)
    end))
  end

  for _, scheme in ipairs { "ws:", "http:", "WS:", "HTTP:", "" } do
    it(("is led to another port by %q"):format(scheme .. "//..."), case(function(t)
      local there, seen = site(t, {})
      local here = site(t, { ["/"] = ("%s//localhost:%d/x"):format(scheme, there) })
      local ws = t:connect(t:url(here), { redirects = 1 })
      assert.equal("at /x", ws:receive(5))
      assert.equal("localhost:" .. there, seen[1].headers.host)
      assert.equal("localhost:" .. there, ws.request.host)
      assert.equal(there, ws.remote_port)
    end))
  end

  it("takes no other status for a redirect, and no Location for none", case(function(t)
    local pages = {}
    for i, start in ipairs { "200 OK", "300 Multiple Choices", "304 Not Modified", "401 Unauthorized", "503 Oops" } do
      pages["/" .. i] = ("HTTP/1.1 %s\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n"):format(start)
    end
    pages["/6"] = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"
    local port, requests = site(t, pages)
    for i = 1, 6 do
      assert.matches("^handshake refused: %d%d%d [%a ]+$", (refused(t, t:url(port, "/" .. i), { redirects = 5 })))
    end
    assert.equal(6, #requests)
  end))

  it("reads what comes with a redirect, however it is framed", case(function(t)
    local head = "HTTP/1.1 302 Found\r\nLocation: /new\r\n"
    local port = site(t, {
      ["/chunked"] = head .. "Transfer-Encoding: chunked\r\n\r\n5\r\nmoved\r\n0\r\n\r\n",
      ["/long"] = head .. "Content-Length: 60000\r\n\r\n" .. ("x"):rep(60000),
      ["/none"] = head .. "Content-Length: 0\r\nConnection: keep-alive\r\n\r\n",
    })
    for _, path in ipairs { "/chunked", "/long", "/none" } do
      assert.equal("at /new", t:connect(t:url(port, path), { redirects = 1 }):receive(5))
    end
  end))

  it("says where it could not get to", case(function(t)
    local nobody = t:free_port()
    local port = site(t, { ["/"] = ("ws://127.0.0.1:%d/"):format(nobody) })
    local ws, message, code = t.weft.connect(t:url(port), { redirects = 1 })
    assert.is_nil(ws)
    assert.equal(("connect to 127.0.0.1:%d: connection refused"):format(nobody), message)
    assert.equal("refused", code)
  end))

  it("has one deadline for all of it", case(function(t)
    local hops = 0
    local port = t:serve_raw(function(raw)
      raw:head()
      hops = hops + 1
      t.weft.sleep(0.05)
      raw:send "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"
      raw:read_until_closed()
      raw:close()
    end)
    local began = t.weft.now()
    local ws, message, code = t.weft.connect(t:url(port), { redirects = math.huge, timeout = 0.3 })
    assert.same({ nil, "timeout" }, { ws, code })
    assert.is_truthy(message:find("127.0.0.1:" .. port, 1, true), message)
    assert.is_true(t.weft.now() - began >= 0.29)
    assert.is_true(t.weft.now() - began < patience(2))
    assert.is_true(hops >= 2)
  end))

  it("can be cancelled on its way", case(function(t)
    local arrived
    local port = t:serve_raw(function(raw)
      local request = raw:parsed_head()
      if request.target == "/" then
        raw:send "HTTP/1.1 302 Found\r\nLocation: /slow\r\nContent-Length: 0\r\n\r\n"
      else
        arrived = true
      end
      raw:read_until_closed()
      raw:close()
    end)
    local results
    local task = t:spawn(function()
      results = table.pack(t.weft.connect(t:url(port), { redirects = 1 }))
    end)
    t:wait_until(function() return arrived end, "the second request")
    task:cancel()
    task:join(5)
    assert.is_nil(results[1])
    assert.equal("cancelled", results[3])
  end))

  it("calls its events as if there had been none", case(function(t)
    local port, requests = site(t, { ["/"] = "/2", ["/2"] = "/3" })
    local log = {}
    t.weft.connect(t:url(port), { redirects = 2, events = {
      open = function(ws) log[#log + 1] = "open " .. ws.request.target end,
      message = function(ws, message)
        log[#log + 1] = message
        ws:close()
      end,
      close = function() log[#log + 1] = "close" end,
      error = function(_, message) log[#log + 1] = message end,
    } })
    t:wait_until(function() return #log > 1 end, "a message")
    assert.same({ "open /3", "at /3" }, { log[1], log[2] })
    assert.same({ "/", "/2", "/3" }, targets(requests))
  end))

  it("tells its events of a refusal at the end", case(function(t)
    local port = site(t, { ["/"] = "/2", ["/2"] = "/3" })
    local log = {}
    t.weft.connect(t:url(port), { redirects = 1, events = {
      error = function(_, message, code) log[#log + 1] = code .. ": " .. message end,
    } })
    t:wait_until(function() return log[1] end, "an error")
    assert.same({ "handshake: handshake refused: 302 Found" }, log)
  end))

  it("works on the main thread", case.blocking(function(t)
    local server = t:listen { websocket = case.echo, upgrade = function(request)
      if request.path == "/" then
        return nil, 307, "over there", { Location = "/there" }
      end
      return true
    end }
    local ws = t:connect(server, { redirects = 1 })
    ws:send "hello"
    assert.equal("hello", ws:receive(5))
    assert.equal("/there", ws.request.path)
    assert.is_true(ws:close())
  end))
end)

describe("a redirect that is not followed", function()
  local function told(t, location, ...)
    local port, requests = site(t, { ["/"] = location })
    local message, response = refused(t, t:url(port), { redirects = 3 })
    assert.is_truthy(message:find("handshake refused: 302 Found: its Location ", 1, true), message)
    for _, words in ipairs { ... } do
      assert.is_truthy(message:find(words, 1, true), message)
    end
    assert.equal(302, response.status)
    assert.equal(1, #requests)
    return message
  end

  it("says that its Location is no good", case(function(t)
    told(t, "ftp://127.0.0.1/", "begin with ws")
    told(t, "mailto:ana@example.com", "begin with ws")
    told(t, "/two words", "percent-encoded")
    told(t, "ws://127.0.0.1:0/", "port")
    told(t, "//", "no host")
  end))

  it("says that it would log in as somebody else, and not as whom", case(function(t)
    local message = told(t, "//ana:sesame@127.0.0.1/", "user name or password")
    assert.is_nil(message:find "sesame")
    assert.is_nil(message:find "ana")
  end))

  it("says so where the status has no words", case(function(t)
    local port = site(t, { ["/"] = "x:y" }, "302")
    assert.matches("^handshake refused: 302: its Location ", (refused(t, t:url(port), { redirects = 1 })))
  end))

  it("leads from wss to ws", case(function(t)
    local plain, seen = site(t, {})
    local location
    local server = t:listen {
      tls = certificates.with(certificates.server),
      upgrade = function() return nil, 302, "", { Location = location } end,
    }
    for _, scheme in ipairs { "ws", "http" } do
      location = ("%s://127.0.0.1:%d/"):format(scheme, plain)
      local message, response = refused(t, ("wss://127.0.0.1:%d/"):format(server:port()), {
        redirects = 1, tls = { ca = certificates.ca },
      })
      assert.equal("handshake refused: 302 Found: its Location leads from wss to ws", message)
      assert.equal(location, response.headers.location)
    end
    assert.equal(0, #seen)
  end))
end)

describe("a redirect to TLS", function()
  it("is followed, from ws or within wss", case(function(t)
    local server = t:listen {
      tls = certificates.with(certificates.server),
      upgrade = function(request)
        if request.path == "/" then
          return nil, 308, "", { Location = "/there" }
        end
        return true
      end,
    }
    local options = { redirects = 2, tls = { ca = certificates.ca } }
    for _, scheme in ipairs { "wss", "https" } do
      local port = site(t, { ["/"] = ("%s://localhost:%d/"):format(scheme, server:port()) })
      local ws = t:connect(t:url(port), options)
      assert.equal("/there", ws.request.path)
      assert.matches("^TLSv1", ws.tls.version)
      ws:abort()
    end
  end))

  it("takes server_name along to other ports of the host, and nowhere else", case(function(t)
    local server = t:listen { tls = certificates.with(certificates.a_example) }
    local location
    local first = t:listen {
      tls = certificates.with(certificates.a_example),
      upgrade = function() return nil, 302, "", { Location = location } end,
    }
    local options = { redirects = 1, tls = { ca = certificates.ca, server_name = "a.example" } }
    local url = ("wss://127.0.0.1:%d/"):format(first:port())
    location = ("wss://127.0.0.1:%d/"):format(server:port())
    t:connect(url, options):abort()
    location = ("wss://localhost:%d/"):format(server:port())
    local ws, message, code = t.weft.connect(url, options)
    assert.same({ nil, "tls" }, { ws, code })
    assert.is_truthy(message:find("localhost", 1, true), message)
  end))
end)

describe("what a client takes along", function()
  local secret = {
    Authorization = "Bearer sesame", cookie = "id=sesame", ["Proxy-AUTHORIZATION"] = "Basic sesame", ["X-Plain"] = "yes",
  }

  local function has_secrets(request)
    return { request.headers.authorization, request.headers.cookie, request.headers["proxy-authorization"] }
  end
  local all = { "Bearer sesame", "id=sesame", "Basic sesame" }

  it("is everything, to another path", case(function(t)
    local port, requests = site(t, { ["/"] = "/2", ["/2"] = "/3" })
    t:connect(t:url(port), {
      redirects = 2, headers = secret, origin = "http://app.example", protocols = { "v1" }, user_agent = "spec/1",
    })
    for i = 1, 3 do
      assert.same(all, has_secrets(requests[i]))
      assert.same({ "yes", "http://app.example", "v1", "spec/1" }, {
        requests[i].headers["x-plain"], requests[i].headers.origin, requests[i].headers["sec-websocket-protocol"],
        requests[i].headers["user-agent"],
      })
    end
  end))

  for what, location in pairs { port = "ws://127.0.0.1:%d/x", host = "ws://localhost:%d/x" } do
    it("is no secret to another " .. what, case(function(t)
      local there, seen = site(t, {})
      local here = site(t, { ["/"] = location:format(there) })
      t:connect(t:url(here), {
        redirects = 1, headers = secret, origin = "http://app.example", protocols = { "v1" },
      })
      assert.same({}, has_secrets(seen[1]))
      assert.is_nil(seen[1].text:find "sesame")
      assert.same({ "yes", "http://app.example", "v1" }, {
        seen[1].headers["x-plain"], seen[1].headers.origin, seen[1].headers["sec-websocket-protocol"],
      })
    end))
  end

  it("is no secret to the same host by another name", case(function(t)
    local requests, port
    port, requests = site(t, setmetatable({}, { __index = function(_, target)
      return target == "/" and ("ws://localhost:%d/x"):format(port) or nil
    end }))
    t:connect(t:url(port), { redirects = 1, headers = secret })
    assert.same(all, has_secrets(requests[1]))
    assert.same({}, has_secrets(requests[2]))
  end))

  it("does not come back with the client", case(function(t)
    local here, there, requests
    there = site(t, setmetatable({}, { __index = function()
      return ("ws://127.0.0.1:%d/again"):format(here)
    end }))
    here, requests = site(t, { ["/"] = ("ws://127.0.0.1:%d/"):format(there) })
    t:connect(t:url(here), { redirects = 2, headers = secret })
    assert.same({ "/", "/again" }, targets(requests))
    assert.same(all, has_secrets(requests[1]))
    assert.same({}, has_secrets(requests[2]))
  end))

  it("stays left behind on the other host's own redirects", case(function(t)
    local there, seen = site(t, { ["/"] = "/2" })
    local here = site(t, { ["/"] = ("ws://127.0.0.1:%d/"):format(there) })
    t:connect(t:url(here), { redirects = 2, headers = secret })
    assert.same({ "/", "/2" }, targets(seen))
    assert.same({}, has_secrets(seen[1]))
    assert.same({}, has_secrets(seen[2]))
  end))

  for what, credentials in pairs {
    ["options"] = { "ws://", { username = "ana", password = "sesame" } }, ["the URL"] = { "ws://ana:sesame@", {} },
  } do
    it("is Basic auth from " .. what .. ", as long as the host stays", case(function(t)
      local there, seen = site(t, {})
      local here, requests = site(t, { ["/"] = "/2", ["/2"] = ("//127.0.0.1:%d/"):format(there) })
      local options = { redirects = 2 }
      for name, value in pairs(credentials[2]) do
        options[name] = value
      end
      local ws = t:connect(("%s127.0.0.1:%d/"):format(credentials[1], here), options)
      assert.equal("Basic YW5hOnNlc2FtZQ==", requests[1].headers.authorization)
      assert.equal("Basic YW5hOnNlc2FtZQ==", requests[2].headers.authorization)
      assert.is_nil(seen[1].headers.authorization)
      assert.is_nil(ws.request.headers.authorization)
    end))
  end
end)

describe("a redirect of a client with a proxy", function()
  --- An HTTP proxy that leads to a port whatever it is asked for; the port, and
  --- what it was asked for.
  local function proxy(t, to)
    local asked = {}
    local port = t:serve_raw(function(raw)
      asked[#asked + 1] = raw:parsed_head().target
      raw:send "HTTP/1.1 200 OK\r\n\r\n"
      local other = t:dial(to)
      local back = t:spawn(function()
        repeat
          local bytes, why = other:receive(1)
          raw:send(bytes)
        until why
      end)
      repeat
        local bytes, why = raw:receive(1)
        other:send(bytes)
      until why
      back:cancel() -- and then nobody waits for what is closed
      back:join(5)
      other:close()
      raw:close()
    end)
    return port, asked
  end

  it("goes through it again", case(function(t)
    local server = site(t, { ["/"] = "ws://b.example:81/there" })
    local port, asked = proxy(t, server)
    local ws = t:connect("ws://a.example/", { redirects = 1, proxy = "http://127.0.0.1:" .. port })
    assert.equal("at /there", ws:receive(5))
    assert.same({ "a.example:80", "b.example:81" }, asked)
    ws:abort()
  end))

  it("asks the environment again", case(function(t)
    local there = site(t, {})
    local server = site(t, { ["/"] = ("ws://127.0.0.1:%d/there"):format(there) })
    local port, asked = proxy(t, server)
    local getenv = os.getenv
    local environment = { http_proxy = "http://127.0.0.1:" .. port, no_proxy = "127.0.0.1" }
    os.getenv = function(name) return environment[name] end -- luacheck: ignore
    local ok, ws, why = pcall(t.weft.connect, "ws://a.example/", { redirects = 1 })
    os.getenv = getenv -- luacheck: ignore
    assert.is_true(ok, ws)
    assert(ws, why)
    assert.equal("at /there", ws:receive(5))
    assert.same({ "a.example:80" }, asked)
    ws:abort()
  end))
end)

describe("the option redirects", function()
  it("is a whole number", case(function(t)
    for _, value in ipairs { -1, 0.5, "1", true } do
      raises(function()
        t.weft.connect("ws://127.0.0.1:1/", { redirects = value })
      end, "weft.connect: option 'redirects': expected a whole number")
    end
  end))
end)
