-- More connections than keep what they move bytes with: those that say nothing
-- give it back, and must do everything as if they had not.
local case = require "support.case"

local PAIRS = 300

-- Pairs that have all been silent for some turns.
local function crowd(t)
  local all = {}
  for index = 1, PAIRS do
    local client, server = t.weft.pair()
    all[index] = { client = client, server = server }
  end
  t.weft.sleep(0.01)
  t.weft.sleep(0.01)
  return all
end

local function each(all, fn)
  for index, pair in ipairs(all) do
    fn(pair.client, pair.server, index)
  end
end

local function drop(all)
  each(all, function(client, server)
    client:abort()
    server:abort()
  end)
end

describe("many idle connections", function()
  it("talk, in messages short, long and in pieces", case(function(t)
    local all, long = crowd(t), ("x"):rep(20000)
    each(all, function(client, server, index)
      assert.is_true(client:send(index .. " says"))
      assert.is_true(server:send(long, "binary"))
    end)
    each(all, function(client, server, index)
      assert.same({ index .. " says", "text" }, { server:receive(5) })
      assert.same({ long, "binary" }, { client:receive(5) })
    end)
    t.weft.sleep(0.01)
    each(all, function(client, server)
      local writer = client:writer()
      writer:write "in pie"
      t.weft.sleep(0)
      writer:write "ces"
      writer:close()
      local got = {}
      for chunk in server:chunks() do
        got[#got + 1] = chunk
      end
      assert.equal("in pieces", table.concat(got))
    end)
    drop(all)
  end, 60))

  it("answer pings, and hear what a room says", case(function(t)
    local all, room = crowd(t), t.weft.room()
    each(all, function(client, server)
      assert.is_number(client:ping(5))
      assert.is_true(room:join(server))
    end)
    t.weft.sleep(0.01)
    assert.same({ PAIRS, 0 }, { room:send "to all" })
    each(all, function(client)
      assert.equal("to all", client:receive(5))
    end)
    drop(all)
  end, 60))

  it("are closed, with their code, and collected", case(function(t)
    local all = crowd(t)
    each(all, function(client, server, index)
      assert.equal("open", server.state)
      assert.equal(0, server.buffered)
      assert.is_true(client:close(4000 + index % 2, "done"))
      assert.same({ true, 4000 + index % 2, "done" }, { server:wait_closed(5) })
    end)
    all = crowd(t)
    drop(all)
    each(all, function(client, server)
      assert.same({ "closed", "closed" }, { client.state, server.state })
    end)
  end, 60))
end)
