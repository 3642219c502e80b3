-- Clients of a Unix-domain socket, and the hosts that are no names: IPv6
-- addresses and their zones.
local socket = require "socket"
local case = require "support.case"
local certificates = require "support.certificates"
local raises = require "support.raises"

--- A path where nothing is yet.
local function free_path()
  local path = os.tmpname()
  os.remove(path)
  return path
end

describe("a client of a Unix-domain socket", function()
  it("connects, and says the URL's Host and path", case(function(t)
    local path = free_path()
    t:listen { unix = path, websocket = case.echo }
    local ws = t:connect("ws://example.com:81/a/b?c=d", { unix = path, protocols = {} })
    assert.equal("example.com:81", ws.request.host)
    assert.equal("/a/b?c=d", ws.request.target)
    assert.is_nil(ws.remote_port)
    assert.is_true(ws:send "hello")
    assert.equal("hello", ws:receive(5))
    assert.is_true(ws:close())
    assert.equal("local", ws.close_cause)
  end))

  it("carries much", case(function(t)
    local path = free_path()
    t:listen { unix = path, websocket = case.echo }
    local ws = t:connect("ws://localhost/", { unix = path })
    local big = ("x"):rep(1000000)
    t:spawn(function() ws:send(big) end)
    assert.is_true(ws:receive(10) == big)
    ws:abort()
  end))

  it("works on the main thread, and with events", case.blocking(function(t)
    local path = free_path()
    t:listen { unix = path, websocket = case.echo }
    local ws = t:connect("ws://localhost/", { unix = path })
    ws:send "hello"
    assert.equal("hello", ws:receive(5))
    assert.is_true(ws:close())
    local log = {}
    t.weft.connect("ws://localhost/", { unix = path, events = {
      open = function(other) other:send "hi" end,
      message = function(other, message)
        log[#log + 1] = message
        other:close()
      end,
      close = function(_, code) log[#log + 1] = code end,
    } })
    t:wait_until(function() return #log == 2 end, "the end")
    assert.same({ "hi", 1000 }, log)
  end))

  it("logs in, and has no use for the URL's host", case(function(t)
    local path, seen = free_path(), nil
    t:listen { unix = path, upgrade = function(request)
      seen = request.headers.authorization
      return true
    end }
    t:connect("ws://ana:sesame@nowhere.invalid/", { unix = path }):abort()
    assert.equal("Basic YW5hOnNlc2FtZQ==", seen)
  end))

  it("speaks TLS as the URL's host", case(function(t)
    local path = free_path()
    t:listen { unix = path, websocket = case.echo, tls = certificates.with(certificates.a_example) }
    local trust = { ca = certificates.ca }
    local ws = t:connect("wss://a.example/", { unix = path, tls = trust })
    assert.matches("^TLSv1", ws.tls.version)
    ws:send "hello"
    assert.equal("hello", ws:receive(5))
    assert.is_true(ws:close())
    local none, message, code = t.weft.connect("wss://b.example/", { unix = path, tls = trust })
    assert.same({ nil, "tls" }, { none, code })
    assert.is_truthy(message:find("b.example", 1, true), message)
  end))

  it("does not ask the environment's proxy", case(function(t)
    local path = free_path()
    t:listen { unix = path }
    local getenv = os.getenv
    local asked = "gopher://127.0.0.1"
    os.getenv = function(name) return name:lower():find "_proxy$" and name:lower() ~= "no_proxy" and asked end -- luacheck: ignore
    local ok, ws, why = pcall(t.weft.connect, "ws://a.example/", { unix = path })
    local proxied, message, code = t.weft.connect "ws://a.example/"
    os.getenv = getenv -- luacheck: ignore
    assert.is_true(ok, ws)
    assert(ws, why):abort()
    assert.same({ nil, "proxy" }, { proxied, code }, message) -- it was there to be asked
  end))

  it("cannot have a proxy as well", case(function(t)
    local message = raises(function()
      t.weft.connect("ws://localhost/", { unix = "/tmp/x", proxy = "http://ana:sesame@127.0.0.1:1" })
    end, "weft.connect", "'unix'", "'proxy'", "exclude each other")
    assert.is_nil(message:find "sesame")
    raises(function()
      t.weft.reconnecting("ws://localhost/", { unix = "/tmp/x", proxy = "http://127.0.0.1:1" })
    end, "weft.reconnecting", "'unix'", "'proxy'")
    local path = free_path()
    t:listen { unix = path }
    t:connect("ws://localhost/", { unix = path, proxy = false }):abort()
  end))

  it("names the path that it cannot reach", case(function(t)
    for _, path in ipairs { free_path(), "/nonexistent/weft.sock", certificates.ca } do
      local ws, message, code = t.weft.connect("ws://localhost/", { unix = path })
      assert.is_nil(ws)
      assert.is_truthy(message:find("connect to " .. path .. ": ", 1, true), message)
      assert.is_true(code == "system" or code == "refused", code)
    end
  end))

  it("says that a path is too long", case(function(t)
    local ws, message, code = t.weft.connect("ws://localhost/", { unix = "/tmp/" .. ("x"):rep(200) })
    assert.is_nil(ws)
    assert.is_true(code == "system" or code == "refused", code)
    assert.matches("^connect to /tmp/x+: the path is too long$", message)
  end))

  it("says that nobody listens there any more", case(function(t)
    local path = free_path()
    local listening = require "socket.unix".stream()
    assert(listening:bind(path))
    assert(listening:listen())
    listening:close()
    local ws, message, code = t.weft.connect("ws://localhost/", { unix = path })
    os.remove(path)
    assert.same({ nil, "refused" }, { ws, code })
    assert.equal(("connect to %s: connection refused"):format(path), message)
  end))

  it("gives up on one that is silent", case(function(t)
    local path = free_path()
    local listening = require "socket.unix".stream()
    assert(listening:bind(path))
    assert(listening:listen())
    local ws, message, code = t.weft.connect("ws://localhost/", { unix = path, timeout = 0.05 })
    listening:close()
    os.remove(path)
    assert.same({ nil, "timeout" }, { ws, code })
    assert.is_truthy(message:find(path, 1, true), message)
  end))

  it("follows redirects on the socket, and does not leave it", case(function(t)
    local path, location = free_path(), "/there"
    t:listen { unix = path, upgrade = function(request)
      if request.path == "/" then
        return nil, 302, "", { Location = location }
      end
      return true
    end }
    local options = { unix = path, redirects = 2 }
    for _, here in ipairs { "/there", "http://localhost/there", "ws://LOCALHOST:80/there" } do
      location = here
      local ws = t:connect("ws://localhost/", options)
      assert.equal("/there", ws.request.path)
      ws:abort()
    end
    for _, elsewhere in ipairs { "ws://localhost:81/", "wss://localhost/", "http://127.0.0.1/" } do
      location = elsewhere
      local ws, message, code = t.weft.connect("ws://localhost/", options)
      assert.same({ nil, "handshake" }, { ws, code })
      assert.equal("handshake refused: 302 Found: its Location leads away from the Unix-domain socket", message)
    end
  end))

  it("leaves no descriptor behind when it is cancelled", case(function(t)
    local path = free_path()
    local listening = require "socket.unix".stream()
    assert(listening:bind(path))
    assert(listening:listen())
    local results
    local task = t:spawn(function()
      results = table.pack(t.weft.connect("ws://localhost/", { unix = path }))
    end)
    t.weft.sleep(0)
    task:cancel()
    task:join(5)
    listening:close()
    os.remove(path)
    assert.same({ nil, "cancelled" }, { results[1], results[3] })
  end))
end)

describe("a client of an IPv6 address", function()
  --- Where this machine has none of it, the spec says so.
  local function only_where(there, what)
    return there and it or function(name)
      pending(("%s (%s: skipped)"):format(name, what))
    end
  end

  local sock = socket.tcp6()
  local test = only_where(sock and sock:bind("::1", 0), "no IPv6 here")
  if sock then
    sock:close()
  end

  test("puts it in brackets in Host, and knows where it is", case(function(t)
    local server = t:listen { host = "::1", websocket = case.echo }
    local ws = t:connect(("ws://[::1]:%d/"):format(server:port()))
    assert.equal(("[::1]:%d"):format(server:port()), ws.request.host)
    assert.equal("::1", ws.remote_address)
    ws:send "hello"
    assert.equal("hello", ws:receive(5))
    assert.is_true(ws:close())
    t:connect(server:url()):abort()
    t:connect(("ws://[0:0::0.0.0.1]:%d/"):format(server:port())):abort()
  end))

  test("verifies it as an address", case(function(t)
    local server = t:listen { host = "::1", tls = certificates.with(certificates.server) }
    local ws = t:connect(("wss://[::1]:%d/"):format(server:port()), { tls = { ca = certificates.ca } })
    assert.matches("^TLSv1", ws.tls.version)
    ws:abort()
  end))

  test("names it in brackets when it cannot get there", case(function(t)
    local port = t:free_port()
    local ws, message, code = t.weft.connect(("ws://[::1]:%d/"):format(port))
    assert.is_nil(ws)
    assert.equal("refused", code)
    assert.equal(("connect to [::1]:%d: connection refused"):format(port), message)
  end))

  --- A link-local address of this machine and its zone, or nil.
  local function link_local()
    local file = io.open "/proc/net/if_inet6"
    for line in file and file:lines() or function() end do
      local digits, name = line:match "^(fe80%x+) %x+ %x+ %x+ %x+%s+(%S+)$"
      if digits then
        return digits:gsub("%x%x%x%x", "%0:"):gsub(":$", ""), name
      end
    end
  end

  local address, zone = link_local()
  local on_link = only_where(address, "no link-local address here")
  on_link("finds a link-local one by its zone, which Host leaves out", case(function(t)
    local server = t:listen { host = "::", websocket = case.echo }
    local ws = t:connect(("ws://[%s%%25%s]:%d/"):format(address, zone, server:port()))
    assert.equal(("[%s]:%d"):format(address, server:port()), ws.request.host)
    ws:send "hello"
    assert.equal("hello", ws:receive(5))
    assert.is_true(ws:close())
  end))

  test("says that a zone does not exist", case(function(t)
    local ws, message, code = t.weft.connect("ws://[fe80::1%25nowhere]:9/")
    assert.is_nil(ws)
    assert.is_true(code == "dns" or code == "system", code)
    assert.is_truthy(message:find("fe80::1%nowhere", 1, true), message)
  end))

  it("leaves Host without the zone wherever it goes", case(function(t)
    local asked, request
    local port = t:serve_raw(function(raw) -- a proxy and the server behind it
      asked = raw:parsed_head()
      raw:send "HTTP/1.1 200 OK\r\n\r\n"
      request = raw:accept_upgrade()
    end)
    t:connect("ws://[fe80::1%25eth9]:81/", { proxy = "http://127.0.0.1:" .. port }):abort()
    assert.equal("[fe80::1]:81", asked.target)
    assert.equal("[fe80::1]:81", request.headers.host)
  end))
end)

