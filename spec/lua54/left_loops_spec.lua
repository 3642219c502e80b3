-- A generic for whose loop is left closes what it went through: Lua 5.4 and
-- later.  Elsewhere this folder is left out.
-- luacheck: ignore 512 (loops that are left in their first round)
local case = require "support.case"

for name, kind in pairs { ["in a task"] = case.task, ["on the main thread"] = case.blocking } do
  describe("the connection of a loop over weft.reconnecting, " .. name .. ",", function()
    local function open(t)
      return t.weft.reconnecting(t:url(t:server { websocket = case.echo }))
    end

    local function check_left(ws)
      assert.is_true(ws.state == "closing" or ws.state == "closed")
      assert.is_true((ws:wait_closed(5)))
      assert.same({ 1000, 1000 }, { ws.sent_code, ws.close_code })
      assert.equal("local", ws.close_cause)
    end

    it("closes when the loop is left by a break", kind(function(t)
      local left
      for ws in open(t) do
        left = ws
        break
      end
      check_left(left)
    end))

    it("closes when it is left by an error", kind(function(t)
      local left
      local ok, err = pcall(function()
        for ws in open(t) do
          left = ws
          error("mine", 0)
        end
      end)
      assert.same({ false, "mine" }, { ok, err })
      check_left(left)
    end))

    it("closes when it is left by a return", kind(function(t)
      local function first()
        for ws in open(t) do
          return ws
        end
      end
      check_left(first())
    end))

    it("closes when it is left by a goto", kind(function(t)
      local left
      for ws in open(t) do
        left = ws
        goto out
      end
      ::out::
      check_left(left)
    end))
  end)
end

describe("the main thread", function()
  it("waits for the end when it leaves such a loop", case.blocking(function(t)
    local left
    for ws in t.weft.reconnecting(t:url(t:server { websocket = case.echo })) do
      left = ws
      break
    end
    assert.same({ "closed", 1000 }, { left.state, left.close_code })
  end))
end)
