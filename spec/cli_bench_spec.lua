-- `weft bench`: what it measures, says, and does with servers that are no echo.
local case = require "support.case"
local certificates = require "support.certificates"
local command = require "support.command"
local frame = require "support.frame"
local tls_peer = require "support.tls_peer"

-- Under the sanitizers script(1), which gives us terminals, fails by leaks of its
-- own; what runs in there is Lua and the plain module in any case.
local it_at_terminal = os.getenv "ASAN_OPTIONS" and pending or it

local SHORT = { "-c", "4", "-d", "0.1", "--warmup", "0.05" }

--- `weft bench` for a moment: what it wrote and its status.
local function bench(t, url, arguments)
  local words = { "bench", url, table.unpack(SHORT) }
  table.move(arguments or {}, 1, #(arguments or {}), #words + 1, words)
  return command.start(t.weft, words):wait()
end

local function check_has(text, ...)
  for _, words in ipairs { ... } do
    assert.is_truthy(text:find(words, 1, true), ("%q lacks %q"):format(text, words))
  end
end

--- It reports nothing, fails with one line that has these words.
local function check_fails(t, url, arguments, ...)
  local output, errors, status = bench(t, url, arguments)
  assert.same({ "", 1 }, { output, status }, errors)
  assert.matches("^weft bench: [^\n]+\n$", errors)
  check_has(errors, ...)
end

--- The one line of --json as a table.
local function measured(t, url, arguments)
  local words = { "--json", table.unpack(arguments or {}) }
  local output, errors, status = bench(t, url, words)
  assert.same({ "", 0 }, { errors, status })
  assert.matches('^{"[^\n{}]*}\n$', output)
  return load("return " .. output:gsub('"([%w_]+)":', '["%1"]='))()
end

describe("weft bench", function()
  it("says how fast an echo server is", case(function(t)
    local output, errors, status = bench(t, t:url(t:server { websocket = case.echo }), { "-p", "3" })
    assert.same({ "", 0 }, { errors, status })
    assert.matches("^ws://127%.0%.0%.1:%d+/: 4 connections, 3 messages of 64 bytes %(text%) outstanding on each\n", output)
    for _, pattern in ipairs {
      "\n  opened +[%d,]+ connections/s %(4 in [%d.]+ %a+%)\n", "\n  messages +[%d,]+/s %([%d,]+ in 0%.%d+ s%)\n",
      "\n  payload +[%d.]+ %a+/s each way\n", "\n  latency +p50 [^,]+, p99 [^,]+, p99%.9 [^,]+, max %S+ %a+\n",
      "\n  load +%d+ %% of a core\n",
    } do
      assert.matches(pattern, output)
    end
    assert.is_nil(output:find("TLS", 1, true) or output:find("compression", 1, true))
  end, 25))

  it("tells machines the same", case(function(t)
    local kinds = {}
    local server = t:server { websocket = function(ws)
      for message, kind in ws:messages() do
        kinds[kind .. #message] = true
        ws:send(message, kind)
      end
    end }
    local m = measured(t, t:url(server), {
      "--connections=3", "--depth=2", "--size=200", "--duration=0.2", "--binary",
    })
    assert.same({ binary200 = true }, kinds)
    assert.same({ 3, 2, 200, "binary", "", "", false },
                { m.connections, m.depth, m.size, m.kind, m.tls, m.deflate, m.early })
    assert.equal(t:url(server), m.url)
    assert.is_true(m.echoes > 0 and m.seconds >= 0.2 and m.opened_rate > 0)
    assert.is_true(math.abs(m.rate * m.seconds - m.echoes) < 0.01 * m.echoes + 1)
    assert.is_true(math.abs(m.bytes_rate - 200 * m.rate) <= 20)
    assert.is_true(m.p50 > 0 and m.p50 <= m.p99 and m.p99 <= m.p999 and m.p999 <= m.max)
    assert.is_true(m.load > 0)
    assert.equal("boolean", type(m.lower_bound))
  end, 25))

  it("measures messages of any size", case(function(t)
    local server = t:server { websocket = case.echo }
    for _, size in ipairs { 0, 125, 126, 65536, 1000000 } do
      assert.is_true(measured(t, t:url(server), { "-s", size, "-p", "2" }).echoes > 0)
    end
  end, 25))

  it("asks for the path and with the password of the URL, and tells only the one", case(function(t)
    local targets = {}
    local server = t:server { websocket = function(ws)
      local auth = ws.request.headers.authorization
      targets[ws.request.target .. " " .. tostring(auth)] = true
      case.echo(ws)
    end }
    local port = server:port()
    local output, errors, status = bench(t, ("ws://ana:sesame@127.0.0.1:%d/there?n=1"):format(port))
    assert.same({ "", 0 }, { errors, status })
    check_has(output, ("ws://127.0.0.1:%d/there?n=1:"):format(port))
    assert.is_nil(output:find("sesame", 1, true))
    assert.same({ ["/there?n=1 Basic YW5hOnNlc2FtZQ=="] = true }, targets)
  end, 25))

  it("finds a server by name and by each kind of address", case(function(t)
    for _, host in ipairs(tls_peer.local_hosts()) do
      local server = t:server { host = host:find(":", 1, true) and "::1" or nil, websocket = case.echo }
      local m = measured(t, ("ws://%s:%d"):format(host, server:port()))
      assert.is_true(m.echoes > 0, host)
    end
  end, 25))

  it("loads servers over TLS that it trusts, or is told to", case(function(t)
    local server = t:server { tls = certificates.with(certificates.server), websocket = case.echo }
    local url = tls_peer.url(server)
    local m = measured(t, url, { "--ca", certificates.ca, "-s", "20000" })
    assert.matches("^TLSv1%.3 TLS_", m.tls)
    assert.is_true(m.echoes > 0)
    local output, errors, status = bench(t, url, { "--insecure" })
    assert.same({ "", 0 }, { errors, status })
    assert.matches("\n  TLS +TLSv1%.3, TLS_", output)
    check_fails(t, url, nil, "certificate", "pass --ca")
    check_fails(t, url, { "--ca", certificates.missing }, certificates.missing)
    check_fails(t, t:url(server), nil, "handshake refused: 400")
  end, 25))

  it("compresses when asked, with servers that do", case(function(t)
    for _, options in ipairs {
      {}, { server_no_context_takeover = false, client_no_context_takeover = false },
    } do
      local server = t:server { compression = options, websocket = case.echo }
      local m = measured(t, t:url(server), { "--compression", "-s", "3000", "-p", "4" })
      assert.matches("^permessage%-deflate", m.deflate)
      assert.is_true(m.echoes > 0 and m.carried < 3000)
    end
    check_fails(t, t:url(t:server { websocket = case.echo }), { "--compression" }, "compress")
  end, 25))

  it("answers pings meanwhile", case(function(t)
    local server = t:server { ping_interval = 0.01, ping_timeout = 0.15, websocket = case.echo }
    assert.is_true(measured(t, t:url(server), { "-d", "0.5" }).echoes > 0)
  end, 25))

  it("closes its connections with 1000", case(function(t)
    local codes, ended = {}, 0
    local server = t:server { websocket = function(ws)
      case.echo(ws)
      codes[ws.close_code] = true
      ended = ended + 1
    end }
    measured(t, t:url(server))
    t:wait_until(function() return ended == 5 end)
    assert.same({ [1000] = true }, codes)
  end, 25))

  it_at_terminal("shows at a terminal how it goes", case(function(t)
    local server = t:server { websocket = case.echo }
    local output, _, status = command.start(t.weft, {}, {
      program = command.at_terminal { "bench", t:url(server), "-c", "2", "-d", "1.6", "--warmup", "0.3" },
    }):wait()
    assert.equal(0, status, output)
    assert.matches("\r\27%[Kwarming: [%d,]+ messages/s", output)
    assert.matches("\r\27%[K[01]%.%d s of 1%.6: [%d,]+ messages/s, p99 [%d.]+ %a+", output)
    assert.matches("\r\27%[Kws://[^\n]+\n  opened", output)
  end, 25))
end)

describe("Ctrl-C at weft bench", function()
  it("ends it early, with what was measured", case(function(t)
    local echoed = 0
    local server = t:server { websocket = function(ws)
      for message in ws:messages() do
        echoed = echoed + 1
        ws:send(message)
      end
    end }
    for name in pairs { INT = true, TERM = true } do
      echoed = 0
      local child = command.start(t.weft, { "bench", t:url(server), "-c", "2", "-d", "60", "--warmup", "0", "--json" })
      t:wait_until(function() return echoed > 1000 end, "a load", 15)
      child:signal(name)
      local output, errors, status = child:wait()
      assert.same({ "", 0 }, { errors, status })
      check_has(output, '"early":true')
    end
  end, 25))

  it("reports nothing when nothing has been measured", case(function(t)
    local arrived = 0
    local server = t:server { websocket = function(ws)
      arrived = arrived + 1
      case.echo(ws)
    end }
    local child = command.start(t.weft, { "bench", t:url(server), "-c", "1", "--warmup", "60" })
    t:wait_until(function() return arrived == 2 end, "a load", 15)
    child:signal "INT"
    local output, errors, status = child:wait()
    assert.same({ "", "weft bench: ended before anything was measured\n", 130 }, { output, errors, status })
  end, 25))

  it("ends it while it opens connections", case(function(t)
    local asked = 0
    local port = t:serve_raw(function(raw)
      raw:head()
      asked = asked + 1
      raw:read_until_closed()
    end)
    local child = command.start(t.weft, { "bench", t:url(port) })
    t:wait_until(function() return asked == 1 end, "a request", 15)
    child:signal "INT"
    local output, errors, status = child:wait()
    assert.same({ "", "", 130 }, { output, errors, status })
  end, 25))
end)

describe("weft bench fails in a sentence", function()
  local function server_with(t, handler)
    return t:url(t:server { websocket = handler })
  end

  --- A server that answers each message with bytes of its own.
  local function server_that_answers(t, answer)
    return t:url(t:serve_upgraded(function(raw)
      local got = raw:frame()
      if got and got.opcode ~= frame.CLOSE then
        raw:send(answer(got))
      end
      raw:read_until_closed()
    end))
  end

  it("when nobody listens", case(function(t)
    local port = t:free_port()
    check_fails(t, t:url(port), nil, ("connect to 127.0.0.1:%d: connection refused"):format(port))
  end, 25))

  it("when there is no such host or URL", case(function(t)
    check_fails(t, "ws://nowhere.invalid/", nil, "look up nowhere.invalid")
    check_fails(t, "http://127.0.0.1/", nil, "ws://")
  end, 25))

  it("when the handshake is refused, also later", case(function(t)
    local accepted = 0
    local function refusing(after)
      accepted = 0
      return t:url(t:server { websocket = case.echo, upgrade = function()
        accepted = accepted + 1
        if accepted > after then
          return nil, 503
        end
        return true
      end })
    end
    check_fails(t, refusing(0), nil, "handshake refused: 503 Service Unavailable")
    check_fails(t, refusing(2), { "-c", "2" }, " of 2: handshake refused: 503 Service Unavailable")
  end, 25))

  it("when the server does not answer the handshake", case(function(t)
    local port = t:serve_raw(function(raw)
      raw:head()
      raw:read_until_closed()
    end)
    check_fails(t, t:url(port), { "--timeout", "0.2" }, "timed out")
    local asked = 0
    port = t:serve_raw(function(raw)
      asked = asked + 1
      if asked == 1 then
        raw:accept_upgrade()
      end
      raw:read_until_closed()
    end)
    check_fails(t, t:url(port), { "--timeout", "0.2" }, "connection 1 of 4: nothing opened for 0.2 seconds")
  end, 25))

  it("when there are no echoes", case(function(t)
    check_fails(t, server_with(t, function(ws)
      for _ in ws:messages() do end
    end), { "--timeout", "0.2" }, "no echo for 0.2 seconds: the server does not echo")
    local echoed = 0
    check_fails(t, server_with(t, function(ws)
      for message in ws:messages() do
        echoed = echoed + 1
        if echoed <= 100 then
          ws:send(message)
        end
      end
    end), { "--timeout", "0.2" }, "no echo for 0.2 seconds\n")
  end, 25))

  it("when an echo is another message", case(function(t)
    for words, change in pairs {
      ["an echo differs from what was sent"] = function(message) return message:sub(1, -2) .. "\0", "text" end,
      ["an echo has 63 bytes instead of 64"] = function(message) return message:sub(1, -2), "text" end,
      ["an echo is binary instead of text"] = function(message) return message, "binary" end,
    } do
      check_fails(t, server_with(t, function(ws)
        for message in ws:messages() do
          ws:send(change(message))
        end
      end), nil, words)
    end
    check_fails(t, server_with(t, function(ws)
      for message in ws:messages() do
        ws:send(message)
        ws:send(message)
      end
    end), nil, "no echo")
  end, 25))

  it("when a compressed echo is another message", case(function(t)
    for _, change in ipairs {
      function(message) return message:sub(1, -2) .. "\0" end,
      function(message) return message:sub(1, -2) end,
      function(message) return message .. "a" end,
    } do
      local server = t:server { compression = true, websocket = function(ws)
        for message in ws:messages() do
          ws:send(change(message))
        end
      end }
      check_fails(t, t:url(server), { "--compression", "-s", "3000" }, "an echo ")
    end
  end, 25))

  it("when the server speaks first", case(function(t)
    check_fails(t, server_with(t, function(ws)
      ws:send "welcome"
      case.echo(ws)
    end), { "-c", "1" }, "echo")
  end, 25))

  it("when the server closes, with its code and reason", case(function(t)
    check_fails(t, server_with(t, function(ws)
      ws:receive()
      ws:close(1013, "come\27[2Jback")
    end), nil, "closed a connection with 1013 (come\\x1B[2Jback)")
    check_fails(t, server_with(t, function(ws)
      ws:receive()
      ws:abort()
    end), nil, "connection")
  end, 25))

  it("when the server breaks the protocol", case(function(t)
    for _, bytes in ipairs { "\x83\0", "\xC1\0", "\x81\x80\0\0\0\0", "\x80\0", "\x81\x7E\0\1x", "\x09\0" } do
      check_fails(t, server_that_answers(t, function() return bytes end), nil, "RFC 6455")
    end
  end, 25))

  it("when it may not open so many connections", case(function(t)
    local server = t:server { websocket = case.echo }
    -- root has to be told that it may not either
    local script = [[ulimit -n 100
      setpriv --bounding-set=-sys_resource true 2>&- && exec setpriv --bounding-set=-sys_resource "$@"
      exec "$@"]]
    local child = command.start(t.weft, {}, {
      program = { "sh", "-c", script, "sh", os.getenv "LUA" or "lua5.4", command.root .. "/bin/weft", "bench",
                  t:url(server), "-c", "500" },
    })
    local output, errors, status = child:wait()
    assert.same({ "", 1 }, { output, status }, errors)
    check_has(errors, "500 connections", "ulimit -n")
  end, 25))
end)

describe("the command line of weft bench", function()
  it("does not let a mistake pass", case(function(t)
    for _, arguments in ipairs {
      {}, { "ws://x/", "ws://y/" }, { "ws://x/", "-c", "0" }, { "ws://x/", "-c", "60001" }, { "ws://x/", "-c", "many" },
      { "ws://x/", "-d" }, { "ws://x/", "-d", "0" }, { "ws://x/", "-d", "1e3" }, { "ws://x/", "--duration=" },
      { "ws://x/", "-s", "-1" }, { "ws://x/", "-s", "268435457" }, { "ws://x/", "-p", "4097" },
      { "ws://x/", "-s", "268435456", "-p", "5" }, { "ws://x/", "--json=1" }, { "ws://x/", "--warmup", "soon" },
      { "ws://x/", "--timeout", "0" }, { "wss://x/", "--ca", "" }, { "ws://x/", "--records" },
    } do
      local output, errors, status = command.start(t.weft, { "bench", table.unpack(arguments) }):wait()
      assert.same({ "", 2 }, { output, status }, errors)
      assert.matches("^weft bench: [^\n]+ %(see weft bench %-%-help%)\n$", errors)
    end
  end, 25))

  it("explains itself", case(function(t)
    local output, errors, status = command.start(t.weft, { "bench", "--help" }):wait()
    assert.same({ "", 0 }, { errors, status })
    check_has(output, "--connections", "--duration", "--size", "--depth", "--binary", "--compression", "--insecure",
              "--ca", "--json", "--warmup", "--timeout")
    check_has((command.start(t.weft, { "help" }):wait()), "weft bench URL")
  end, 25))
end)

describe("the module weft.load", function()
  local load = require "weft.load"

  --- A plan for where somebody listens, and nobody answers while it is turned.
  local function plan_for(t, changes)
    local plan = {
      address = "127.0.0.1", port = select(2, t:listen()), host = "127.0.0.1", host_header = "127.0.0.1",
      target = "/", connections = 3, depth = 2, at_once = 2, size = 64, seconds = 1, warmup = 1, patience = 10,
    }
    for name, value in pairs(changes or {}) do
      plan[name] = value
    end
    return plan
  end

  it("can be left at any time", case(function(t)
    for _, tls in ipairs { false, true } do
      local run = assert(load.new(plan_for(t, { tls = tls })))
      assert.equal("opening", run:step(0.01))
      assert.same({ "opening", 0, 0 }, { run:report().phase, run:report().opened, run:report().echoes })
      run:close()
      run:close()
      assert.has_error(function() run:step(0) end, "the run is closed")
      assert.has_error(function() run:report() end, "the run is closed")
      assert(load.new(plan_for(t, { tls = tls }))):step(0.01)
      collectgarbage()
    end
  end))

  it("raises for a plan that is none, and leaves nothing behind", case(function(t)
    for name, value in pairs {
      address = "localhost", port = 0, host = 1, target = false, connections = 0, depth = 4097, at_once = 0,
      size = -1, seconds = 0 / 0, warmup = "soon", patience = -1, headers = 1,
    } do
      assert.has_error(function() load.new(plan_for(t, { [name] = value })) end)
    end
    assert.has_error(load.new)
    local run, message = load.new(plan_for(t, { tls = true, verify = true, ca = certificates.missing }))
    assert.is_nil(run)
    check_has(message, certificates.missing)
  end))
end)
