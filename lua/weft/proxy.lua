--- Which proxy a client goes through: the option, or the environment as curl
--- reads it.  Internal.
---
--- No message quotes what was given: it may hold a password.

local address = require "weft.address"

local proxy = {}

-- curl's, whichever kind of proxy it is
local DEFAULT_PORT = 1080

---@class weft.Proxy
---@field kind "http"|"socks5"
---@field host string a name or an address, the latter without brackets
---@field port integer
---@field user? string
---@field password? string a string when there is a user

-- A proxy resolves names itself: socks5 is what curl calls socks5h.
local kinds = { http = "http", socks5 = "socks5", socks5h = "socks5" }

local unsupported = {
  https = "proxies that speak TLS themselves are not supported:"
          .. " it must begin with http:// (which carries wss:// too)",
  socks = "SOCKS4 is not supported: it must begin with socks5://",
  socks4 = "SOCKS4 is not supported: it must begin with socks5://",
  socks4a = "SOCKS4 is not supported: it must begin with socks5://",
}

local function decode(text)
  return (text:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

-- "user:password" decoded, both nil when neither is given; or nil, nil, wrong.
local function parse_login(kind, text)
  local user, password = text:match("^([^:]*):?(.*)$")
  user, password = decode(user), decode(password)
  if user == "" and password == "" then
    return nil
  elseif (user .. password):find("%c") then
    return nil, nil, "its user name or password has a control character"
  elseif kind == "http" and user:find(":", 1, true) then -- RFC 7617, section 2
    return nil, nil, "its user name must not have a colon"
  elseif kind == "socks5" and (#user > 255 or #password > 255) then -- RFC 1929
    return nil, nil, "its user name and password must not be longer than 255 bytes each"
  end
  return user, password
end

--- Takes "http://user:password@host:port" or "socks5://..." apart; without a
--- scheme it is http, without a port 1080.  Or nil and what is wrong.
---@param text string
---@return weft.Proxy|nil, string? wrong
function proxy.parse(text)
  local scheme, rest = text:match("^([^/:@]*)://(.*)$")
  if not scheme then
    scheme, rest = "http", text
  end
  local kind = kinds[scheme:lower()]
  if not kind then
    return nil, unsupported[scheme:lower()]
                or "it must begin with http://, socks5:// or socks5h://"
  end
  local authority = rest:gsub("/$", "")
  if authority:find("[/?#%s]") then
    return nil, "it must be a scheme, perhaps user and password, host and port"
                .. " (special characters of a password must be percent-encoded)"
  end
  local login, after = authority:match("^(.*)@(.*)$")
  local host, port = address.split(after or authority, DEFAULT_PORT)
  if not host then
    return nil, port --[[@as string]]
  end
  local user, password, wrong = parse_login(kind, login or "")
  if wrong then
    return nil, wrong
  end
  return {
    kind = kind,
    host = host,
    port = port --[[@as integer]],
    user = user,
    password = password,
  }
end

--- The kind of the option `proxy`: what it says is looked at by proxy.choose.
---@param value any
---@return string|false|nil, string? expected
function proxy.kind(value)
  if value == false or type(value) == "string" then
    return value
  end
  return nil, "a proxy such as 'http://host:port' or 'socks5://host:port', or false"
end

-- The first of the variables that is set and not empty: value and name.
local function read_environment(names)
  for _, name in ipairs(names) do
    local value = os.getenv(name)
    if value and value ~= "" then
      return value, name
    end
  end
end

-- In the order in which they are looked at.
local variables = {
  ws = { "ws_proxy", "WS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY" },
  wss = { "wss_proxy", "WSS_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" },
}

-- In a CGI program HTTP_PROXY is the request's header field Proxy: the client
-- on the other side would choose our proxy.
local cgi = { "ws_proxy", "WS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY" }

local function proxy_variables(scheme)
  if scheme == "ws" and os.getenv("REQUEST_METHOD") then
    return cgi
  end
  return variables[scheme]
end

-- Whether a name is the domain or below it.
local function is_within(name, domain)
  return name == domain or name:sub(-#domain - 1) == "." .. domain
end

-- Whether an entry of NO_PROXY means this host, given as bytes or as name.
local function matches(entry, bytes, name)
  if bytes then
    return address.contains(entry, bytes)
  end
  entry = entry:lower():gsub("^%.+", ""):gsub("%.$", "")
  return entry ~= "" and is_within(name, entry)
end

--- Whether a list such as NO_PROXY's names a host: names mean themselves and
--- all below them, addresses and blocks mean addresses, "*" alone means all.
--- An entry with a port means no host, as in curl.
---@param list string
---@param host string a name or an address, the latter without brackets
---@return boolean
function proxy.exempts(list, host)
  if list:find("^%s*%*%s*$") then
    return true
  end
  local bytes = address.parse((host:gsub("%%.*", ""))) -- a block has no zone
  local name = host:lower():gsub("%.$", "")
  for entry in list:gmatch("[^,%s]+") do
    if matches(entry, bytes, name) then
      return true
    end
  end
  return false
end

--- The proxy for a connection to a host, nil for none, or nil and a message.
--- Without the option (nil) it is the environment's: for ws:// ws_proxy,
--- http_proxy, all_proxy, for wss:// wss_proxy, https_proxy, all_proxy, each
--- before the same in capitals, unless no_proxy or NO_PROXY exempts the host.
---@param option string|false|nil as proxy.kind allows
---@param scheme "ws"|"wss"
---@param host string a name or an address, the latter without brackets
---@return weft.Proxy|nil, string? message
function proxy.choose(option, scheme, host)
  local value, variable = option, nil
  if option == nil then
    value, variable = read_environment(proxy_variables(scheme))
    if value and proxy.exempts(read_environment { "no_proxy", "NO_PROXY" } or "", host) then
      return nil
    end
  end
  if not value then
    return nil
  end
  local parsed, wrong = proxy.parse(value)
  if parsed then
    return parsed
  end
  local where = variable and "bad proxy in the environment variable " .. variable or "bad proxy"
  return nil, where .. ": " .. wrong
end

return proxy
