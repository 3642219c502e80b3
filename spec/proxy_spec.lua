-- Clients behind a proxy of either kind: unreachable and silent ones, cancelled
-- attempts, events, the environment.
local case = require "support.case"
local child_process = require "support.child"
local patience = require "support.patience"
local proxies = require "support.proxies"
local raises = require "support.raises"

local NAME, USER, PASSWORD = proxies.NAME, proxies.USER, proxies.PASSWORD
local check_refused, with_login = proxies.check_refused, proxies.with_login

describe("a proxy", function()
  for _, scheme in ipairs { "http", "socks5" } do
    it("that cannot be reached is named: " .. scheme, case(function(t)
      local port = t:free_port()
      assert.equal(("connect to %s:80: proxy 127.0.0.1:%d: connection refused"):format(NAME, port),
                   check_refused(t, "proxy", "ws://" .. NAME, { proxy = with_login(scheme, port) }))
    end))

    it("whose name cannot be looked up is named: " .. scheme, case(function(t)
      local unknown = ("x"):rep(64) .. ".invalid" -- no label is longer than 63 bytes
      local message = check_refused(t, "proxy", "ws://" .. NAME, {
        proxy = ("%s://%s:%s@%s:3128"):format(scheme, USER, PASSWORD, unknown),
      })
      assert.equal(("connect to %s:80: "):format(NAME), message:match "^connect to %S+: ")
      assert.is_truthy(message:find("proxy " .. unknown, 1, true), message)
    end))

    it("that says nothing is waited for until the timeout: " .. scheme, case(function(t)
      local ended
      local port = t:serve_raw(function(raw)
        ended = select(2, raw:read_until_closed())
      end)
      local began = t.weft.now()
      local message = check_refused(t, "timeout", "ws://" .. NAME, { proxy = with_login(scheme, port), timeout = 0.05 })
      assert.is_true(t.weft.now() - began < patience(2))
      assert.matches(("^connect to %s:80: .*timed out$"):format(NAME:gsub("%p", "%%%0")), message)
      t:wait_until(function() return ended end, "the end of the attempt")
      assert.not_equal("timeout", ended)
    end))

    it("is left when the task is cancelled: " .. scheme, case(function(t)
      local asked, ended
      local port = t:serve_raw(function(raw)
        asked = raw:receive(3)
        ended = select(2, raw:read_until_closed())
      end)
      local results
      local task = t:spawn(function()
        results = table.pack(t.weft.connect("ws://" .. NAME, { proxy = with_login(scheme, port) }))
      end)
      t:wait_until(function() return asked end, "the proxy being asked")
      task:cancel()
      task:join(5)
      assert.is_nil(results[1])
      assert.equal("cancelled", results[3])
      assert.is_nil(results[2]:find(PASSWORD, 1, true))
      t:wait_until(function() return ended end, "the end of the attempt")
      assert.not_equal("timeout", ended)
    end))
  end

  it("that only trickles is waited for until the timeout", case(function(t)
    local port = t:serve_raw(function(raw)
      raw:head()
      for byte in ("HTTP/1.1 200 OK\r\n" .. ("X-Slow: 1\r\n"):rep(100)):gmatch "." do
        if not raw:send(byte) then
          return
        end
        t.weft.sleep(0.005)
      end
    end)
    check_refused(t, "timeout", "ws://" .. NAME, { proxy = "127.0.0.1:" .. port, timeout = 0.1 })
  end))

  it("is not blamed for a server that says nothing", case(function(t)
    local port = t:serve_raw(function(raw)
      raw:head()
      raw:send "HTTP/1.1 200 OK\r\n\r\n"
      raw:read_until_closed()
    end)
    local message = check_refused(t, "timeout", "ws://" .. NAME, { proxy = "127.0.0.1:" .. port, timeout = 0.2 })
    assert.is_truthy(message:find(NAME .. ":80", 1, true), message)
  end))

  it("is not blamed for a server that refuses", case(function(t)
    local port = proxies.http(t, nil, function(raw)
      raw:head()
      raw:send "HTTP/1.1 401 Unauthorized\r\nContent-Length: 9\r\n\r\nwho, you?"
    end)
    local ws, message, code, response = t.weft.connect("ws://" .. NAME, { proxy = "127.0.0.1:" .. port })
    assert.is_nil(ws)
    assert.same({ "handshake refused: 401 Unauthorized", "handshake" }, { message, code })
    assert.equal("who, you?", response.body)
  end))

  it("is used on the main thread as well", case.blocking(function(t)
    local port = proxies.http(t, "HTTP/1.1 503 Service Unavailable\r\n\r\n")
    local message = check_refused(t, "proxy", "ws://" .. NAME, { proxy = "127.0.0.1:" .. port })
    assert.is_truthy(message:find("503 Service Unavailable", 1, true), message)
  end))

  it("carries a connection that has events", case(function(t)
    local _, target = t:listen { websocket = case.echo }
    local port = proxies.http(t, nil, function(raw) proxies.relay(t, raw, target) end)
    local log = {}
    local ws = t:connect("ws://127.0.0.1:" .. target, {
      proxy = "http://127.0.0.1:" .. port,
      events = {
        open = function(ws) ws:send "as agreed" end,
        message = function(ws, message)
          log[#log + 1] = message
          ws:close()
        end,
        close = function(_, code) log[#log + 1] = code end,
        error = function(_, message) log[#log + 1] = message end,
      },
    })
    assert.equal("connecting", ws.state)
    t:wait_until(function() return #log == 2 end, "the close event")
    assert.same({ "as agreed", 1000 }, log)
  end))

  it("that refuses a connection with events is an error event", case(function(t)
    local port = proxies.http(t, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
    local failure
    t:connect("ws://" .. NAME, {
      proxy = with_login("http", port),
      events = { error = function(_, message, code) failure = { message, code } end },
    })
    t:wait_until(function() return failure end, "the error event")
    assert.same({ ("connect to %s:80: proxy 127.0.0.1:%d: 502 Bad Gateway"):format(NAME, port), "proxy" }, failure)
  end))

  it("that is malformed is not quoted", case(function(t)
    for _, text in ipairs { "https://ana:tOpS3cret@p", "http://ana:tOpS3cret@p:x", "ana:tOpS3cret@", "http://ana:tOpS3cret/@p" } do
      local message = check_refused(t, "proxy", "ws://" .. NAME, { proxy = text })
      assert.matches("^bad proxy: ", message)
    end
  end))

  it("is a string or false", case(function(t)
    for _, value in ipairs { true, 3128, { "127.0.0.1" } } do
      raises(function() t.weft.connect("ws://" .. NAME, { proxy = value }) end, "weft.connect", "option 'proxy'", "or false")
    end
  end))
end)

describe("the environment", function()
  local names = "http_proxy https_proxy all_proxy no_proxy ws_proxy wss_proxy"
  local unset = "unset REQUEST_METHOD " .. names .. " " .. names:upper()

  --- What a process with these variables gets from weft.connect(url, options).
  local function connect(t, variables, url, options)
    local script = ([[
      local weft = require "weft"
      local ws, message, code = weft.connect(arg[1], %s)
      print(ws and "connected" or message, code)
      if ws then
        ws:abort()
      end
    ]]):format(options or "nil")
    return (child_process.start_after(t.weft, unset .. "; " .. variables, script, url):wait())
  end

  it("names the proxy", case(function(t)
    local port, seen = proxies.http(t, nil, proxies.upgrade)
    local http = ("http://127.0.0.1:%d"):format(port)
    assert.equal("connected\tnil\n", connect(t, "export http_proxy=" .. http, "ws://" .. NAME))
    assert.equal("connected\tnil\n", connect(t, "export ALL_PROXY=" .. with_login("http", port), "ws://" .. NAME))
    assert.equal(2, #seen)
    assert.is_nil(seen[1].headers["proxy-authorization"])
    assert.equal(proxies.basic(), seen[2].headers["proxy-authorization"])
  end))

  it("names another one for wss://", case(function(t)
    local port, seen = proxies.http(t, "HTTP/1.1 503 Service Unavailable\r\n\r\n")
    local output = connect(t, "export HTTP_PROXY=http://127.0.0.1:1 HTTPS_PROXY=http://127.0.0.1:" .. port, "wss://" .. NAME)
    assert.equal(("connect to %s:443: proxy 127.0.0.1:%d: 503 Service Unavailable\tproxy\n"):format(NAME, port), output)
    assert.equal(NAME .. ":443", seen[1].target)
  end))

  it("exempts hosts, and the option overrules it", case(function(t)
    local port, seen = proxies.http(t, "HTTP/1.1 503 Service Unavailable\r\n\r\n")
    local server = t:server()
    local url, proxied = t:url(server), "export all_proxy=http://127.0.0.1:" .. port
    assert.matches("503", connect(t, proxied, url))
    assert.equal(1, #seen)
    assert.equal("connected\tnil\n", connect(t, proxied .. " NO_PROXY=127.0.0.0/8", url))
    assert.equal("connected\tnil\n", connect(t, proxied, url, "{ proxy = false }"))
    assert.equal(1, #seen)
    assert.matches("503", connect(t, "export no_proxy='*'", url, ("{ proxy = '127.0.0.1:%d' }"):format(port)))
    assert.equal(2, #seen)
  end))

  it("is named when it is wrong", case(function(t)
    assert.equal("bad proxy in the environment variable http_proxy: the port must be a number from 1 to 65535\tproxy\n",
                 connect(t, ("export http_proxy=http://%s:%s@p:x"):format(USER, PASSWORD), "ws://" .. NAME))
  end))
end)
