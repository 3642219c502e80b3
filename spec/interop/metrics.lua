-- promtool, which is Prometheus' own, reads what weft.metrics says: of a server that
-- has seen something of everything, with and without the label of a worker.
local checks = require "check"
local weft = require "weft"

local check, equal, matches = checks.check, checks.equal, checks.matches

-- What promtool says of a text, and how it ended.
local function promtool(text)
  local name = os.tmpname()
  local file = assert(io.open(name, "w"))
  file:write(text)
  file:close()
  local pipe = assert(io.popen("promtool check metrics < " .. name .. " 2>&1"))
  local said = pipe:read "a"
  local _, _, status = pipe:close()
  os.remove(name)
  return said, status
end

local function approved(text)
  local said, status = promtool(text)
  equal("", said)
  equal(0, status)
end

-- Messages, pings, refusals, closes with and without a code; the text then.
local function use(server)
  local ws = assert(weft.connect(server:url()))
  ws:send "x"
  ws:receive()
  ws:ping()
  ws:close(4001)
  assert(weft.connect(server:url())):abort()
  assert(weft.connect(server:url())):close()
  equal("handshake", (select(3, weft.connect(server:url(), { origin = "http://a.example" }))))
  equal("handshake", (select(3, weft.connect(server:url() .. "/nothing"))))
  local text = weft.metrics(server)
  matches(text, 'weft_opened_total{kind="websocket".-} 3\n', 'reason="origin".-} 1\n', 'code="4xxx".-} 1\n')
  return text
end

local function listen()
  return assert(weft.listen {
    port = 0,
    websocket = { ["/"] = function(ws)
      ws:ping()
      for message in ws:messages() do
        ws:send(message)
      end
    end },
  })
end

check("promtool tells a good text from a bad one", function()
  approved "# HELP a_total Some.\n# TYPE a_total counter\na_total 1\n"
  matches(promtool "# HELP a Some.\n# TYPE a counter\na 1\n", "_total")
  matches(promtool 'a{b="c} 1\n', "error")
end)

check("what a server counts", function()
  local text
  weft.run(function()
    local server = listen()
    approved(weft.metrics(server))
    text = use(server)
    server:close()
  end)
  approved(text)
end)

check("what a worker counts", function()
  local text
  local server = listen()
  weft.spawn(function()
    text = use(server)
    weft.stop()
  end)
  weft.serve(server)
  matches(text, 'worker="1"')
  approved(text)
end)

checks.report()
