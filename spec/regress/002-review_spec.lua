-- What a review of the first whole version found, each by a script that failed.
local case = require "support.case"
local frame = require "support.frame"
local patience = require "support.patience"

describe("a task with very many results", function()
  it("can be joined after a collection", case(function(t)
    local task = t.weft.spawn(function()
      local values = {}
      for i = 1, 2000 do values[i] = i end
      return table.unpack(values)
    end)
    t.weft.sleep(0.001)
    collectgarbage()
    collectgarbage()
    local results = table.pack(task:join())
    assert.same({ 2001, true, 2000 }, { results.n, results[1], results[2001] })
  end))
end)

describe("a peer among many that flood", function()
  it("is still read in every turn", case(function(t)
    local listening = t:listen { websocket = function(ws)
      for _ in ws:messages() do end
    end }
    local over = false
    local flood = frame.client.binary(""):rep(20000)
    for _ = 1, 32 do
      local raw = t:upgrade(listening)
      t:spawn(function()
        while not over and raw:send(flood, 0.5) do
          t.weft.sleep(0)
        end
        raw:close()
      end)
    end
    local victim = t:connect(listening)
    for _ = 1, 20 do
      assert.is_number((victim:ping(nil, 5)))
    end
    over = true
    victim:close()
  end, 40))
end)

describe("a script that was busy for long", function()
  it("still closes properly", case.blocking(function(t)
    local client, server = t.weft.pair({ close_timeout = 0.2 })
    local over = t.weft.now() + 0.3
    repeat until t.weft.now() > over
    assert.is_true(client:close())
    assert.equal("local", client.close_cause)
    assert.equal("peer", server.close_cause) -- held until here
  end))
end)

describe("output that still makes progress", function()
  it("is no part of close_timeout", case(function(t)
    local body = ("0123456789abcdef"):rep(512 * 1024)
    local listening = t:listen { close_timeout = patience(0.3), websocket = function(ws)
      ws:send(body, "binary")
    end, max_message = 16 * 1024 * 1024 }
    local raw = t:upgrade(listening)
    local head = raw:receive(10) -- 2 + 8 bytes of head: 64-bit length
    local got = 0
    while got < #body do
      local piece = raw:receive(math.min(256 * 1024, #body - got))
      assert.is_true(#piece > 0)
      got = got + #piece
      t.weft.sleep(patience(0.02))
    end
    assert.equal(10, #head)
    assert.equal(1000, (raw:close_frame()))
    raw:close()
  end, 40))
end)

describe("a writer's text", function()
  it("stands where it stood when a write timed out", case(function(t)
    local client = t.weft.pair({ send_buffer = 1 }, { receive_buffer = 1024 })
    local writer = client:writer "text"
    while writer:write(("x"):rep(65536), 0) do end
    assert.same({ nil, "timeout" }, { writer:write("\xC3", 0) })
    assert.same({ nil, "timeout" }, { writer:write("\xC3", 0) })
    client:abort()
  end))
end)

describe("server:close", function()
  it("waits for events that run, and cancels them when the grace is over", case(function(t)
    local why
    local listening = t:listen { websocket = { message = function()
      why = select(2, t.weft.sleep(60))
    end } }
    local ws = t:connect(listening)
    ws:send "work"
    t.weft.sleep(0.02)
    assert.is_true(listening:close(0.1))
    assert.equal("cancelled", why)
  end))
end)

describe("weft.step with no time at all", function()
  it("still gets something done in every turn", case(function(t)
    local w = t.weft.new()
    local ran = 0
    for _ = 1, 5 do
      w.spawn(function() ran = ran + 1 end)
    end
    for _ = 1, 20 do
      w.step(0, { seconds = 1e-9 })
    end
    assert.equal(5, ran)
    w.close()
  end))
end)
