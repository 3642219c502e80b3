-- What plain Lua 5.1 cannot: a task that waits inside pcall, a generic for, a
-- metamethod or a function written in C.  Elsewhere this folder is left out.
-- luacheck: ignore 512 (loops that are left in their first round)
local case = require "support.case"

-- Lua's own: the specs' let tasks wait
local pcall, xpcall = rawget(_G, "pcall"), rawget(_G, "xpcall")

local function check_objection(message, call)
  assert.is_string(message)
  for _, word in ipairs { call .. ": cannot wait here", "plain Lua 5.1", "weft.spawn", "weft.wrap" } do
    assert.is_truthy(message:find(word, 1, true), message)
  end
end

describe("a task on plain Lua 5.1", function()
  local places = {
    ["pcall"] = function(fn) return select(2, pcall(fn)) end,
    ["xpcall"] = function(fn) return select(2, xpcall(fn, tostring)) end,
    ["table.sort"] = function(fn) return select(2, pcall(table.sort, { 2, 1 }, fn)) end,
  }
  for name, place in pairs(places) do
    it("that waits inside " .. name .. " is told where it stands, and goes on", case(function(t)
      local client, server = t.weft.pair()
      check_objection(place(function() return client:receive() end), "ws:receive")
      check_objection(place(function() return t.weft.sleep(0) end), "weft.sleep")
      assert.is_true(server:send "well")
      assert.equal("well", client:receive(5))
      client:abort()
    end))
  end

  local ends = {
    ["a generic for"] = { "ws:messages", function(ws)
      local each, state = ws:messages()
      for message in each, state do return message end
    end },
    ["a metamethod"] = { "ws:receive", function(ws)
      return setmetatable({}, { __index = function() return ws:receive() end }).message
    end },
    ["a for over weft.wrap"] = { "ws:receive", function(ws, t)
      for message in t.weft.wrap(function() coroutine.yield(ws:receive()) end) do return message end
    end },
  }
  for name, one in pairs(ends) do
    it("that waits inside " .. name .. " ends, and the connection is as it was", case(function(t)
      local client, server = t.weft.pair()
      local ok, message = t.weft.spawn(one[2], client, t):join(5)
      assert.is_nil(ok)
      check_objection(message, one[1])
      assert.is_true(server:send "well")
      assert.equal("well", client:receive(5))
      client:abort()
    end))
  end

  it("need not wait there for what has come already", case(function(t)
    local client, server = t.weft.pair()
    server:send "one"
    server:send "two"
    t.weft.sleep(0)
    local got = {}
    local each, state = client:messages()
    for message in each, state do
      got[#got + 1] = message
      if #got == 2 then
        break
      end
    end
    assert.same({ "one", "two" }, got)
    assert.same({ false, true }, { (pcall(client.receive, client)), (pcall(client.receive, client, 0)) })
    client:abort()
  end))

  it("catches errors of another by joining it, and waits in a function of C that is all of it", case(function(t)
    local client, server = t.weft.pair()
    local receiver = t.weft.spawn(client.receive, client)
    t.weft.sleep(0)
    server:send "for it"
    assert.same({ true, "for it", "text" }, { receiver:join(5) })
    local ok, words = t.weft.spawn(error, "words", 0):join(5)
    assert.same({ nil, "words" }, { ok, words })
    client:abort()
  end))
end)
