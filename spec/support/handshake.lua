--- The opening handshake by hand: requests and responses, right and wrong, and
--- HTTP heads taken apart.
local mime = require "mime"
local sha1 = require "support.sha1"

local handshake = {}

handshake.KEY = "dGhlIHNhbXBsZSBub25jZQ=="

--- What Sec-WebSocket-Accept has to be for a key.
---@param key string
---@return string
function handshake.accept(key)
  return (mime.b64(sha1(key .. "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")))
end

--- The head made of a start line and fields: `fields` are { name, value }
--- pairs; `headers` replaces them by name, or leaves them out when false, and
--- adds the others (a list gives one line each); `lines` go last, as they are.
local function head(start, fields, headers, lines)
  local out, left = { start }, {}
  for name, value in pairs(headers or {}) do
    left[name] = value
  end
  local function add(name, value)
    for _, one in ipairs(type(value) == "table" and value or { value }) do
      out[#out + 1] = name .. ": " .. one
    end
  end
  for _, field in ipairs(fields) do
    local name, value = field[1], field[2]
    if left[name] ~= nil then
      value, left[name] = left[name], nil
    end
    if value then
      add(name, value)
    end
  end
  local names = {}
  for name, value in pairs(left) do
    if value then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  for _, name in ipairs(names) do
    add(name, left[name])
  end
  for _, line in ipairs(lines or {}) do
    out[#out + 1] = line
  end
  return table.concat(out, "\r\n") .. "\r\n\r\n"
end

--- A client's request: path, method, version, headers, lines.
---@param options? table
---@return string
function handshake.request(options)
  options = options or {}
  local start = ("%s %s %s"):format(options.method or "GET", options.path or "/", options.version or "HTTP/1.1")
  return head(options.start or start, {
    { "Host", options.host or "127.0.0.1" },
    { "Upgrade", "websocket" },
    { "Connection", "Upgrade" },
    { "Sec-WebSocket-Key", handshake.KEY },
    { "Sec-WebSocket-Version", "13" },
  }, options.headers, options.lines)
end

--- A plain HTTP request: path, method, version, headers, lines.
---@param options? table
---@return string
function handshake.http(options)
  options = options or {}
  local start = ("%s %s %s"):format(options.method or "GET", options.path or "/", options.version or "HTTP/1.1")
  local fields = { { "Host", options.host or "127.0.0.1" } }
  if not options.keep then
    fields[2] = { "Connection", "close" }
  end
  return head(options.start or start, fields, options.headers, options.lines) .. (options.body or "")
end

--- A server's answer to a key: status line, headers, lines.
---@param key string
---@param options? table
---@return string
function handshake.response(key, options)
  options = options or {}
  return head(options.start or "HTTP/1.1 101 Switching Protocols", {
    { "Upgrade", "websocket" },
    { "Connection", "Upgrade" },
    { "Sec-WebSocket-Accept", handshake.accept(key) },
  }, options.headers, options.lines)
end

--- A head taken apart: status and reason, or method, target and version;
--- headers by lower-case name, repeated ones joined with ", ".
---@param text string
---@return table
function handshake.parse(text)
  local parsed = { headers = {}, text = text }
  local start = text:match "^(.-)\r\n"
  local status, reason = start:match "^HTTP/1%.[01] (%d%d%d) ?(.*)$"
  if status then
    parsed.status, parsed.reason = math.tointeger(tonumber(status)), reason
  else
    parsed.method, parsed.target, parsed.version = start:match "^(%S+) (%S+) (%S+)$"
  end
  for written, value in text:gmatch "\r\n([^:\r\n]+):[ \t]*([^\r\n]*)" do
    local name = written:lower()
    local before = parsed.headers[name]
    parsed.headers[name] = before and before .. ", " .. value or value
  end
  return parsed
end

return handshake
