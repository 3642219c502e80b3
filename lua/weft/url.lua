--- URLs of WebSocket servers (RFC 6455, section 3; RFC 3986).  Internal.
---
--- No message quotes the URL: it may hold a password.

local address = require "weft.address"
local http = require "weft.http"

local url = {}

local ports = { ws = 80, wss = 443 }

-- What the schemes of the web are here, where HTTP refers to a WebSocket.
local of_the_web = { http = "ws", https = "wss" }

-- An international name as the name service knows it, or nil and what is wrong.
-- libidn2 is asked by a module of its own, which need not be there.
local function to_ascii(host)
  local found, idn = pcall(require, "weft.idn")
  if not found then
    return nil, "the host is not ASCII; weft.idn (libidn2) is not installed:"
                .. " write the name in its xn-- form"
  end
  local ascii, wrong = idn.to_ascii(host)
  if not ascii then
    return nil, "the host is no international name: " .. wrong
  end
  return ascii
end

-- "host", "host:port", "[::1]:port": the host without brackets and the port,
-- or nil and what is wrong.
local function parse_authority(authority, default)
  local name, rest = authority:match("^([^:]*)(.*)$")
  if name:find("[\128-\255]") and name:sub(1, 1) ~= "[" then
    local ascii, wrong = to_ascii(name)
    if not ascii then
      return nil, wrong
    elseif ascii:find("[^%w._~-]") then -- some letters stand for "/" or ":"
      return nil, "the host is malformed"
    end
    authority = ascii .. rest
  end
  return address.split(authority, default)
end

-- Whether each % begins an encoded byte.
local function is_encoded(text)
  return not text:gsub("%%%x%x", ""):find("%", 1, true)
end

-- "name:password", percent-encoded: a table of `username` and `password`, empty
-- where nothing is said; or nil and what is wrong.
local function parse_userinfo(text)
  if text == "" or text == ":" then
    return {}
  elseif not is_encoded(text) then
    return nil, "its user name or password has a % without two hexadecimal digits"
  elseif text:find("\\", 1, true) then -- a slash to browsers: the host ends there
    return nil, "a backslash in its user name or password must be percent-encoded"
  end
  local username, password = text:match("^([^:]*):?(.*)$")
  username, password = http.decode(username), http.decode(password)
  if (username .. password):find("%c") then
    return nil, "its user name or password has a control character"
  elseif username:find(":", 1, true) then
    return nil, "its user name has a colon, which Basic auth cannot say (RFC 7617)"
  end
  return { username = username, password = password }
end

-- Path and query: what is wrong with them, or nil.
local function fault_of_target(target)
  if target:find("[^%w%-._~!$&'()*+,;=:@/?%%%[%]]") then
    return "spaces, other than ASCII and special characters in its path"
           .. " must be percent-encoded"
  elseif not is_encoded(target) then
    return "its path has a % without two hexadecimal digits"
  end
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

--- A URL of a server, taken apart.
---@class weft.Target
---@field scheme "ws"|"wss"
---@field host string ASCII; an IPv6 address without brackets, a zone after "%"
---@field port integer
---@field target string path and query
---@field host_header string
---@field username? string what stands before the host, decoded
---@field password? string "" where only a user name stands there

--- Takes a ws:// or wss:// URL apart; or nil and what is wrong.
---@param text string
---@return weft.Target|nil, string?
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
  local user, wrong = parse_userinfo(before or "")
  wrong = wrong or fault_of_target(target)
  if not user or wrong then
    return nil, wrong
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
    username = user.username,
    password = user.password,
  }
end

-- 5.2.4: a path, which begins with a slash, without "." and ".." in it.
local function remove_dots(path)
  local kept, last = {}, nil
  for segment in path:gmatch("/([^/]*)") do
    if segment == ".." then
      kept[#kept] = nil
    elseif segment ~= "." then
      kept[#kept + 1] = segment
    end
    last = segment
  end
  if last == "." or last == ".." then
    kept[#kept + 1] = "" -- it was a folder
  end
  return "/" .. table.concat(kept, "/")
end

local function normalise(target)
  local path, query = target:match("^([^?]*)(.*)$")
  return remove_dots(path) .. query
end

-- A target that stands where another one is referred to from.
local function merge(base, path, query)
  local base_path, base_query = base:match("^([^?]*)(.*)$")
  if path == "" then
    return base_path .. (query ~= "" and query or base_query)
  elseif path:sub(1, 1) ~= "/" then
    path = base_path:match("^(.*/)") .. path
  end
  return normalise(path .. query)
end

--- Where a Location field leads (RFC 3986, 5.2; RFC 9110, 10.2.2): its
--- fragment is dropped, http and https mean ws and wss, and characters that are
--- not ASCII are encoded.  Or nil and what is wrong.
---@param base weft.Target where it was said
---@param reference string
---@return weft.Target|nil, string?
function url.resolve(base, reference)
  reference = reference:gsub("#.*$", "")
  local scheme, rest = reference:match("^(%a[%w+.-]*):(.*)$")
  local authority, target = (rest or reference):match("^(//[^/?]*)(.*)$")
  target = (target or rest or reference):gsub("[\128-\255]", function(byte)
    return ("%%%02X"):format(byte:byte())
  end)
  if scheme or authority then
    scheme = (scheme or base.scheme):lower()
    scheme = of_the_web[scheme] or scheme
    local parts, wrong = url.parse(scheme .. ":" .. (authority or "") .. target)
    if parts then
      parts.target = normalise(parts.target)
    end
    return parts, wrong
  end
  local wrong = fault_of_target(target)
  if wrong then
    return nil, wrong
  end
  return {
    scheme = base.scheme,
    host = base.host,
    port = base.port,
    target = merge(base.target, target:match("^([^?]*)(.*)$")),
    host_header = base.host_header,
  }
end

--- Whether two targets have scheme, host and port in common.
---@param a weft.Target
---@param b weft.Target
---@return boolean
function url.same_origin(a, b)
  return a.scheme == b.scheme and a.port == b.port
         and a.host:lower() == b.host:lower()
end

return url
