--- weft.metrics: what a server counts, in Prometheus' text exposition format,
--- version 0.0.4.  Internal.
---
--- Names and values of labels are words of weft's own, so nothing is escaped.

local compat = require "weft.compat"

local metrics = {}

local ROUND_TRIPS = { 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10 }
local TURNS = { 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1 }

-- Name, type and help; from the stats, a number or numbers by the label's value; and
-- the label.
local families = {
  { "weft_connections", "gauge", "Connections that there are now.", function(stats)
    return {
      websocket = stats.websockets,
      event_stream = stats.event_streams,
      http = stats.connections - stats.websockets - stats.event_streams,
    }
  end, "kind" },
  { "weft_opening", "gauge", "Connections at a handshake or at the head of a request.", function(stats)
    return stats.opening
  end },
  { "weft_fallback_sessions", "gauge", "Sessions of weft.fallback that there are now.", function(stats)
    return stats.fallback_sessions
  end },
  { "weft_connections_accepted_total", "counter", "Connections accepted.", function(stats)
    return stats.accepted
  end },
  { "weft_opened_total", "counter", "WebSockets and event streams that were opened.", function(stats)
    return { websocket = stats.upgraded, event_stream = stats.event_streams_begun }
  end, "kind" },
  { "weft_http_requests_total", "counter", "Plain HTTP requests.", function(stats)
    return stats.requests
  end },
  { "weft_refused_total", "counter", "Handshakes and requests that were refused.", function(stats)
    return stats.refused_by
  end, "reason" },
  { "weft_over_address_total", "counter", "Connections past max_connections_per_address.", function(stats)
    return stats.over_address
  end },
  { "weft_over_rate_total", "counter", "WebSockets closed for the rate of what they sent.", function(stats)
    return stats.over_rate
  end },
  { "weft_over_memory_total", "counter", "Connections closed because memory_limit was passed.", function(stats)
    return stats.over_memory
  end },
  { "weft_closed_total", "counter", "WebSockets and event streams that ended.", function(stats)
    return stats.closed_by_cause
  end, "cause" },
  { "weft_close_codes_total", "counter", "WebSockets that ended, by the close code.", function(stats)
    return stats.closed_by_code
  end, "code" },
  { "weft_messages_total", "counter", "Messages and events.", function(stats)
    return { received = stats.messages_received, sent = stats.messages_sent }
  end, "direction" },
  { "weft_traffic_bytes_total", "counter", "Bytes of all connections, inside TLS.", function(stats)
    return { received = stats.bytes_received, sent = stats.bytes_sent }
  end, "direction" },
  { "weft_waiting_bytes", "gauge", "Bytes that are sent and have not left, or have come and were not taken.", function(stats)
    return { received = stats.unread, sent = stats.queued }
  end, "direction" },
  { "weft_pings_total", "counter", "Pings sent.", function(stats)
    return stats.pings
  end },
}

-- Where the locale has a comma, the format has not.
local function number(value)
  return (("%.14g"):format(value):gsub(",", "."))
end

-- What is written: its lines, and the label that all samples bear.
local Page = {}
Page.__index = Page

function Page:add(line)
  self[#self + 1] = line
end

function Page:head(name, kind, help)
  self:add(("# HELP %s %s"):format(name, help))
  self:add(("# TYPE %s %s"):format(name, kind))
end

function Page:sample(name, label, value)
  local labels = label and self.worker and label .. "," .. self.worker or label or self.worker
  self:add(("%s%s %s"):format(name, labels and "{" .. labels .. "}" or "", value))
end

local function sorted_keys(values)
  local keys = {}
  for key in pairs(values) do
    keys[#keys + 1] = key
  end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  return keys
end

function Page:family(name, kind, help, value, label)
  self:head(name, kind, help)
  if not label then
    self:sample(name, nil, value)
    return
  end
  for _, key in ipairs(sorted_keys(value)) do
    self:sample(name, ('%s="%s"'):format(label, key), value[key])
  end
end

function Page:histogram(name, help, bounds, within, count, sum)
  self:head(name, "histogram", help)
  for i, bound in ipairs(bounds) do
    self:sample(name .. "_bucket", ('le="%s"'):format(number(bound)), within[i])
  end
  self:sample(name .. "_bucket", 'le="+Inf"', count)
  self:sample(name .. "_sum", nil, number(sum))
  self:sample(name .. "_count", nil, count)
end

--- The text for a server.
---@param server weft.Server
---@param worker? integer which process this is, where it is known
---@return string
function metrics.text(server, worker)
  local page = setmetatable({ worker = worker and ('worker="%d"'):format(worker) }, Page)
  local stats = server:stats()
  for _, family in ipairs(families) do
    local name, kind, help, of, label = compat.unpack(family)
    page:family(name, kind, help, of(stats), label)
  end
  page:histogram("weft_ping_round_trip_seconds", "From a ping to its pong.",
                 ROUND_TRIPS, server:spread("round_trip", ROUND_TRIPS))
  page:histogram("weft_loop_turn_seconds", "How long turns of the event loop take.",
                 TURNS, server:spread("turn", TURNS))
  page:add ""
  return table.concat(page, "\n")
end

return metrics
