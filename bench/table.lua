-- Makes Markdown tables of what bench/run has measured.
--
--   lua5.4 bench/table.lua RESULTS
--
-- A line of RESULTS is a scenario, a server, a round and a flat JSON object; or
-- "missing: ..." or "failed: ...", which is repeated below the tables. Medians
-- stand before their least and greatest; weft's ratios are medians of the ratios
-- of one round, so what slows a whole round down is not in them.

local scenarios = {} -- in order: name, servers in order, rounds by server
local notes = {}

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

local function read(line)
  local name, server, round, json = line:match("^(%S+) (%S+) (%d+) ({.*})$")
  if not json then
    notes[#notes + 1] = line
    return
  end
  local values = {}
  for key, value in json:gmatch('"([%w_]+)":"?([^",}]+)') do
    values[key] = tonumber(value) or value
  end
  local scenario = find_or_add(scenarios, name, { servers = {} })
  scenario.what = values
  find_or_add(scenario.servers, server, { rounds = {} }).rounds[tonumber(round)] = values
end

-- The median, least and greatest of what of(round) gives for some rounds.
local function spread(rounds, of)
  local values = {}
  for i, round in pairs(rounds) do
    values[#values + 1] = of(round, i)
  end
  table.sort(values)
  local n = #values
  if n > 0 then
    return (values[(n + 1) // 2] + values[n // 2 + 1]) / 2, values[1], values[n]
  end
end

local function show(format, median, least, greatest)
  if not median then
    return "-"
  elseif least == greatest then
    return format:format(median)
  end
  return ("%s (%s to %s)"):format(format:format(median), format:format(least),
                                  format:format(greatest))
end

local function key(name, scale)
  return function(round)
    return round[name] * (scale or 1)
  end
end

-- weft's figure to this one's, of the rounds that both have.
local function ratio(weft, name, turned)
  return function(round, i)
    local ours = weft and weft.rounds[i]
    if ours then
      return turned and round[name] / ours[name] or ours[name] / round[name]
    end
  end
end

local function row(...)
  print("| " .. table.concat({ ... }, " | ") .. " |")
end

local function weft_of(scenario)
  for _, server in ipairs(scenario.servers) do
    if server.name == "weft" then
      return server
    end
  end
end

-- What the peers have agreed upon, in words; servers may differ.
local function tls_of(scenario)
  local seen, names = {}, {}
  for _, server in ipairs(scenario.servers) do
    for _, round in pairs(server.rounds) do
      local tls = round.tls or " "
      if tls ~= " " and not seen[tls] then
        seen[tls] = true
        names[#names + 1] = tls
      end
    end
  end
  return names[1] and ", " .. table.concat(names, " or ") or ""
end

local function print_echo(scenario)
  local what, weft = scenario.what, weft_of(scenario)
  print(("### %s: %d B %s, %d connections, %d outstanding%s\n"):format(
    scenario.name, what.size, what.kind, what.connections, what.depth, tls_of(scenario)))
  row("server", "echoes/s", "weft to it: echoes/s", "weft to it: echoes per CPU second",
      "server CPU us/echo", "p50 us", "p99 us", "p99.9 us", "server CPU %", "load CPU %",
      "others CPU %")
  row("---", ("--: | "):rep(9) .. "--:")
  for _, server in ipairs(scenario.servers) do
    local rounds = server.rounds
    row(server.name,
        show("%.0f", spread(rounds, key "rate")),
        show("%.2f", spread(rounds, ratio(weft, "rate"))),
        show("%.2f", spread(rounds, ratio(weft, "server_us", true))),
        show("%.2f", spread(rounds, key "server_us")),
        show("%.0f", (spread(rounds, key "p50"))),
        show("%.0f", (spread(rounds, key "p99"))),
        show("%.0f", (spread(rounds, key "p999"))),
        show("%.0f", (spread(rounds, key("server", 100)))),
        show("%.0f", (spread(rounds, key("load", 100)))),
        show("%.0f", (spread(rounds, key("others", 100)))))
  end
  print()
end

-- A server that is as fast as the load was not measured to its end.
local function note_limit(scenario)
  for _, server in ipairs(scenario.servers) do
    local load = spread(server.rounds, key("load", 100))
    if load > 95 then
      notes[#notes + 1] = ("%s, %s: the load used %.0f %% of its core, so the rate is a lower " ..
                           "bound; the server's CPU time is good"):format(scenario.name,
                                                                          server.name, load)
    end
  end
end

-- What each server has agreed on and how far it compresses.
local function note_deflate(scenario)
  for _, server in ipairs(scenario.servers) do
    local _, round = next(server.rounds)
    if round and round.deflate then
      notes[#notes + 1] = ("%s, %s: echoes of %d B in the frames' %d; %s"):format(
        scenario.name, server.name, round.size, round.carried, round.deflate)
    end
  end
end

local function print_openings(scenario)
  local what, weft = scenario.what, weft_of(scenario)
  print(("### %s: %s handshakes, %d at once%s\n"):format(scenario.name, what.handshake,
                                                        what.at_once, tls_of(scenario)))
  row("server", "openings/s", "weft to it: openings per CPU second", "server CPU us to open one",
      "openings per CPU second", "resumed %", "p50 us", "p99 us", "server CPU %", "load CPU %",
      "others CPU %")
  row("---", ("--: | "):rep(9) .. "--:")
  for _, server in ipairs(scenario.servers) do
    local rounds = server.rounds
    row(server.name,
        show("%.0f", spread(rounds, key "rate")),
        show("%.2f", spread(rounds, ratio(weft, "server_us", true))),
        show("%.1f", spread(rounds, key "server_us")),
        show("%.0f", spread(rounds, function(round)
          return 1e6 / round.server_us
        end)),
        show("%.0f", spread(rounds, key "resumed")),
        show("%.0f", (spread(rounds, key "p50"))),
        show("%.0f", (spread(rounds, key "p99"))),
        show("%.0f", (spread(rounds, key("server", 100)))),
        show("%.0f", (spread(rounds, key("load", 100)))),
        show("%.0f", (spread(rounds, key("others", 100)))))
  end
  print()
end

local function print_idle(scenario)
  print(("### %s: %d connections that say nothing%s\n"):format(
    scenario.name, scenario.what.connections,
    scenario.what.echoed == 1 and ", after an echo of 4 KiB" or ""))
  row("server", "resident bytes each", "server CPU us to open one", "opened a second",
      "resident KiB in all")
  row("---", "--:", "--:", "--:", "--:")
  for _, server in ipairs(scenario.servers) do
    for _, round in pairs(server.rounds) do
      row(server.name, ("%.0f"):format(round.bytes), ("%.1f"):format(round.open_us),
          ("%.0f"):format(round.opened), ("%.0f"):format(round.rss / 1024))
    end
  end
  print()
end

for line in io.lines(arg[1]) do
  read(line)
end
for _, scenario in ipairs(scenarios) do
  if scenario.what.bytes then
    print_idle(scenario)
  elseif scenario.what.openings then
    print_openings(scenario)
    note_limit(scenario)
  else
    print_echo(scenario)
    note_limit(scenario)
    note_deflate(scenario)
  end
end
for _, note in ipairs(notes) do
  print("- " .. note)
end
