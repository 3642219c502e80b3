--- Routes: which handler a path goes to.  Internal.
---
--- A pattern is a path of segments; `:name` stands for one that is not empty,
--- `*` as the last one for all the rest.  Segment by segment an exact one goes
--- before a name, and a name before a rest.  Patterns are written decoded;
--- paths are decoded segment by segment, so that %2F never makes a slash.

local http = require "weft.http"

local routes = {}

local function new_node()
  return { exact = {} }
end

local function add(node, where, pattern, handler, level)
  local names, seen = {}, {}
  local function name(text)
    if seen[text] or text == "" then
      error(("%s: route '%s': expected a name after each ':', none of them"
             .. " twice"):format(where, pattern), level + 2)
    end
    seen[text] = true
    names[#names + 1] = text
  end

  local last = false
  for segment in pattern:gmatch("/([^/]*)") do
    if last or segment:find("*", 1, true) and segment ~= "*" then
      error(("%s: route '%s': expected '*' only as the last segment")
            :format(where, pattern), level + 1)
    elseif segment == "*" then
      name("*")
      node.rest = node.rest or new_node()
      node, last = node.rest, true
    elseif segment:sub(1, 1) == ":" then
      name(segment:sub(2))
      node.name = node.name or new_node()
      node = node.name
    else
      node.exact[segment] = node.exact[segment] or new_node()
      node = node.exact[segment]
    end
  end
  if node.leaf then
    error(("%s: routes '%s' and '%s' are for the same paths"):format(
            where, node.leaf.pattern, pattern), level + 1)
  end
  node.leaf = { handler = handler, names = names, pattern = pattern }
end

-- The leaf for path[i] and on; what names stand for is added to values.
local function find(node, path, i, values)
  local segment = path[i]
  if segment == nil then
    return node.leaf
  end
  local next_node = node.exact[segment]
  local leaf = next_node and find(next_node, path, i + 1, values)
  if leaf then
    return leaf
  end
  if node.name and segment ~= "" then
    values[#values + 1] = segment
    leaf = find(node.name, path, i + 1, values)
    if leaf then
      return leaf
    end
    values[#values] = nil
  end
  if node.rest then
    values[#values + 1] = table.concat(path, "/", i)
    return node.rest.leaf
  end
end

--- Compiles a table from pattern to handler.  Returns a function that takes a
--- path as it was sent and gives the handler and the parameters, or nil.
--- Raises for a pattern that is malformed or meets another.
---@param where string the function the table was given to
---@param given table<string, any>
---@param level integer
---@return fun(path: string): any, table<string, string>
function routes.compile(where, given, level)
  local patterns = {}
  for pattern in pairs(given) do
    patterns[#patterns + 1] = pattern
  end
  table.sort(patterns) -- so that errors do not depend on the order of pairs()
  local root = new_node()
  for _, pattern in ipairs(patterns) do
    add(root, where, pattern, given[pattern], level + 1)
  end

  return function(path)
    local list, values = {}, {}
    for segment in path:gmatch("/([^/]*)") do
      list[#list + 1] = http.decode(segment)
    end
    local leaf = #list > 0 and find(root, list, 1, values)
    if not leaf then
      return nil
    end
    local params = {}
    for i, name in ipairs(leaf.names) do
      params[name] = values[i]
    end
    return leaf.handler, params
  end
end

return routes
