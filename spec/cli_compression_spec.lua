-- Compression at the command line.
local case = require "support.case"
local command = require "support.command"
local deflate = require "support.deflate"

if not deflate.available then
  return pending "compression at the command line: built without zlib"
end

--- An echo command that listens, and its URL.
local function echo(t, ...)
  local child = command.start(t.weft, { "echo", "--port", "0", ... })
  return child, child:wait_for "^listening on (%S+)\n"
end

local function finish(child)
  child:signal "TERM"
  local _, errors, status = child:wait()
  assert.same({ "", 0 }, { errors, status })
end

--- `weft connect` that says a line and ends: what it wrote and its status.
local function connect(t, line, ...)
  local child = command.start(t.weft, { "connect", ... })
  child:write(line .. "\n")
  child:end_input()
  return child:wait()
end

describe("weft echo", function()
  local agreed = {
    { "", },
    { "permessage-deflate; server_no_context_takeover; client_no_context_takeover", "--compression" },
    { "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12", "--compression", "--sliding" },
  }
  for _, one in ipairs(agreed) do
    local words = table.concat(one, " ", 2)
    it((words == "" and "alone" or words) .. " agrees on " .. (one[1] == "" and "nothing" or one[1]), case(function(t)
      local child, url = echo(t, table.unpack(one, 2))
      local ws = t:connect(url)
      assert.equal(one[1], ws.extensions)
      for _, message in ipairs { "short", deflate.text(5000), deflate.text(5000), deflate.noise(1000) } do
        ws:send(message, "binary")
        assert.is_true(ws:receive(5) == message)
      end
      assert.is_true(ws:close())
      finish(child)
    end, 25))
  end

  it("tells of it in its help", case(function(t)
    local output = command.start(t.weft, { "echo", "--help" }):wait()
    assert.is_truthy(output:find("--compression", 1, true) and output:find("--sliding", 1, true), output)
  end, 25))
end)

describe("weft connect", function()
  it("offers compression, and -v tells what was agreed on", case(function(t)
    local server = t:server { compression = true, websocket = function(ws)
      ws:send(ws.extensions)
      case.echo(ws)
    end }
    local line = deflate.text(3000)
    local agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    local output, errors, status = connect(t, line, t:url(server), "-v")
    assert.equal(agreed .. "\n" .. line .. "\n", output)
    assert.is_truthy(errors:find("\n* extensions: " .. agreed .. "\n", 1, true), errors)
    assert.equal(0, status)
  end, 25))

  it("--no-compression does not", case(function(t)
    local offered = true
    local server = t:server { compression = true, websocket = function(ws)
      offered = ws.request.headers["sec-websocket-extensions"]
      case.echo(ws)
    end }
    local output, errors, status = connect(t, "hello", t:url(server), "-v", "--no-compression")
    assert.same({ "hello\n", 0 }, { output, status })
    assert.is_truthy(errors:find("\n* extensions: none\n", 1, true), errors)
    assert.is_nil(offered)
  end, 25))
end)
