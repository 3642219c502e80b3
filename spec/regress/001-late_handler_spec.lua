-- server:close returned while the handler of a connection that had closed was
-- still at work (saving after its loop, say), and a script that ended behind
-- weft.serve took that handler down with it.
local case = require "support.case"

describe("server:close", function()
  it("waits for a handler that outlives its connection", case(function(t)
    local saved
    local listening = t:listen { websocket = function(ws)
      for _ in ws:messages() do end
      t.weft.sleep(0.05)
      saved = true
    end }
    local ws = t:connect(listening)
    assert.is_true(ws:close())
    assert.is_nil(saved)
    assert.is_true(listening:close(5))
    assert.is_true(saved)
  end))

  it("cancels such a handler when the grace is over", case(function(t)
    local why
    local listening = t:listen { websocket = function(ws)
      for _ in ws:messages() do end
      why = select(2, t.weft.sleep(60))
    end }
    local ws = t:connect(listening)
    assert.is_true(ws:close())
    assert.is_true(listening:close(0.05))
    assert.equal("cancelled", why)
  end))
end)
