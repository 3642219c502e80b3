-- Known faults of other libraries: many connections at once, and one that
-- dawdles among others.
local case = require "support.case"
local child_process = require "support.child"
local frame = require "support.frame"
local handshake = require "support.handshake"

-- Libraries on select(2) break past 1,024 descriptors.
describe("1,500 connections at once", function()
  it("all talk", case(function(t)
    -- in a process of its own: a soft limit of 1,024 descriptors would hide the fault
    local child = child_process.start_after(t.weft, 'ulimit -n "$(ulimit -Hn)"', [[
      local weft = require "weft"
      local wanted, open, talked = 1500, {}, 0
      local server = assert(weft.listen { port = 0, backlog = 4096, websocket = function(ws)
        for message, kind in ws:messages() do ws:send(message, kind) end
      end })
      weft.run(function()
        local tasks = {}
        for index = 1, wanted do
          tasks[index] = weft.spawn(function()
            local ws = assert(weft.connect(server:url(), { timeout = 15 }))
            open[#open + 1] = ws
            while #open < wanted do weft.sleep(0.01) end
            for round = 1, 3 do
              local said = index .. " says " .. round
              assert(ws:send(said))
              assert(ws:receive(15) == said)
            end
            talked = talked + 1
          end)
        end
        for _, task in ipairs(tasks) do assert(task:join()) end
        print("at once", server:count(), "talked", talked)
        for _, ws in ipairs(open) do ws:close(1000, "", 0) end
        while server:count() > 0 do weft.sleep(0.01) end
        server:close()
      end)
    ]])
    assert.same({ "at once\t1500\ttalked\t1500\n", 0 }, { child:wait() })
  end, 60))
end)

-- Libraries that go on polling a listening socket that they cannot accept from
-- spin; ones that stop polling it never accept again.
describe("a server that runs out of descriptors", function()
  it("pauses accepting without spinning, and goes on when it can", case(function(t)
    local child = child_process.start_after(t.weft, "ulimit -n 40", [[
      local weft = require "weft"
      local begin
      weft.spawn(function() begin = os.clock() print "ready" io.stdout:flush() end)
      weft.serve { port = tonumber(arg[1]), websocket = function(ws)
        for message in ws:messages() do ws:send(message) end
      end }
      print(("worked for %.2f s"):format(os.clock() - begin))
    ]], t:free_port())
    child:wait_for "ready"
    local raws = {}
    for index = 1, 60 do
      raws[index] = t:dial(child.arguments[1])
      raws[index]:send(handshake.request())
    end
    for index = 1, 20 do
      assert.equal(101, raws[index]:parsed_head().status)
    end
    t.weft.sleep(0.7)
    raws[1]:send(frame.client.text "served")
    assert.equal("served", (raws[1]:message()))
    assert.is_true(raws[60]:is_silent(0.05))
    for index = 1, 20 do
      raws[index]:close()
    end
    for index = 21, 40 do
      assert.equal(101, raws[index]:parsed_head().status)
    end
    for index = 21, 60 do
      raws[index]:close()
    end
    child:signal "TERM"
    local output, status = child:wait()
    assert.equal(0, status)
    assert.is_true(tonumber(output:match "worked for ([%d.]+) s") < 0.4, output)
  end, 30))
end)

-- Libraries that shake hands in the accept loop stop everyone for one client
-- that does not go on.
describe("a half-open handshake", function()
  it("holds up nobody, and is finished later", case(function(t)
    local listening = t:listen { websocket = case.echo }
    local request = handshake.request()
    local half = {}
    for index = 1, 20 do
      half[index] = t:dial(listening)
      half[index]:send(request:sub(1, index * 5))
    end
    for index = 1, 20 do
      local raw = t:upgrade(listening)
      raw:send(frame.client.text("among them " .. index))
      assert.equal("among them " .. index, (raw:message()))
    end
    for index, raw in ipairs(half) do
      raw:send(request:sub(index * 5 + 1))
      assert.equal(101, raw:parsed_head().status)
      raw:send(frame.client.text "at last")
      assert.equal("at last", (raw:message()))
    end
  end))

  it("by a server holds up no other client", case(function(t)
    local slow = t:serve_raw(function(raw)
      local request = raw:parsed_head()
      t.weft.sleep(0.1)
      raw:send(handshake.response(request.headers["sec-websocket-key"]) .. frame.server.text "slow")
    end)
    local order = {}
    local late = t:spawn(function()
      local message = t:connect(slow):receive()
      order[#order + 1] = message
    end)
    local ws = t:connect(t:server { websocket = case.echo })
    ws:send "quick"
    local message = ws:receive()
    order[#order + 1] = message
    assert.is_true(late:join(5))
    assert.same({ "quick", "slow" }, order)
  end))
end)
