local weft = require "weft"
local case = require "support.case"
local raises = require "support.raises"

local LATER = "not supported yet"

describe("what a later version brings", function()
  local served = {
    { "memory_limit", 1000000 },
  }
  for _, pair in ipairs(served) do
    local name, value = pair[1], pair[2]
    it(("is the %s of a server: it raises instead of being ignored (%s)"):format(name, type(value)), case(function(t)
      local options = { port = 0, websocket = print, [name] = value }
      raises(function() t.weft.listen(options) end, "listen", name, LATER)
      raises(function() t.weft.serve(options) end, "serve", name, LATER)
    end))
  end

  it("is the memory_limit of a client", case(function(t)
    raises(function() t.weft.connect("ws://127.0.0.1:9/", { memory_limit = 1000000 }) end, "connect", "memory_limit", LATER)
  end))

  it("may be asked for as what it is now: off", case(function(t)
    local server = t:listen {
      tls = false, proxy_protocol = false, websocket = function(ws) ws:send "plain" end,
    }
    local ws = t:connect(server, { tls = false, proxy = false, redirects = 0 })
    assert.equal("plain", ws:receive(5))
    assert.is_true((ws:wait_closed(5)))
  end))
end)
