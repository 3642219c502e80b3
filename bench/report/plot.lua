-- The plot, an SVG: for each of some scenarios a bar for each server, as long as
-- what it does in a second, and a thin one as long as what it would do in a
-- second of CPU time. The picture has a ground of its own, light or dark, so it
-- can be read on any page.
local results = require "report.results"

local key, spread = results.key, results.spread

local WIDTH, COLUMNS, MARGIN = 960, 2, 20
local LINE, HEAD, GAP, TOP, BOTTOM = 17, 26, 22, 86, 14
local NAMES, FIGURES = 116, 64 -- the room of what stands before and after bars

local shown = { "text-1", "text-16", "binary-16K", "binary-1M", "broadcast-1", "broadcast-16",
                "openings", "wss-text-16" }

local style = [[
  .ground { fill: #ffffff; stroke: #d0d7de; }
  text { font: 11px -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
  .title { font-size: 16px; font-weight: 600; }
  .head { font-size: 12px; font-weight: 600; }
  .quiet { fill: #59636e; }
  .ours { font-weight: 600; }
  .weft { fill: #0969da; } .weft-events { fill: #54aeff; }
  .peer { fill: #8c959f; } .floor { fill: #d4a72c; }
  .cpu { opacity: 0.55; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; stroke: #3d444d; }
    text { fill: #f0f6fc; }
    .quiet { fill: #9198a1; }
    .weft { fill: #4493f8; } .weft-events { fill: #a5d6ff; }
    .peer { fill: #6e7681; } .floor { fill: #bb8009; }
  }
]]

local classes = { weft = "weft", ["weft-events"] = "weft-events", ["raw-tcp"] = "floor" }

local function class(name)
  return classes[name] or "peer"
end

local function escape(text)
  return (text:gsub("[&<>]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;" }))
end

local function text(x, y, classes_of, what, anchor)
  return ('<text x="%g" y="%g" class="%s"%s>%s</text>'):format(
    x, y, classes_of, anchor and ' text-anchor="' .. anchor .. '"' or "", escape(what))
end

local function bar(x, y, width, height, classes_of, tip)
  return ('<rect x="%g" y="%g" width="%.1f" height="%g" rx="1" class="%s"><title>%s</title></rect>')
    :format(x, y, math.max(width, 0.5), height, classes_of, escape(tip))
end

-- 1234567 -> 1.23 M
local function short(value)
  for _, unit in ipairs { { 1e6, " M" }, { 1e3, " k" } } do
    if value >= unit[1] then
      local scaled = value / unit[1]
      return (scaled >= 100 and "%.0f%s" or scaled >= 10 and "%.1f%s" or "%.2f%s"):format(
        scaled, unit[2])
    end
  end
  return ("%.0f"):format(value)
end

-- What each server did, the most first; and the greatest figure.
local function bars(scenario)
  local list, most = {}, 0
  for _, server in ipairs(scenario.servers) do
    local rate, cpu = spread(server, key "rate"), spread(server, key "server_us")
    if rate then
      local per_cpu = cpu and cpu > 0 and 1e6 / cpu or 0
      list[#list + 1] = { name = server.name, rate = rate, per_cpu = per_cpu }
      most = math.max(most, rate, per_cpu)
    end
  end
  table.sort(list, function(a, b)
    return a.rate > b.rate
  end)
  return list, most
end

local function height(scenario)
  return HEAD + #bars(scenario) * LINE + GAP
end

local function unit(scenario)
  return scenario.what.openings and "openings/s" or
         scenario.what.broadcast == 1 and "deliveries/s" or "echoes/s"
end

local function draw(out, scenario, x, y, width)
  local list, most = bars(scenario)
  local scale = (width - NAMES - FIGURES) / most
  out[#out + 1] = text(x, y + 12, "head", results.describe(scenario))
  out[#out + 1] = text(x + width, y + 12, "quiet", unit(scenario), "end")
  for i, server in ipairs(list) do
    local at, ours = y + HEAD + (i - 1) * LINE, server.name == "weft" and "ours" or ""
    local tip = ("%s: %s %s; %s per CPU second"):format(server.name, short(server.rate),
                                                        unit(scenario), short(server.per_cpu))
    out[#out + 1] = text(x + NAMES - 6, at + 9, ours, server.name, "end")
    out[#out + 1] = bar(x + NAMES, at, server.rate * scale, 8, class(server.name), tip)
    out[#out + 1] = bar(x + NAMES, at + 9, server.per_cpu * scale, 3,
                        class(server.name) .. " cpu", tip)
    out[#out + 1] = text(x + width, at + 9, ours, short(server.rate), "end")
  end
end

local function legend(out, measured)
  out[#out + 1] = text(MARGIN, 32, "title", "Servers side by side, one core each")
  out[#out + 1] = text(MARGIN, 50, "quiet", measured.machine or "")
  local x = MARGIN
  for _, item in ipairs { { "weft", "weft" }, { "weft-events", "weft with events" },
                          { "peer", "others" }, { "floor", "plain TCP, the floor" } } do
    out[#out + 1] = bar(x, 62, 12, 8, item[1], item[2])
    out[#out + 1] = text(x + 17, 70, "", item[2])
    x = x + 34 + #item[2] * 6
  end
  out[#out + 1] = bar(x, 62, 12, 8, "peer", "")
  out[#out + 1] = text(x + 17, 70, "", "thick: in a second")
  out[#out + 1] = bar(x + 134, 65, 12, 3, "peer cpu", "")
  out[#out + 1] = text(x + 151, 70, "", "thin: in a second of the server's CPU time")
end

return function(measured)
  local out, chosen = {}, {}
  for _, name in ipairs(shown) do
    local scenario = results.server({ servers = measured.scenarios }, name)
    if scenario and #bars(scenario) > 0 then
      chosen[#chosen + 1] = scenario
    end
  end
  local width = (WIDTH - MARGIN * (COLUMNS + 1)) / COLUMNS
  local y, tallest = TOP, 0
  legend(out, measured)
  for i, scenario in ipairs(chosen) do
    local column = (i - 1) % COLUMNS
    if column == 0 then
      y, tallest = y + tallest, 0
    end
    draw(out, scenario, MARGIN + column * (width + MARGIN), y, width)
    tallest = math.max(tallest, height(scenario))
  end
  local tall = y + tallest + BOTTOM
  return ([[
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" width="%g" height="%g" role="img">
<title>What weft and other servers do in a second</title>
<style>
%s</style>
<rect x="0.5" y="0.5" width="%g" height="%g" rx="6" class="ground"/>
%s
</svg>
]]):format(WIDTH, tall, WIDTH, tall, style, WIDTH - 1, tall - 1, table.concat(out, "\n"))
end
