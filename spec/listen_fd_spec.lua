-- Listening sockets that a process was given.
local case = require "support.case"
local child_process = require "support.child"
local command = require "support.command"
local lfs = require "lfs"
local patience = require "support.patience"
local raises = require "support.raises"
local socket = require "socket"

local LUA = os.getenv "LUA" or "lua5.4"

--- A descriptor that listens, which is whose it is given to; and its port.
local function listening()
  local listener = assert(socket.bind("127.0.0.1", 0))
  local fd, _, port = listener:getfd(), listener:getsockname()
  listener:setfd(-1)
  return fd, math.tointeger(tonumber(port))
end

--- A server on it, closed after the case.
local function listen(t, fd, options)
  local merged = { fd = fd, websocket = case.echo }
  for name, value in pairs(options or {}) do
    merged[name] = value
  end
  local server = assert(t.weft.listen(merged))
  t.servers[#t.servers + 1] = server
  return server
end

describe("the option fd", function()
  it("listens on a socket that does already, and closes it", case(function(t)
    local fd, port = listening()
    local server = listen(t, fd)
    assert.same({ "127.0.0.1", port }, { server:address() })
    assert.equal(port, server:port())
    assert.equal(("ws://127.0.0.1:%d"):format(port), server:url())
    local ws = t:connect(server)
    ws:send "hello"
    assert.equal("hello", (ws:receive(5)))
    server:close(5)
    assert.equal("refused", (select(3, t.weft.connect(t:url(port), { timeout = patience(5) }))))
  end))

  it("may be a Unix-domain socket's, whose path stays", case(function(t)
    local unix = require "socket.unix"
    local path = os.tmpname()
    os.remove(path)
    local listener = assert((unix.stream or unix)())
    assert(listener:bind(path))
    assert(listener:listen(16))
    local server = listen(t, listener:getfd())
    listener:setfd(-1)
    assert.equal(path, (server:address()))
    assert.is_nil(server:port())
    local ws = t:connect("ws://localhost/", { unix = path })
    ws:send "hello"
    assert.equal("hello", (ws:receive(5)))
    server:close(5)
    assert.equal("socket", lfs.attributes(path, "mode"))
    os.remove(path)
  end))

  it("lets in whose handshake has begun when it closes, as others serve the socket then", case(function(t)
    local fd = listening()
    local server = listen(t, fd)
    local raw = t:dial(server)
    t:wait_until(function() return server:stats().connections == 1 end, "the connection")
    local closing = t:spawn(server.close, server, 5)
    t.weft.sleep(0.02)
    raw:upgrade()
    assert.equal(1001, (raw:close_frame()))
    raw:close()
    assert.is_true((closing:join(patience(5))))
  end))

  it("of what does not listen says so, and leaves it alone", case(function(t)
    local file = assert(io.open("/dev/null"))
    local bound = assert(socket.tcp())
    assert(bound:bind("127.0.0.1", 0))
    local datagrams = assert(socket.udp())
    assert(datagrams:setsockname("127.0.0.1", 0))
    local client, server = t:both()
    assert.is_table { client, server }
    for _, fd in ipairs { bound:getfd(), datagrams:getfd() } do
      local result, message, code = t.weft.listen { fd = fd, websocket = print }
      assert.same({ nil, ("listen on descriptor %d: it is no listening stream socket"):format(fd), "system" },
        { result, message, code })
    end
    assert.same({ nil, "listen on descriptor 1023: Bad file descriptor", "system" },
      { t.weft.listen { fd = 1023, websocket = print } })
    assert.is_truthy(bound:getsockname()) -- still there
    for _, one in ipairs { bound, datagrams, file } do
      one:close()
    end
  end))

  it("goes without another place to listen", case(function(t)
    for name, value in pairs { host = "127.0.0.1", port = 0, unix = "/tmp/x" } do
      raises(function()
        t.weft.listen { fd = 3, websocket = print, [name] = value }
      end, "weft.listen", "either 'fd'")
    end
  end))
end)

-- What socket activation does, by whoever can start programs: the socket is the
-- third descriptor, and the environment says whose it is.  Each line of `runs`
-- is one program after the other on the same socket.
local LAUNCHER = [[
  local socket = require "socket"
  io.stdout:setvbuf "line"
  local listener = assert(socket.bind("127.0.0.1", 0, 64))
  print("port", (select(2, listener:getsockname())))
  for _, words in ipairs(arg) do
    os.execute(("exec 3<&%d; export LISTEN_PID=$$ LISTEN_FDS=1; %s"):format(listener:getfd(), words))
    print "over"
  end
]]

--- Starts programs one after the other; the launcher, and the port.
local function launch(t, ...)
  local child = child_process.start(t.weft, LAUNCHER, ...)
  child:wait_for "port"
  return child, math.tointeger(tonumber(child:output():match "port\t(%d+)"))
end

--- A program from its source: words for the launcher.
local function program(source)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(source)
  file:close()
  return ("exec %s %s"):format(LUA, path), path
end

local SERVER = [[
  local weft = require "weft"
  io.stdout:setvbuf "line"
  local main = require("weft.core").pid()
  local fds, names = weft.listen_fds()
  print("fds", #fds, fds[1], names.web)
  weft.serve { fd = fds[1], workers = %d, grace = 2, websocket = function(ws)
    for message in ws:messages() do
      if message == "pid" then
        message = require("weft.core").pid()
      elseif message == "stop" then
        os.execute("kill -TERM " .. main)
      end
      ws:send(tostring(message))
    end
  end }
]]

describe("a socket that was handed over", function()
  for workers = 1, 2 do
    it(("outlives a restart, and nobody is refused meanwhile (%d workers)"):format(workers), case(function(t)
      local words, path = program(SERVER:format(workers))
      local named = "export LISTEN_FDNAMES=web; " .. words
      local child, port = launch(t, named, words)
      local first = t:connect(port)
      first:send "pid"
      local pid = first:receive(5)
      first:send "stop"
      local refused, connected, other = 0, 0, nil
      t:wait_until(function()
        local ws, why = t.weft.connect(t:url(port), { timeout = patience(10) })
        if not ws then
          refused = refused + 1
          error(why, 0)
        end
        connected = connected + 1
        ws:send "pid"
        local found = ws:receive(5)
        if found and found ~= pid and child:output():find "over" then
          other = ws
        else
          ws:close()
        end
        return other
      end, "the second program", 10)
      assert.equal(0, refused)
      assert.is_true(connected > 0)
      other:send "stop"
      other:wait_closed(5)
      local output, status = child:wait()
      assert.same({ "fds\t1\t3\t3", "over", "fds\t1\t3\tnil", "over" },
        { output:match "(fds[^\n]*)\n(over)\n(fds[^\n]*)\n(over)\n" })
      assert.equal(0, status)
      os.remove(path)
    end, 30))
  end

  it("is not taken by a process that it is not meant for", case(function(t)
    local words, path = program [[
      local weft = require "weft"
      print("fds", #weft.listen_fds())
    ]]
    local child = launch(t, "export LISTEN_PID=1; " .. words, "unset LISTEN_PID; " .. words,
      "export LISTEN_FDS=many; " .. words, "export LISTEN_PID=; " .. words)
    local output = child:wait()
    assert.equal(4, (select(2, output:gsub("fds\t0\n", ""))))
    os.remove(path)
  end, 20))

  it("is what weft echo serves", case(function(t)
    local echo = ("exec %s %s/bin/weft echo"):format(LUA, command.root)
    local child, port = launch(t, "echo $$; " .. echo, echo .. " --port 0", "export LISTEN_FDS=2; " .. echo)
    child:wait_for(("listening on ws://127.0.0.1:%d"):format(port))
    local ws = t:connect(port)
    ws:send "hello"
    assert.equal("hello", (ws:receive(5)))
    os.execute("kill -TERM " .. child:output():match "\n(%d+)\n")
    local output = child:wait()
    assert.is_truthy(output:find("weft echo: --host, --port and --unix go without a socket that is handed over", 1, true), output)
    assert.is_truthy(output:find("weft echo: it was handed 2 sockets", 1, true), output)
  end, 20))
end)
