-- Known faults of other libraries: clocks that take slowness for death.
local case = require "support.case"
local frame = require "support.frame"
local patience = require "support.patience"

local client = frame.client
local MEBI = 1024 * 1024

-- Libraries whose keepalive waits for a pong only drop a peer that is busy
-- reading a large message: its pong comes after, and so does our ping.
describe("a 16 MiB message to a slow reader", function()
  it("outlives ping_timeout: progress of output counts as life", case(function(t)
    local listening = t:listen { ping_interval = patience(0.1), ping_timeout = patience(1) }
    local raw = t:upgrade(listening, { receive_buffer = 65536 })
    local ws = t:accepted()
    assert(ws:send(("x"):rep(16 * MEBI), "binary"))
    local total = 16 * MEBI + 10
    local got, begin = 0, t.weft.now()
    while t.weft.now() - begin < patience(1.8) do
      got = got + #raw:receive(math.min(65536, total - got))
      t.weft.sleep(patience(0.02))
    end
    assert.equal("open", ws.state)
    assert.is_true(got < total)
    assert.equal(total - got, #raw:receive(total - got))
    local ping = raw:frame()
    assert.equal(frame.PING, ping.opcode)
    raw:send(client.pong(ping.payload) .. client.text "I was only reading")
    assert.equal("I was only reading", (ws:receive()))
  end))

  it("arrives when a weft reads it piece by piece", case(function(t)
    local keepalive = { ping_interval = patience(0.1), ping_timeout = patience(1), max_message = 32 * MEBI }
    local near, far = t:both(keepalive, keepalive)
    t:spawn(function()
      assert(near:send(("0123456789abcdef"):rep(MEBI), "binary"))
    end)
    local got, paused = 0, 0
    for chunk in far:chunks() do
      got = got + #chunk
      if math.floor(got / (2 * MEBI)) > paused then
        paused = paused + 1
        t.weft.sleep(patience(0.2))
      end
    end
    assert.equal(16 * MEBI, got)
    assert.same({ "open", "open" }, { near.state, far.state })
  end))
end)

-- Libraries that read only inside receive() never see the pongs of a peer to
-- whom they only send, and drop it.
describe("a handler that only sends and sleeps", function()
  it("is kept through five ping intervals", case(function(t)
    local finished
    local texts, pings = {}, 0
    local raw = t:upgrade(t:server { ping_interval = 0.05, ping_timeout = 0.8, websocket = function(ws)
      assert(ws:send "before")
      t.weft.sleep(1)
      t:wait_until(function() return pings >= 5 end, "the fifth ping")
      assert(ws:send "after")
      finished = ws.state
    end })
    while true do
      local got = raw:frame()
      if got.opcode == frame.PING then
        pings = pings + 1
        raw:send(client.pong(got.payload))
      elseif got.opcode == frame.TEXT then
        texts[#texts + 1] = got.payload
      else
        assert.same({ frame.CLOSE, 1000 }, { got.opcode, got.code })
        break
      end
    end
    assert.same({ "before", "after" }, texts)
    assert.equal("open", finished)
  end))

  it("that does not even send is kept too", case(function(t)
    local ws = t:connect(t:server { ping_interval = 0.05, ping_timeout = 0.1, websocket = function(ws)
      t.weft.sleep(0.4)
      ws:send(ws.state)
    end }, { ping_interval = false }) -- its own pings would count as life
    assert.equal("open", (ws:receive()))
  end))
end)

-- Libraries without TCP_NODELAY make small answers wait 40 ms for a delayed
-- acknowledgement.
describe("an echo", function()
  --- Sockets of this process that are connected to or from a port: how many,
  --- and how many of them have TCP_NODELAY on.
  local function nodelay_sockets(port)
    local lfs = require "lfs"
    local socket = require "socket"
    local count, on = 0, 0
    local probe = socket.tcp4()
    local own = probe:getfd()
    for name in lfs.dir "/proc/self/fd" do
      local fd = tonumber(name)
      local target = fd and lfs.symlinkattributes("/proc/self/fd/" .. name, "target")
      if target and target:find "^socket:" then
        probe:setfd(fd)
        local address, remote = probe:getpeername()
        local _, here = probe:getsockname()
        if address and (tonumber(remote) == port or tonumber(here) == port) then
          count = count + 1
          if probe:getoption "tcp-nodelay" then
            on = on + 1
          end
        end
      end
    end
    probe:setfd(own)
    probe:close()
    return count, on
  end

  it("has TCP_NODELAY on at both ends", case(function(t)
    if not require "lfs".attributes "/proc/self/fd" then
      return
    end
    local listening, port = t:listen()
    local ws = t:connect(listening)
    t:accepted()
    assert.equal("open", ws.state)
    assert.same({ 2, 2 }, { nodelay_sockets(port) })
  end))

  it("may have it off", case(function(t)
    if not require "lfs".attributes "/proc/self/fd" then
      return
    end
    local listening, port = t:listen { nodelay = false }
    local ws = t:connect(listening, { nodelay = false })
    t:accepted()
    assert.equal("open", ws.state)
    assert.same({ 2, 0 }, { nodelay_sockets(port) })
  end))

  it("of 16 KiB takes far less than 40 ms", case(function(t)
    local ws = t:connect(t:server { websocket = case.echo })
    local payload = ("x"):rep(16384)
    local begin = t.weft.now()
    for _ = 1, 50 do
      ws:send(payload, "binary")
      assert.equal(16384, #ws:receive())
    end
    assert.is_true((t.weft.now() - begin) / 50 < 0.035)
  end))

  it("in two writes takes far less than 40 ms", case(function(t)
    local ws = t:connect(t:server { websocket = function(ws)
      for message in ws:messages() do
        ws:send(message)
        t.weft.sleep(0)
        ws:send(message)
      end
    end })
    local begin = t.weft.now()
    for _ = 1, 50 do
      ws:send "twice"
      ws:receive()
      ws:receive()
    end
    assert.is_true((t.weft.now() - begin) / 50 < 0.035)
  end))
end)
