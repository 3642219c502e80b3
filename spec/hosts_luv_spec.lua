--- weft and luv: without the adapter, and blocking calls in callbacks.
local uv = require "luv"
local weft = require "weft"
local case = require "support.case"
local hosts = require "support.hosts"
local patience = require "support.patience"

local it_has_fd = weft.loop:backend() == "poll" and pending or it

--- Runs luv's loop until the condition holds.
local function until_(holds)
  local guard = uv.new_timer()
  local late = false
  guard:start(patience(6) * 1000, 0, function() late = true end)
  while not holds() do
    uv.run "once"
    assert(not late, "it never happened")
  end
  guard:close()
end

describe("luv", function()
  it_has_fd("polls weft.fd() for itself, with a timer for weft.timeout()", case.blocking(function(t)
    local poll, timer, tick = uv.new_poll(t.weft.fd()), uv.new_timer(), uv.new_timer()
    local server = t:listen { websocket = case.echo }
    local ticks = 0

    local function turn()
      t.weft.step()
      local seconds = t.weft.timeout()
      if seconds then
        timer:start(math.max(1, math.ceil(seconds * 1000)), 0, turn)
      else
        timer:stop()
      end
    end
    poll:start("r", turn)
    tick:start(1, 1, function() ticks = ticks + 1 end)
    local echoes, over = hosts.converse(t, server)
    until_(over)
    assert.equal(100, echoes())
    assert.is_true(ticks > 0)
    for _, handle in ipairs { poll, timer, tick } do
      handle:close()
    end
    uv.run "nowait"
  end))

  it("may call what blocks, in a callback on the main thread", case.blocking(function(t)
    local attached = t.weft.adapters.luv.attach()
    local server = t:listen { websocket = case.echo }
    local timer, answer = uv.new_timer(), nil
    timer:start(1, 0, function()
      timer:close()
      local ws = t:connect(server)
      ws:send "question"
      answer = ws:receive(patience(5))
    end)
    until_(function() return answer end)
    assert.equal("question", answer)
    attached:close()
    uv.run "nowait"
  end))

  it("ends its loop when the attachment is closed and nothing else is left", case.blocking(function(t)
    local attached = t.weft.adapters.luv.attach()
    t.weft.spawn(function()
      t.weft.sleep(0.002)
      attached:close()
    end)
    uv.run()
    assert.is_false(uv.loop_alive())
  end))

  it("may have closed all handles before weft is", case.blocking(function(t)
    local attached = t.weft.adapters.luv.attach()
    t:listen()
    uv.walk(function(handle)
      if not handle:is_closing() then
        handle:close()
      end
    end)
    uv.run()
    attached:close()
    assert.is_false(uv.loop_alive())
    t.weft.step()
  end))

  it("can be turned by weft, the other way round", case(function(t)
    local ticks, timer = 0, uv.new_timer()
    timer:start(1, 1, function()
      ticks = ticks + 1
      if ticks == 5 then
        timer:close()
      end
    end)
    local driver = t:spawn(function()
      while uv.run "nowait" do
        local ms = uv.backend_timeout()
        t.weft.wait(uv.backend_fd(), "r", ms >= 0 and ms / 1000 or math.huge)
      end
    end)
    local server = t:listen { websocket = case.echo }
    local ws = t:connect(server)
    ws:send "meanwhile"
    assert.equal("meanwhile", ws:receive(patience(5)))
    driver:join(patience(5))
    assert.equal(5, ticks)
  end))
end)
