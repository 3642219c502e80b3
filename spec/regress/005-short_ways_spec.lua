-- What a review of the short ways of messages found, each by a script that
-- failed.  All of it is about finalizers, which may run wherever a string is
-- made, and do what they like.
local case = require "support.case"

--- Runs fn; the next allocation in it runs the finalizer.
local function with_finalizer(finalizer, fn)
  local mode = collectgarbage "incremental"
  collectgarbage()
  collectgarbage "stop"
  setmetatable({}, { __gc = finalizer })
  collectgarbage("incremental", 100, 1000, 50)
  collectgarbage "restart"
  local results = table.pack(fn())
  collectgarbage(mode)
  return table.unpack(results, 1, results.n)
end

-- The short way asked how much waits before it asked whether there is still a
-- connection, whose settings were gone.
describe("a finalizer that uses a connection collected with it", function()
  for _, call in ipairs { "send", "try_send", "receive", "chunks", "ping", "flush", "close", "abort" } do
    it("is told that it is closed: " .. call, case(function(t)
      local results
      local function make()
        local session = setmetatable({}, { __gc = function(self)
          results = table.pack(pcall(self.ws[call], self.ws, call:find "send" and "bye" or nil))
          if call == "chunks" and results[1] then
            results = table.pack(true, results[2](results[3]))
          end
        end })
        local _, server = t.weft.pair()
        session.ws = server
      end
      make()
      t.weft.sleep(0)
      collectgarbage()
      collectgarbage()
      assert.is_table(results)
      assert.is_true(results[1], tostring(results[2]))
      if call:find "send" or call == "receive" then
        assert.same({ n = 5, true, nil, "closed", 1006, "" }, results)
      end
    end))
  end
end)

-- What had been read ahead was given up, and then a message of it was taken.
describe("a finalizer that ends the connection whose message is being handed out", function()
  for _, size in ipairs { 60, 2000, 20000 } do
    it("does no harm, at " .. size .. " bytes", case(function(t)
      local client, server = t.weft.pair()
      for _ = 1, 5 do
        assert(client:send(("x"):rep(size), "binary"))
      end
      t.weft.sleep(0.01)
      local receive, ended = server.receive, false
      local message = with_finalizer(function()
        ended = true
        server:abort()
      end, function()
        return receive(server, 0)
      end)
      assert.is_true(message == nil or message == ("x"):rep(size))
      if not ended then
        server:abort()
      end
      for _ = 1, 3 do
        assert.same({ n = 4, nil, "closed", 1006, "" }, table.pack(receive(server, 0)))
      end
      client:abort()
    end))
  end
end)

-- The kind was looked up after the string was made.
describe("a finalizer that receives from the connection whose message is being handed out", function()
  it("does not change that message's kind", case(function(t)
    local client, server = t.weft.pair()
    local text, binary = ("t"):rep(100), ("b"):rep(100)
    for _ = 1, 2 do
      assert(client:send(text))
      assert(client:send(binary, "binary"))
    end
    t.weft.sleep(0.01)
    local receive = server.receive
    local message, kind = with_finalizer(function()
      receive(server, 0)
      receive(server, 0)
    end, function()
      return receive(server, 0)
    end)
    assert.equal(message == text and "text" or "binary", kind)
    client:abort()
    server:abort()
  end))
end)
