-- An echo server, and what it counts for Prometheus: at ports of their own, which
-- only this machine reaches.  Each worker tells of itself:
--
--   lua5.4 examples/metrics.lua
--   ./bin/weft bench ws://127.0.0.1:8080
--   curl http://127.0.0.1:9401/metrics http://127.0.0.1:9402/metrics
local weft = require "weft"

local function tell(worker, server)
  assert(weft.listen {
    port = 9400 + worker,
    reuse_port = true, -- who takes its place (SIGHUP) may be there before it has gone
    http = { ["/metrics"] = function()
      return 200, { ["Content-Type"] = "text/plain; version=0.0.4" }, weft.metrics(server)
    end },
  })
end

weft.serve {
  port = 8080,
  workers = 2,
  on_worker = tell,
  websocket = function(ws)
    for message, kind in ws:messages() do
      ws:send(message, kind)
    end
  end,
}
