--- weft and cqueues: without the adapter, and how coroutines of either wait for
--- the other's.
local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local weft = require "weft"
local case = require "support.case"
local hosts = require "support.hosts"
local patience = require "support.patience"

local it_has_fd = weft.loop:backend() == "poll" and pending or it

--- Steps the controller until the condition holds.
local function until_(controller, holds)
  local deadline = weft.now() + patience(5)
  while not holds() do
    assert(controller:step(patience(6)))
    assert(weft.now() < deadline, "it never happened")
  end
end

describe("cqueues", function()
  it_has_fd("polls weft.loop as it is", case.blocking(function(t)
    local controller = cqueues.new()
    local server = t:listen { websocket = case.echo }
    local echoes, over = hosts.converse(t, server)
    local ticks = 0
    controller:wrap(function()
      while not over() do
        cqueues.poll(t.weft.loop)
        t.weft.step()
      end
    end)
    controller:wrap(function()
      while not over() do
        cqueues.sleep(0.001)
        ticks = ticks + 1
      end
    end)
    assert(controller:loop())
    assert.equal(100, echoes())
    assert.is_true(ticks > 0)
    controller:close()
  end))

  it_has_fd("is told by weft.loop of what its own coroutines do", case.blocking(function(t)
    local controller = cqueues.new()
    local client, server = t:both()
    local got
    t.weft.spawn(function() got = server:receive() end)
    controller:wrap(function()
      while not got do
        t.weft.step()
        cqueues.poll(t.weft.loop)
      end
    end)
    controller:wrap(function()
      cqueues.sleep(0.005)
      assert.is_true(client:try_send "from a coroutine of cqueues")
    end)
    until_(controller, function() return got end)
    assert.equal("from a coroutine of cqueues", got)
    controller:close()
  end))

  it("waits for a condition that a handler of weft's signals", case.blocking(function(t)
    local controller = cqueues.new()
    local attached = t.weft.adapters.cqueues.attach(controller)
    local inbox, arrived = {}, condition.new()
    local server = t:listen { websocket = {
      message = function(_, message)
        inbox[#inbox + 1] = message
        arrived:signal()
      end,
    } }
    local client = t:connect(server)
    local heard = {}
    controller:wrap(function()
      while #heard < 3 do
        while #inbox == 0 do
          arrived:wait()
        end
        heard[#heard + 1] = table.remove(inbox, 1)
        client:try_send("after " .. heard[#heard])
      end
    end)
    client:try_send "first"
    until_(controller, function() return #heard == 3 end)
    assert.same({ "first", "after first", "after after first" }, heard)
    attached:close()
    controller:close()
  end))

  it("has weft do what waits, in a task, and waits for that", case.blocking(function(t)
    local controller = cqueues.new()
    local attached = t.weft.adapters.cqueues.attach(controller)
    local server = t:listen { websocket = case.echo }

    -- fn in a task of weft's; the coroutine of cqueues waits for its results
    local function await(fn, ...)
      local done, results = condition.new(), nil
      t.weft.spawn(function(...)
        results = table.pack(pcall(fn, ...))
        done:signal()
      end, ...)
      while not results do
        done:wait()
      end
      return table.unpack(results, 1, results.n)
    end

    local answer
    controller:wrap(function()
      local _, ws = assert(await(t.weft.connect, server:url()))
      t.connections[1] = ws
      assert(await(ws.send, ws, "question"))
      answer = select(2, await(ws.receive, ws))
    end)
    until_(controller, function() return answer end)
    assert.equal("question", answer)
    attached:close()
    controller:close()
  end))

  it("is told where weft's calls may wait", case.blocking(function(t)
    local controller = cqueues.new()
    local attached = t.weft.adapters.cqueues.attach(controller)
    local client = t.weft.pair()
    local message
    controller:wrap(function()
      message = select(2, pcall(client.receive, client))
    end)
    until_(controller, function() return message end)
    assert.is_truthy(message:find("weft.spawn", 1, true), message)
    client:abort()
    attached:close()
    controller:close()
  end))

  it("keeps weft going when a coroutine of its own fails", case.blocking(function(t)
    local controller = cqueues.new()
    local attached = t.weft.adapters.cqueues.attach(controller)
    local slept = 0
    controller:wrap(error, "in the host", 0)
    t.weft.spawn(function()
      while t.weft.sleep(0.001) and slept < 5 do
        slept = slept + 1
      end
    end)
    local ok, why = controller:step(patience(5))
    assert.is_falsy(ok)
    assert.is_truthy(tostring(why):find("in the host", 1, true))
    until_(controller, function() return slept == 5 end)
    attached:close()
    controller:close()
  end))

  it("ends its loop when the attachment is closed and nothing else is left", case.blocking(function(t)
    local controller = cqueues.new()
    local attached = t.weft.adapters.cqueues.attach(controller)
    t.weft.spawn(function()
      t.weft.sleep(0.002)
      attached:close()
    end)
    assert(controller:loop())
    assert.is_true(controller:empty())
    controller:close()
  end))

  it("can be turned by weft, the other way round", case(function(t)
    local controller = cqueues.new()
    local ticks = 0
    controller:wrap(function()
      for _ = 1, 5 do
        cqueues.sleep(0.001)
        ticks = ticks + 1
      end
    end)
    local driver = t:spawn(function()
      while assert(controller:step(0)) and not controller:empty() do
        t.weft.wait(controller, "r", controller:timeout())
      end
    end)
    local server = t:listen { websocket = case.echo }
    local ws = t:connect(server)
    ws:send "meanwhile"
    assert.equal("meanwhile", ws:receive(patience(5)))
    driver:join(patience(5))
    assert.equal(5, ticks)
    controller:close()
  end))
end)
