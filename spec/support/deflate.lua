--- permessage-deflate by hand (RFC 7692): offers, messages compressed and
--- inflated by another binding of zlib.
---
---     local raw = t:upgrade(server, deflate.offering())
---     raw:send(deflate.client.text(deflate.compress "hello"))  -- RSV1 is set
---     assert.equal("hello", deflate.inflate(raw:frame().payload))
local core = require "weft.core"
local frame = require "support.frame"

local has_zlib, zlib = pcall(require, "zlib")

local deflate = {}

-- What is made byte by byte here is not what is tested: a collector that works at
-- every step would take minutes over it.
local function calmly(fn)
  local function finish(ok, ...)
    collectgarbage "restart"
    if not ok then
      error(..., 0)
    end
    return ...
  end
  return function(...)
    collectgarbage "stop"
    return finish(pcall(fn, ...))
  end
end

--- Whether the build under test can compress; the specs that need it are pending
--- when it cannot.
---@type boolean
deflate.available = core.compression == true
assert(has_zlib or not deflate.available, "the specs of compression need lua-zlib")

--- What browsers offer.
deflate.OFFER = "permessage-deflate; client_max_window_bits"

--- RSV1 among the reserved bits of a frame: its message is compressed.
deflate.RSV1 = 4

--- What a message compressed with a sync flush ends with, and leaves out (7.2.1).
deflate.TAIL = "\0\0\xFF\xFF"

--- Options for t:upgrade: an offer, or several.
---@param offer? string|string[]
---@return table
function deflate.offering(offer)
  return { headers = { ["Sec-WebSocket-Extensions"] = offer or deflate.OFFER } }
end

--- Options for a raw server's answer.
---@param answer? string|string[]
---@return table
function deflate.answering(answer)
  return { headers = { ["Sec-WebSocket-Extensions"] = answer or "permessage-deflate" } }
end

--- A compressor that keeps its window: fn(message) gives the payload.
---@param bits? integer of its window (15)
---@param level? integer (6)
---@return fun(message: string): string
function deflate.compressor(bits, level)
  local stream = zlib.deflate(level or 6, -(bits or 15))
  return function(message)
    local bytes = stream(message, "sync")
    assert(bytes:sub(-4) == deflate.TAIL)
    return bytes:sub(1, -5)
  end
end

--- One message by itself.
---@param message string
---@param bits? integer
---@param level? integer
---@return string payload
function deflate.compress(message, bits, level)
  return deflate.compressor(bits, level)(message)
end

--- A decompressor that keeps its window: fn(payload) gives the message.  It is fed
--- one byte at a time, so that a match that reaches back beyond the window is an
--- error: at once, zlib would look it up in what it has just made.
---@param bits? integer of the window (15)
---@return fun(payload: string): string
function deflate.inflater(bits)
  local stream = zlib.inflate(-(bits or 15))
  return calmly(function(payload)
    local parts = {}
    for byte in (payload .. deflate.TAIL):gmatch "." do
      parts[#parts + 1] = stream(byte)
    end
    return table.concat(parts)
  end)
end

--- One payload by itself.
---@param payload string
---@param bits? integer
---@return string message
function deflate.inflate(payload, bits)
  return deflate.inflater(bits)(payload)
end

--- Frames of one role with RSV1 set, as support.frame's.
local function role(builders)
  local compressed = {}
  for name, build in pairs { text = builders.text, binary = builders.binary } do
    compressed[name] = function(payload, options)
      local merged = { rsv = deflate.RSV1 }
      for key, value in pairs(options or {}) do
        merged[key] = value
      end
      return build(payload, merged)
    end
  end
  return compressed
end

deflate.client = role(frame.client)
deflate.server = role(frame.server)

--- The next message off a raw peer, put together and inflated if it is
--- compressed, and its frames; control frames raise.
---@param raw Peer
---@param inflate? fun(payload: string): string a decompressor with a window
---@return string message, table[] frames
function deflate.read(raw, inflate)
  local frames, parts = {}, {}
  repeat
    local got, why = raw:frame()
    if not got then
      error("no message came: " .. why, 2)
    elseif got.opcode >= 8 then
      error(("no message but opcode %d with %q"):format(got.opcode, got.payload:sub(1, 80)), 2)
    end
    frames[#frames + 1], parts[#parts + 1] = got, got.payload
  until got.fin
  local payload = table.concat(parts)
  if frames[1].rsv == 0 then
    return payload, frames
  end
  return (inflate or deflate.inflate)(payload), frames
end

--- Text that compresses as JSON does, of so many bytes; `seed` makes others.
---@param length integer
---@param seed? integer
---@return string
deflate.text = calmly(function(length, seed)
  local state, parts, size = seed or 1, {}, 0
  while size < length do
    state = state * 16807 % 2147483647 -- of Park and Miller
    local part = ('{"id":%d,"name":"thread %d","price":%d.%02d,"tags":["wool","warp"]},'):format(
      #parts, math.floor(state / 256) % 4096, math.floor(state / 16) % 256, state % 100)
    parts[#parts + 1], size = part, size + #part
  end
  return table.concat(parts):sub(1, length)
end)

--- Bytes that do not compress.
---@param length integer
---@param seed? integer
---@return string
deflate.noise = calmly(function(length, seed)
  local state, bytes = seed or 1, {}
  for index = 1, length do
    state = state * 16807 % 2147483647
    bytes[index] = string.char(math.floor(state / 65536) % 256)
  end
  return table.concat(bytes)
end)

--- The payload of `mebibytes` MiB of zeros: about a kilobyte for each.
---@param mebibytes integer
---@return string
function deflate.bomb(mebibytes)
  local compress = zlib.deflate(9, -15)
  local zeros = ("\0"):rep(1048576)
  local first, again = compress(zeros, "sync"), compress(zeros, "sync")
  return (first .. again:rep(mebibytes - 1)):sub(1, -5)
end

return deflate
