-- Blocks of memory that a Lua state frees and gets again while a server is
-- served: nothing of it shows.
local core = require "weft.core"
local case = require "support.case"

--- Makes and drops strings and tables of many sizes; raises when one changes.
local function churn()
  for round = 1, 20 do
    local kept = {}
    for i = 1, 300 do
      local size = (i * 37 + round * 11) % 700
      kept[i] = { ("%d "):format(i):rep(size), size }
    end
    for i, entry in ipairs(kept) do
      assert(entry[1] == ("%d "):format(i):rep(entry[2]))
    end
    kept = nil -- luacheck: ignore
    collectgarbage()
    for size = 30000, 300000, 30000 do
      assert(#("x"):rep(size + round) == size + round)
    end
    collectgarbage()
  end
end

describe("blocks that are kept", function()
  it("are as good as new ones", function()
    local blocks = core.keep_blocks()
    assert.is_userdata(blocks)
    churn()
    core.free_blocks(blocks)
    churn()
  end)

  it("are kept once", function()
    local blocks = core.keep_blocks()
    assert.is_nil(core.keep_blocks())
    core.free_blocks(blocks)
    core.free_blocks(blocks)
    local again = core.keep_blocks()
    assert.is_userdata(again)
    core.free_blocks(again)
  end)

  it("go when nobody holds them", function()
    core.keep_blocks()
    collectgarbage()
    collectgarbage()
    local blocks = core.keep_blocks()
    assert.is_userdata(blocks)
    core.free_blocks(blocks)
  end)

  it("need what they are given", function()
    assert.is_false(pcall(core.free_blocks, {}))
    assert.is_false(pcall(core.free_blocks, io.stdout))
  end)

  it("go when weft.serve ends", case.blocking(function(t)
    local function served(websocket)
      local kept
      local server = assert(t.weft.listen { port = 0, websocket = function(ws)
        kept = core.keep_blocks() == nil
        websocket(ws)
      end })
      t.weft.spawn(function()
        local client = assert(t.weft.connect(server:url()))
        client:receive(1)
        client:close()
        server:close(1)
      end)
      assert.is_true(t.weft.serve(server))
      return kept
    end
    assert.is_true(served(function(ws)
      ws:send(("x"):rep(100000))
    end))
    local blocks = core.keep_blocks()
    assert.is_userdata(blocks)
    core.free_blocks(blocks)
  end))
end)
