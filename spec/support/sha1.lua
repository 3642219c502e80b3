--- SHA-1 in plain Lua (FIPS 180-4), so that the specs check the library's
--- Sec-WebSocket-Accept against something that is not the library.

local bits = require "support.bits"
local band, bor, bnot = bits.band, bits.bor, bits.bnot

local function xor(word, ...)
  for i = 1, select("#", ...) do
    word = bits.bxor(word, (select(i, ...)))
  end
  return word
end

local function rotate(word, n)
  return word * 2 ^ n % 2 ^ 32 + math.floor(word / 2 ^ (32 - n))
end

--- The 20-byte digest of a string.
---@param message string
---@return string
local function sha1(message)
  local padded = message .. "\x80" .. ("\0"):rep((55 - #message) % 64) .. string.pack(">I8", #message * 8)
  local a0, b0, c0, d0, e0 = 0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0
  for at = 1, #padded, 64 do
    local w = { string.unpack(">" .. ("I4"):rep(16), padded, at) }
    for i = 17, 80 do
      w[i] = rotate(xor(w[i - 3], w[i - 8], w[i - 14], w[i - 16]), 1)
    end
    local a, b, c, d, e = a0, b0, c0, d0, e0
    for i = 1, 80 do
      local f, k
      if i <= 20 then
        f, k = bor(band(b, c), band(bnot(b), d)), 0x5A827999
      elseif i <= 40 then
        f, k = xor(b, c, d), 0x6ED9EBA1
      elseif i <= 60 then
        f, k = bor(bor(band(b, c), band(b, d)), band(c, d)), 0x8F1BBCDC
      else
        f, k = xor(b, c, d), 0xCA62C1D6
      end
      local sum = (rotate(a, 5) + f + e + k + w[i]) % 2 ^ 32
      a, b, c, d, e = sum, a, rotate(b, 30), c, d
    end
    a0 = (a0 + a) % 2 ^ 32
    b0 = (b0 + b) % 2 ^ 32
    c0 = (c0 + c) % 2 ^ 32
    d0 = (d0 + d) % 2 ^ 32
    e0 = (e0 + e) % 2 ^ 32
  end
  return string.pack(">I4I4I4I4I4", a0, b0, c0, d0, e0)
end

return sha1
