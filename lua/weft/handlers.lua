--- What a user gives to handle connections and requests: functions, tables of
--- events, and routes of those.  Internal.

local core = require "weft.core"
local check = require "weft.check"
local http = require "weft.http"
local routes = require "weft.routes"

local handlers = {}

local event_names = { open = true, message = true, close = true, error = true }

-- Gives one message after the other, as many as one turn has, to an event; it
-- runs as a task, which ends when there are no more.
local function pump(message)
  local next_message = core.next_message
  return function(ws)
    for text, kind in next_message, ws do
      message(ws, text, kind)
    end
  end
end

--- Checks a table of events and returns a copy of it, for core.set_events;
--- raises when a key is no event or a value no function.
---@param where string what the table was given to
---@param given any
---@param level integer
---@return table
function handlers.events(where, given, level)
  local events = {}
  for name, callback in pairs(given) do
    if not event_names[name] then
      error(("%s: unknown event '%s' (expected open, message, close, error)")
            :format(where, tostring(name)), level + 1)
    elseif type(callback) ~= "function" then
      error(("%s: event '%s': expected a function, got %s")
            :format(where, name, type(callback)), level + 1)
    end
    events[name] = callback
  end
  if next(events) == nil then
    error(where .. ": expected a table of events (open, message, close, error),"
          .. " got an empty one", level + 1)
  end
  events.messages = events.message and pump(events.message)
  return events
end

local function is_route(key)
  return type(key) == "string" and key:sub(1, 1) == "/"
end

-- Whether all keys of a table are routes; raises when only some are.  `others`
-- says what else they may be.
local function are_routes(where, given, others, level)
  local some, all = false, true
  for key in pairs(given) do
    some = some or is_route(key)
    all = all and is_route(key)
  end
  if some and not all then
    error(where .. ": expected either routes (each begins with '/') or " .. others
          .. ", got a mixture", level + 1)
  end
  return some
end

-- A handler as a function of the open connection.
local function runner(where, given, level)
  if type(given) == "function" then
    return given
  elseif type(given) ~= "table" then
    error(("%s: expected a function or a table of events, got %s")
          :format(where, type(given)), level + 1)
  end
  local events = handlers.events(where, given, level + 1)
  return function(ws)
    core.set_events(ws, events)
  end
end

local function compile(where, given, level, each)
  local compiled = {}
  for pattern, handler in pairs(given) do
    compiled[pattern] = each(where .. " '" .. pattern .. "'", handler, level + 1)
  end
  local route = routes.compile(where, compiled, level + 1)
  return route -- no tail call: the level counts this frame
end

--- Checks the `websocket` option.  Returns a function to run with each open
--- connection, or nil and a function from path to that and the parameters.
---@param where string
---@param given function|table
---@param level integer
---@return function|nil, function|nil
function handlers.websocket(where, given, level)
  if type(given) == "table" and are_routes(where, given, "events", level + 1) then
    return nil, compile(where, given, level + 1, runner)
  end
  return runner(where, given, level + 1), nil
end

-- The methods of a table of methods, as Allow lists them (RFC 9110, 10.2.1).
local function allowed(methods)
  local names = {}
  for name in pairs(methods) do
    names[#names + 1] = name
  end
  names[#names + 1] = methods.GET and not methods.HEAD and "HEAD" or nil
  names[#names + 1] = not methods.OPTIONS and "OPTIONS" or nil
  table.sort(names)
  return table.concat(names, ", ")
end

local function check_methods(where, given, level)
  local methods = {}
  for name, page in pairs(given) do
    if not check.token(name) or name ~= name:upper() then
      error(("%s: unknown key %s (expected methods, such as GET)"):format(
              where, check.show(name)), level + 1)
    elseif type(page) ~= "function" then
      error(("%s: method '%s': expected a function, got %s"):format(
              where, name, type(page)), level + 1)
    end
    methods[name] = page
  end
  if next(methods) == nil then
    error(where .. ": expected a function or a table of methods (GET = ...),"
          .. " got an empty one", level + 1)
  end
  return methods
end

-- What is at one path, as a function from a request to its handler, or nil, a
-- status and the methods that there are.
local function place(where, given, level)
  if type(given) == "function" then
    return function()
      return given
    end
  elseif type(given) ~= "table" then
    error(("%s: expected a function or a table of methods, got %s")
          :format(where, type(given)), level + 1)
  end
  local methods = check_methods(where, given, level + 1)
  local allow = allowed(methods)
  return function(request)
    local method = request.method
    local page = methods[method] or method == "HEAD" and methods.GET
    if page then
      return page
    end
    return nil, method == "OPTIONS" and 204 or 405, allow
  end
end

--- Checks the `http` option.  Returns a function from a request, whose `params`
--- it sets, to its handler; or nil, a status and, where methods are missing,
--- those that there are.
---@param where string
---@param given function|table
---@param level integer
---@return fun(request: weft.Request): function?, integer?, string?
function handlers.http(where, given, level)
  if type(given) ~= "table" or not are_routes(where, given, "methods", level + 1) then
    local find = place(where, given, level + 1)
    return find -- no tail call: the level counts this frame
  end
  local route = compile(where, given, level + 1, place)
  return function(request)
    local find, params = route((http.split(request.target)))
    if not find then
      return nil, 404
    end
    request.params = params
    return find(request)
  end
end

return handlers
