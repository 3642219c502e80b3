--- What an `http` or `upgrade` function returned: checked, and sent.  Internal.

local core = require "weft.core"
local check = require "weft.check"
local compat = require "weft.compat"
local http = require "weft.http"

local response = {}

--- A body that is written piece by piece: it may wait, returns nil at its end,
--- and writes what it returns as well as what it gives to `write`.
---@alias weft.Body fun(write: fun(bytes: string): boolean|nil, string?): string?

-- RFC 9110, 6.4.1
local function never_has_body(status)
  return status == 204 or status == 304
end

-- A list of strings as one.
local function join(who, list)
  for i = 1, #list do
    if type(list[i]) ~= "string" then
      error(who .. ": item " .. i .. " of the body: expected a string, got "
            .. check.show(list[i]), 0)
    end
  end
  return table.concat(list)
end

local function check_status(who, status)
  if not compat.is_integer(status) or status < 200 or status > 599 then
    error(who .. " must return a status from 200 to 599, got "
          .. check.show(status), 0)
  end
end

local function is_length(name)
  return type(name) == "string" and #name == 14 and name:lower() == "content-length"
end

-- What the headers say of the length, and the others as a table.
local function take_length(who, headers)
  local told, length
  for name, value in pairs(headers) do
    if is_length(name) then
      told, length = true, compat.tointeger(tonumber(value))
      if not length or length < 0 then
        error(who .. ": header 'Content-Length': expected a whole number, got "
              .. check.show(value), 0)
      end
    end
  end
  if not told then
    return nil, headers
  end
  local rest = {}
  for name, value in pairs(headers) do
    if not is_length(name) then
      rest[name] = value
    end
  end
  return length, rest
end

-- Connection may be closed, and nothing else said of it.
local function own(headers)
  return function(name)
    if name == "connection" then
      for given, value in pairs(headers) do
        if type(given) == "string" and given:lower() == name
           and (type(value) ~= "string" or value:lower() ~= "close") then
          return "is set by weft ('close' is all that may be said)"
        end
      end
    elseif http.framing[name] then
      return "is set by weft"
    end
  end
end

-- The header lines, and the length that was given.
local function check_headers(who, headers)
  if headers == nil then
    return ""
  elseif type(headers) ~= "table" then
    error(who .. ": the headers: expected a table, got " .. check.show(headers), 0)
  end
  local prepared = http.prepared_lines(headers)
  if prepared then
    return prepared
  end
  local length, rest = take_length(who, headers)
  local lines, wrong = http.header_lines(rest, own(rest))
  if not lines then
    error(who .. ": " .. wrong, 0)
  end
  return lines, length
end

-- The body in the form it is sent in: a string, a function or a file.
local function check_body(who, body)
  if type(body) == "table" then
    return join(who, body)
  elseif body == nil then
    return ""
  elseif type(body) == "string" or type(body) == "function"
         or core.is_file(body) then
    return body
  end
  error(who .. ": the body: expected a string, a list of strings, a function"
        .. " or a file, got " .. check.show(body), 0)
end

-- How long the body is; nil for a function, which may be as long as it says.
local function length_of(body)
  if type(body) == "string" then
    return #body
  elseif type(body) ~= "function" then
    return body:length()
  end
end

--- Checks what a function returned; raises when that is no answer.
---@param who string the function, for messages
---@param method string of the request
---@param status any
---@param headers any a table or nil
---@param body any a string, a list of strings, a function, a file or nil
---@return integer status
---@return string lines
---@return any body nil: none is sent, whatever length is told
---@return integer|nil length of the body, as far as it is known
function response.check(who, method, status, headers, body)
  check_status(who, status)
  local lines, told = check_headers(who, headers)
  body = check_body(who, body)
  if status == 205 then -- 15.3.6: without content, and it says so
    return status, lines, "", 0
  end
  local bodiless = method == "HEAD" or never_has_body(status)
  local length = length_of(body)
  if bodiless and (length == nil or length == 0 and told) then
    return status, lines, nil, told
  elseif told and length and told ~= length then
    error(("%s: header 'Content-Length' is %d, the body has %d bytes"):format(
            who, told, length), 0)
  end
  return status, lines, body, length or told
end

-- A function to write with, and one that ends that.
local function writer(ws, who)
  local over = false
  return function(bytes)
    if type(bytes) ~= "string" then
      error(who .. ": the body: expected a string, got " .. check.show(bytes), 2)
    elseif over then
      return nil, "closed"
    end
    return core.write(ws, bytes)
  end, function()
    over = true
  end
end

local function stream(ws, who, body)
  local write, finish = writer(ws, who)
  local piece, ok
  repeat
    piece = body(write)
    ok = piece == nil or write(piece)
  until piece == nil or not ok
  finish()
end

--- Answers with what a function returned; raises when that is no answer, before
--- anything of it is sent.
---@param ws weft.Connection
---@param who string as for check, like the rest
---@param method string
---@param ... any status, headers, body
function response.send(ws, who, method, ...)
  local status, lines, body, length = response.check(who, method, ...)
  if type(body) == "string" then
    core.respond(ws, status, lines, body)
  elseif type(body) == "userdata" then
    core.respond_file(ws, status, lines, body)
  else
    core.begin_response(ws, status, lines, length)
    if body then
      stream(ws, who, body)
    end
    core.end_response(ws)
  end
end

return response
