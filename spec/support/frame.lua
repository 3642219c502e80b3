--- Frames of RFC 6455 built and taken apart by hand, right ones and wrong ones.
---
---     frame.client.text "hi"                      as a client sends it: masked
---     frame.server.text "hi"                      as a server sends it: plain
---     frame.client.text("Hel", { fin = false })   and `lo` by .continuation
---     frame.client.close(1000, "bye")
---     frame.client.build(3, "x")                  any opcode

local bits = require "support.bits"

local frame = {}

frame.CONTINUATION, frame.TEXT, frame.BINARY = 0, 1, 2
frame.CLOSE, frame.PING, frame.PONG = 8, 9, 10

-- By byte of a key: every byte with it laid over, as a character.
local masks = {}

local function mask_of(key)
  if not masks[key] then
    masks[key] = {}
    for byte = 0, 255 do
      masks[key][byte] = string.char(bits.bxor(byte, key))
    end
  end
  return masks[key]
end

--- The payload with the four bytes of the key laid over it, or taken off.
---@param payload string
---@param key string four bytes
---@return string
function frame.mask(payload, key)
  if key == "\0\0\0\0" then
    return payload
  end
  local one, two, three, four = mask_of(key:byte(1)), mask_of(key:byte(2)), mask_of(key:byte(3)), mask_of(key:byte(4))
  local out = {}
  for at = 1, #payload, 4096 do
    local bytes = { payload:byte(at, at + 4095) }
    for i = 1, #bytes, 4 do
      bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3] =
        one[bytes[i]], two[bytes[i + 1]], three[bytes[i + 2]], four[bytes[i + 3]]
    end
    out[#out + 1] = table.concat(bytes)
  end
  return table.concat(out)
end

--- What a frame may be told to be, right or wrong.
---@class FrameOptions
---@field fin? boolean true unless given
---@field rsv? integer the three reserved bits, 0 to 7
---@field mask? string|false the key, or none
---@field bits? integer 7, 16 or 64: how the length is written
---@field announce? integer a length other than the payload's

---@param opcode integer
---@param payload string
---@param options FrameOptions
local function build(opcode, payload, options)
  local length = options.announce or #payload
  local width = options.bits
  if not width then
    width = length < 126 and 7 or length < 65536 and 16 or 64
  end
  local first = (options.fin ~= false and 0x80 or 0) + (options.rsv or 0) * 16 + opcode
  local mask_bit = options.mask and 0x80 or 0
  local head
  if width == 7 then
    head = string.pack(">BB", first, mask_bit + length)
  elseif width == 16 then
    head = string.pack(">BBI2", first, mask_bit + 126, length)
  else
    head = string.pack(">BBi8", first, mask_bit + 127, length)
  end
  if options.mask then
    return head .. options.mask .. frame.mask(payload, options.mask)
  end
  return head .. payload
end

--- The builders of one role; `key` is its usual mask, false for none.
local function role(key)
  local builders = {}

  ---@param opcode integer
  ---@param payload? string
  ---@param options? FrameOptions
  ---@return string
  function builders.build(opcode, payload, options)
    local merged = { mask = key }
    for name, value in pairs(options or {}) do
      merged[name] = value
    end
    return build(opcode, payload or "", merged)
  end

  local function of(opcode)
    return function(payload, options)
      return builders.build(opcode, payload, options)
    end
  end
  builders.continuation = of(frame.CONTINUATION)
  builders.text = of(frame.TEXT)
  builders.binary = of(frame.BINARY)
  builders.ping = of(frame.PING)
  builders.pong = of(frame.PONG)

  --- A close frame; without a code its body is empty.
  function builders.close(code, reason, options)
    local body = code and string.pack(">I2", code) .. (reason or "") or ""
    return builders.build(frame.CLOSE, body, options)
  end

  --- One message as frames of at most `size` bytes, as a list.
  function builders.fragments(opcode, message, size)
    local frames, at = {}, 1
    repeat
      local piece = message:sub(at, at + size - 1)
      at = at + size
      frames[#frames + 1] = builders.build(#frames == 0 and opcode or 0, piece, { fin = at > #message })
    until at > #message
    return frames
  end

  return builders
end

frame.client = role "\x37\xFA\x21\x3D"
frame.server = role(false)

--- One frame off a reader: `read(n)` gives n bytes, or fewer and why.
---@param read fun(n: integer): string, string?
---@return table? frame fin, rsv, opcode, masked, payload, bits; code and reason of a close
---@return string? why
function frame.read(read)
  local head, why = read(2)
  if #head < 2 then
    return nil, why
  end
  local first, second = head:byte(1, 2)
  local length, width = second % 128, 7
  if length >= 126 then
    width = length == 126 and 16 or 64
    local more
    more, why = read(width / 8)
    if #more < width / 8 then
      return nil, why
    end
    length = string.unpack(width == 16 and ">I2" or ">i8", more)
  end
  local masked, key = second >= 128, nil
  if masked then
    key, why = read(4)
    if #key < 4 then
      return nil, why
    end
  end
  local payload = ""
  if length > 0 then
    payload, why = read(length)
    if #payload < length then
      return nil, why
    end
  end
  local got = {
    fin = first >= 128, rsv = math.floor(first / 16) % 8, opcode = first % 16,
    masked = masked, bits = width, key = key,
    payload = key and frame.mask(payload, key) or payload,
  }
  if got.opcode == frame.CLOSE and #got.payload >= 2 then
    got.code, got.reason = string.unpack(">I2", got.payload), got.payload:sub(3)
  end
  return got
end

--- All frames in a string, and the bytes that are left over.
---@param bytes string
---@return table[] frames, string rest
function frame.parse(bytes)
  local frames, at = {}, 1
  while true do
    local start = at
    local got = frame.read(function(n)
      local piece = bytes:sub(at, at + n - 1)
      at = at + n
      return piece
    end)
    if not got then
      return frames, bytes:sub(start)
    end
    frames[#frames + 1] = got
  end
end

return frame
