--- Reaching a server by its name (RFC 8305): lookups never hold up the loop,
--- dead addresses never hold up the connection.
local socket = require "socket"
local case = require "support.case"
local namespace = require "support.namespace"
local patience = require "support.patience"

-- Whether the system knows an address of localhost.
local function localhost_is(address)
  for _, found in ipairs(socket.dns.getaddrinfo "localhost" or {}) do
    if found.addr == address then
      return true
    end
  end
  return false
end

describe("a name with an address of each family", function()
  it("is reached where only IPv4 answers", case(function(t)
    local server = t:listen { host = "127.0.0.1" }
    local ws = t:connect(("ws://localhost:%d/"):format(server:port()))
    assert.equal("127.0.0.1", ws.remote_address)
    assert.is_true(ws:close())
  end))

  if localhost_is "::1" then
    it("is reached where only IPv6 answers", case(function(t)
      local server = t:listen { host = "::1" }
      local ws = t:connect(("ws://localhost:%d/"):format(server:port()))
      assert.equal("::1", ws.remote_address)
      assert.is_true(ws:close())
    end))
  else
    pending "is reached where only IPv6 answers (localhost has no IPv6 address here)"
  end

  it("fails by its name, or by its one address, when nobody answers", case(function(t)
    local port = t:free_port()
    local ws, message, code = t.weft.connect(("ws://localhost:%d/"):format(port))
    assert.is_nil(ws)
    assert.equal("refused", code)
    if localhost_is "::1" then
      assert.equal(("connect to localhost:%d: connection refused (::1, 127.0.0.1)"):format(port), message)
    else
      assert.equal(("connect to 127.0.0.1:%d: connection refused"):format(port), message)
    end
  end))
end)

describe("an address that is no name", function()
  it("is tried as it is, with its zone", case(function(t)
    local ws, message, code = t.weft.connect("ws://[fe80::1%25no-such]/")
    assert.is_nil(ws)
    assert.equal("dns", code)
    assert.equal("look up fe80::1%no-such: there is no such network interface", message)
  end))
end)

describe("a name that does not exist", function()
  it("fails as such", case(function(t)
    local ws, message, code = t.weft.connect("ws://no.such.name.invalid/", { timeout = patience(20) })
    assert.is_nil(ws)
    assert.equal("dns", code)
    assert.is_truthy(message:find("^look up no%.such%.name%.invalid: %S"), message)
  end, 30))
end)

-- Addresses of the documentation's (RFC 3849, RFC 5737), here at home.
local at_home = [[
ip -6 addr add 2001:db8::2/128 dev lo nodad
ip -6 addr add 2001:db8::7/128 dev lo nodad
# the kernel adds their routes a little later
until ip -6 route get 2001:db8::2 && ip -6 route get 2001:db8::7; do sleep 0.01; done >/dev/null 2>&1
ip -6 route add blackhole 2001:db8:dead::/48
ip addr add 198.51.100.2/32 dev lo
ip addr add 198.51.100.7/32 dev lo
]]

describe("in a network of its own", function()
  local it = namespace.only(it, pending)
  local soon_after = namespace.soon_after

  it("passes over a dead IPv6 address after 250 ms (5)", case(function(t)
    local seen = namespace.run(t, { setup = at_home }, [[
      local server, port = inside.echo_server "198.51.100.7"
      inside.dead("2001:db8::2", port)
      inside.name_server { ["dual.test"] = { aaaa = { "2001:db8::2" }, a = { "198.51.100.7" } } }
      local took, ws, why = inside.timed(weft.connect, ("ws://dual.test:%d/"):format(port))
      assert(ws, why)
      report("took", took)
      report("address", ws.remote_address)
      assert(ws:send "hello")
      report("echo", ws:receive())
    ]])
    assert.equal("198.51.100.7", seen.address)
    assert.equal("hello", seen.echo)
    assert.is_true(seen.took >= 0.25 and seen.took < soon_after(0.25), seen.took)
  end))

  it("tries the families in turns (4)", case(function(t)
    local dead, setup = {}, { at_home }
    for i = 1, 4 do
      dead[i] = "2001:db8::d" .. i
      setup[i + 1] = ("ip -6 addr add %s/128 dev lo nodad\n"):format(dead[i])
    end
    local seen = namespace.run(t, { setup = table.concat(setup) }, ([[
      local server, port = inside.echo_server "198.51.100.7"
      local dead = { %s }
      for _, address in ipairs(dead) do
        inside.dead(address, port)
      end
      inside.name_server { ["dual.test"] = { aaaa = dead, a = { "198.51.100.7" } } }
      local took, ws, why = inside.timed(weft.connect, ("ws://dual.test:%%d/"):format(port))
      assert(ws, why)
      report("took", took)
    ]]):format('"' .. table.concat(dead, '", "') .. '"'))
    assert.is_true(seen.took >= 0.25 and seen.took < soon_after(0.25), seen.took) -- four in a row: 1
  end))

  it("prefers IPv6 where that works (4)", case(function(t)
    local seen = namespace.run(t, { setup = at_home }, [[
      local server, port = inside.echo_server "*"
      inside.name_server { ["dual.test"] = { aaaa = { "2001:db8::7" }, a = { "198.51.100.7" } } }
      local ws = assert(weft.connect(("ws://dual.test:%d/"):format(port)))
      report("address", ws.remote_address)
    ]])
    assert.equal("2001:db8::7", seen.address)
  end))

  it("waits 50 ms for a slow IPv6 answer, and 250 ms for a dead address, and the loop for neither (3, 5)", case(function(t)
    local seen = namespace.run(t, { setup = at_home }, [[
      local server, port = inside.echo_server "198.51.100.7"
      inside.dead("198.51.100.2", port)
      inside.name_server {
        ["slow.test"] = { slow_aaaa = 3, aaaa = { "2001:db8::7" }, a = { "198.51.100.7" } },
        ["slow-dead.test"] = { slow_aaaa = math.huge, a = { "198.51.100.2", "198.51.100.7" } },
      }
      local worst = inside.ticks()
      for name, host in pairs { slow = "slow.test", slow_dead = "slow-dead.test" } do
        local took, ws, why = inside.timed(weft.connect, ("ws://%s:%d/"):format(host, port))
        assert(ws, why)
        report(name, took)
        ws:close()
      end
      report("worst", worst())
    ]])
    assert.is_true(seen.slow >= 0.05 and seen.slow < soon_after(0.05), seen.slow)
    -- the system may well prefer the second address (RFC 6724): then at once
    assert.is_true(seen.slow_dead >= 0.05 and seen.slow_dead < soon_after(0.3), seen.slow_dead)
    assert.is_true(seen.worst < patience(1.5), seen.worst)
  end))

  it("takes what is refused, unreachable or black as no answer, at once", case(function(t)
    local seen = namespace.run(t, { setup = at_home }, [[
      local server, port = inside.echo_server "198.51.100.7"
      inside.name_server { ["bad-first.test"] = {
        aaaa = { "2001:db8::2", "2001:db8:dead::1", "2001:db8:ffff::1" }, a = { "192.0.2.1", "198.51.100.7" },
      } }
      local took, ws, why = inside.timed(weft.connect, ("ws://bad-first.test:%d/"):format(port))
      assert(ws, why)
      report("took", took)
      report("address", ws.remote_address)
    ]])
    assert.equal("198.51.100.7", seen.address)
    assert.is_true(seen.took < 1, seen.took) -- four times 250 ms would be the price
  end))

  it("tells why each address failed", case(function(t)
    local seen = namespace.run(t, { setup = at_home }, [[
      inside.name_server { ["gone.test"] = { aaaa = { "2001:db8:ffff::1" }, a = { "198.51.100.7" } } }
      local ws, why, code = weft.connect "ws://gone.test:81/"
      report("why", why)
      report("code", code)
      local ws, why, code = weft.connect "ws://no-such.test/"
      report("unknown", why)
      report("unknown_code", code)
    ]])
    assert.equal("connect to gone.test:81: network is unreachable (2001:db8:ffff::1); connection refused (198.51.100.7)", seen.why)
    assert.equal("refused", seen.code)
    assert.equal("look up no-such.test: Name or service not known", seen.unknown)
    assert.equal("dns", seen.unknown_code)
  end))

  it("reads the hosts file, and both families in it", case(function(t)
    local seen = namespace.run(t, { setup = at_home, hosts = "2001:db8::7 home.test\n198.51.100.7 home.test\n" }, [[
      inside.name_server {}
      for name, host in pairs { v4 = "198.51.100.7", v6 = "2001:db8::7" } do
        local server, port = inside.echo_server(host)
        local ws = assert(weft.connect(("ws://home.test:%d/"):format(port)))
        report(name, ws.remote_address)
        ws:close()
        server:close(0)
      end
    ]])
    assert.equal("198.51.100.7", seen.v4)
    assert.equal("2001:db8::7", seen.v6)
  end))

  it("leaves at once, by deadline or cancelled, while the name server is silent", case(function(t)
    local seen = namespace.run(t, {}, [[
      inside.name_server { ["silent.test"] = { slow_a = math.huge, slow_aaaa = math.huge } }
      local worst = inside.ticks()
      local url = "ws://silent.test:80/"
      local took, ws, why, code = inside.timed(weft.connect, url, { timeout = 0.2 })
      report("took", took)
      report("why", why)
      report("code", code)
      local task = weft.spawn(function()
        return weft.connect(url)
      end)
      weft.sleep(0.05)
      local began = weft.now()
      task:cancel()
      local ok, ws, why, code = task:join(5)
      report("cancel_took", weft.now() - began)
      report("cancel_code", code)
      local many = {}
      for i = 1, 50 do
        many[i] = weft.spawn(weft.connect, url, { timeout = 0.3 })
      end
      local began = weft.now()
      for _, task in ipairs(many) do
        assert(select(4, task:join(5)) == "timeout")
      end
      report("many_took", weft.now() - began)
      report("worst", worst())
    ]])
    assert.equal("timeout", seen.code)
    assert.equal("connect to silent.test:80: timed out", seen.why)
    assert.is_true(seen.took >= 0.2 and seen.took < soon_after(0.2), seen.took)
    assert.equal("cancelled", seen.cancel_code)
    assert.is_true(seen.cancel_took < patience(2), seen.cancel_took)
    assert.is_true(seen.many_took < soon_after(0.3), seen.many_took)
    assert.is_true(seen.worst < patience(1.5), seen.worst)
  end))

  it("leaves at once, cancelled, while addresses are tried", case(function(t)
    local seen = namespace.run(t, { setup = at_home }, [[
      inside.dead("2001:db8::2", 80)
      inside.dead("198.51.100.2", 80)
      inside.name_server { ["dead.test"] = { aaaa = { "2001:db8::2" }, a = { "198.51.100.2" } } }
      weft.sleep(0.01) -- the name server waits
      local open = inside.descriptors()
      for _, after in ipairs { 0.1, 0.4 } do
        local task = weft.spawn(function()
          return weft.connect "ws://dead.test:80/"
        end)
        weft.sleep(after)
        local began = weft.now()
        task:cancel()
        assert(select(4, task:join(5)) == "cancelled")
        report("cancel_took", weft.now() - began)
      end
      local _, why, code = weft.connect("ws://dead.test:80/", { timeout = 0.4 })
      report("why", why)
      report("code", code)
      report("left_open", inside.descriptors(open) - open)
    ]])
    assert.is_true(seen.cancel_took < patience(2), seen.cancel_took)
    assert.equal("timeout", seen.code)
    assert.equal("connect to dead.test:80: timed out", seen.why)
    assert.equal(0, seen.left_open)
  end))

  it("reaches a link-local address by its zone", case(function(t)
    local seen = namespace.run(t, { setup = "ip -6 addr add fe80::5/64 dev lo nodad" }, [[
      local server, port = inside.echo_server "::"
      local ws = assert(weft.connect(("ws://[fe80::5%%25lo]:%d/"):format(port)))
      report("address", ws.remote_address)
      report("host", ws.request.headers.Host == ("[fe80::5]:%d"):format(port))
      ws:close()
      report("without", select(2, weft.connect(("ws://[fe80::5]:%d/"):format(port))))
    ]])
    assert.equal("fe80::5%lo", seen.address)
    assert.equal("true", seen.host)
    assert.is_truthy(seen.without:find("a link%-local address needs a zone"), seen.without)
  end))
end)
