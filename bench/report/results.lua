-- What bench/run has measured, as tables; and what is computed from it. What a
-- line says: bench/measure.
--
-- Medians stand with their least and greatest. weft's ratios are medians of the
-- ratios of one round, so what slows a whole round down is not in them.
local results = {}

-- From "name": value, ... of a flat JSON object.
local function parse(json)
  local values = {}
  for key, value in json:gmatch('"([%w_]+)":"?([^",}]+)') do
    values[key] = tonumber(value) or value
  end
  return values
end

local function find_or_add(list, name, new)
  for _, item in ipairs(list) do
    if item.name == name then
      return item
    end
  end
  new.name = name
  list[#list + 1] = new
  return new
end

local function add_note(measured, line)
  for _, known in ipairs(measured.notes) do
    if known == line then
      return
    end
  end
  measured.notes[#measured.notes + 1] = line
end

local facts = {
  machine = function(measured, text)
    measured.machine = text
  end,
  plan = function(measured, text)
    measured.plan = parse(text)
  end,
  took = function(measured, text)
    measured.took = (measured.took or 0) + tonumber(text)
  end,
  version = function(measured, text)
    local name, version = text:match("^(%S+) (.*)$")
    find_or_add(measured.versions, name, {}).text = version
  end,
  note = function(measured, text)
    local name, note = text:match("^(%S+) (.*)$")
    find_or_add(measured.versions, name, {}).note = note
  end,
}

local function read_line(measured, line)
  local fact, text = line:match("^(%w+): (.*)$")
  if facts[fact] then
    return facts[fact](measured, text)
  end
  local place = fact == "dropped" and text or line
  local name, server, round, json = place:match("^(%S+) (%S+) (%d+) ({.*})$")
  if not json then
    return add_note(measured, line)
  end
  local values = parse(json)
  if values.rate == 0 then
    values.p50, values.p99, values.p999 = nil, nil, nil -- of no message
  end
  local scenario = find_or_add(measured.scenarios, name, { servers = {}, dropped = {} })
  scenario.what = values
  local of = find_or_add(scenario.servers, server, { rounds = {} })
  if fact == "dropped" then
    table.insert(scenario.dropped, { server = server, round = tonumber(round), values = values })
  else
    of.rounds[tonumber(round)] = values
  end
end

-- In order: scenarios with their servers with their rounds; versions; notes.
function results.read(path)
  local measured = { scenarios = {}, versions = {}, notes = {} }
  local file = assert(io.open(path))
  for line in file:lines() do
    read_line(measured, line)
  end
  file:close()
  return measured
end

-- The median, least and greatest of what of(round, number) gives for some rounds.
function results.spread(server, of)
  local values = {}
  for i, round in pairs(server.rounds) do
    values[#values + 1] = of(round, i)
  end
  table.sort(values)
  local n = #values
  if n > 0 then
    return (values[math.floor((n + 1) / 2)] + values[math.floor(n / 2) + 1]) / 2, values[1], values[n]
  end
end

-- A round's figure, unless there is none: nothing was echoed, say.
function results.key(name, scale)
  return function(round)
    local value = round[name]
    if value and value >= 0 then
      return value * (scale or 1)
    end
  end
end

-- Our figure to this server's, of the rounds that both have; or turned.
function results.ratio(ours, name, turned)
  return function(round, i)
    local our = ours and ours.rounds[i]
    local a, b = our and our[name], round[name]
    if a and a > 0 and b > 0 then
      return turned and b / a or a / b
    end
  end
end

function results.server(scenario, name)
  for _, server in ipairs(scenario.servers) do
    if server.name == name then
      return server
    end
  end
end

local function size(bytes)
  for _, unit in ipairs { "B", "KiB" } do
    if bytes < 1024 then
      return ("%d %s"):format(bytes, unit)
    end
    bytes = math.floor(bytes / 1024)
  end
  return ("%d MiB"):format(bytes)
end

-- Whether it is something that happens so many times a second.
function results.has_rate(scenario)
  return scenario.what.rate ~= nil
end

-- What a scenario is, in words.
function results.describe(scenario)
  local what = scenario.what
  if what.bytes then
    return ("%d connections that say nothing%s"):format(
      what.connections, what.echoed == 1 and ", after an echo of 4 KiB" or "")
  elseif what.told then
    return ("%d connections closed at once by the server"):format(what.connections)
  elseif what.openings then
    return ("connections that open and end, %s, %d at once"):format(
      what.tls ~= " " and "TLS " .. what.handshake or "without TLS", what.at_once)
  elseif what.broadcast == 1 then
    return ("%s %s to each of %d members, %d outstanding"):format(
      size(what.size), what.kind, what.connections, what.depth)
  end
  return ("%s %s, %d connection%s, %d outstanding%s"):format(
    size(what.size), what.kind, what.connections, what.connections == 1 and "" or "s", what.depth,
    (what.tls or " ") ~= " " and ", TLS" or (what.deflate or "") ~= "" and ", compressed" or "")
end

return results
