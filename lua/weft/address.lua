--- IP addresses as text, blocks of them, and the host and port of a URL
--- (RFC 3986, section 3.2).  Internal.

local address = {}

-- Four bytes; without leading zeros, which some read as octal.
local function parse_ipv4(text)
  local bytes = {}
  for part in (text .. "."):gmatch("([^.]*)%.") do
    local number = part:match("^%d%d?%d?$") and tonumber(part)
    if not number or number > 255 or #part > 1 and part:sub(1, 1) == "0" then
      return nil
    end
    bytes[#bytes + 1] = string.char(number)
  end
  return #bytes == 4 and table.concat(bytes) or nil
end

-- Groups of up to four hexadecimal digits with colons between them, as bytes.
local function parse_groups(text)
  local bytes = {}
  for group in (text == "" and "" or text .. ":"):gmatch("([^:]*):") do
    if not group:find("^%x%x?%x?%x?$") then
      return nil
    end
    local number = tonumber(group, 16)
    bytes[#bytes + 1] = string.char(math.floor(number / 256), number % 256)
  end
  return table.concat(bytes)
end

-- The IPv4 address that may stand at the end as the two groups it is.
local function replace_ipv4(text)
  return (text:gsub("([^:]*%.[^:]*)$", function(last)
    local bytes = parse_ipv4(last)
    return bytes and ("%02x%02x:%02x%02x"):format(bytes:byte(1, 4))
  end))
end

-- Sixteen bytes, of which "::" leaves out those that are zero.
local function parse_ipv6(text)
  text = replace_ipv4(text)
  local left, right = text:match("^(.-)::(.*)$")
  if not left then
    local bytes = parse_groups(text)
    return bytes and #bytes == 16 and bytes or nil
  end
  left, right = parse_groups(left), parse_groups(right)
  if left and right and #left + #right <= 14 then
    return left .. ("\0"):rep(16 - #left - #right) .. right
  end
end

--- The bytes of an IPv4 (4) or IPv6 (16) address, written without brackets and
--- zone; nil for anything else.
---@param text string
---@return string|nil bytes
function address.parse(text)
  if text:find(":", 1, true) then
    return parse_ipv6(text)
  end
  return parse_ipv4(text)
end

--- Whether an address is, or is in, a block: "192.0.2.1", "192.0.2.0/24",
--- "2001:db8::/32", the latter also with brackets.  False for what is no block,
--- and for the other kind of address.
---@param block string
---@param bytes string from address.parse
---@return boolean
function address.contains(block, bytes)
  local text, slash, count = block:gsub("[%[%]]", ""):match("^([%x:.]+)(/?)(%d*)$")
  local base = text and address.parse(text)
  local bits = base and (slash == "/" and tonumber(count) or slash == "" and #base * 8)
  if not bits or #base ~= #bytes or bits > #base * 8 then
    return false
  end
  local whole = math.floor(bits / 8)
  if base:sub(1, whole) ~= bytes:sub(1, whole) then
    return false
  elseif bits % 8 == 0 then
    return true
  end
  local unit = 2 ^ (8 - bits % 8) -- what one of the last byte's bits counts
  return math.floor(base:byte(whole + 1) / unit)
         == math.floor(bytes:byte(whole + 1) / unit)
end

-- "[::1]", perhaps with a zone: what it names without brackets, and the rest.
local function split_literal(authority)
  local literal, rest = authority:match("^%[([^%]]*)%](.*)$")
  local text, zone = (literal or ""):match("^([%x:.]+)(.*)$")
  if not text or not parse_ipv6(text) then
    return nil, "what stands in brackets is not an IPv6 address"
  elseif zone == "" then
    return text, rest
  end
  zone = zone:match("^%%25([%w._~-]+)$") -- RFC 6874
  if not zone then
    return nil, "the zone of the IPv6 address is malformed"
  end
  return text .. "%" .. zone, rest
end

--- Takes "host", "host:port" or "[::1]:port" apart: the host without brackets
--- and the port, or nil and what is wrong.
---@param authority string
---@param default integer the port when it names none
---@return string|nil host, integer|string port
function address.split(authority, default)
  local host, rest
  if authority:sub(1, 1) == "[" then
    host, rest = split_literal(authority)
    if not host then
      return nil, rest
    end
  else
    host, rest = authority:match("^([^:]*)(.*)$")
    if host == "" then
      return nil, "it names no host"
    elseif host:find("[\128-\255]") then
      return nil, "the host must be ASCII (an international name in its xn-- form)"
    elseif host:find("[^%w._~-]") or #host > 255 then
      return nil, "the host is malformed"
    end
  end
  if rest == "" or rest == ":" then
    return host, default
  end
  local port = tonumber(rest:match("^:0*(%d%d?%d?%d?%d?)$"))
  if not port or port < 1 or port > 65535 then
    return nil, "the port must be a number from 1 to 65535"
  end
  return host, port
end

return address
