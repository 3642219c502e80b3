--- The HTTP around WebSocket: requests as tables, header lines, responses.
--- Internal; the tables it makes are public.

local check = require "weft.check"

local http = {}

--- The head of an opening handshake or of a plain HTTP request: what a
--- server's `upgrade` and `http` functions get, and what `ws.request` is.
--- Fields that `upgrade` sets on it are there in `ws.request` too.
---@class weft.Request
---@field method string "GET", "HEAD", ...
---@field target string as it was sent: "/room/a%20b?x=1"
---@field path string percent-decoded: "/room/a b"
---@field query table<string, string> decoded; of a repeated name the first
---@field query_string string as it was sent, without the "?": "x=1"
---@field params table<string, string> what the route's `:name` and `*` stand for
---@field headers table<string, string> looked up whatever the case of the name; a repeated one's values are joined with ", "
---@field host string the Host header: "example.com:8080"
---@field body string always "" in this version

--- The head of the server's answer to a client's opening handshake:
--- `ws.response`, and the fourth result of a refused `weft.connect`.
---@class weft.Response
---@field status integer 101 when it was accepted
---@field reason string "Switching Protocols"
---@field headers table<string, string> looked up whatever the case of the name
---@field body string what came with a refusal, at most 16 KiB

local function decode(text)
  return (text:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end
http.decode = decode

-- "a=1&b=%20" as a table; "+" is a space here, as in forms.
local function parse_query(text)
  local query = {}
  for pair in text:gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=?(.*)$")
    name = decode((name:gsub("%+", " ")))
    if query[name] == nil then
      query[name] = decode((value:gsub("%+", " ")))
    end
  end
  return query
end

--- The path of a request target as it was sent, and the query or nil.
---@param target string
---@return string, string?
function http.split(target)
  if target:sub(1, 1) ~= "/" then
    -- the absolute form, which proxies use (RFC 9112, section 3.2.2)
    local rest = target:match("^%a[%w+.-]*://[^/?]*(.*)$")
    target = rest and (rest:sub(1, 1) == "/" and rest or "/" .. rest) or target
  end
  local path, query = target:match("^([^?]*)%?(.*)$")
  return path or target, query
end

--- Makes the table of a request from its head as the core gives it.
---@param head table method, target, headers
---@return weft.Request
function http.request(head)
  local path, query = http.split(head.target)
  return {
    method = head.method,
    target = head.target,
    path = decode(path),
    query = parse_query(query or ""),
    query_string = query or "",
    params = {},
    headers = head.headers,
    host = head.headers.host or "",
    body = "",
  }
end

--- Makes the table of a response from its head and body.
---@param head table status, reason, headers
---@param body string
---@return weft.Response
function http.response(head, body)
  return {
    status = head.status,
    reason = head.reason,
    headers = head.headers,
    body = body,
  }
end

-- The lines of one header; a list of values makes a line each.
local function lines_of(name, given)
  if not check.token(name) then
    return nil, "the name of a header must be " .. select(2, check.token(name))
                .. ", got " .. check.show(name)
  end
  local values = type(given) == "table" and given or { given }
  local lines = {}
  for i, value in ipairs(values) do
    value = math.type(value) == "integer" and tostring(value) or value
    if not check.field_value(value) then
      break
    end
    lines[i] = name .. ": " .. value .. "\r\n"
  end
  if #lines == 0 or #lines < #values then -- the value is not shown: it may be secret
    return nil, ("header '%s' must be %s, or a list of them"):format(
      name, select(2, check.field_value(nil)))
  end
  return table.concat(lines)
end

--- Header lines, each ended by CRLF, from a table of name to value or list of
--- values, in the order of their names.  `own` says of a lower-case name why
--- the caller must not set it, or nil.  Returns nil and what is wrong when it
--- does, or when a name or value could not stand in a head.
---@param headers table
---@param own fun(name: string): string?
---@return string|nil, string?
function http.header_lines(headers, own)
  local all = {}
  for name, value in pairs(headers) do
    local objection = type(name) == "string" and own(name:lower())
    if objection then
      return nil, ("header '%s' %s"):format(name, objection)
    end
    local lines, wrong = lines_of(name, value)
    if not lines then
      return nil, wrong
    end
    all[#all + 1] = lines
  end
  table.sort(all)
  return table.concat(all)
end

local framing = {
  ["connection"] = true,
  ["content-length"] = true,
  ["transfer-encoding"] = true,
}

--- For header_lines: what an opening handshake sets itself.
function http.handshake_own(name)
  if framing[name] or name == "host" or name == "upgrade"
     or name:find("^sec%-websocket%-") then
    return "is the handshake's own"
  end
end

-- A handler may say what weft says anyway.
local function drop_redundant(headers, length)
  local rest = {}
  for name, value in pairs(headers) do
    local lower = type(name) == "string" and name:lower()
    if not (lower == "content-length" and tonumber(value) == length
            or lower == "connection" and value == "close") then
      rest[name] = value
    end
  end
  return rest
end

--- Checks what an `http` or `upgrade` function returned and turns it into what
--- core.respond takes: status, header lines, body; raises when it is wrong.
---@param who string the function, for messages
---@param status any
---@param headers any a table or nil
---@param body any a string, a list of strings, or nil
---@return integer, string, string
function http.check_response(who, status, headers, body)
  if math.type(status) ~= "integer" or status < 200 or status > 599 then
    error(who .. " must return a status from 200 to 599, got "
          .. check.show(status), 0)
  end
  if type(body) == "table" then
    for i = 1, #body do
      if type(body[i]) ~= "string" then
        error(who .. ": item " .. i .. " of the body: expected a string, got "
              .. check.show(body[i]), 0)
      end
    end
    body = table.concat(body)
  elseif body ~= nil and type(body) ~= "string" then
    error(who .. ": the body: expected a string or a list of strings, got "
          .. check.show(body), 0)
  end
  body = body or ""
  if headers ~= nil and type(headers) ~= "table" then
    error(who .. ": the headers: expected a table, got " .. check.show(headers), 0)
  end
  local lines, wrong = http.header_lines(drop_redundant(headers or {}, #body),
                                         function(name)
    return framing[name] and "is set by weft" or nil
  end)
  if not lines then
    error(who .. ": " .. wrong, 0)
  end
  return status, lines, body
end

return http
