local lfs = require "lfs"
local socket = require "socket"
local case = require "support.case"
local frame = require "support.frame"

local function echo(ws)
  for message, kind in ws:messages() do
    ws:send(message, kind)
  end
end

--- A path on which a Unix-domain socket can be made.
local function socket_path()
  local path = os.tmpname()
  os.remove(path)
  return path
end

local has_ipv6 = (function()
  local sock = socket.tcp6 and socket.tcp6()
  local bound = sock and sock:bind("::1", 0)
  if sock then
    sock:close()
  end
  return bound
end)()

describe("a server", function()
  it("echoes with the handler of the manual", case(function(t)
    local server = t:listen { websocket = echo }
    local ws = t:connect(server)
    assert.is_true(ws:send "hello")
    assert.same({ "hello", "text" }, { ws:receive(5) })
    assert.is_true(ws:send("\0\xFF", "binary"))
    assert.same({ "\0\xFF", "binary" }, { ws:receive(5) })
    assert.is_true(ws:close())
  end))

  it("gives each connection a coroutine of its own", case(function(t)
    local server = t:listen { websocket = function(ws)
      local name = ws:receive()
      for message in ws:messages() do
        ws:send(name .. ": " .. message)
      end
    end }
    local clients = {}
    for i = 1, 20 do
      clients[i] = t:connect(server)
      clients[i]:send("client " .. i)
    end
    for round = 1, 3 do
      for i = 20, 1, -1 do
        clients[i]:send("round " .. round)
      end
      for i = 1, 20 do
        assert.equal(("client %d: round %d"):format(i, round), clients[i]:receive(5))
      end
    end
    for _, ws in ipairs(clients) do
      assert.is_true(ws:close())
    end
  end))

  it("binds a free port when the port is 0", case(function(t)
    local one, two = t:listen(), t:listen()
    assert.equal("integer", math.type(one:port()))
    assert.is_true(one:port() > 0 and one:port() < 65536)
    assert.not_equal(one:port(), two:port())
  end))

  it("says where it is", case(function(t)
    local server, port = t:listen { websocket = echo }
    assert.equal("127.0.0.1", (server:address()))
    assert.equal("ws://127.0.0.1:" .. port, (server:url():gsub("/$", "")))
    local ws = t:connect(server:url())
    assert.is_true(ws:close())
  end))

  it("accepts from the moment it is made, before the loop turns", case.blocking(function(t)
    local server = t:listen { websocket = echo }
    local sock = assert(socket.connect("127.0.0.1", server:port()))
    sock:close()
  end))

  it("counts its connections and lists them", case(function(t)
    local server = t:listen()
    assert.equal(0, server:count())
    for _ in server:connections() do
      error "there are none"
    end
    local clients = { t:connect(server), t:connect(server), t:connect(server) }
    for _ = 1, 3 do
      t:accepted().listed = 0
    end
    assert.equal(3, server:count())
    local listed = 0
    for ws in server:connections() do
      listed = listed + 1
      assert.equal("open", ws.state)
      ws.listed = ws.listed + 1
      assert.equal(1, ws.listed)
    end
    assert.equal(3, listed)
    assert.is_true(clients[1]:close())
    t:wait_until(function() return server:count() == 2 end, "the count of two")
    clients[2]:abort()
    t:wait_until(function() return server:count() == 1 end, "the count of one")
    assert.is_true(clients[3]:close())
    t:wait_until(function() return server:count() == 0 end, "the count of none")
  end))

  it("lists a snapshot: connections may close while it is walked", case(function(t)
    local server = t:listen()
    for _ = 1, 5 do
      t:connect(server)
      t:accepted()
    end
    local seen = 0
    for ws in server:connections() do
      seen = seen + 1
      for other in server:connections() do
        other:abort()
      end
      t.weft.sleep(0.002)
      assert.equal("closed", ws.state)
    end
    assert.equal(5, seen)
    assert.equal(0, server:count())
  end))

  it("does not count handshakes that are not over, nor plain requests", case(function(t)
    local server = t:listen()
    local raw = t:dial(server)
    raw:send "GET / HTTP/1.1\r\n"
    t:connect(server)
    t:accepted()
    assert.equal(1, server:count())
    assert.equal(426, t:http(server).status)
    assert.equal(1, server:count())
  end))

  it("has counters", case(function(t)
    local server = t:listen { websocket = echo }
    local ws = t:connect(server)
    ws:send "count me"
    ws:receive(5)
    local stats = server:stats()
    assert.equal("table", type(stats))
    local counters = 0
    for name, value in pairs(stats) do
      counters = counters + 1
      assert.equal("string", type(name))
      assert.is_truthy(type(value) == "table" or math.type(value) == "integer", name)
    end
    assert.is_true(counters > 0)
    assert.is_true(ws:close())
  end))

  it("shares the loop with other servers", case(function(t)
    local upper = t:listen { websocket = function(ws)
      for message in ws:messages() do
        ws:send(message:upper())
      end
    end }
    local plain = t:listen { websocket = echo }
    local a, b = t:connect(upper), t:connect(plain)
    a:send "one"
    b:send "two"
    assert.equal("ONE", a:receive(5))
    assert.equal("two", b:receive(5))
    assert.equal(1, upper:count())
    assert.equal(1, plain:count())
    assert.is_true(upper:close())
    b:send "still here"
    assert.equal("still here", b:receive(5))
    assert.is_true(b:close())
  end))

  it("listens on a Unix-domain socket", case(function(t)
    local path = socket_path()
    local server = t:listen { unix = path, websocket = echo }
    assert.equal("socket", lfs.attributes(path, "mode"))
    assert.is_truthy(server:address():find(path, 1, true))
    assert.equal("string", type(server:url()))
    local raw = t:upgrade(path)
    raw:send(frame.client.text "by path")
    assert.equal("by path", raw:message())
    assert.is_true(server:close(0))
    assert.is_nil(lfs.attributes(path, "mode"))
    assert.is_true(t:listen({ unix = path, websocket = echo }):close())
  end))

  it("on an interface's address is not reached by the others", case(function(t)
    local server = t:listen { host = "127.0.0.1", websocket = echo }
    assert.is_nil((socket.connect("127.0.0.2", server:port())))
  end))

  it('on "*" is reached at every address', case(function(t)
    local server, port = t:listen { host = "*", websocket = echo }
    local hosts = has_ipv6 and { "127.0.0.1", "127.0.0.2", "[::1]" } or { "127.0.0.1", "127.0.0.2" }
    for _, host in ipairs(hosts) do
      local ws = t:connect(("ws://%s:%d/"):format(host, port))
      ws:send(host)
      assert.equal(host, ws:receive(5))
      assert.is_true(ws:close())
    end
    assert.equal("string", type(server:url()))
  end))

  if has_ipv6 then
    it("listens on an IPv6 address and tells it as URLs do", case(function(t)
      local server, port = t:listen { host = "::1", websocket = echo }
      assert.equal("::1", (server:address()))
      assert.equal("ws://[::1]:" .. port, (server:url():gsub("/$", "")))
      local ws = t:connect(server:url())
      assert.equal("::1", ws.remote_address)
      assert.equal(port, ws.remote_port)
      assert.is_true(ws:close())
    end))
  end

  it("shares its port with others that say reuse_port", case(function(t)
    local one, port = t:listen { reuse_port = true, websocket = echo }
    local two = t:listen { port = port, reuse_port = true, websocket = echo }
    assert.equal(port, two:port())
    assert.is_true((one:close()))
    local ws = t:connect(port)
    ws:send "the other one"
    assert.equal("the other one", ws:receive(5))
    assert.equal(1, two:count())
    assert.is_true(ws:close())
    assert.equal("in_use", (select(3, t.weft.listen { port = port, websocket = echo })))
  end))

  it("listens on a host given by name", case(function(t)
    local server = t:listen { host = "localhost", websocket = echo }
    local ws = t:connect(("ws://localhost:%d/"):format(server:port()))
    assert.is_true(ws:close())
  end))
end)

describe("closing a server", function()
  it("stops accepting, tells everyone 1001 and gives true", case(function(t)
    local server, port = t:listen()
    local clients, ends = {}, {}
    for i = 1, 3 do
      clients[i] = t:connect(server)
      ends[i] = t:accepted()
    end
    for i = 1, 3 do
      t:spawn(function()
        assert.same({ n = 4, nil, "closed", 1001, "" }, table.pack(clients[i]:receive()))
      end)
    end
    assert.is_true((server:close()))
    for i = 1, 3 do
      assert.equal("closed", ends[i].state)
      assert.equal("shutdown", ends[i].close_cause)
      assert.equal(1001, ends[i].sent_code)
      clients[i]:wait_closed(5)
      assert.equal("peer", clients[i].close_cause)
      assert.equal(1001, clients[i].close_code)
    end
    assert.equal(0, server:count())
    local ws, _, code = t.weft.connect(t:url(port))
    assert.is_nil(ws)
    assert.equal("refused", code)
  end))

  it("may be done twice, and by two at once", case(function(t)
    local server = t:listen()
    t:connect(server)
    t:accepted()
    local other = t:spawn(function()
      return server:close(5)
    end)
    assert.is_true((server:close(5)))
    assert.same({ true, true }, { other:join(5) })
    assert.is_true((server:close()))
    assert.is_true((server:close(0)))
  end))

  it("lets handlers finish what they are at", case(function(t)
    local slept
    local server = t:listen { websocket = function(ws)
      ws:receive()
      slept = table.pack(t.weft.sleep(0.02))
    end }
    local ws = t:connect(server)
    t:wait_until(function() return server:count() == 1 end)
    assert.is_true((server:close(5)))
    assert.same({ true, 1001, "" }, { ws:wait_closed(5) })
    t:wait_until(function() return slept end, "the end of the handler")
    assert.same({ n = 1, true }, slept)
  end))

  it("drops, after the grace, who does not answer, and cancels its handler", case(function(t)
    local result
    local server = t:listen { websocket = function()
      result = table.pack(t.weft.sleep(60))
    end }
    local raw = t:upgrade(server)
    t:wait_until(function() return server:count() == 1 end)
    local began = t.weft.now()
    server:close(0.05)
    local took = t.weft.now() - began
    assert.is_true(took >= 0.05 and took < 3, "took " .. took)
    assert.equal(0, server:count())
    assert.equal(1001, (raw:close_frame()))
    assert.equal("", (raw:receive(1)))
    t:wait_until(function() return result end, "the handler's end")
    assert.same({ n = 2, nil, "cancelled" }, result)
  end))

  it("with no grace drops everyone at once", case(function(t)
    local server = t:listen()
    local raw = t:upgrade(server)
    local ws = t:accepted()
    local began = t.weft.now()
    server:close(0)
    assert.is_true(t.weft.now() - began < 5) -- the default grace would be 10
    assert.equal("closed", ws.state)
    assert.matches("^fin$", (select(2, raw:read_until_closed()):gsub("reset", "fin")))
  end))

  it("drops handshakes that are not over", case(function(t)
    local server = t:listen()
    local raw = t:dial(server)
    raw:send "GET / HTTP/1.1\r\nHost: x\r\n"
    server:close(0.05)
    local _, ending = raw:read_until_closed()
    assert.is_truthy(ending == "fin" or ending == "reset")
  end))

  it("from one of its own handlers does not wait for that one", case(function(t)
    local server, after
    server = t:listen { websocket = function(ws)
      if ws:receive() == "shut down" then
        assert.is_true((server:close(5)))
        after = ws.state
      end
    end }
    local boss, other = t:connect(server), t:connect(server)
    t:wait_until(function() return server:count() == 2 end)
    local began = t.weft.now()
    boss:send "shut down"
    assert.same({ n = 4, nil, "closed", 1001, "" }, table.pack(boss:receive(5)))
    assert.same({ n = 4, nil, "closed", 1001, "" }, table.pack(other:receive(5)))
    t:wait_until(function() return after end, "the end of close in the handler")
    assert.is_true(t.weft.now() - began < 3)
    assert.equal(0, server:count())
  end))

  it("works on the main thread", case.blocking(function(t)
    local server = t:listen { websocket = echo }
    local ws = t:connect(server)
    assert.is_true((server:close()))
    assert.same({ true, 1001, "" }, { ws:wait_closed(5) })
  end))

  it("lets run() end", case.blocking(function(t)
    local one, two = t:listen { websocket = echo }, t:listen { websocket = echo }
    local ws = t:connect(one)
    local ended = {}
    t.weft.spawn(function()
      t.weft.sleep(0.005)
      one:close()
      ended[#ended + 1] = "one"
      t.weft.sleep(0.005)
      two:close()
      ended[#ended + 1] = "two"
    end)
    assert.is_true(t.weft.run())
    assert.same({ "one", "two" }, ended)
    assert.equal("closed", ws.state)
  end))
end)

describe("an error in a handler", function()
  local errors = {
    { "a string", function() error "broken" end, function(err) return err:find "broken$" ~= nil end },
    { "a string without a place", function() error("bare", 0) end, function(err) return err == "bare" end },
    { "a number", function() error(42) end, function(err) return err == 42 or err:find "42$" ~= nil end },
    { "nil", function() error(nil) end, function(err)
      return err == nil or err == "<no error object>" -- since 5.5
    end },
    { "of Lua's own", function() return #nil end, function(err) return err:find "attempt to get length" ~= nil end },
  }
  for _, entry in ipairs(errors) do
    local what, fail, check = table.unpack(entry)
    it(("that is %s is reported, closes with 1011 and leaves the server standing"):format(what), case(function(t)
      local failing = true
      local seen
      local server = t:listen { websocket = function(ws)
        if failing then
          seen = ws
          fail()
        end
        echo(ws)
      end }
      local ws = t:connect(server)
      assert.same({ n = 4, nil, "closed", 1011, "" }, table.pack(ws:receive(5)))
      t:wait_until(function() return seen.state == "closed" end)
      assert.equal("error", seen.close_cause)
      assert.equal(1011, seen.sent_code)
      local reports = t:reports()
      assert.equal(1, #reports)
      assert.is_true(check(reports[1].error), tostring(reports[1].error))
      assert.matches("stack traceback", reports[1].traceback)
      assert.matches("api_serving_spec.lua:%d+", reports[1].traceback)
      assert.equal(seen, reports[1].subject)
      failing = false
      ws = t:connect(server)
      ws:send "all is well"
      assert.equal("all is well", ws:receive(5))
      assert.is_true(ws:close())
    end))
  end

  it("arrives unchanged when it is a table", case(function(t)
    local thing = setmetatable({}, { __tostring = function() return "a thing" end })
    local server = t:listen { websocket = function() error(thing) end }
    local ws = t:connect(server)
    assert.equal(1011, select(3, ws:receive(5)))
    local reports = t:reports()
    assert.equal(1, #reports)
    assert.equal(thing, reports[1].error)
  end))

  it("touches no other connection", case(function(t)
    local server = t:listen { websocket = function(ws)
      for message in ws:messages() do
        if message == "fail" then
          error("asked to", 0)
        end
        ws:send(message)
      end
    end }
    local good, bad = t:connect(server), t:connect(server)
    bad:send "fail"
    assert.equal(1011, select(3, bad:receive(5)))
    good:send "I am fine"
    assert.equal("I am fine", good:receive(5))
    assert.equal("asked to", t:reports()[1].error)
    assert.is_true(good:close())
  end))

  it("lets what was sent before it leave first", case(function(t)
    local server = t:listen { websocket = function(ws)
      ws:send "last words"
      error("gone", 0)
    end }
    local ws = t:connect(server)
    assert.equal("last words", ws:receive(5))
    assert.same({ n = 4, nil, "closed", 1011, "" }, table.pack(ws:receive(5)))
    t:reports()
  end))

  it("after the connection has closed is reported all the same", case(function(t)
    local server = t:listen { websocket = function(ws)
      ws:wait_closed()
      error("late", 0)
    end }
    assert.is_true(t:connect(server):close())
    t:wait_until(function() return #t.reported > 0 end, "the report")
    assert.equal("late", t:reports()[1].error)
  end))
end)
