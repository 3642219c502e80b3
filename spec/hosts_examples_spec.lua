--- The examples with loops of others, run as they stand.
local socket = require "socket"
local case = require "support.case"
local child_process = require "support.child"
local patience = require "support.patience"

--- An example in an interpreter of its own, killed after the case's body.
local function with_example(name, argument, fn)
  return case(function(t)
    local file = assert(io.open("examples/hosts/" .. name .. ".lua"))
    local child = child_process.start(t.weft, ("arg = { %q }; "):format(argument(t)) .. file:read "*a")
    file:close()
    local ok, why = pcall(fn, t, child)
    child:signal "KILL"
    child:wait()
    assert(ok, why)
  end, 20)
end

--- What a child prints, once the pattern is in it: the captures.
local function printed(t, child, pattern)
  t:wait_until(function()
    return child:output():find(pattern)
  end, "the output " .. pattern, 10)
  return child:output():match(pattern)
end

local function any_port()
  return "0"
end

--- The next message that the pattern matches.
local function hears(ws, pattern)
  local message
  repeat
    message = assert(ws:receive(patience(5)))
  until message:find(pattern)
  return message
end

describe("examples/hosts", function()
  for _, name in ipairs { "luv", "cqueues" } do
    it(name .. ".lua has its own timer and weft's connections", with_example(name, any_port, function(t, child)
      local url = printed(t, child, "listening on (%S+)")
      local a, b = t:connect(url), t:connect(url)
      a:send "hello"
      assert.equal("hello", hears(b, "hello"))
      assert.is_truthy(hears(a, "^%d%d:"))
    end))
  end

  it("luasocket.lua relays lines from plain sockets", with_example("luasocket", any_port, function(t, child)
    local url, port = printed(t, child, "listening on (%S+) and for lines on (%d+)")
    local ws = t:connect(url)
    ws:ping() -- the handler has started: it is in the room
    local sock = assert(socket.connect("127.0.0.1", tonumber(port)))
    sock:send "a line\nanother\n"
    assert.equal("a line", ws:receive(patience(5)))
    sock:send "a third\n"
    sock:close()
    assert.equal("another", ws:receive(patience(5)))
    assert.equal("a third", ws:receive(patience(5)))
  end))

  local server
  it("frames.lua draws, hears and comes back", with_example("frames", function(t)
    server = t:server {
      websocket = function(ws)
        ws:send "welcome"
        ws:receive(patience(5))
      end,
    }
    return server:url()
  end, function(t, child)
    printed(t, child, "frame %d+: welcome\n.*frame %d+: welcome\n")
    assert.is_true(server:stats().upgraded >= 2)
  end))
end)
