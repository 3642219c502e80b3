-- The report in Markdown: a table for each scenario, every round folded away
-- below it, and what else there is to say.
local results = require "report.results"

local key, ratio, spread = results.key, results.ratio, results.spread
local has_rate = results.has_rate

local lines

local function say(format, ...)
  lines[#lines + 1] = select("#", ...) > 0 and format:format(...) or format
end

local function row(cells)
  say("%s", "| " .. table.concat(cells, " | ") .. " |")
end

local function header(cells)
  row(cells)
  say("%s", "| --- |" .. (" --: |"):rep(#cells - 1))
end

local function show(format, median, least, greatest)
  if not median then
    return "-"
  elseif least == greatest or not least then
    return format:format(median)
  end
  return ("%s (%s to %s)"):format(format:format(median), format:format(least),
                                  format:format(greatest))
end

-- What a scenario counts, what its latency is, and where the load is a bound.
local echo = { many = "echoes", one = "echo", cpu = "%.2f", latency = { "p50", "p99", "p999" } }
local delivery = { many = "deliveries", one = "delivery", cpu = "%.3f", latency = echo.latency,
                   means = "Latency is from a message's sending to its last delivery." }
local opening = { many = "openings", one = "opening", cpu = "%.1f",
                  latency = { "p50", "p99", "resumed" } }
local titles = { resumed = "resumed %", p50 = "p50 us", p99 = "p99 us", p999 = "p99.9 us" }

local function counts(scenario)
  local what = scenario.what
  return what.openings and opening or what.broadcast == 1 and delivery or echo
end

-- The same ratio as that of messages per CPU second, of the medians of all rounds.
local function of_medians(ours, server)
  local a, b = ours and spread(ours, key "server_us"), spread(server, key "server_us")
  return a and b and ("%.2f"):format(b / a) or "-"
end

local function print_rates(scenario)
  local unit, weft = counts(scenario), results.server(scenario, "weft")
  local columns = { "server", unit.many .. "/s", "**weft to it: " .. unit.many .. "/s**",
                    "**weft to it: " .. unit.many .. " per CPU second**", "the same of medians",
                    "server CPU us/" .. unit.one }
  for _, name in ipairs(unit.latency) do
    columns[#columns + 1] = titles[name]
  end
  table.move({ "server CPU %", "load CPU %" }, 1, 2, #columns + 1, columns)
  header(columns)
  for _, server in ipairs(scenario.servers) do
    local cells = {
      server.name,
      show("%.0f", spread(server, key "rate")),
      show("%.2f", spread(server, ratio(weft, "rate"))),
      show("%.2f", spread(server, ratio(weft, "server_us", true))),
      of_medians(weft, server),
      show(unit.cpu, spread(server, key "server_us")),
    }
    for _, name in ipairs(unit.latency) do
      cells[#cells + 1] = show("%.0f", (spread(server, key(name))))
    end
    cells[#cells + 1] = show("%.0f", (spread(server, key("server", 100))))
    cells[#cells + 1] = show("%.0f", (spread(server, key("load", 100))))
    row(cells)
  end
  say ""
  if unit.means then
    say(unit.means .. "\n")
  end
end

-- weft's other server beside the same peers, in the same rounds.
local function print_events(scenario)
  local ours, unit = results.server(scenario, "weft-events"), counts(scenario)
  if not ours then
    return
  end
  say("With events instead of a coroutine:\n")
  header { "server", "**weft-events to it: " .. unit.many .. "/s**",
           "**weft-events to it: " .. unit.many .. " per CPU second**",
           "the same of medians" }
  for _, server in ipairs(scenario.servers) do
    if server ~= ours then
      row { server.name, show("%.2f", spread(server, ratio(ours, "rate"))),
            show("%.2f", spread(server, ratio(ours, "server_us", true))),
            of_medians(ours, server) }
    end
  end
  say ""
end

-- A server that is as fast as the load was not measured to its end.
local function print_limits(scenario)
  local names = {}
  for _, server in ipairs(scenario.servers) do
    local load = spread(server, key("load", 100))
    if load and load > 95 then
      names[#names + 1] = ("%s (%.0f %%)"):format(server.name, load)
    end
  end
  if #names > 0 then
    say("The load is the limit, with more than 95 %% of its core, for %s: these rates are lower " ..
        "bounds, and the server's CPU time tells them apart.\n", table.concat(names, ", "))
  end
end

-- What the servers have agreed on over TLS; and how far each compresses.
local function print_agreements(scenario)
  local ciphers, names = {}, {}
  for _, server in ipairs(scenario.servers) do
    local _, round = next(server.rounds)
    local tls = round and round.tls or " "
    if tls ~= " " and not names[tls] then
      ciphers[#ciphers + 1], names[tls] = tls, {}
    end
    table.insert(names[tls] or {}, server.name)
    if round and (round.deflate or " ") ~= " " then
      say("- %s: %d B of echoes in the frames' %d; %s", server.name, round.size, round.carried,
          round.deflate)
    end
  end
  for _, tls in ipairs(ciphers) do
    say("- %s: %s", tls, table.concat(names[tls], ", "))
  end
  say ""
end

-- Each round's figure, in the order of rounds.
local function list(server, format, of)
  local last, words = 0, {}
  for i in pairs(server.rounds) do
    last = math.max(last, i)
  end
  for i = 1, last do
    local round = server.rounds[i]
    if round then
      local value = of(round)
      words[#words + 1] = value and format:format(value) or "-"
    end
  end
  return table.concat(words, " ")
end

local function print_rounds(scenario)
  local unit = counts(scenario)
  say("<details><summary>Every round of %s</summary>\n", scenario.name)
  header { "server", "round", unit.many .. "/s", "server CPU us/" .. unit.one, "p99 us",
           "load CPU %", "others CPU %" }
  for _, server in ipairs(scenario.servers) do
    local numbers = { name = server.name, rounds = {} }
    for i in pairs(server.rounds) do
      numbers.rounds[i] = { number = i }
    end
    row { server.name, list(numbers, "%d", key "number"), list(server, "%.0f", key "rate"),
          list(server, unit.cpu, key "server_us"), list(server, "%.0f", key "p99"),
          list(server, "%.0f", key("load", 100)), list(server, "%.0f", key("others", 100)) }
  end
  say ""
  for _, dropped in ipairs(scenario.dropped) do
    say("- dropped: %s, round %d: %.0f %s/s, while others used %.0f %% of a core", dropped.server,
        dropped.round, dropped.values.rate, unit.many, dropped.values.others * 100)
  end
  say "\n</details>\n"
end

local function print_idle(scenario)
  header { "server", "resident bytes each", "server CPU us to open one", "opened a second",
           "resident KiB in all" }
  for _, server in ipairs(scenario.servers) do
    for _, round in pairs(server.rounds) do
      row { server.name, ("%.0f"):format(round.bytes), ("%.1f"):format(round.open_us),
            ("%.0f"):format(round.opened), ("%.0f"):format(round.rss / 1024) }
    end
  end
  say ""
end

-- Here less is better, so the ratios are turned as those of CPU time are.
local function print_closing(scenario)
  local weft = results.server(scenario, "weft")
  local function milliseconds(server, name)
    return show("%.0f", spread(server, key(name, 1000)))
  end
  header { "server", "all have read 1001, ms", "all streams ended, ms", "process ended, ms",
           "**weft to it: closings/s**", "server CPU us/closing",
           "**weft to it: closings per CPU second**" }
  for _, server in ipairs(scenario.servers) do
    row { server.name, milliseconds(server, "told"), milliseconds(server, "over"),
          milliseconds(server, "ended"), show("%.2f", spread(server, ratio(weft, "ended", true))),
          show("%.1f", spread(server, key "server_us")),
          show("%.2f", spread(server, ratio(weft, "server_us", true))) }
  end
  say("\nTimes are from SIGTERM on; every client answers at once. Rates are to the process's end: " ..
      "a server may end its streams with the 1001, and read the answers later.\n")
end

local function print_scenario(scenario)
  say("### %s: %s\n", scenario.name, results.describe(scenario))
  if scenario.what.bytes then
    return print_idle(scenario)
  elseif scenario.what.told then
    return print_closing(scenario)
  end
  print_rates(scenario)
  print_limits(scenario)
  print_agreements(scenario)
  print_events(scenario)
  print_rounds(scenario)
end

-- For each scenario what one of weft's servers does, to what the others do.
local function print_short_of(scenario, ours, others)
  local cells = { scenario.name .. (ours.name == "weft" and "" or ", " .. ours.name) }
  for _, name in ipairs(others) do
    local server = results.server(scenario, name)
    local rate = server and spread(server, ratio(ours, "rate"))
    local cpu = server and spread(server, ratio(ours, "server_us", true))
    cells[#cells + 1] = rate and cpu and ("%.2f / %.2f"):format(rate, cpu) or ""
  end
  row(cells)
end

local function print_short(scenarios)
  local others, seen, columns = {}, {}, { "weft to" }
  for _, scenario in ipairs(scenarios) do
    for _, server in ipairs(has_rate(scenario) and scenario.servers or {}) do
      if not seen[server.name] and not server.name:find("^weft") then
        seen[server.name] = true
        others[#others + 1] = server.name
      end
    end
  end
  if #others == 0 then
    return
  end
  say("### In short: weft to each of the others\n")
  say("What each does in a second / in a second of the server's CPU time, as a ratio: above 1 " ..
      "where weft does more.\n")
  table.move(others, 1, #others, 2, columns)
  header(columns)
  for _, scenario in ipairs(scenarios) do
    for _, server in ipairs(has_rate(scenario) and scenario.servers or {}) do
      if server.name:find("^weft") then
        print_short_of(scenario, server, others)
      end
    end
  end
  say ""
end

-- The same servers under two loads, one of which is not ours.
local function print_check(scenarios)
  if #scenarios == 0 then
    return
  end
  say("### The same servers under another load\n")
  say("k6 is a program of others, with one message outstanding on each connection. Where its " ..
      "core is the limit, what a message costs the server is to be compared, not the rate; and a " ..
      "server that waits for its load has one message at a time, as with one connection.\n")
  header { "load", "server", "echoes/s", "server CPU us/echo", "weft to it: echoes per CPU second",
           "server CPU %", "load CPU %" }
  for _, scenario in ipairs(scenarios) do
    local weft = results.server(scenario, "weft")
    for _, server in ipairs(scenario.servers) do
      row { (scenario.name == "check-k6" and "k6: " or "ours: ") .. results.describe(scenario),
            server.name, show("%.0f", spread(server, key "rate")),
            show("%.2f", spread(server, key "server_us")),
            show("%.2f", spread(server, ratio(weft, "server_us", true))),
            show("%.0f", (spread(server, key("server", 100)))),
            show("%.0f", (spread(server, key("load", 100)))) }
    end
  end
  say ""
  for _, scenario in ipairs(scenarios) do
    print_rounds(scenario)
  end
end

-- How many measurements there are, and how many do not count.
local function count(scenarios)
  local kept, dropped = 0, 0
  for _, scenario in ipairs(scenarios) do
    dropped = dropped + #scenario.dropped
    for _, server in ipairs(scenario.servers) do
      for _ in pairs(server.rounds) do
        kept = kept + 1
      end
    end
  end
  return kept, dropped
end

local function print_plan(measured)
  local plan = measured.plan
  local kept, dropped = count(measured.scenarios)
  say("%s.\n", measured.machine)
  say("%d rounds of %g s after %g s, interleaved; %d of them with the peers that `make bench` " ..
      "installs (but ws, which is in all). The server on core %d, the load on core %d. Medians, " ..
      "with least and greatest; ratios are medians of the ratios of one round, unless they are of " ..
      "medians. Latency is that of the load, all its messages being outstanding.\n",
      plan.rounds, plan.seconds, plan.warmup, plan.peer_rounds, plan.server_core, plan.load_core)
  say("A measurement is dropped when other processes used more than %g %% of a core meanwhile, " ..
      "for nothing else, and is taken again at once, %d times at most. %d were kept and %d " ..
      "dropped.\n", plan.others * 100, plan.retries, kept, dropped)
end

local function print_versions(measured)
  say("### Versions and what is missing\n")
  for _, of in ipairs(measured.versions) do
    local texts = { of.text }
    texts[#texts + 1] = of.note
    say("- %s: %s", of.name, table.concat(texts, "; "))
  end
  for _, note in ipairs(measured.notes) do
    say("- %s", note)
  end
end

return function(measured)
  local scenarios, checks = {}, {}
  for _, scenario in ipairs(measured.scenarios) do
    table.insert(scenario.name:find("^check%-") and checks or scenarios, scenario)
  end
  lines = {}
  print_plan(measured)
  print_short(scenarios)
  for _, scenario in ipairs(scenarios) do
    print_scenario(scenario)
  end
  print_check(checks)
  print_versions(measured)
  local text = (table.concat(lines, "\n") .. "\n"):gsub("\n\n\n+", "\n\n")
  return text
end
