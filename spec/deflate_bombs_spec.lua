-- Decompression bombs: a megabyte that inflates to a gigabyte stops at
-- max_message, while it inflates, with 1009.
local case = require "support.case"
local deflate = require "support.deflate"
local frame = require "support.frame"
local memory = require "support.memory"
local patience = require "support.patience"

if not deflate.available then
  return pending "bombs: built without zlib"
end

local MIB = 1048576
local NO_MASK = { mask = "\0\0\0\0" } -- a key like any other, and quickly laid over

local function unmasked(more)
  local options = { mask = NO_MASK.mask }
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  return options
end

--- A bomb as frames of so many bytes.
local function in_frames(payload, size)
  local frames = {}
  for at = 1, #payload, size do
    local build = at == 1 and deflate.client.binary or frame.client.continuation
    frames[#frames + 1] = build(payload:sub(at, at + size - 1), unmasked { fin = at + size > #payload })
  end
  return table.concat(frames)
end

local bomb = deflate.bomb(1000) -- of a little less than 1 MiB: its length alone is in bounds
local large = deflate.bomb(1024)

local ECHO = [[
  websocket = function(ws)
    for message, kind in ws:messages() do ws:send(message, kind) end
  end,
]]
local CHUNKS = [[
  websocket = function(ws)
    local total = 0
    for chunk in ws:chunks() do total = total + #chunk end
    local last = ws:receive()
  end,
]]
local FRESH = "compression = true,"
local SLIDING = "compression = { server_no_context_takeover = false, client_no_context_takeover = false },"

local bombs = {
  { "in one frame", FRESH .. ECHO, deflate.client.binary(bomb, unmasked()), 1 },
  { "in one frame, of a gigabyte", FRESH .. "max_message = 2097152," .. ECHO, deflate.client.binary(large, unmasked()), 2 },
  { "in frames of 64 KiB", FRESH .. ECHO, in_frames(bomb, 65536), 1 },
  { "in frames of 1,100 bytes", FRESH .. ECHO, in_frames(bomb, 1100), 1 },
  { "with a sliding window", SLIDING .. ECHO, deflate.client.binary(bomb, unmasked()), 1 },
  { "with a sliding window, in frames", SLIDING .. ECHO, in_frames(bomb, 65536), 1 },
  { "at a server that reads piece by piece", FRESH .. CHUNKS, deflate.client.binary(bomb, unmasked()), 1 },
  { "at a server that reads frames piece by piece", SLIDING .. CHUNKS, in_frames(bomb, 65536), 1 },
  { "at a server with a small limit", FRESH .. "max_message = 1000, max_frame = 2000000," .. ECHO, in_frames(bomb, 900), 0 },
}

describe("a bomb", function()
  for _, one in ipairs(bombs) do
    local where, options, bytes, bound = one[1], one[2], one[3], one[4]
    it(where .. " is stopped with 1009", case(function(t)
      local server = memory.serve(t, options)
      local raw = t:upgrade(server.port, deflate.offering())
      if options:find "messages" then -- what is kept between messages is there then
        local hello = deflate.compress(deflate.text(600), 12)
        raw:send(deflate.client.text(hello))
        assert.equal(deflate.text(600), deflate.read(raw, deflate.inflater(12)))
      end
      local known = memory.is_known()
      if known then
        server:reset()
      end
      local begin = t.weft.now()
      local sending = t:spawn(raw.send, raw, bytes)
      local code = raw:close_frame()
      local took = t.weft.now() - begin
      sending:join(5)
      raw:close()
      assert.equal(1009, code)
      assert.is_true(took < patience(3), ("it took %.3f s"):format(took))
      if known then
        local peak = server:peak()
        assert.is_true(peak < (bound + 4) * 1024, ("it grew by %d KiB"):format(peak))
      end
      server:close()
    end, 25))
  end

  it("is named for what it is", case(function(t)
    local raw = t:upgrade(t:server { compression = true, max_message = 100000 }, deflate.offering())
    local ws = t:accepted()
    raw:send(deflate.client.binary(deflate.bomb(1)))
    assert.equal(1009, (raw:close_frame()))
    raw:close()
    t:wait_until(function()
      return ws.state == "closed"
    end)
    assert.same({ "too_big", 1009 }, { ws.close_cause, ws.sent_code })
    assert.is_truthy(ws.close_message:find("max_message", 1, true), ws.close_message)
  end))

  it("is stopped by a client as well", case(function(t)
    local code
    local port = t:serve_upgraded(function(raw)
      local sending = t:spawn(raw.send, raw, deflate.server.binary(bomb))
      code = raw:close_frame()
      sending:join(5)
      raw:close()
    end, deflate.answering())
    local ws = t:connect(port)
    assert.same({ n = 4, nil, "closed", 1006, "" }, table.pack(ws:receive(5)))
    t:wait_until(function()
      return code
    end, "the close frame")
    assert.same({ 1009, "too_big" }, { code, ws.close_cause })
  end))

  it("is stopped by the protocol without I/O", case(function(t)
    local p = t.weft.protocol.server { compression = true }
    local handshake = require "support.handshake"
    p:feed(handshake.request(deflate.offering()))
    assert.equal("open", p:events()().type)
    p:output()
    p:feed(deflate.client.binary(bomb, unmasked()))
    local event = p:events()()
    assert.same({ "error", 1009 }, { event.type, event.code })
    assert.equal(1009, frame.parse(p:output())[1].code)
  end))
end)

describe("max_message", function()
  it("counts what comes out: a message of its size passes, one byte more does not", case(function(t)
    for _, limit in ipairs { 1, 1000, 70000, MIB } do
      local server = t:server { compression = true, max_message = limit, max_frame = 2 * MIB, websocket = case.echo }
      local raw = t:upgrade(server, deflate.offering())
      local message = deflate.text(limit)
      raw:send(deflate.client.binary(deflate.compress(message), unmasked()))
      assert.is_true(deflate.read(raw) == message)
      raw:send(deflate.client.binary(deflate.compress(message .. "x"), unmasked()))
      assert.equal(1009, (raw:close_frame()))
    end
  end))

  it("starts anew with each message", case(function(t)
    local raw = t:upgrade(t:server { compression = true, max_message = 1000, websocket = case.echo }, deflate.offering())
    local message = deflate.text(1000)
    for _ = 1, 10 do
      raw:send(deflate.client.text(deflate.compress(message)))
      assert.equal(message, deflate.read(raw))
    end
  end))

  it("lets a compressed message pass that is longer than it would be plain", case(function(t)
    local raw = t:upgrade(t:server { compression = true, max_message = 65536, websocket = case.echo }, deflate.offering())
    for _, level in ipairs { 0, 6 } do
      local message = deflate.noise(65536)
      local payload = deflate.compress(message, 15, level)
      assert(#payload > #message)
      raw:send(deflate.client.binary(payload))
      assert.is_true(deflate.read(raw) == message)
    end
  end))
end)
