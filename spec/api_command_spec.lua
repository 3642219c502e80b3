local lfs = require "lfs"
local case = require "support.case"
local command = require "support.command"
local frame = require "support.frame"

--- An echo command that listens, and its URL.
local function echo(t, arguments, options)
  local words = { "echo" }
  table.move(arguments or { "--port", "0" }, 1, #(arguments or { 1, 2 }), 2, words)
  local child = command.start(t.weft, words, options)
  return child, child:wait_for "^listening on (%S+)\n"
end

--- Ends an echo command; what it wrote and its status.
local function finish(child)
  child:signal "TERM"
  return child:wait()
end

describe("weft echo", function()
  it("prints one line once it accepts, and echoes", case(function(t)
    local child, url = echo(t)
    assert.matches("^ws://127%.0%.0%.1:%d+/?$", url)
    local ws = t:connect(url)
    ws:send "hello"
    assert.same({ "hello", "text" }, { ws:receive(5) })
    ws:send("\0\xFF", "binary")
    assert.same({ "\0\xFF", "binary" }, { ws:receive(5) })
    assert.is_true(ws:close(4000, "bye"))
    assert.equal(4000, ws.close_code)
    local output, errors, status = finish(child)
    assert.equal("listening on " .. url .. "\n", output)
    assert.equal("", errors)
    assert.equal(0, status)
  end, 25))

  it("ends gracefully at SIGINT", case(function(t)
    local child, url = echo(t)
    local ws = t:connect(url)
    child:signal "INT"
    assert.same({ n = 4, nil, "closed", 1001, "" }, table.pack(ws:receive(5)))
    local _, errors, status = child:wait()
    assert.equal("", errors)
    assert.equal(0, status)
  end, 25))

  it("runs from any directory, by path and through a link", case(function(t)
    local link = os.tmpname()
    os.remove(link)
    assert(lfs.link(command.root .. "/bin/weft", link, true))
    local bare = { "-u", "LUA_PATH", "-u", "LUA_CPATH" }
    if (os.getenv "SANITIZED" or "") ~= "" then
      bare = nil -- the tree's own build is not the one under test
    end
    for directory, program in pairs {
      ["/"] = { command.root .. "/bin/weft" },
      [command.root .. "/bin"] = { "./weft" },
      [command.root] = { "bin/weft" },
      [lfs.attributes("/tmp", "mode") and "/tmp" or "/"] = { link },
    } do
      local child, url = echo(t, nil, { directory = directory, program = program, environment = bare })
      local ws = t:connect(url)
      ws:send(directory)
      assert.equal(directory, ws:receive(5))
      assert.is_true(ws:close())
      assert.equal(0, (select(3, finish(child))))
    end
    os.remove(link)
  end, 25))

  it("listens where it is told", case(function(t)
    local child, url = echo(t, { "--host", "*", "--port", "0" })
    local ws = t:connect((url:gsub("//[^/]*:", "//127.0.0.2:")))
    assert.is_true(ws:close())
    finish(child)
    local path = os.tmpname()
    os.remove(path)
    child, url = echo(t, { "--unix", path })
    assert.is_truthy(url:find(path, 1, true), url)
    local raw = t:upgrade(path)
    raw:send(frame.client.text "by path")
    assert.equal("by path", raw:message())
    raw:close()
    assert.equal(0, (select(3, finish(child))))
    assert.is_nil(lfs.attributes(path, "mode"))
  end, 25))

  it("takes limits and the ping interval", case(function(t)
    local child, url = echo(t, {
      "--port", "0", "--max-message", "100", "--max-fragments", "2", "--ping-interval", "0.02",
    })
    local port = math.tointeger(tonumber(url:match ":(%d+)"))
    local raw = t:upgrade(port)
    assert.equal(frame.PING, raw:frame().opcode)
    raw:close()
    local ws = t:connect(url)
    ws:send(("x"):rep(100))
    assert.equal(100, #ws:receive(5))
    ws:send(("x"):rep(101))
    assert.equal(1009, (select(3, ws:receive(5))))
    finish(child)
    child, url = echo(t, { "--port=0", "--memory-limit=50000" })
    ws = t:connect(url)
    ws:send(("x"):rep(200000))
    assert.equal(1013, (select(3, ws:receive(5))))
    finish(child)
    child, url = echo(t, { "--port=0", "--ping-interval=off" })
    raw = t:upgrade((math.tointeger(tonumber(url:match ":(%d+)"))))
    assert.is_true(raw:is_silent(0.05))
    raw:close()
    finish(child)
  end, 25))

  it("logs when it is told to", case(function(t)
    local child, url = echo(t, { "--port", "0", "--log", "json" })
    assert.is_true(t:connect(url .. "/?key=secret"):close())
    local output, errors, status = finish(child)
    assert.same({ "listening on " .. url .. "\n", 0 }, { output, status })
    local events = {}
    for event in errors:gmatch '{"time":"[^"]+","event":"(%l+)"[^\n]*}\n' do
      events[#events + 1] = event
    end
    assert.same({ "listening", "open", "close", "closing", "closed" }, events)
    assert.is_nil(errors:find "secret")
  end, 25))

  it("says why it cannot listen and exits with 1", case(function(t)
    local _, port = t:listen()
    local output, errors, status = command.start(t.weft, { "echo", "--port", port }):wait()
    assert.equal("", output)
    assert.is_truthy(errors:find(tostring(port), 1, true), errors)
    assert.is_truthy(errors:find("in use", 1, true), errors)
    assert.is_nil(errors:find("stack traceback", 1, true), errors)
    assert.equal(1, status)
  end, 25))
end)

describe("weft connect", function()
  --- What runs `weft` with other streams than ours: a `program`.
  local function at_streams(streams)
    return { "sh", "-c", ('exec "$@" %s'):format(streams), "sh", os.getenv "LUA" or "lua5.4", command.root .. "/bin/weft" }
  end

  it("sends lines of stdin, prints messages, and exits with 0 after a clean close", case(function(t)
    local server = t:listen { websocket = function(ws)
      for message, kind in ws:messages() do
        ws:send(kind .. " " .. message)
        if message == "bye" then
          ws:close(1000, "so long")
        end
      end
    end }
    local child = command.start(t.weft, { "connect", t:url(server) })
    child:write "hello\n"
    child:wait_for "text hello\n"
    child:write "héllo again\n\nbye\n"
    local output, errors, status = child:wait()
    assert.equal("text hello\ntext héllo again\ntext \ntext bye\n", output)
    assert.is_truthy(errors:find("1000", 1, true), errors)
    assert.is_truthy(errors:find("peer", 1, true), errors)
    assert.equal(0, status)
  end, 25))

  it("closes when stdin has ended, after what was still to come", case(function(t)
    local server = t:listen { websocket = function(ws)
      for message in ws:messages() do
        t.weft.sleep(0.01)
        ws:send(message:upper())
      end
    end }
    local child = command.start(t.weft, { "connect", t:url(server) })
    child:write "one\ntwo without an end"
    child:end_input()
    local output, errors, status = child:wait()
    assert.equal("ONE\nTWO WITHOUT AN END\n", output)
    assert.is_truthy(errors:find("1000", 1, true), errors)
    assert.equal(0, status)
  end, 25))

  it("sends headers, protocols and binary messages when asked", case(function(t)
    local server = t:listen { protocols = { "chat" }, websocket = function(ws)
      local message, kind = ws:receive()
      ws:send(("%s %s %s %s"):format(ws.request.headers["X-Name"], ws.protocol, kind, tostring(message == "caf\xE9")))
    end }
    local child = command.start(t.weft, {
      "connect", "-H", "X-Name: ana lee", "--protocol", "other", "--protocol", "chat", "--binary", t:url(server),
    })
    child:write "caf\xE9\n"
    local output, errors, status = child:wait()
    assert.equal("ana lee chat binary true\n", output)
    assert.equal(0, status, errors)
  end, 25))

  it("exits with 1 and the close code and cause after a failure", case(function(t)
    local server = t:listen { websocket = function(ws)
      if ws.request.path == "/error" then
        error("on purpose", 0)
      end
      ws:flush()
      ws:abort()
    end }
    local _, errors, status = command.start(t.weft, { "connect", t:url(server, "/error") }):wait()
    assert.equal(1, status)
    assert.is_truthy(errors:find("1011", 1, true), errors)
    t:reports()
    _, errors, status = command.start(t.weft, { "connect", t:url(server, "/abort") }):wait()
    assert.equal(1, status)
    assert.is_truthy(errors:find("1006", 1, true), errors)
    assert.is_truthy(errors:find "eof" or errors:find "reset", errors)
  end, 25))

  it("writes nothing of a peer's to stderr that changes a terminal", case(function(t)
    local server = t:server { websocket = function(ws)
      ws:close(1000, "a\27[2J\u{9B}1mb\nc")
    end }
    local child = command.start(t.weft, { "connect", t:url(server) })
    local _, errors, status = child:wait()
    assert.same({ "weft connect: closed with 1000 (a\\x1B[2J\\x9B1mb\\nc), cause: peer\n", 0 }, { errors, status })
  end, 25))

  it("exits with 1 when it cannot write what comes", case(function(t)
    local server = t:server { websocket = case.echo }
    local child = command.start(t.weft, { "connect", t:url(server) }, {
      program = at_streams ">/dev/full",
    })
    child:write "hello\n"
    local output, errors, status = child:wait()
    assert.same({ "", 1 }, { output, status }, errors)
    assert.matches("^weft connect: cannot write to stdout: [^\n]+\nweft connect: closed with 1000", errors)
  end, 25))

  -- what gets the number of a missing one may be the connection: it hung, as
  -- its own stdin, or printed into it
  for _, streams in ipairs { "<&-", ">&-", "<&- >&-", "<&- >&- 2>&-" } do
    it("does without the streams that it was not given: " .. streams, case(function(t)
      local heard = {}
      local server = t:server { websocket = function(ws)
        ws:send "news"
        for message in ws:messages() do
          heard[#heard + 1] = message
        end
      end }
      for _, poller in ipairs { "WEFT_POLLER=", "WEFT_POLLER=poll" } do
        local child = command.start(t.weft, { "connect", t:url(server) }, {
          program = at_streams(streams), variables = { poller },
        })
        child:end_input()
        local output, errors, status = child:wait()
        assert.same({ streams == "<&-" and "news\n" or "", 0 }, { output, status }, errors)
      end
      assert.same({}, heard)
    end, 25))
  end

  it("exits with 1 when it cannot connect, and says why", case(function(t)
    local port = t:free_port()
    local output, errors, status = command.start(t.weft, { "connect", "ws://127.0.0.1:" .. port }):wait()
    assert.equal("", output)
    assert.is_truthy(errors:find(("connect to 127.0.0.1:%d: connection refused"):format(port), 1, true), errors)
    assert.equal(1, status)
    local server = t:listen { upgrade = function() return nil, 401 end, websocket = print }
    output, errors, status = command.start(t.weft, { "connect", t:url(server) }):wait()
    assert.equal("", output)
    assert.is_truthy(errors:find("401 Unauthorized", 1, true), errors)
    assert.equal(1, status)
    output, errors, status = command.start(t.weft, { "connect", "http://127.0.0.1/" }):wait()
    assert.equal("", output)
    assert.is_nil(errors:find("stack traceback", 1, true), errors)
    assert.equal(1, status)
  end, 25))
end)

describe("the command line", function()
  local function run(t, ...)
    return command.start(t.weft, { ... }):wait()
  end

  it("explains itself", case(function(t)
    local output, errors, status = run(t, "--help")
    assert.is_truthy(output:find("echo", 1, true) and output:find("connect", 1, true), output)
    assert.same({ "", 0 }, { errors, status })
    local help, _, ended = run(t, "echo", "--help")
    assert.is_truthy(help:find("--max-message", 1, true), help)
    assert.equal(0, ended)
    assert.same({ output, "", 0 }, { run(t, "help") })
    local version, _, also = run(t, "--version")
    assert.same({ "weft 1.0.0\n", 0 }, { version, also })
  end, 25))

  it("does not let a mistake pass", case(function(t)
    for _, arguments in ipairs {
      {}, { "ecoh" }, { "echo", "--prot", "0" }, { "echo", "--port" }, { "echo", "--port", "http" },
      { "echo", "extra" }, { "connect" }, { "connect", "--nope", "ws://x/" }, { "connect", "-H", "no colon", "ws://x/" },
      { "serve" }, { "serve", ".", "--room" }, { "echo", "--workers", "0" }, { "echo", "--unix", "/tmp/x", "--port", "0" },
      { "echo", "--tls-self-signed", "--cert", "x" }, { "echo", "--tls-self-signed", "--key", "x" },
      { "echo", "--sliding" }, { "echo", "--compression=9" }, { "connect", "--no-compression=yes", "ws://x/" },
      { "echo", "--key", "x" }, { "echo", "--cert" }, { "echo", "--tls-self-signed=yes" },
      { "connect", "--key", "x", "wss://x/" }, { "connect", "--ca", "", "wss://x/" }, { "connect", "--user", "", "ws://x/" },
      { "connect", "--user", ":secret", "ws://x/" }, { "connect", "--redirects", "many", "ws://x/" },
      { "connect", "--proxy", "", "ws://x/" }, { "connect", "--insecure=no", "wss://x/" },
      { "connect", "-H", "Host: x", "ws://x/" }, { "connect", "--user", "a\1:secret", "ws://x/" },
      { "connect", "--user", "a:secret", "-H", "Authorization: secret", "ws://x/" },
      { "connect", "--unix", "/x", "--proxy", "x:1", "ws://x/" },
      -- what is not understood may be a password
      { "connect", "ws://x/", "--user=a", "secret" }, { "connect", "ws://a:secret@x/", "ws://a:secret@y/" },
      { "connect", "-ua:secret", "ws://x/" }, { "connect", "--header=secret", "ws://x/" },
      { "connect", "-HAuthorization:secret", "ws://x/" }, { "connect", "-H", "Authorization secret", "ws://x/" },
    } do
      local output, errors, status = run(t, table.unpack(arguments))
      assert.equal("", output)
      local name = ({ echo = true, connect = true, serve = true })[arguments[1]] and "weft " .. arguments[1] or "weft"
      assert.matches("^" .. name .. ": [^\n]+ %(see " .. name .. " %-%-help%)\n$", errors)
      assert.is_nil(errors:find("stack traceback", 1, true), errors)
      assert.is_nil(errors:find("secret", 1, true), errors)
      assert.equal(2, status, errors)
    end
  end, 25))
end)
