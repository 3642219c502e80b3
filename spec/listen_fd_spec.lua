-- Listening sockets that a process was given.
local case = require "support.case"
local child_process = require "support.child"
local command = require "support.command"
local lfs = require "lfs"
local patience = require "support.patience"
local raises = require "support.raises"
local socket = require "socket"

local LUA = os.getenv "LUA" or "lua5.4"

--- A socket of somebody else's that listens, and its port.
local function foreign(t)
  local listener = assert(socket.bind("127.0.0.1", 0))
  t.foreign = listener
  local _, port = listener:getsockname()
  return listener, math.tointeger(tonumber(port))
end

describe("the option fd", function()
  it("listens on a socket that does already", case(function(t)
    local listener, port = foreign(t)
    local server = t:listen { port = nil, fd = listener:getfd(), websocket = case.echo }
    assert.same({ "127.0.0.1", port, port }, { server:address(), server:port() } and { "127.0.0.1", (select(2, server:address())), server:port() })
    assert.equal(("ws://127.0.0.1:%d"):format(port), server:url())
    local ws = t:connect(server)
    ws:send "hello"
    assert.equal("hello", (ws:receive(5)))
    server:close(5)
    assert.equal("refused", (select(3, t.weft.connect(t:url(port), { timeout = patience(5) }))))
    listener:setfd(-1) -- it was the server's
  end))
end)
