--- What a load measured, for people and for machines.  Internal.

local figures = {}

-- Above this share of its core a load may be slower than the server.
local BUSY = 0.95

--- "1,234,567"
---@param number number
---@return string
function figures.count(number)
  local text = ("%.0f"):format(number)
  local grouped = text:reverse():gsub("(%d%d%d)", "%1,"):reverse()
  return (grouped:gsub("^,", ""))
end

--- Microseconds, with the unit that suits them.
---@param us number
---@return string
function figures.time(us)
  if us < 1000 then
    return ("%.0f us"):format(us)
  elseif us < 1e6 then
    return ("%.3g ms"):format(us / 1e3)
  end
  return ("%.2f s"):format(us / 1e6)
end

local function bytes(number)
  if number < 1e3 then
    return ("%.0f B"):format(number)
  elseif number < 1e6 then
    return ("%.1f KB"):format(number / 1e3)
  end
  return ("%.1f MB"):format(number / 1e6)
end

local function opened_rate(r)
  return r.opening_seconds > 0 and r.opened / r.opening_seconds or 0
end

local function kind(plan)
  return plan.binary and "binary" or "text"
end

-- "each" of one connection would be odd.
local function what(plan)
  local one, alone = plan.connections == 1, plan.depth == 1
  return ("%d connection%s, %d message%s of %d bytes (%s) outstanding%s"):format(
    plan.connections, one and "" or "s", plan.depth, alone and "" or "s",
    plan.size, kind(plan), one and "" or " on each")
end

--- The report for people, a few lines.
---@param plan weft.LoadPlan
---@param r weft.LoadReport
---@param url string
---@param early boolean ended by a signal
---@return string
function figures.text(plan, r, url, early)
  local lines = {}
  local function line(name, ...)
    lines[#lines + 1] = ("  %-12s %s\n"):format(name, (...):format(select(2, ...)))
  end
  lines[1] = ("%s: %s\n"):format(url, what(plan))
  line("opened", "%s connections/s (%s in %s)", figures.count(opened_rate(r)),
       figures.count(r.opened), figures.time(r.opening_seconds * 1e6))
  line("messages", "%s/s (%s in %.2f s%s)", figures.count(r.rate), figures.count(r.echoes),
       r.seconds, early and ", ended early" or "")
  line("payload", "%s/s each way", bytes(r.rate * plan.size))
  line("latency", "p50 %s, p99 %s, p99.9 %s, max %s", figures.time(r.p50),
       figures.time(r.p99), figures.time(r.p999), figures.time(r.max))
  if r.tls_version ~= "" then
    line("TLS", "%s, %s", r.tls_version, r.tls_cipher)
  end
  if r.deflate ~= "" then
    line("compression", "%s; %.0f bytes each on the way back", r.deflate, r.carried)
  end
  line("load", "%.0f %% of a core", r.cpu * 100)
  if r.cpu > BUSY then
    lines[#lines + 1] = "The load used all of its core: the server may be faster than this.\n"
  end
  return table.concat(lines)
end

local function quoted(text)
  return '"' .. text:gsub('[%c"\\]', function(character)
    return ("\\u%04x"):format(character:byte())
  end) .. '"'
end

--- The report for machines, one JSON object; times in microseconds.
---@param plan weft.LoadPlan
---@param r weft.LoadReport
---@param url string
---@param early boolean ended by a signal
---@return string
function figures.json(plan, r, url, early)
  local members = {}
  local function add(name, format, ...)
    members[#members + 1] = ('"%s":' .. format):format(name, ...)
  end
  add("url", "%s", quoted(url))
  add("connections", "%d", plan.connections)
  add("depth", "%d", plan.depth)
  add("size", "%d", plan.size)
  add("kind", "%s", quoted(kind(plan)))
  add("tls", "%s", quoted((r.tls_version .. " " .. r.tls_cipher):gsub("^ $", "")))
  add("deflate", "%s", quoted(r.deflate))
  add("carried", "%.0f", r.carried)
  add("opened_rate", "%.1f", opened_rate(r))
  add("seconds", "%.3f", r.seconds)
  add("echoes", "%d", r.echoes)
  add("rate", "%.1f", r.rate)
  add("bytes_rate", "%.1f", r.rate * plan.size)
  add("p50", "%.1f", r.p50)
  add("p99", "%.1f", r.p99)
  add("p999", "%.1f", r.p999)
  add("max", "%.1f", r.max)
  add("load", "%.3f", r.cpu)
  add("lower_bound", "%s", tostring(r.cpu > BUSY))
  add("early", "%s", tostring(early))
  return "{" .. table.concat(members, ",") .. "}\n"
end

return figures
