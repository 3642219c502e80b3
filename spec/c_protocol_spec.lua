-- The examples in C that have no Lua, as peers: what weft.h promises, on the wire.
local core = require "weft.core"
local case = require "support.case"
local command = require "support.command"

local EXAMPLES = ("%s/%s/examples/"):format(command.root, os.getenv "BUILD" or "build")

-- Without and, where zlib is there, with compression.
local COMPRESSIONS = core.compression and { false, true } or { false }

-- One of the examples, started.
local function start(t, name, ...)
  return command.start(t.weft, { ... }, { program = { EXAMPLES .. name } })
end

describe("the echo server in C", function()
  it("echoes, compressed or not, and answers a close", case(function(t)
    local child = start(t, "protocol", "0")
    local url = child:wait_for "listening on (%S+)\n"
    for _, compression in ipairs(COMPRESSIONS) do
      local ws = t:connect(url, { compression = compression })
      assert.equal(compression and "permessage-deflate" or "", (ws.extensions:match "^[^;]*"))
      for _, message in ipairs { "", "héllo", ("long "):rep(100000) } do
        assert.is_true(ws:send(message))
        assert.same({ message, "text" }, { ws:receive(10) })
      end
      assert.is_true(ws:send("\0\xFF", "binary"))
      assert.same({ "\0\xFF", "binary" }, { ws:receive(10) })
      assert.is_number(ws:ping())
      assert.is_true(ws:close(4000, "bye"))
      assert.equal(4000, ws.close_code)
    end
    child:wait_for(("open\nclosed: 4000 bye\n"):rep(#COMPRESSIONS))
    child:signal "TERM"
    child:wait()
  end))

  it("refuses what is no WebSocket, and what breaks the rules", case(function(t)
    local child = start(t, "protocol", "0")
    local port = math.tointeger(tonumber(child:wait_for "listening on ws://127.0.0.1:(%d+)\n"))
    local raw = t:dial(port)
    raw:send "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    assert.equal(426, raw:answer().status)
    raw:close()
    child:wait_for "failed: %w+"
    raw = t:upgrade(port)
    raw:send "\x81\x01x" -- not masked
    assert.equal("\x88\x02\x03\xEA", (raw:read_until_closed()))
    child:wait_for "failed: the client sent a frame without a mask %(RFC 6455, 5.1%)\n"
    child:signal "TERM"
    child:wait()
  end))
end)

describe("the client in C", function()
  it("converses, and closes cleanly", case(function(t)
    for _, compression in ipairs(COMPRESSIONS) do
      local server = t:listen { compression = compression, websocket = function(ws)
        for message, kind in ws:messages() do
          ws:send(message:upper(), kind)
        end
      end }
      local child = start(t, "protocol_client", "127.0.0.1", server:port(), "hello", ("x"):rep(10000), "bye")
      assert.same({ "HELLO\n" .. ("X"):rep(10000) .. "\nBYE\n", "", 0 }, { child:wait() })
    end
  end))

  it("says what a server refuses", case(function(t)
    local server = t:listen { websocket = { ["/elsewhere"] = case.echo } }
    local output, errors, status = start(t, "protocol_client", "127.0.0.1", server:port()):wait()
    assert.same({ "", "handshake refused: 404 Not Found\n", 1 }, { output, errors, status })
  end))

  it("talks to the server in C", case(function(t)
    local child = start(t, "protocol", "0")
    local port = child:wait_for "listening on ws://127.0.0.1:(%d+)\n"
    assert.same({ "one\ntwo\n", "", 0 }, { start(t, "protocol_client", "127.0.0.1", port, "one", "two"):wait() })
    child:wait_for "closed: 1000 done\n"
    child:signal "TERM"
    child:wait()
  end))
end)
