-- Known faults of other libraries that end or upset a whole process, each in an
-- interpreter of its own: a state closed in mid-connection, Ctrl-C, a script
-- whose last statement is a send.
local case = require "support.case"
local child_process = require "support.child"
local frame = require "support.frame"

--- Runs a script with the port of an echo server as its argument.
local function run(t, script, ...)
  local _, port = t:listen { websocket = case.echo }
  return child_process.start(t.weft, script, port, ...):wait()
end

-- Libraries whose finalizers trust an order crash here, or never end.
describe("a Lua state that is closed in mid-connection", function()
  local opening = [[
    local weft = require "weft"
    local url = "ws://127.0.0.1:" .. arg[1] .. "/"
    local ws = assert(weft.connect(url))
    ws:send "hello"
    assert(ws:receive() == "hello")
  ]]
  local endings = {
    ["by falling off the end"] = { "" },
    ["by os.exit(true, true)"] = { "os.exit(true, true)" },
    ["by os.exit without closing it"] = { "os.exit(true)" },
    ["by os.exit in a task"] = { "weft.run(function() weft.sleep(0.01) os.exit(true, true) end)" },
    ["by os.exit in a handler"] = { [[
      local server = assert(weft.listen { port = 0, websocket = function() os.exit(true, true) end })
      weft.run(function()
        local other = weft.connect(server:url())
        other:receive()
      end)
    ]] },
    ["by an error"] = { "error 'oops'", 1 },
    ["with tasks in every kind of wait"] = { [[
      local queue = weft.queue(1)
      local other = assert(weft.connect(url))
      other:try_send(("x"):rep(1000000), "binary")
      local waits = {
        function() ws:receive() end, function() other:send "behind" end, function() other:flush() end,
        function() ws:ping() end, function() ws:wait_closed() end, function() weft.sleep(100) end,
        function() queue:take() end, function() weft.connect(url):receive() end,
        function() weft.spawn(weft.sleep, 100):join() end,
      }
      for _, wait in ipairs(waits) do weft.spawn(wait) end
      weft.step(0.01) weft.step(0.01)
    ]] },
    ["with a server, its clients and a room"] = { [[
      local room = weft.room()
      local server = assert(weft.listen { port = 0, websocket = function(far)
        room:join(far)
        for message in far:messages() do room:send(message) end
      end })
      for _ = 1, 10 do
        local near = assert(weft.connect(server:url()))
        assert(near:send "to all")
        assert(near:receive() == "to all")
        _G[near] = near
      end
    ]] },
    ["in the middle of a large message"] = { "ws:try_send(('x'):rep(900000), 'binary')" },
    ["in the middle of a connect"] = { "weft.connect(url, { events = { open = print } })" },
    ["in the middle of a close"] = { "ws:close(1000, '', 0)" },
    ["in the middle of a message in pieces"] = { "W = ws:writer() W:write 'unfinished'" },
    ["in an event"] = { [[
      weft.connect(url, { events = { open = function() os.exit(true, true) end } })
      weft.run()
    ]] },
    ["with a second instance open"] = { [[
      W = weft.new()
      V = assert(W.connect(url))
      W.spawn(function() V:receive() end)
      W.step(0.01)
    ]] },
    ["after its instance"] = { [[
      local w = weft.new()
      local other = assert(w.connect(url))
      w.close()
      assert(other.state == "closed")
      assert(select(2, other:send "x") == "closed")
    ]] },
    ["with finalizers that use what is closed"] = { [[
      setmetatable({}, { __gc = function() ws:abort() ws:try_send "x" ws:close(1000, "", 0) end })
      KEEP = setmetatable({}, { __gc = function()
        if _VERSION >= "Lua 5.4" then -- which tells a finalizer then: no call waits in it
          pcall(ws.receive, ws)
          pcall(ws.send, ws, "x")
        end
        pcall(weft.step)
      end })
    ]] },
    ["while a name is resolved"] = { [[
      weft.connect("ws://nonexistent.invalid/", { events = { error = function() end } })
      weft.step(0)
    ]] },
  }
  for how, ending in pairs(endings) do
    it(how .. " ends quietly", case(function(t)
      local output, status = run(t, opening .. ending[1])
      if ending[2] then
        assert.matches("oops", output)
      else
        assert.equal("", output)
      end
      assert.equal(ending[2] or 0, status)
    end, 30))
  end

  it("is noticed by its peer", case(function(t)
    local over
    local port = t:serve_upgraded(function(raw)
      raw:message()
      over = select(2, raw:read_until_closed())
    end)
    local _, status = child_process.start(t.weft, [[
      local weft = require "weft"
      local ws = assert(weft.connect("ws://127.0.0.1:" .. arg[1]))
      ws:send "hello"
      os.exit(true, true)
    ]], port):wait()
    assert.equal(0, status)
    t:wait_until(function()
      return over
    end, "the end")
    assert.not_equal("timeout", over)
  end))
end)

-- Libraries that only queue what is sent outside of their loop lose it when no
-- loop comes after.
describe("a script whose last statement is a send", function()
  for what, size in pairs { ["a few bytes"] = 10, ["a mebibyte"] = 1024 * 1024, ["sixteen mebibytes"] = 16 * 1024 * 1024 } do
    it("has sent it: " .. what, case(function(t)
      local message
      local port = t:serve_upgraded(function(raw)
        message = raw:message(10)
      end)
      local output, status = child_process.start(t.weft, [[
        local weft = require "weft"
        local ws = assert(weft.connect("ws://127.0.0.1:" .. arg[1]))
        ws:send(("m"):rep(tonumber(arg[2])), "binary")
      ]], port, size):wait()
      assert.same({ "", 0 }, { output, status })
      t:wait_until(function()
        return message
      end, "the message", 10)
      assert.is_true(message == ("m"):rep(size))
    end, 30))
  end

  it("has sent it from a server's handler too", case(function(t)
    local child = child_process.start(t.weft, [[
      local weft = require "weft"
      local served = false
      local server = assert(weft.listen { port = 0, websocket = function(ws)
        served = true
        ws:send "last words"
      end })
      print(server:url())
      io.stdout:flush()
      weft.run(function()
        while not served or server:count() > 0 do weft.sleep(0.005) end
      end)
    ]])
    child:wait_for "ws://"
    local ws = t:connect(child:output():match "ws://%S+")
    assert.equal("last words", (ws:receive()))
    assert.same({ nil, "closed", 1000, "" }, { ws:receive() })
    assert.same({ 0 }, { select(2, child:wait()) })
  end))
end)

-- Libraries that restart an interrupted poll(2) cannot be stopped; ones that do
-- not lose what they were reading.
describe("Ctrl-C", function()
  local function interrupted(t, wait)
    local received = {}
    local port = t:serve_upgraded(function(raw)
      raw:send(frame.server.text("Hel", { announce = 5 }))
      while true do
        local got = raw:frame(10)
        if not got or got.opcode == frame.CLOSE then
          raw:send(frame.server.close(1000))
          raw:close()
          return
        elseif got.opcode == frame.TEXT then
          received[#received + 1] = got.payload
          raw:send "lo"
        end
      end
    end)
    local child = child_process.start(t.weft, ([[
      local weft = require "weft"
      local ws = assert(weft.connect("ws://127.0.0.1:" .. arg[1]))
      local ok, err = pcall(function()
        print "waiting"
        io.stdout:flush()
        %s
      end)
      print(ok, err)
      print(ws.state)
      print(ws:send "still here")
      print(ws:receive(5))
      print(ws:close())
    ]]):format(wait), port)
    child:wait_for "waiting"
    t.weft.sleep(0.05)
    child:signal "INT"
    local output, status = child:wait()
    assert.equal(0, status)
    assert.same({ "still here" }, received)
    return output
  end

  for _, wait in ipairs {
    "ws:receive()", "ws:wait_closed()", "for _ in ws:messages() do end", "ws:ping()", "weft.sleep(100)",
    "weft.spawn(weft.sleep, 100) weft.run()",
    "weft.run(weft.sleep, 100)", "weft.queue():take()",
  } do
    it("at a blocking " .. wait .. " raises interrupted!, and the connection is good", case(function(t)
      local output = interrupted(t, wait)
      assert.matches("waiting\nfalse\t[^\n]*interrupted!", output)
      assert.matches("\nopen\ntrue\nHello\ttext\ntrue\n$", output)
    end, 30))
  end

  it("ends a script that does not catch it", case(function(t)
    local port = t:serve_upgraded(function(raw)
      raw:read_until_closed(10)
    end)
    local child = child_process.start(t.weft, [[
      local weft = require "weft"
      local ws = assert(weft.connect("ws://127.0.0.1:" .. arg[1]))
      print "waiting"
      io.stdout:flush()
      ws:receive()
    ]], port)
    child:wait_for "waiting"
    t.weft.sleep(0.05)
    child:signal "INT"
    local output, status = child:wait()
    assert.matches("interrupted!", output)
    assert.equal(1, status)
  end, 30))

  for _, signal in ipairs { "INT", "TERM" } do
    it("or " .. signal .. " closes weft.serve gracefully", case(function(t)
      local child = child_process.start(t.weft, [[
        local weft = require "weft"
        local port = tonumber(arg[1])
        weft.spawn(function() print "ready" io.stdout:flush() end)
        weft.serve { port = port, websocket = function(ws)
          for message in ws:messages() do ws:send(message) end
        end }
        print "served"
      ]], t:free_port())
      child:wait_for "ready"
      local ws = t:connect(("ws://127.0.0.1:%d/"):format(child.arguments[1]))
      ws:send "hello"
      assert.equal("hello", (ws:receive()))
      child:signal(signal)
      assert.same({ nil, "closed", 1001, "" }, { ws:receive() })
      local output, status = child:wait()
      assert.same({ "ready\nserved\n", 0 }, { output, status })
    end, 30))
  end

  it("twice kills a server that does not end", case(function(t)
    local child = child_process.start(t.weft, [[
      local weft = require "weft"
      weft.spawn(function() print "ready" io.stdout:flush() end)
      weft.serve { port = tonumber(arg[1]), close_timeout = 60, websocket = function(ws)
        weft.sleep(100)
      end }
    ]], t:free_port())
    child:wait_for "ready"
    local raw = t:upgrade(math.tointeger(child.arguments[1]))
    child:signal "INT"
    assert.equal(1001, (raw:close_frame()))
    t.weft.sleep(0.05)
    child:signal "INT"
    local _, status = child:wait()
    assert.equal(128 + 2, status)
  end, 30))

  it("is not touched by anything but serve", case(function(t)
    local child = child_process.start(t.weft, [[
      local weft = require "weft"
      local server = weft.listen { port = 0, websocket = print }
      weft.spawn(function() print "ready" io.stdout:flush() end)
      weft.run()
    ]])
    child:wait_for "ready"
    child:signal "TERM"
    local _, status = child:wait()
    assert.equal(128 + 15, status)
  end, 30))
end)

-- SIGPIPE kills a process that writes to a connection reset by its peer.
describe("a peer that goes", function()
  it("by a reset does not kill the process", case(function(t)
    local port = t:serve_upgraded(function(raw)
      raw:message()
      raw:reset()
    end)
    local output, status = child_process.start(t.weft, [[
      local weft = require "weft"
      local ws = assert(weft.connect("ws://127.0.0.1:" .. arg[1]))
      local ok, why
      repeat
        ok, why = ws:send(("x"):rep(100000), "binary")
      until not ok
      print(why)
    ]], port):wait()
    assert.same({ "closed\n", 0 }, { output, status })
  end, 30))

  it("while the process is busy elsewhere does not kill it", case(function(t)
    local peer
    local port = t:serve_upgraded(function(raw)
      peer = raw
    end)
    local child = child_process.start(t.weft, [[
      local weft = require "weft"
      local ws = assert(weft.connect("ws://127.0.0.1:" .. arg[1]))
      print "connected"
      io.stdout:flush()
      os.execute "sleep 0.2"  -- the peer's FIN comes, and nobody reads it
      ws:send "answered by a reset"
      os.execute "sleep 0.1"
      ws:send "into a broken pipe"
      print((select(2, ws:receive(5))))
    ]], port)
    child:wait_for "connected"
    peer:close()
    assert.same({ "connected\nclosed\n", 0 }, { child:wait() })
  end, 30))
end)

-- The youngest objects are finalized first: what an older finalizer finds.
describe("a Lua state that is closed in mid-connection", function()
  it("with a finalizer that runs after weft's own ends quietly", case(function(t)
    local output, status = child_process.start(t.weft, [[
      local weft, server, ws, far, room, queue, task, writer
      LAST = setmetatable({}, { __gc = function() -- older than the library: runs when all of it is finalized
        local url = server:url()
        local calls = {
          weft.step, weft.run, weft.timeout, weft.fd, function() weft.sleep(0) end, function() weft.spawn(print) end,
          function() weft.connect(url) end, function() weft.listen { port = 0, websocket = print } end,
          function() server:close() end, function() server:count() end, function() server:stats() end,
          function() for one in server:connections() do one:abort() end end,
          function() room:send "x" end, function() room:join(ws) end, function() room:leave(ws) end,
          function() room:members() end, function() queue:put(1) end, function() queue:take() end,
          function() task:cancel() end, function() task:join() end, function() writer:write "x" end,
          function() writer:close() end, weft.close,
        }
        for _, one in ipairs { ws, far } do
          for _, name in ipairs { "receive", "flush", "ping", "wait_closed", "chunks", "writer", "close", "abort" } do
            calls[#calls + 1] = function() one[name](one) end
          end
          calls[#calls + 1] = function() one:send "x" end
          calls[#calls + 1] = function() one:try_send(("x"):rep(100000), "binary") end
          calls[#calls + 1] = function() return one.request, one.latency, one.buffered, tostring(one) end
        end
        for _, call in ipairs(calls) do pcall(call) end
        print(ws.state, far.state, pcall(weft.step))
      end })
      weft = require "weft"
      server = assert(weft.listen { port = 0, websocket = function(other)
        far = other
        for message in other:messages() do other:send(message) end
      end })
      ws = assert(weft.connect(server:url()))
      assert(ws:send "hello" and ws:receive() == "hello")
      room, queue = weft.room(), weft.queue(1)
      room:join(ws)
      task = weft.spawn(function() ws:receive() end)
      writer = ws:writer()
      writer:write "unfinished"
      weft.step(0.01)
    ]]):wait()
    assert.matches("^closed\tclosed\tfalse\t[^\n]*this weft instance is closed\n$", output)
    assert.equal(0, status)
  end, 30))
end)

-- A reset gives ECONNRESET once; only the write after it meets a broken pipe.
describe("a peer that is gone", function()
  it("does not kill a process that goes on writing", case(function(t)
    local port = t:serve_upgraded(function(raw)
      raw:close()
    end)
    local output, status = child_process.start(t.weft, [[
      local weft = require "weft"
      local ws = assert(weft.connect("ws://127.0.0.1:" .. arg[1]))
      local function busy() -- the loop does not turn meanwhile
        local over = weft.now() + 0.1
        repeat until weft.now() > over
      end
      busy()
      ws:send "is answered by a reset"
      busy()
      ws:send "into a broken pipe"
      print((select(2, ws:receive())))
    ]], port):wait()
    assert.same({ "closed\n", 0 }, { output, status })
  end, 30))
end)
