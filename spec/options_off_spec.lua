local case = require "support.case"

describe("an option that asks for nothing", function()
  it("is taken as what it is: off", case(function(t)
    local server = t:listen {
      tls = false, proxy_protocol = false, websocket = function(ws) ws:send "plain" end,
    }
    local ws = t:connect(server, { tls = false, proxy = false, redirects = 0 })
    assert.equal("plain", ws:receive(5))
    assert.is_true((ws:wait_closed(5)))
  end))
end)
