--- The options of everything that takes options: names, kinds, defaults.
--- Internal; what each option means stands in types/options.lua.

local core = require "weft.core"
local address = require "weft.address"
local check = require "weft.check"
local compression = require "weft.compression"
local credentials = require "weft.credentials"
local log = require "weft.log"
local proxy = require "weft.proxy"
local static = require "weft.static"
local tls = require "weft.tls"

local options = {}

local huge = math.huge

local bytes = check.whole(1, huge, "bytes (a whole number, 1 or more, or math.huge)")
local mark = check.whole(0, huge, "bytes (a whole number, 0 or more, or math.huge)")
local count = check.whole(1, huge, "a whole number, 1 or more, or math.huge")
local redirects = check.whole(0, huge, "a whole number, 0 or more, or math.huge")
local port = check.whole(0, 65535, "a port (a whole number from 0 to 65535)")
local backlog = check.whole(1, 2147483647, "a whole number, 1 or more")
local descriptor = check.whole(0, 2147483647, "a descriptor (a whole number, 0 or more)")
local workers = check.whole(1, 1024, "a whole number from 1 to 1024")
local protocols = check.list(check.token, "subprotocols")

local function pause(value)
  if type(value) == "number" and value > 0 then
    return value
  end
  return nil, "seconds (a number above 0)"
end

local function interval(value)
  if value == false or type(value) == "number" and value > 0 then
    return value or huge
  end
  return nil, "seconds (a number above 0) or false"
end

local function head_text(value)
  if check.field_value(value) and value:find("^[\32-\126]*$") then
    return value
  end
  return nil, "a string of printable ASCII"
end

local function host(value)
  if type(value) == "string" and value:find("^[^%c%s]+$") then
    return value
  end
  return nil, "a host name or address, or '*'"
end

local function origin(value)
  local domain = type(value) == "string"
    and value:match("^%a[%w+.-]*://([^/%s%c]+)$")
  if value == "*" or domain and domain:gsub("^%*%.", ""):find("^[^*]+$") then
    return value
  end
  return nil, "an origin such as 'https://example.com' or"
              .. " 'https://*.example.com' (a * nowhere else), or '*'"
end

-- A list of such things, or one of them.
local function one_or_more(kind, plural)
  local list = check.list(kind, plural)
  return function(value)
    if type(value) ~= "string" then
      return list(value)
    end
    local checked, expected = kind(value)
    return checked and { checked }, expected
  end
end

local origins = one_or_more(origin, "origins")

-- "example.com", "*.example.com:8080", "[::1]"
local function served_host(value)
  local name = type(value) == "string" and value:gsub("^%*%.", "")
  if name and not name:find("*", 1, true) and address.split(name, 80) then
    return value
  end
  return nil, "a host such as 'example.com', 'example.com:8080' or"
              .. " '*.example.com' (a * nowhere else)"
end

local hosts = one_or_more(served_host, "hosts")

local trusted_proxies = check.list(function(value)
  if type(value) == "string" and core.ranges { value } then
    return value
  end
  return nil, "an address ('192.0.2.1'), a block of them ('10.0.0.0/8',"
              .. " '2001:db8::/32') or 'unix'"
end, "addresses and blocks")

local function events(value) -- what is in it: handlers.lua
  if type(value) == "table" then
    return value
  end
  return nil, "a table of events (open, message, close, error)"
end

local function handler(value) -- the same
  if type(value) == "function" or type(value) == "table" then
    return value
  end
  return nil, "a function or a table"
end

local function above(high, expected)
  return function(value)
    if type(value) == "number" and value > 0 and value <= high then
      return value
    end
    return nil, expected
  end
end

local per_second = above(huge, "how many a second (a number above 0)")
local rate = check.table({
  messages = { kind = per_second },
  bytes = { kind = per_second },
  burst = { kind = above(1e9, "seconds (a number above 0)"), default = 5 },
}, "a table of messages, bytes and burst", function(checked)
  if not (checked.messages or checked.bytes) then
    return "expected 'messages' or 'bytes' a second, got neither"
  end
  checked.messages = checked.messages or huge
  checked.bytes = checked.bytes or huge
end)

local function merge(...)
  local all = {}
  for _, part in ipairs { ... } do
    for name, option in pairs(part) do
      all[name] = option
    end
  end
  return all
end

-- What a message may be: all that weft.protocol has of the below.
local limits = {
  max_message = { kind = bytes, default = 1048576 },
  max_frame = { kind = bytes }, -- as max_message
  max_fragments = { kind = count, default = 1024 },
  max_header = { kind = bytes, default = 16384 },
  max_headers = { kind = count, default = 100 },
}

-- Clients offer compression, servers take it when they are told to.
local client_compression = {
  kind = compression.client_kind, default = compression.client_kind(true),
}
local server_compression = { kind = compression.server_kind, default = false }

-- What every connection has, whichever side opened it.
local connection = merge(limits, {
  idle_timeout = { kind = check.seconds, default = huge },
  close_timeout = { kind = check.seconds, default = 5 },
  write_timeout = { kind = check.seconds, default = 30 },
  ping_interval = { kind = interval, default = 20 },
  ping_timeout = { kind = check.seconds, default = 20 },
  send_buffer = { kind = mark, default = 65536 },
  receive_buffer = { kind = bytes, default = 65536 },
  nodelay = { kind = check.boolean, default = true },
  memory_limit = { kind = bytes, default = huge },
})

-- The same for the core, which has one table for both sides.
local settings = merge(connection, {
  handshake_timeout = { kind = check.seconds, default = 10 },
  max_body = { kind = mark, default = 1048576 },
})

-- What a client's request says.
local request = {
  headers = { kind = check.headers },
  protocols = { kind = protocols },
  origin = { kind = head_text, default = "" },
  user_agent = { kind = head_text, default = "weft/1.0.0" },
  username = { kind = credentials.username },
  password = { kind = credentials.password },
}

--- weft.connect
options.connect = merge(connection, request, {
  compression = client_compression,
  timeout = { kind = check.seconds, default = 10 },
  events = { kind = events },
  tls = { kind = tls.client_kind },
  proxy = { kind = proxy.kind },
  redirects = { kind = redirects, default = 0 },
  unix = { kind = check.path },
})

--- weft.reconnecting
options.reconnecting = merge(options.connect, {
  min_delay = { kind = pause, default = 0.25 },
  max_delay = { kind = pause, default = 30 },
  max_attempts = { kind = count, default = huge },
  retry = { kind = check.callback },
  on_retry = { kind = check.callback },
})
options.reconnecting.events = nil -- the loop over it is what is called

--- weft.listen
options.listen = merge(settings, {
  compression = server_compression,
  host = { kind = host, default = "127.0.0.1" },
  port = { kind = port, default = 8080 },
  unix = { kind = check.path },
  fd = { kind = descriptor },
  websocket = { kind = handler },
  http = { kind = handler },
  upgrade = { kind = check.callback },
  origins = { kind = origins },
  protocols = { kind = protocols },
  backlog = { kind = backlog, default = 511 },
  reuse_port = { kind = check.boolean, default = false },
  tls = { kind = tls.server_kind },
  max_connections = { kind = count, default = huge },
  max_connections_per_address = { kind = count, default = huge },
  rate = { kind = rate },
  hosts = { kind = hosts },
  trusted_proxies = { kind = trusted_proxies },
  proxy_protocol = { kind = check.boolean, default = false },
  log = { kind = log.kind },
})

--- weft.serve
options.serve = merge(options.listen, {
  signals = { kind = check.boolean, default = true },
  workers = { kind = workers, default = 1 },
  on_worker = { kind = check.callback },
  grace = { kind = check.seconds, default = 10 },
  drain = { kind = check.seconds, default = 0 },
})

--- weft.pair, both sides
options.pair_client = merge(connection, request, { compression = client_compression })
options.pair_server = merge(connection, {
  compression = server_compression,
  protocols = { kind = protocols },
})

--- weft.fallback
options.fallback = merge(limits, {
  idle_timeout = connection.idle_timeout,
  close_timeout = connection.close_timeout,
  write_timeout = connection.write_timeout,
  send_buffer = connection.send_buffer,
  receive_buffer = connection.receive_buffer,
  upgrade = { kind = check.callback },
  origins = { kind = origins },
  protocols = { kind = protocols },
  grace = { kind = check.seconds, default = 15 },
  ping_interval = { kind = interval, default = 15 },
  max_sessions = { kind = count, default = 10000 },
  window = { kind = bytes, default = 262144 },
})
options.fallback.max_header = nil -- those of the requests are the server's
options.fallback.max_headers = nil

--- weft.protocol.client and weft.protocol.server
options.protocol_client = merge(limits, request, {
  compression = client_compression,
  url = { kind = check.string, default = "ws://localhost/" },
})
options.protocol_server = merge(limits, {
  compression = server_compression,
  protocols = { kind = protocols },
  origins = { kind = origins },
  headers = { kind = check.headers },
})

--- server:close, the second argument
options.close = { drain = { kind = check.seconds, default = 0 } }

local on_full = {
  close = true,
  drop = true,
}
--- weft.room
options.room = {
  on_full = {
    default = "close",
    kind = function(value)
      if on_full[value] then
        return value
      end
      return nil, "'close' or 'drop'"
    end,
  },
}

--- weft.static, the second argument
options.static = static.options

--- weft.step, the second argument
options.step = {
  messages = { kind = count, default = huge },
  seconds = { kind = check.seconds, default = huge },
}

--- weft.adapters.*.attach, the last argument
options.attach = {
  messages = options.step.messages,
  seconds = options.step.seconds,
  interval = { kind = check.number(0.001, huge, "seconds (a number, 0.001 or more)"), default = 0.01 },
}

--- The same for an adapter whose attachments have that method, and can be one
--- beside the other.
---@param method string
---@return table
function options.attach_beside(method)
  local spec = {
    beside = {
      kind = function(value)
        if type(value) == "table" and type(value[method]) == "function" then
          return value
        end
        return nil, "an attachment with the method '" .. method .. "'"
      end,
    },
  }
  for name, option in pairs(options.attach) do
    spec[name] = option
  end
  return spec
end

--- The settings that the core wants for connections (core.config), from
--- options that were checked against one of the tables above.
---@param checked table
---@return table
function options.settings(checked)
  local all = {}
  for name, option in pairs(settings) do
    all[name] = checked[name] == nil and option.default or checked[name]
  end
  all.handshake_timeout = checked.timeout or all.handshake_timeout
  all.max_frame = checked.max_frame or all.max_message
  all.compression = checked.compression
  all.rate = checked.rate
  return all
end

return options
