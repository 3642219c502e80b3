-- The option `hosts`: as whom a server may be asked, against DNS rebinding.
local case = require "support.case"
local handshake = require "support.handshake"
local raises = require "support.raises"

-- A server of these hosts, and what of it the user's functions were called for.
local function serve(t, hosts)
  local called = {}
  local function note(what)
    return function()
      called[#called + 1] = what
      if what == "upgrade" then
        return true
      elseif what == "http" then
        return 200, {}, "ok"
      end
    end
  end
  local server = t:listen {
    hosts = hosts, websocket = note "websocket", upgrade = note "upgrade", http = note "http",
  }
  return server, called
end

local function status_of(t, server, host, kind)
  local raw = t:dial(server)
  raw:send(handshake[kind or "http"] { headers = { Host = host } })
  return raw:parsed_head().status
end

describe("a server with hosts", function()
  local allowed = { "example.com", "App.example:8080", "*.wild.example", "[::1]", "192.0.2.1" }
  local cases = {
    ["example.com"] = true, ["EXAMPLE.com"] = true, ["example.com:80"] = true, ["example.com:443"] = true,
    ["example.com:8080"] = false, ["www.example.com"] = false, ["example.com."] = false,
    ["example.comx"] = false, ["xexample.com"] = false, ["example.com@evil.example"] = false,
    ["app.example:8080"] = true, ["app.example"] = false, ["app.example:80"] = false, ["app.example:80801"] = false,
    ["a.wild.example"] = true, ["a.b.WILD.example:80"] = true, ["wild.example"] = false,
    [".wild.example"] = false,
    ["a.wild.example:81"] = false, ["awild.example"] = false, ["*.wild.example"] = true,
    ["[::1]"] = true, ["[::1]:443"] = true, ["::1"] = false, ["[::2]"] = false,
    ["192.0.2.1"] = true, ["192.0.2.10"] = false, ["127.0.0.1"] = false, ["localhost"] = false, ["null"] = false,
  }
  for host, ok in pairs(cases) do
    it(("%s %s"):format(ok and "answers for" or "does not answer for", host), case(function(t)
      local server, called = serve(t, allowed)
      local plain = status_of(t, server, host)
      local upgraded = status_of(t, server, host, "request")
      if ok then
        assert.same({ 200, 101 }, { plain, upgraded })
        assert.same({ "http", "upgrade", "websocket" }, called)
      else
        assert.is_true(plain == 421 or plain == 400, plain) -- what is no host at all
        assert.equal(plain, upgraded)
        assert.same({}, called)
      end
    end))
  end

  it("takes the port that it listens on for said", case(function(t)
    local server, called = serve(t, { "localhost", "*.test" })
    local port = server:port()
    assert.equal(200, status_of(t, server, "localhost:" .. port))
    assert.equal(200, status_of(t, server, "a.test:" .. port))
    assert.equal(421, status_of(t, server, "localhost:" .. (port == 1024 and 1025 or port - 1)))
    assert.equal(421, status_of(t, server, "evil.example:" .. port))
    assert.same({ "http", "http" }, called)
  end))

  it("says in the answer which option it was", case(function(t)
    local server = serve(t, "example.com")
    local answer = t:http(server, { headers = { Host = "evil.example" } })
    assert.equal(421, answer.status)
    assert.equal("Misdirected Request", answer.reason)
    assert.is_truthy(answer.body:find("'hosts'", 1, true))
    assert.equal(1, server:stats().accepted)
  end))

  it("asks the target before the Host field (RFC 9112, 3.2.2)", case(function(t)
    local server, called = serve(t, "example.com")
    local function ask(target, host)
      return t:ask(server, handshake.http { path = target, headers = { Host = host } }).status
    end
    assert.equal(421, ask("http://evil.example/", "example.com"))
    assert.equal(200, ask("http://example.com/", "evil.example"))
    assert.same({ "http" }, called)
  end))

  it("is asked for the host that the functions see", case(function(t)
    local server = t:listen { hosts = "example.com", http = function(request)
      return 200, {}, request.host .. " " .. request.path
    end, websocket = function(ws)
      ws:send(ws.request.host)
    end }
    local function ask(target)
      return t:ask(server, handshake.http { path = target, headers = { Host = "evil.example" } }).body
    end
    assert.equal("example.com /a", ask "http://example.com/a")
    assert.equal("EXAMPLE.com:80 /", ask "http://EXAMPLE.com:80?x=http://evil.example/")
    local raw = t:upgrade(server, { path = "ws://example.com/", headers = { Host = "evil.example" } })
    assert.equal("example.com", (raw:message()))
  end))

  it("does not answer who names none", case(function(t)
    local server, called = serve(t, "example.com")
    assert.equal(421, t:ask(server, "GET / HTTP/1.0\r\n\r\n").status)
    assert.equal(400, t:ask(server, "GET / HTTP/1.1\r\n\r\n").status)
    assert.equal(400, t:ask(server, "GET / HTTP/1.1\r\nHost: example.com\r\nHost: evil.example\r\n\r\n").status)
    assert.same({}, called)
  end))

  it("reads no body of whom it does not answer", case(function(t)
    local server, called = serve(t, "example.com")
    local answer = t:ask(server, handshake.http {
      method = "POST", headers = { Host = "evil.example", ["Content-Length"] = "1000000" },
    })
    assert.equal(421, answer.status)
    assert.same({}, called)
  end))

  it("with none of them answers nobody", case(function(t)
    local server = serve(t, {})
    assert.equal(421, status_of(t, server, "127.0.0.1:" .. server:port()))
  end))

  it("raises for what is none", case(function(t)
    for _, wrong in ipairs {
      "", "*", "*.", "a*.example", "*.*.example", "http://example.com", "example.com/", "a b", "example.com:0",
      "example.com:99999", "ex,ample", "[::1", "[zz]", 7, "bücher.example",
    } do
      raises(function() t.weft.listen { port = 0, websocket = print, hosts = { wrong } } end,
             "weft.listen: option 'hosts[1]'", "example.com")
      if type(wrong) == "string" then
        raises(function() t.weft.listen { port = 0, websocket = print, hosts = wrong } end,
               "weft.listen: option 'hosts'", "example.com")
      end
    end
    raises(function() t.weft.serve { port = 0, websocket = print, hosts = { "a.example", "a.example" } } end,
           "weft.serve: option 'hosts[2]'", "twice")
  end))
end)
