-- <close> variables, which Lua 5.4 and later have: connections and tasks with
-- them.  Elsewhere this folder is left out.
local case = require "support.case"
local frame = require "support.frame"

-- What calls fn when its block ends.
local function closing(fn)
  return setmetatable({}, { __close = fn })
end

describe("a connection held by a <close> variable", function()
  it("starts to close where its block ends, and does not wait for it", case(function(t)
    local server = t:listen()
    local raw, after
    do
      raw = t:upgrade(server)
      local ws <close> = t:accepted()
      after = ws
      assert.equal("open", ws.state)
    end
    assert.equal("closing", after.state)
    assert.equal(1000, (raw:close_frame()))
    raw:send(frame.client.close(1000))
    assert.is_true((after:wait_closed(5)))
    assert.equal("local", after.close_cause)
  end))

  it("is finished by the loop after the task has ended", case(function(t)
    local client, server = t:both()
    t:spawn(function()
      local ws <close> = client
      ws:send "goodbye"
    end)
    assert.equal("goodbye", server:receive(5))
    assert.same({ true, 1000, "" }, { server:wait_closed(5) })
  end))

  it("closes when an error passes through its block", case(function(t)
    local client, server = t:both()
    local ok = pcall(function()
      local ws <close> = client
      error("through " .. ws.state)
    end)
    assert.is_false(ok)
    assert.is_true((server:wait_closed(5)))
  end))

  it("waits on the main thread, outside a turn", case.blocking(function(t)
    local server = t:listen { websocket = function(ws)
      ws:wait_closed()
    end }
    local after
    do
      local ws <close> = t:connect(server)
      after = ws
    end
    assert.equal("closed", after.state)
    assert.equal(1000, after.close_code)
  end))

  it("waits there close_timeout at most", case.blocking(function(t)
    local raw = t:upgrade((t:listen { close_timeout = 0.03 }))
    local after
    do
      local ws <close> = t:accepted()
      after = ws
    end
    assert.equal("closed", after.state)
    assert.equal(1006, after.close_code)
    raw:close()
  end))

  it("that is closed already is left alone", case(function(t)
    local client, server = t.weft.pair()
    do
      local ws <close> = client
      assert.is_true(ws:close(4000))
    end
    assert.equal(4000, server.close_code)
  end))
end)

describe("a <close> variable of a task", function()
  it("may wait where its block ends", case(function(t)
    local closed = false
    do
      local guard <close> = closing(function() closed = t.weft.sleep(0.001) end)
      assert.is_table(guard)
    end
    assert.is_true(closed)
  end))

  it("runs before the error is told", case(function(t)
    local order = {}
    local task = t.weft.spawn(function()
      local first <close> = closing(function(_, err) order[#order + 1] = "first " .. err end)
      local second <close> = closing(function(_, err) order[#order + 1] = "second " .. err end)
      error((first and second) and "because", 0)
    end)
    assert.is_nil((task:join(5)))
    assert.same({ "second because", "first because" }, order)
  end))

  it("runs when it is cancelled, and is told so", case(function(t)
    local seen = {}
    local task = t.weft.spawn(function()
      local guard <close> = closing(function(_, err) seen[1] = tostring(err) end)
      assert(guard)
      t.weft.sleep(60)
      t.weft.sleep(60)
    end)
    t.weft.sleep(0)
    task:cancel()
    task:join(5)
    assert.equal(1, #seen)
    assert.is_truthy(seen[1]:find("cancel", 1, true), seen[1])
  end))

  it("runs when the task is closed where it stands", case(function(t)
    local closed = 0
    local task = t.weft.spawn(function()
      local guard <close> = closing(function() closed = closed + 1 end)
      assert(guard)
      while true do
        pcall(t.weft.sleep, 60)
      end
    end)
    t.weft.sleep(0)
    task:cancel()
    assert.same({ nil, "cancelled" }, { task:join(5) })
    assert.equal(1, closed)
    assert.same({}, t:reports())
  end))

  it("may run when that happens inside weft.wrap", case(function(t)
    local closed = 0
    local task = t.weft.spawn(function()
      t.weft.wrap(function()
        local guard <close> = closing(function() closed = closed + 1 end)
        assert(guard)
        while true do
          pcall(t.weft.sleep, 60)
        end
      end)()
    end)
    t.weft.sleep(0)
    task:cancel()
    assert.same({ nil, "cancelled" }, { task:join(5) })
    assert.is_true(closed <= 1)
  end))

  it("of weft.wrap is given the error, and its own takes that one's place", case(function(t)
    local first, second, given = {}, {}, nil
    local f = t.weft.wrap(function()
      local guard <close> = setmetatable({}, { __close = function(_, err)
        given = err
        error(second)
      end })
      assert(guard)
      error(first)
    end)
    local ok, raised = pcall(f)
    assert.is_false(ok)
    assert.equal(first, given)
    assert.equal(second, raised)
  end))

  it("runs when the instance is closed", case.blocking(function(t)
    local other = t.weft.new()
    local client = other.pair()
    local closed_in_task = false
    other.spawn(function()
      local guard <close> = closing(function() closed_in_task = true end)
      assert(guard)
      client:receive()
    end)
    other.step()
    other.close()
    assert.is_true(closed_in_task)
  end))

  it("may close the instance that closes it", case(function(t)
    local w = t.weft.new()
    w.spawn(function()
      local guard <close> = closing(function() w.close() end)
      w.sleep(60)
      return guard
    end)
    w.step(0)
    w.close()
    assert.is_false((pcall(w.step)))
  end))
end)
