--- Checks of what callers pass: arguments and option tables.  Internal.
---
--- A kind is a function that takes a value and returns it, or nil and what was
--- expected; of a list or table also the place in it ("[2]", ".cert") and the
--- item there, or a complaint to be said instead of "expected, got".  Whoever
--- finds a bug of the caller's raises at the caller's line: `level` counts as in
--- `error`, from the function that calls into this module (2 is that function's
--- caller).

local check = {}

local huge = math.huge

--- How a value is shown in an error: short, printable, with its type.
---@param value any
---@return string
function check.show(value)
  if value ~= value then
    return "NaN"
  elseif type(value) == "string" then
    local text = #value > 40 and value:sub(1, 40) .. "..." or value
    text = text:gsub("[%c\127-\255\"\\]", function(c)
      return ("\\x%02X"):format(c:byte())
    end)
    return '"' .. text .. '"'
  elseif type(value) == "number" or type(value) == "boolean" or value == nil then
    return tostring(value)
  end
  return "a " .. type(value)
end

--- A kind for numbers in a range; `expected` says so in words.
---@param low number
---@param high number
---@param expected string
---@return function
function check.number(low, high, expected)
  return function(value)
    if type(value) == "number" and value >= low and value <= high then
      return value
    end
    return nil, expected
  end
end

--- A kind for whole numbers in a range, math.huge included when `high` is.
---@param low number
---@param high number
---@param expected string
---@return function
function check.whole(low, high, expected)
  return function(value)
    if type(value) == "number" and value >= low and value <= high
       and (value == huge or value == math.floor(value)) then
      return value
    end
    return nil, expected
  end
end

local function of_type(name, expected)
  return function(value)
    if type(value) == name then
      return value
    end
    return nil, expected
  end
end

check.seconds = check.number(0, huge, "seconds (a number, 0 or more)")
check.string = of_type("string", "a string")
check.boolean = of_type("boolean", "true or false")
check.callback = of_type("function", "a function")
-- what is in it: http.header_lines
check.headers = of_type("table", "a table from name to value or list of values")

--- The name of a file, a folder or a socket.
function check.path(value)
  if type(value) == "string" and value ~= "" and not value:find("%z") then
    return value
  end
  return nil, "a path"
end

--- Words as HTTP writes them (RFC 9110, section 5.6.2), such as subprotocols.
function check.token(value)
  if type(value) == "string" and value:find("^[%w!#$%%&'*+.^_`|~-]+$") then
    return value
  end
  return nil, "a token (letters, digits and -_.!#$%&'*+^`|~)"
end

--- The value of a header field: no control characters but a tab.
function check.field_value(value)
  if type(value) == "string" and not value:find("[^%C\t]") then
    return value
  end
  return nil, "a string without CR, LF, NUL or other control characters"
end

--- A kind for lists whose items are of another kind, none of them twice.
---@param item function a kind
---@param plural string what the items are
---@return function
function check.list(item, plural)
  return function(value)
    if type(value) ~= "table" then
      return nil, "a list of " .. plural
    end
    local list, seen = {}, {}
    for i = 1, #value do
      local checked, wrong = item(value[i])
      if checked == nil then
        return nil, wrong, "[" .. i .. "]", value[i]
      elseif seen[checked] then
        return nil, plural .. " of which none comes twice", "[" .. i .. "]", checked
      end
      list[i], seen[checked] = checked, true
    end
    for key in pairs(value) do
      if list[key] == nil then
        return nil, "a list of " .. plural
      end
    end
    return list
  end
end

--- Raises what a wrong value deserves.
---@param where string the function, "weft.sleep"
---@param what string the argument or option, "argument 'seconds'"
---@param expected string
---@param value any
---@param level integer
function check.fail(where, what, expected, value, level)
  error(("%s: %s: expected %s, got %s"):format(where, what, expected,
                                               check.show(value)), level + 1)
end

--- Checks one argument of a function: returns it, or its default when nil.
---@param where string the function
---@param name string the argument
---@param kind function
---@param value any
---@param default any nil when the argument is required
---@param level integer
---@return any
function check.argument(where, name, kind, value, default, level)
  if value == nil and default ~= nil then
    return default
  end
  local checked, expected = kind(value)
  if checked == nil then
    check.fail(where, "argument '" .. name .. "'", expected, value, level + 1)
  end
  return checked
end

-- How many letters to change, add or drop to turn one word into the other.
local function distance(a, b)
  local row = {}
  for j = 0, #b do
    row[j] = j
  end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      diagonal, row[j] = row[j], math.min(row[j] + 1, row[j - 1] + 1,
                                          diagonal + cost)
    end
  end
  return row[#b]
end

local function closest(name, spec)
  local best, least = nil, math.max(#name < 4 and 1 or 2, math.floor(#name / 3))
  for known in pairs(spec) do
    local d = distance(name, known)
    if d < least or d == least and (best == nil or known < best) then
      best, least = known, d
    end
  end
  return best
end

-- "unknown option 'prot' (did you mean 'port'?)": the name as it is shown, and
-- the hint.
local function unknown(spec, name)
  local hint = ""
  if type(name) == "string" and #name <= 64 then
    local near = closest(name, spec)
    hint = near and " (did you mean '" .. near .. "'?)" or ""
    return name:gsub("%c", "?"), hint
  end
  return check.show(name), hint
end

--- Raises for an option name that is in no table.
---@param spec table
---@param where string
---@param name any
---@param level integer
function check.unknown(spec, where, name, level)
  local shown, hint = unknown(spec, name)
  if type(name) == "string" and #name <= 64 then
    shown = "'" .. shown .. "'"
  end
  error(where .. ": unknown option " .. shown .. hint, level + 1)
end

--- A kind for a table of options inside an option, against a specification as
--- for check.options.  `rule` is given the checked table and returns nothing, or
--- a complaint about the whole and the place it is about.
---@param spec table
---@param expected string
---@param rule? fun(checked: table): string?, string?
---@return function
function check.table(spec, expected, rule)
  return function(value)
    if type(value) ~= "table" then
      return nil, expected
    end
    local checked = {}
    for name, item in pairs(value) do
      local option = spec[name]
      if not option then
        local shown, hint = unknown(spec, name)
        return nil, nil, "." .. shown, nil, "unknown option" .. hint
      end
      local good, wrong, place, inner, complaint = option.kind(item)
      if good == nil then
        if not place then
          inner = item
        end
        return nil, wrong, "." .. name .. (place or ""), inner, complaint
      end
      checked[name] = good
    end
    for name, option in pairs(spec) do
      if checked[name] == nil then
        checked[name] = option.default
      end
    end
    local complaint, place = (rule or function() end)(checked)
    if complaint then
      return nil, nil, place, nil, complaint
    end
    return checked
  end
end

--- Checks a table of options against a specification: a table from name to
--- `{ kind = function, default = any }`.  Returns a new table with the defaults
--- filled in.
---@param spec table
---@param where string the function the options are for
---@param given any
---@param level integer
---@return table
function check.options(spec, where, given, level)
  if given ~= nil and type(given) ~= "table" then
    check.fail(where, "argument 'options'", "a table", given, level + 1)
  end
  local options = {}
  for name, value in pairs(given or {}) do
    local option = spec[name]
    if not option then
      check.unknown(spec, where, name, level + 1)
    else
      local checked, expected, place, item, complaint = option.kind(value)
      if checked == nil then
        local what = "option '" .. name .. (place or "") .. "'"
        if complaint then
          error(where .. ": " .. what .. ": " .. complaint, level + 1)
        elseif not place then
          item = value
        end
        check.fail(where, what, expected, item, level + 1)
      end
      options[name] = checked
    end
  end
  for name, option in pairs(spec) do
    if options[name] == nil then
      options[name] = option.default
    end
  end
  return options
end

return check
