-- Known faults of other libraries: state that is the process's and not the
-- instance's, which a second require or a second instance upsets.
local case = require "support.case"
local frame = require "support.frame"

--- The library loaded once more, C module included or not.
local function require_again(with_core)
  local kept = {}
  for name, module in pairs(package.loaded) do
    if name == "weft" or name:find "^weft%." and (with_core or name ~= "weft.core") then
      kept[name] = module
    end
  end
  for name in pairs(kept) do
    package.loaded[name] = nil
  end
  local again = require "weft"
  for name in pairs(package.loaded) do
    if name == "weft" or name:find "^weft%." then
      package.loaded[name] = nil
    end
  end
  for name, module in pairs(kept) do
    package.loaded[name] = module
  end
  if not package.loaded["weft.core"] then
    package.loaded["weft.core"] = kept["weft.core"]
  end
  return again
end

describe("a second instance", function()
  it("talks to the first, each in its own loop", case.blocking(function(t)
    local other = t.weft.new()
    local server = assert(other.listen { port = 0, websocket = case.echo })
    local events = {}
    local ws = assert(t.weft.connect(t:url(server), { events = {
      open = function(ws)
        ws:send "across"
      end,
      message = function(ws, message)
        events[#events + 1] = message
        ws:close()
      end,
      close = function(_, code)
        events[#events + 1] = code
      end,
    } }))
    local deadline = t.weft.now() + 5
    while #events < 2 and t.weft.now() < deadline do
      t.weft.step(0)
      other.step(0)
    end
    assert.same({ "across", 1000 }, events)
    assert.equal("closed", ws.state)
    other.close()
  end))

  it("may be closed while the first goes on", case(function(t)
    local listening = t:listen { websocket = case.echo }
    local other = t.weft.new()
    other.spawn(other.sleep, 100)
    other.close()
    local ws = t:connect(listening)
    ws:send "still here"
    assert.equal("still here", (ws:receive()))
  end))

  it("drops its connections when it is closed", case(function(t)
    local over
    local port = t:serve_upgraded(function(raw)
      over = select(2, raw:read_until_closed())
    end)
    local other = t.weft.new()
    other.connect(t:url(port), { events = { open = function() end } })
    t:wait_until(function()
      other.step(0)
      return over or #t.peers > 0 and t.peers[1].request
    end, "the connection")
    other.step(0)
    other.close()
    assert.not_equal("timeout", t:wait_until(function()
      return over
    end, "its end"))
  end))

  it("may be closed twice, and by the collector", case(function(t)
    for _ = 1, 10 do
      local other = t.weft.new()
      other.listen { port = 0, websocket = case.echo }
      other.spawn(other.sleep, 100)
      if _ % 2 == 0 then
        other.close()
        other.close()
      end
    end
    collectgarbage()
    collectgarbage()
  end))

  it("does not mix with the first: that raises", case(function(t)
    local other = t.weft.new()
    local room = other.room()
    local ws = t:both()
    assert.has_error(function()
      room:join(ws)
    end)
    assert.has_error(function()
      other.sleep(0.01)
    end)
    assert.equal("open", ws.state)
    other.close()
  end))
end)

for _, with_core in ipairs { false, true } do
  describe(with_core and "a second require, C module and all," or "a second require", function()
    it("gives a library that works beside the first", case.blocking(function(t)
      local again = require_again(with_core)
      assert.not_equal(require "weft", again)
      local other = again.new()
      local got
      other.run(function()
        local server = assert(other.listen { port = 0, websocket = case.echo })
        local ws = assert(other.connect(("ws://127.0.0.1:%d"):format(server:port())))
        ws:send "again"
        got = ws:receive()
        ws:close()
        server:close()
      end)
      other.close()
      assert.equal("again", got)
      local ws = t:connect(t:server { websocket = case.echo })
      ws:send "as before"
      assert.equal("as before", (ws:receive()))
    end))

    it("does not upset connections of the first", case.blocking(function(t)
      local near, far = t:both()
      require_again(with_core)
      collectgarbage()
      near:send "unmoved"
      assert.equal("unmoved", (far:receive()))
    end))
  end)
end

describe("the default instance", function()
  it("serves a script that never heard of instances", function()
    local weft = require "weft"
    local server = assert(weft.listen { port = 0, websocket = case.echo })
    local ws = assert(weft.connect(server:url()))
    assert.is_true(ws:send "plain")
    assert.same({ "plain", "text" }, { ws:receive(5) })
    assert.is_true(ws:close())
    assert.is_true(server:close())
    assert.is_true(weft.run())
    assert.is_false(weft.step(0))
  end)

  it("blocks in connect, receive and close on the main thread", case.blocking(function(t)
    local port = t:serve_upgraded(function(raw)
      t.weft.sleep(0.02)
      raw:send(frame.server.text "after a while")
      raw:close_frame()
      t.weft.sleep(0.02)
      raw:send(frame.server.close(1000))
      raw:close()
    end)
    local ws = t:connect(port)
    assert.equal("after a while", (ws:receive()))
    assert.is_true(ws:close())
  end))
end)
