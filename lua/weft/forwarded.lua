--- What proxies say of a request in its headers: Forwarded (RFC 7239), and
--- X-Forwarded-For and X-Forwarded-Proto, which were there before it.  Internal.
---
--- Each proxy adds at the end what it knows of whoever connected to it.  So the
--- lists are read from there: past the addresses of trusted proxies, to the
--- first that none of them vouches for.  What stands before that is whatever
--- the client has said.

local core = require "weft.core"

local forwarded = {}

--- What the trusted proxies in front of a server say.
---@class weft.Forwarded
---@field address? string the client's
---@field port? integer
---@field secure? boolean whether the last proxy was reached by TLS

local secure = { https = true, wss = true }

-- "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80": the address and
-- the port as they stand; anything else is left whole, and will be no address.
local function split_node(node)
  local host, port = node:match("^%[([%x:.]+)%]:?(%d*)$")
  if not host then
    host, port = node:match("^([%d.]+):(%d+)$")
  end
  return host or node, tonumber(port ~= "" and port or nil)
end

-- From the last node to the first one that is not trusted: its address and port,
-- or nil where one is malformed or none of them.
local function find_client(nodes, trusted)
  local address, port
  for i = #nodes, 1, -1 do
    local host, number = split_node(nodes[i])
    local is_trusted, text = core.ranges_hold(trusted, host)
    if is_trusted == nil or number and number > 65535 then
      return nil
    end
    address, port = text, number
    if not is_trusted then
      break
    end
  end
  return address, port
end

-- The elements of a list without blanks around them.  No pattern tries again
-- what it has tried: a client chooses how long they are.
local function split_list(text)
  local list = {}
  for piece in (text .. ","):gmatch("([^,]*),") do
    local element = piece:match("^.*[^ \t]") or ""
    list[#list + 1] = element:sub(element:match("^[ \t]*()"))
  end
  return list
end

-- One "name=value" at a place of a Forwarded header: name, value and the place
-- behind it; nil where there is none (RFC 7239, section 4).
local function read_pair(text, at)
  local name, after = text:match("^([%w!#$%%&'*+.^_`|~-]+)=()", at)
  if not name then
    return nil
  end
  local value, stop = text:match("^([%w!#$%%&'*+.^_`|~-]+)()", after)
  if not value then
    value, stop = text:match('^"([^"\\]*)"()', after) -- an escape means nothing here
  end
  return value and name:lower(), value, stop
end

-- The elements of a Forwarded header as tables, or nil when it is malformed.
local function parse(text)
  local elements, element, at = {}, {}, 1
  while true do
    at = text:match("^[ \t]*()", at)
    local name, value, stop = read_pair(text, at)
    if name then
      if element[name] then -- "each parameter MUST NOT occur more than once"
        return nil
      end
      element[name], at = value, text:match("^[ \t]*()", stop)
    end
    local separator = text:sub(at, at)
    if separator ~= ";" then
      if next(element) then -- else an empty one, as any list may have
        elements[#elements + 1] = element
      end
      if separator == "" then
        return elements
      elseif separator ~= "," then
        return nil
      end
      element = {}
    end
    at = at + 1
  end
end

local function read_forwarded(text, trusted)
  local elements, nodes = parse(text), {}
  if not elements or #elements == 0 then
    return nil
  end
  for i, element in ipairs(elements) do
    nodes[i] = element["for"] or ""
  end
  local address, port = find_client(nodes, trusted)
  local proto = elements[#elements].proto or ""
  return { address = address, port = port, secure = secure[proto:lower()] or false }
end

-- X-Forwarded-For and X-Forwarded-Proto; nil without either.
local function read_older(headers, trusted)
  if not (headers["x-forwarded-for"] or headers["x-forwarded-proto"]) then
    return nil
  end
  local told = {}
  if headers["x-forwarded-for"] then
    told.address, told.port = find_client(split_list(headers["x-forwarded-for"]), trusted)
  end
  local protos = split_list(headers["x-forwarded-proto"] or "")
  told.secure = secure[protos[#protos]:lower()] or false
  return told
end

--- Reads the headers of a request that has come from a trusted proxy: Forwarded or
--- the other two.  Nil when they say nothing that can be understood, and when both
--- ways are there and do not agree: a proxy that writes one of them may pass on
--- what a client has said in the other.
---@param headers table<string, string>
---@param trusted userdata as of core.ranges
---@return weft.Forwarded|nil
function forwarded.read(headers, trusted)
  local older = read_older(headers, trusted)
  if not headers.forwarded then
    return older
  end
  local told = read_forwarded(headers.forwarded, trusted)
  if told and older
     and (told.address ~= older.address or told.secure ~= older.secure) then
    return nil
  end
  return told
end

return forwarded
