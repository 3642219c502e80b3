-- weft.metrics: what server:stats() tells, as Prometheus reads it. (spec/interop has
-- promtool look at it.)
local case = require "support.case"
local frame = require "support.frame"
local handshake = require "support.handshake"
local raises = require "support.raises"

--- The samples of a text, by what stands before the value, and the types of the
--- families; fails on any line that is none of the format's.
local function parse(text)
  local samples, types, helped = {}, {}, nil
  for line in text:gmatch "([^\n]*)\n" do
    local help = line:match "^# HELP (weft_[a-z_]+) %u.*%.$"
    local name, kind = line:match "^# TYPE (weft_[a-z_]+) (%l+)$"
    local sample, value = line:match "^(weft_[a-z_]+%S*) ([%d.e+-]+)$"
    if help then
      helped = help
    elseif name then
      assert.equal(helped, name)
      types[name] = kind
    else
      assert.is_truthy(sample, line)
      assert.equal(helped, sample:match("^" .. helped) or sample)
      assert.is_nil(samples[sample], sample)
      samples[sample] = tonumber(value)
    end
  end
  assert.equal("\n", text:sub(-1))
  return samples, types
end

local function page(t)
  return function(request)
    return 200, { ["Content-Type"] = "text/plain; version=0.0.4" }, t.weft.metrics(request.server)
  end
end

describe("weft.metrics", function()
  it("is a text of counters, gauges and histograms", case(function(t)
    local samples, types = parse(t.weft.metrics(t:server()))
    for name, kind in pairs(types) do
      assert.equal(name:find "_total$" and "counter" or name:find "_seconds$" and "histogram" or "gauge", kind)
    end
    assert.equal(0, samples["weft_connections_accepted_total"])
    assert.equal(0, samples['weft_refused_total{reason="origin"}'])
    assert.equal(0, samples['weft_closed_total{cause="ping_timeout"}'])
    assert.equal(0, samples['weft_ping_round_trip_seconds_bucket{le="+Inf"}'])
  end))

  it("has what the stats have, with labels", case(function(t)
    local server = t:server { websocket = case.echo }
    local raw = t:upgrade(server)
    raw:send(frame.client.text "x" .. frame.client.close(4321))
    raw:message()
    raw:read_until_closed()
    raw:close()
    assert.equal(403, t:ask(server, handshake.request { headers = { Origin = "http://a.example" } }).status)
    local ws = t:connect(server)
    ws:send "y"
    ws:receive(5)
    local samples, stats = parse(t.weft.metrics(server)), server:stats()
    for name, value in pairs {
      ['weft_connections{kind="websocket"}'] = 1,
      ['weft_connections{kind="http"}'] = stats.connections - 1,
      ['weft_opened_total{kind="websocket"}'] = 2,
      ['weft_refused_total{reason="origin"}'] = 1,
      ['weft_closed_total{cause="peer"}'] = 1,
      ['weft_close_codes_total{code="4xxx"}'] = 1,
      ['weft_messages_total{direction="received"}'] = 2,
      ['weft_messages_total{direction="sent"}'] = 2,
      ['weft_traffic_bytes_total{direction="received"}'] = stats.bytes_received,
      ['weft_traffic_bytes_total{direction="sent"}'] = stats.bytes_sent,
      ['weft_waiting_bytes{direction="sent"}'] = 0,
    } do
      assert.equal(value, samples[name], name)
    end
  end))

  it("has histograms that add up", case(function(t)
    local server = t:server()
    t:connect(server)
    local ws = t:accepted()
    t.weft.metrics(server)
    for _ = 1, 3 do
      ws:ping()
    end
    local samples = parse(t.weft.metrics(server))
    for _, name in ipairs { "weft_ping_round_trip_seconds", "weft_loop_turn_seconds" } do
      local before = 0
      for _, bound in ipairs { "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "+Inf" } do
        local count = samples[name .. '_bucket{le="' .. bound .. '"}']
        assert.is_true(count >= before, name)
        before = count
      end
      assert.equal(before, samples[name .. "_count"])
    end
    assert.equal(3, samples["weft_ping_round_trip_seconds_count"])
    assert.is_true(samples["weft_loop_turn_seconds_count"] > 0)
    assert.is_true(samples["weft_loop_turn_seconds_sum"] > 0)
  end))

  it("is a page, at the server that its request came to", case(function(t)
    local server = t:server { http = { ["/metrics"] = page(t) } }
    t:server { http = { ["/metrics"] = page(t) } }
    local answer = t:http(server, { path = "/metrics" })
    assert.equal("text/plain; version=0.0.4", answer.headers["content-type"])
    local samples = parse(answer.body)
    assert.same({ 1, 1 }, { samples["weft_http_requests_total"], samples["weft_connections_accepted_total"] })
  end))

  it("says which worker it is of, where that is known", case.blocking(function(t)
    local text
    t.weft.serve {
      port = 0, signals = false,
      on_worker = function(_, server)
        text = t.weft.metrics(server)
        t.weft.stop()
      end,
      websocket = print,
    }
    local samples = parse(text)
    for name in pairs(samples) do
      assert.matches('[{,]worker="1"}$', name)
    end
    assert.equal(0, samples['weft_messages_total{direction="sent",worker="1"}'])
    assert.equal(0, samples['weft_ping_round_trip_seconds_bucket{le="0.5",worker="1"}'])
    assert.equal(0, samples['weft_pings_total{worker="1"}'])
  end))

  it("is of servers alone", case(function(t)
    raises(function() t.weft.metrics() end, "weft.metrics", "argument 'server'", "a weft.Server", "nil")
    raises(function() t.weft.metrics(t:server().listener) end, "weft.metrics", "argument 'server'")
  end))
end)

describe("request.server", function()
  it("is the server, for upgrade, for pages and for ws.request", case(function(t)
    local seen = {}
    local server = t:server {
      upgrade = function(request) seen.upgrade = request.server return true end,
      http = function(request) seen.http = request.server return 200 end,
    }
    t:upgrade(server)
    t:http(server)
    assert.same({ server, server, server }, { seen.upgrade, seen.http, t:accepted().request.server })
    local plain = t:server()
    local ws = t:connect(plain)
    assert.equal(plain, t:accepted().request.server)
    assert.is_nil(ws.request.server)
  end))

  it("is nil where there is none", case(function(t)
    local client, server = t.weft.pair()
    assert.is_nil(server.request.server)
    client:abort()
  end))
end)
