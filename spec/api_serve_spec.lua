local lfs = require "lfs"
local weft = require "weft"
local case = require "support.case"
local child_process = require "support.child"
local frame = require "support.frame"
local namespace = require "support.namespace"

--- A path on which a Unix-domain socket can be made.
local function socket_path()
  local path = os.tmpname()
  os.remove(path)
  return path
end

--- A child that serves on a Unix-domain socket, and the path, once it accepts.
--- `script` gets the path as arg[1].
local function serving_child(t, script)
  local path = socket_path()
  local child = child_process.start(t.weft, [[
    local weft = require "weft"
    weft.spawn(function() print "ready" io.stdout:flush() end) -- in the first turn
  ]] .. script, path)
  child:wait_for "ready"
  return child, path
end

describe("weft.serve", function()
  it("in a task waits until its server closes", case(function(t)
    local path = socket_path()
    local handled
    local task = t:spawn(function()
      return t.weft.serve { unix = path, websocket = function(ws)
        handled = ws:receive()
      end }
    end)
    t:wait_until(function() return lfs.attributes(path, "mode") end, "the socket")
    local raw = t:upgrade(path)
    raw:send(frame.client.text "hello")
    assert.equal(1000, (raw:close_frame()))
    raw:send(frame.client.close(1000))
    assert.equal("hello", handled)
    assert.same({ nil, "timeout" }, { task:join(0.01) })
    task:cancel()
    task:join(5)
    t:wait_until(function() return not lfs.attributes(path, "mode") end, "the end of the socket")
  end))

  it("takes a port and a handler for short", case(function(t)
    local port = t:free_port()
    local task = t:spawn(function()
      t.weft.serve(port, function(ws)
        for message, kind in ws:messages() do
          ws:send(message, kind)
        end
      end)
    end)
    t.weft.sleep(0)
    local ws = t:connect(port)
    ws:send "short"
    assert.equal("short", ws:receive(5))
    assert.is_true(ws:close())
    task:cancel()
  end))

  it("raises at the caller's line for what is neither", case(function(t)
    assert.has_error(function() t.weft.serve() end)
    assert.has_error(function() t.weft.serve "8080" end)
    assert.has_error(function() t.weft.serve(8080) end)
    assert.has_error(function() t.weft.serve(8080, "echo") end)
  end))

  it("on the main thread runs until the loop is stopped", case.blocking(function(t)
    local path = socket_path()
    t.weft.spawn(function()
      t.weft.sleep(0.01)
      t.weft.stop()
    end)
    t.weft.serve { unix = path, websocket = print }
    t.weft.step()
  end))

  for _, name in ipairs { "INT", "TERM" } do
    it("closes gracefully at SIG" .. name .. " and returns", case(function(t)
      local child, path = serving_child(t, [[
        weft.serve { unix = arg[1], websocket = function(ws)
          for message in ws:messages() do ws:send(message) end
          print("cause", ws.close_cause)
        end }
        print "served"
      ]])
      local raw = t:upgrade(path)
      raw:send(frame.client.text "ready")
      assert.equal("ready", raw:message())
      child:signal(name)
      assert.equal(1001, (raw:close_frame()))
      raw:send(frame.client.close(1001))
      assert.same({ "", "fin" }, { raw:read_until_closed() })
      local output, status = child:wait()
      assert.equal("ready\ncause\tshutdown\nserved\n", output)
      assert.equal(0, status)
    end, 20))

    it("is killed by a second SIG" .. name, case(function(t)
      local child, path = serving_child(t, [[
        weft.serve { unix = arg[1], websocket = function(ws) ws:wait_closed() end }
        print "served"
      ]])
      local raw = t:upgrade(path)
      child:signal(name)
      assert.equal(1001, (raw:close_frame()))
      -- no answer to the close: it still waits for us; and two signals in one
      -- breath would count as one
      t.weft.sleep(0.1)
      child:signal(name)
      local output, status = child:wait()
      os.remove(path) -- it had no time to
      assert.not_equal(0, status)
      assert.is_nil(output:find("served", 1, true))
    end, 20))
  end

  -- where no signal ends a process that has no handler for it
  namespace.only(it, pending)("ends at a second signal as process 1 of a container too", case(function(t)
    local seen = namespace.run(t, { first = true, status = 128 + 15 }, [[
      local server = weft.listen { port = 0, websocket = function() weft.sleep(1000) end }
      weft.spawn(weft.serve, server)
      weft.connect(server:url())
      os.execute "kill -TERM $PPID"
      weft.sleep(0.1) -- two in one breath would count as one
      report("process", require "weft.core".pid())
      os.execute "kill -TERM $PPID"
      weft.sleep(1000)
    ]])
    assert.equal(1, seen.process)
  end, 20))

  it("with signals = false leaves them alone", case(function(t)
    local child, path = serving_child(t, [[
      weft.serve { unix = arg[1], signals = false, websocket = function(ws) ws:wait_closed() end }
      print "served"
    ]])
    local raw = t:upgrade(path)
    child:signal "TERM"
    assert.equal("", (raw:read_until_closed()))
    local output, status = child:wait()
    os.remove(path)
    assert.is_nil(output:find("served", 1, true), output)
    assert.equal(128 + 15, status)
  end, 20))

  it("puts the signals back when it is done", case(function(t)
    local child, path = serving_child(t, [[
      weft.serve { unix = arg[1], websocket = function(ws) ws:wait_closed() end }
      print "served"
      io.stdout:flush()
      weft.sleep(60)
    ]])
    local raw = t:upgrade(path)
    child:signal "TERM"
    assert.equal(1001, (raw:close_frame()))
    raw:send(frame.client.close(1001))
    child:wait_for "served"
    child:signal "TERM"
    local _, status = child:wait()
    assert.equal(128 + 15, status)
  end, 20))

  it("raises when it cannot listen, and the script says why", case(function(t)
    local server = t:listen()
    local child = child_process.start(t.weft, [[
      local weft = require "weft"
      weft.serve(tonumber(arg[1]), print)
    ]], server:port())
    local output, status = child:wait()
    assert.equal(1, status)
    assert.is_truthy(output:find(tostring(server:port()), 1, true), output)
    assert.is_truthy(output:find("in use", 1, true), output)
  end, 20))
end)

describe("an error that nobody looks at", function()
  it("goes to stderr with its traceback, and the server goes on", case(function(t)
    local child, path = serving_child(t, [[
      weft.serve { unix = arg[1], websocket = function(ws)
        local message = ws:receive()
        if message == "fail" then
          error "the handler broke"
        end
        ws:send "fine"
      end }
    ]])
    local raw = t:upgrade(path)
    raw:send(frame.client.text "fail")
    assert.same({ 1011, "" }, { raw:close_frame() })
    child:wait_for "the handler broke"
    child:wait_for "stack traceback"
    local other = t:upgrade(path)
    other:send(frame.client.text "work")
    assert.equal("fine", other:message())
    child:signal "TERM"
    raw:close()
    other:close()
    local output, status = child:wait()
    assert.equal(0, status, output)
  end, 20))

  it("in a task goes to stderr, and the others go on", case(function(t)
    local child = child_process.start(t.weft, [[
      local weft = require "weft"
      weft.spawn(function() error "the task broke" end)
      weft.spawn(function() weft.sleep(0.01) print "the other ends" end)
      print("run", weft.run())
    ]])
    local output, status = child:wait()
    assert.equal(0, status, output)
    assert.is_truthy(output:find("the task broke", 1, true), output)
    assert.is_truthy(output:find("stack traceback", 1, true), output)
    assert.is_truthy(output:find("the other ends", 1, true), output)
    assert.is_truthy(output:find("run\ttrue", 1, true), output)
  end, 20))

  it("goes there also when the function given to on_error fails", case(function(t)
    local child = child_process.start(t.weft, [[
      local weft = require "weft"
      weft.on_error(function() error "the reporter broke" end)
      weft.spawn(function() error "the task broke" end)
      print("run", weft.run())
    ]])
    local output, status = child:wait()
    assert.equal(0, status, output)
    assert.is_truthy(output:find("the task broke", 1, true), output)
    assert.is_truthy(output:find("the reporter broke", 1, true), output)
    assert.is_truthy(output:find("run\ttrue", 1, true), output)
  end, 20))

  it("goes to the function given to on_error, until that is taken back", case(function(t)
    local child = child_process.start(t.weft, [[
      local weft = require "weft"
      weft.on_error(function(err) print("reported", err) end)
      weft.spawn(error, "one", 0)
      weft.run()
      weft.on_error(nil)
      weft.spawn(error, "two", 0)
      weft.run()
    ]])
    local output, status = child:wait()
    assert.equal(0, status, output)
    assert.is_truthy(output:find("reported\tone", 1, true), output)
    assert.is_nil(output:find("reported\ttwo", 1, true), output)
    assert.is_truthy(output:find("two", 1, true), output)
  end, 20))
end)

describe("the module", function()
  it("names its version", function()
    assert.equal("weft 1.0.0", weft._VERSION)
  end)

  it("makes no globals and does no work when it is required", case(function(t)
    local child = child_process.start(t.weft, [[
      local before, count = {}, 0
      for name in pairs(_G) do before[name] = true end
      for name in pairs(string) do count = count + 1 end
      local weft = require "weft"
      for name in pairs(_G) do
        if not before[name] then print("global", name) end
      end
      for name in pairs(string) do count = count - 1 end
      print(type(weft), weft == require "weft", count)
    ]])
    assert.same({ "table\ttrue\t0\n", 0 }, { child:wait() })
  end, 20))
end)
