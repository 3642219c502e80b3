--- URLs of WebSocket servers (RFC 6455, section 3; RFC 3986).  Internal.
---
--- No message quotes the URL: it may hold a password.

local url = {}

local ports = { ws = 80, wss = 443 }

-- How many groups of up to four hexadecimal digits, or nil when malformed.
local function count_groups(text)
  local count = 0
  for group in (text == "" and "" or text .. ":"):gmatch("([^:]*):") do
    if not group:find("^%x%x?%x?%x?$") then
      return nil
    end
    count = count + 1
  end
  return count
end

-- Eight groups, of which "::" may leave out some and an IPv4 address at the
-- end stands for two.
local function is_ipv6(text)
  text = text:gsub(":(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)$", function(a, b, c, d)
    return math.max(a + 0, b + 0, c + 0, d + 0) <= 255 and ":0:0" or nil
  end)
  local left, right = text:match("^(.-)::(.*)$")
  if not left then
    return count_groups(text) == 8
  end
  left, right = count_groups(left), count_groups(right)
  return left ~= nil and right ~= nil and left + right <= 7
end

-- "host", "host:port", "[::1]:port": the host without brackets and the port,
-- or nil and what is wrong.
local function parse_authority(authority, default)
  local host, port
  if authority:sub(1, 1) == "[" then
    local literal, after = authority:match("^%[([^%]]*)%](.*)$")
    local address, zone = (literal or ""):match("^([%x:.]+)(.*)$")
    if not address or not is_ipv6(address) then
      return nil, "what stands in brackets is not an IPv6 address"
    end
    if zone ~= "" then -- RFC 6874
      zone = zone:match("^%%25([%w._~-]+)$")
      if not zone then
        return nil, "the zone of the IPv6 address is malformed"
      end
      address = address .. "%" .. zone
    end
    host, port = address, after
  else
    host, port = authority:match("^([^:]*)(.*)$")
    if host == "" then
      return nil, "it names no host"
    elseif host:find("[\128-\255]") then
      return nil, "the host must be ASCII (an international name in its xn-- form)"
    elseif host:find("[^%w._~-]") or #host > 255 then
      return nil, "the host is malformed"
    end
  end
  if port == "" or port == ":" then
    return host, default
  end
  local number = tonumber(port:match("^:0*(%d%d?%d?%d?%d?)$"))
  if not number or number < 1 or number > 65535 then
    return nil, "the port must be a number from 1 to 65535"
  end
  return host, number
end

--- The Host field for a host and port of a scheme.
---@param scheme string
---@param host string an IPv6 address without brackets
---@param port integer
---@return string
function url.host_header(scheme, host, port)
  if host:find(":", 1, true) then
    host = "[" .. host:gsub("%%.*", "") .. "]" -- a zone means nothing elsewhere
  end
  return port == ports[scheme] and host or host .. ":" .. port
end

--- Takes a ws:// or wss:// URL apart.  Returns a table of `scheme`, `host` (an
--- IPv6 address without brackets), `port`, `target` (path and query),
--- `host_header`, and `credentials` (true when a user name or password stands
--- before the host); or nil and what is wrong.
---@param text string
---@return table|nil, string?
function url.parse(text)
  local scheme, rest = text:match("^(%a[%w+.-]*)://(.*)$")
  scheme = scheme and scheme:lower()
  if not ports[scheme] then
    return nil, "it must begin with ws:// or wss://"
  end
  if rest:find("#", 1, true) then
    return nil, "it must not have a fragment (RFC 6455, section 3)"
  end
  local authority, target = rest:match("^([^/?]*)(.*)$")
  local before, after = authority:match("^(.*)@(.*)$")
  local host, port = parse_authority(after or authority, ports[scheme])
  if not host then
    return nil, port
  end
  if target:find("[^%w%-._~!$&'()*+,;=:@/?%%%[%]]") then
    return nil, "spaces, other than ASCII and special characters in its path"
                .. " must be percent-encoded"
  elseif target:gsub("%%%x%x", ""):find("%", 1, true) then
    return nil, "its path has a % without two hexadecimal digits"
  end
  if target:sub(1, 1) ~= "/" then
    target = "/" .. target
  end
  return {
    scheme = scheme,
    host = host,
    port = port,
    target = target,
    host_header = url.host_header(scheme, host, port),
    credentials = before ~= nil,
  }
end

return url
