-- Closing that is spread over time, and what signals ask of weft.serve.
local case = require "support.case"
local certificates = require "support.certificates"
local child_process = require "support.child"
local command = require "support.command"
local fallback = require "support.fallback"
local frame = require "support.frame"
local handshake = require "support.handshake"
local patience = require "support.patience"
local tls_peer = require "support.tls_peer"

--- So many clients, told apart by their number.
local function clients(t, server, count)
  local list = {}
  for i = 1, count do
    list[i] = t:connect(server)
  end
  t:wait_until(function() return server:count() == count end, "all connections")
  return list
end

--- When each was told, in seconds from now on, and in which order.
local function watch(t, list)
  local began, told = t.weft.now(), {}
  for i, ws in ipairs(list) do
    t:spawn(function()
      assert.same({ true, 1001, "" }, { ws:wait_closed(patience(10)) })
      told[#told + 1] = { at = t.weft.now() - began, number = i }
    end)
  end
  return told
end

describe("a server that is drained", function()
  it("tells its connections one after the other, evenly", case(function(t)
    local server = t:listen()
    local told = watch(t, clients(t, server, 10))
    local began = t.weft.now()
    assert.is_true((server:close(5, { drain = 0.5 })))
    assert.is_true(t.weft.now() - began >= 0.45)
    t:wait_until(function() return #told == 10 end, "the tenth")
    for k, one in ipairs(told) do
      assert.is_true(one.at >= (k - 1) / 10 * 0.5, ("the %dth came after %g s"):format(k, one.at))
    end
    assert.is_true(told[10].at < 0.5 + patience(2))
  end))

  it("in random order", case(function(t)
    local server = t:listen()
    local told = watch(t, clients(t, server, 20))
    server:close(5, { drain = 0.4 })
    t:wait_until(function() return #told == 20 end, "the twentieth")
    local in_order = true
    for k, one in ipairs(told) do
      in_order = in_order and one.number == k
    end
    assert.is_false(in_order)
  end))

  it("accepts nobody meanwhile, and is over when the last has gone by himself", case(function(t)
    local server = t:listen()
    local list = clients(t, server, 3)
    local began = t.weft.now()
    local closing = t:spawn(server.close, server, 5, { drain = 3600 })
    t:wait_until(function() return server:count() < 3 end, "the first close")
    assert.equal("refused", (select(3, t.weft.connect(t:url(server), { timeout = patience(5) }))))
    for _, ws in ipairs(list) do
      ws:close()
    end
    assert.is_true((closing:join(patience(5))))
    assert.is_true(t.weft.now() - began < patience(5))
  end))

  it("serves those who are not told yet as before", case(function(t)
    local server = t:listen { websocket = case.echo }
    local list = clients(t, server, 2)
    local closing = t:spawn(server.close, server, 5, { drain = 3600 })
    t:wait_until(function() return server:count() == 1 end, "the first close")
    local other = list[1].state == "open" and list[1]:ping(nil, 5) and list[1] or list[2]
    other:send "still here"
    assert.equal("still here", (other:receive(5)))
    other:close()
    assert.is_true((closing:join(patience(5))))
  end))

  it("closes connections between two plain requests at once", case(function(t)
    local answered = 0
    local server = t:listen { http = function()
      answered = answered + 1
      return 200, nil, "hello"
    end }
    local raw = t:dial(server)
    raw:send(handshake.http { headers = { Connection = "keep-alive" } })
    assert.matches("^HTTP/1.1 200 ", (raw:receive(13, 5)))
    local list = clients(t, server, 2)
    t:wait_until(function() return answered == 1 end)
    t.weft.sleep(0.01)
    local closing = t:spawn(server.close, server, 5, { drain = 3600 })
    assert.equal("fin", (select(2, raw:read_until_closed())))
    for _, ws in ipairs(list) do
      ws:close()
    end
    assert.is_true((closing:join(patience(5))))
  end))

  it("lets in whose handshake had begun, and tells him at the end", case(function(t)
    local server = t:listen { websocket = case.echo }
    local list = clients(t, server, 2)
    local raw = t:dial(server)
    raw:send "GET / HTTP/1.1\r\nHost: x\r\n"
    t:wait_until(function() return server:stats().connections == 3 end, "the third connection")
    local closing = t:spawn(server.close, server, 5, { drain = 3600 })
    t:wait_until(function() return server:count() == 1 end, "the first close")
    raw:send(handshake.request():match "^.-\r\n.-\r\n(.*)$")
    assert.equal(101, raw:parsed_head().status)
    raw:send(frame.client.text "in time")
    assert.equal("in time", raw:message())
    for _, ws in ipairs(list) do
      ws:close()
    end
    closing:cancel()
    closing:join(5)
  end))

  it("counts the grace from then on", case(function(t)
    local server = t:listen { websocket = function() t.weft.sleep(60) end }
    local one, other = t:upgrade(server), t:upgrade(server)
    t:wait_until(function() return server:count() == 2 end)
    local began = t.weft.now()
    assert.is_true((server:close(0.1, { drain = 0.4 })))
    local took = t.weft.now() - began
    assert.is_true(took >= 0.3 and took < 0.3 + patience(2), "took " .. took)
    assert.equal(1001, (one:close_frame()))
    assert.equal(1001, (other:close_frame()))
    assert.equal(0, server:count())
  end))

  it("includes event streams and the sessions of weft.fallback", case(function(t)
    local client, stream, server = fallback.joined(t, function(ws)
      ws:receive()
    end)
    assert.is_table(client)
    t:wait_until(function() return server:count() == 1 end, "the session")
    local closing = t:spawn(server.close, server, 5, { drain = 0.2 })
    assert.matches("^c1001", (select(2, stream:event())))
    stream:close()
    assert.is_true((closing:join(patience(4))))
  end))

  it("may be told to by a handler, which is not waited for", case(function(t)
    local server, after
    server = t:listen { websocket = function(ws)
      if ws:receive() == "shut down" then
        assert.is_true((server:close(5, { drain = 0.1 })))
        after = ws.state
      end
    end }
    local list = clients(t, server, 3)
    local told = watch(t, list)
    list[2]:send "shut down"
    t:wait_until(function() return after and #told == 3 end, "the end of all")
    assert.not_equal("open", after)
  end))

  it("may be told to on the main thread", case.blocking(function(t)
    local server = t:listen { websocket = case.echo }
    local one, other = t:connect(server), t:connect(server)
    one:send "hello"
    assert.equal("hello", (one:receive(5)))
    local began = t.weft.now()
    assert.is_true((server:close(5, { drain = 0.2 })))
    assert.is_true(t.weft.now() - began >= 0.1)
    for _, ws in ipairs { one, other } do
      assert.same({ true, 1001, "" }, { ws:wait_closed(5) })
    end
  end))

  it("told again returns at once, and goes on", case(function(t)
    local server = t:listen()
    local told = watch(t, clients(t, server, 2))
    local closing = t:spawn(server.close, server, 5, { drain = 0.2 })
    t.weft.sleep(0)
    assert.is_true((server:close(5, { drain = 3600 })))
    assert.is_true((server:close(0)))
    assert.is_true((closing:join(patience(5))))
    t:wait_until(function() return #told == 2 end, "both")
  end))

  it("cancelled drops what is left", case(function(t)
    local server = t:listen()
    local list = clients(t, server, 3)
    local closing = t:spawn(server.close, server, 5, { drain = 3600 })
    t:wait_until(function() return server:count() == 2 end, "the first close")
    closing:cancel()
    assert.same({ true, nil, "cancelled" }, { closing:join(5) })
    local codes = {}
    for i, ws in ipairs(list) do
      codes[i] = select(2, ws:wait_closed(5))
    end
    table.sort(codes)
    assert.same({ 1001, 1006, 1006 }, codes)
    assert.equal(0, server:count())
  end))

  it("with nobody there is closed at once", case(function(t)
    local server = t:listen()
    local began = t.weft.now()
    assert.is_true((server:close(10, { drain = math.huge })))
    assert.is_true(t.weft.now() - began < patience(5))
  end))
end)

local PRELUDE = [[
  local weft = require "weft"
  io.stdout:setvbuf "line"
  local function on_worker(_, server) print(server:url()) end
]]

--- A program that serves: the child, and its URL.
local function start(t, options, prelude)
  local child = child_process.start_after(t.weft, prelude or ":", PRELUDE .. ([[
    print("served", weft.serve { port = 0, on_worker = on_worker, websocket = function(ws) ws:wait_closed() end, %s })
  ]]):format(options))
  child:wait_for "127.0.0.1:"
  return child, child:output():match "(wss?://127.0.0.1:%d+)"
end

describe("weft.serve", function()
  it("drains at SIGTERM, waits for the grace it was given, and exits with 0", case(function(t)
    local child, url = start(t, "drain = 0.4, grace = 0.1")
    local told, silent = watch(t, { t:connect(url), t:connect(url), t:connect(url) }), t:upgrade(math.tointeger(url:match "%d+$"))
    local began = t.weft.now()
    child:signal "TERM"
    local output, status = child:wait()
    assert.is_true(t.weft.now() - began >= 0.3)
    assert.is_true(t.weft.now() - began < patience(6)) -- the default grace would be 10
    assert.equal(1001, (silent:close_frame()))
    t:wait_until(function() return #told == 3 end)
    assert.is_truthy(output:find("served\ttrue", 1, true), output)
    assert.equal(0, status)
  end, 25))

  it("at a second signal ends at once, whatever the drain", case(function(t)
    local child, url = start(t, "drain = 3600")
    local one, other = t:connect(url), t:connect(url)
    child:signal "TERM"
    t:wait_until(function() return one.state ~= "open" or other.state ~= "open" end, "the first close")
    t.weft.sleep(0.05) -- two in one breath would be one
    child:signal "TERM"
    assert.equal(128 + 15, (select(2, child:wait())))
    local codes = { (select(2, one:wait_closed(5))), (select(2, other:wait_closed(5))) }
    table.sort(codes)
    assert.same({ 1001, 1006 }, codes)
  end, 25))

  it("drains at weft.stop as well", case.blocking(function(t)
    local url, took
    local codes = {}
    local client = t.weft.spawn(function()
      while not url do
        t.weft.sleep(0.005)
      end
      local one, other = t:connect(url), t:connect(url)
      local began = t.weft.now()
      t.weft.stop()
      codes[1] = select(2, one:wait_closed(5))
      codes[2] = select(2, other:wait_closed(5))
      took = t.weft.now() - began
    end)
    assert.is_true(t.weft.serve {
      port = 0, drain = 0.2, signals = false, websocket = function(ws) ws:wait_closed() end,
      on_worker = function(_, server) url = server:url() end,
    })
    client:join(5)
    assert.same({ 1001, 1001 }, codes)
    assert.is_true(took >= 0.1)
  end))
end)

describe("SIGHUP", function()
  local files = { cert = certificates.directory .. "/hup.pem", key = certificates.directory .. "/hup.key" }
  local TLS = ("tls = { cert = %q, key = %q }"):format(files.cert, files.key)

  local function install(certificate)
    certificates.write(files.cert, certificates.read(certificate.cert))
    certificates.write(files.key, certificates.read(certificate.key))
  end

  local function shown(t, url)
    return tls_peer.shown(t, math.tointeger(tonumber(url:match "%d+$"))) -- no session that is resumed
  end

  it("reads the certificates again, and connections stay", case(function(t)
    install(certificates.server)
    local child, url = start(t, TLS)
    local before = t:connect(url, tls_peer.trusting())
    install(certificates.renewed)
    assert.equal("weft server", shown(t, url))
    child:signal "HUP"
    t:wait_until(function() return shown(t, url) == "weft renewed" end, "the new certificate")
    assert.is_number(before:ping(nil, 5))
    child:signal "TERM"
    assert.equal(0, (select(2, child:wait())))
  end, 25))

  it("says what is wrong with them, and keeps the old ones", case(function(t)
    install(certificates.server)
    local child, url = start(t, TLS)
    certificates.write(files.cert, "half a fi")
    child:signal "HUP"
    child:wait_for "weft: SIGHUP: tls.cert"
    assert.equal("weft server", shown(t, url))
    child:signal "TERM"
    assert.equal(0, (select(2, child:wait())))
  end, 25))

  it("means nothing without TLS", case(function(t)
    local child, url = start(t, "idle_timeout = 60")
    local ws = t:connect(url)
    child:signal "HUP"
    assert.is_number(ws:ping(nil, 5))
    child:signal "TERM"
    local output, status = child:wait()
    assert.is_nil(output:find("HUP", 1, true))
    assert.equal(0, status)
  end, 25))

  it("is left alone with signals = false", case(function(t)
    local child = start(t, "signals = false")
    child:signal "HUP"
    assert.equal(128 + 1, (select(2, child:wait())))
  end, 25))

  it("stays ignored where it was, as nohup has it", case(function(t)
    for _, workers in ipairs { 1, 2 } do
      install(certificates.server)
      local child, url = start(t, TLS .. ", workers = " .. workers, "trap '' HUP")
      install(certificates.renewed)
      child:signal "HUP"
      t:connect(url, tls_peer.trusting()):close()
      assert.equal("weft server", shown(t, url))
      child:signal "TERM"
      local output, status = child:wait()
      assert.is_nil(output:find("replaced", 1, true))
      assert.equal(0, status)
    end
  end, 30))

  for _, workers in ipairs { "1", "2" } do
    it(("of a terminal that goes away ends the server gracefully (--workers %s)"):format(workers), case(function(t)
      local child = command.start(t.weft, {}, { program = command.at_terminal { "echo", "--port", "0", "--workers", workers } })
      local url = child:wait_for "listening on (%S-)\r?\n"
      local ws = t:connect(url)
      child:signal "KILL" -- script(1), which has the terminal's other end
      assert.same({ true, 1001, "" }, { ws:wait_closed(5) })
      t:wait_until(function()
        return not t.weft.connect(url, { timeout = 5 })
      end, "the end of the server")
      child:wait()
    end, 25))
  end
end)
