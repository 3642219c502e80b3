--- weft beside plain sockets: those of a copas server, and those of a loop around
--- LuaSocket's select.
local socket = require "socket"
local weft = require "weft"
local case = require "support.case"
local patience = require "support.patience"
local hosts = require "support.hosts" -- which finds copas
local raises = require "support.raises"
local copas = require "copas"

assert(hosts.copas)

--- A listener of LuaSocket's and its port.
local function bind()
  local listener = assert(socket.bind("127.0.0.1", 0))
  local _, port = listener:getsockname()
  return listener, port
end

describe("copas", function()
  it("serves its own clients beside weft's", case.blocking(function(t)
    local attached = t.weft.adapters.copas.attach()
    local listener, port = bind()
    local served
    copas.addserver(listener, function(sock)
      served = copas.receive(sock)
      copas.send(sock, served:upper() .. "\n")
    end)
    local server = t:listen { websocket = case.echo }
    local shouted, echoed
    copas.addthread(function()
      local sock = assert(socket.tcp())
      assert(copas.connect(sock, "127.0.0.1", port))
      copas.send(sock, "to copas\n")
      shouted = copas.receive(sock)
      sock:close()
    end)
    t.weft.spawn(function()
      local ws = t:connect(server)
      ws:send "to weft"
      echoed = ws:receive()
      while not shouted do
        t.weft.sleep(0.001)
      end
      attached:close() -- which ends attached:loop()
    end)
    attached:loop()
    assert.same({ "to copas", "TO COPAS", "to weft" }, { served, shouted, echoed })
    copas.step(0)
    listener:close() -- copas keeps it, but it is never ready again
  end))

  it("hands from its threads to weft's tasks, and back", case.blocking(function(t)
    local attached = t.weft.adapters.copas.attach()
    local questions, answers = t.weft.queue(), {}
    t.weft.spawn(function()
      for _ = 1, 3 do
        table.insert(answers, questions:take() .. "?")
      end
      attached:close()
    end)
    copas.addthread(function()
      for _, word in ipairs { "who", "what", "why" } do
        questions:try_put(word)
      end
    end)
    attached:loop()
    assert.same({ "who?", "what?", "why?" }, answers)
    copas.step(0)
  end))

  it("minds weft's timers when it is given no limit in LuaSocket's way", case.blocking(function(t)
    local attached = t.weft.adapters.copas.attach()
    t.weft.spawn(function()
      t.weft.sleep(0.01)
      attached:close()
    end)
    attached:loop(-1)
    copas.step(0)
  end))

  it("says what was wrong with a timeout", case.blocking(function(t)
    local attached = t.weft.adapters.copas.attach()
    for _, timeout in ipairs { "1", {}, 0 / 0 } do
      raises(function() attached:step(timeout); return 1 end, "attached:step", "timeout", "seconds")
      raises(function() attached:loop(timeout); return 1 end, "attached:loop", "timeout", "seconds")
    end
    attached:close()
    copas.step(0)
  end))
end)

describe("select", function()
  it("gives the host's sockets as socket.select does, and turns weft", case.blocking(function(t)
    local attached = t.weft.adapters.luasocket.attach()
    local listener, port = bind()
    local a = assert(socket.connect("127.0.0.1", port))
    local b = assert(listener:accept())

    local _, writable, err = attached:select(nil, { a, b }, 0)
    assert.same({ nil, true, 1, 2 }, { err, #writable == 2, writable[a], writable[b] })
    local readable
    readable, writable, err = attached:select({ a, b }, nil, 0)
    assert.same({ {}, {}, "timeout" }, { readable, writable, err })

    a:send "x"
    local deadline = weft.now() + patience(5)
    repeat
      readable, writable, err = attached:select({ a, b }, {}, patience(5))
      assert(weft.now() < deadline)
    until readable[1]
    assert.same({ [1] = b, [b] = 1 }, readable)
    assert.same({}, writable)
    assert.is_nil(err)

    local ran = false
    t.weft.spawn(function() ran = true end)
    readable, writable, err = attached:select({ a }, nil, -1) -- no limit, but weft has something to do
    assert.same({ true, {}, {}, "timeout" }, { ran, readable, writable, err })

    attached:close()
    readable = attached:select({ b }, nil, 0)
    assert.same({ [1] = b, [b] = 1 }, readable)
    for _, sock in ipairs { a, b, listener } do
      sock:close()
    end
  end))

  it("returns for what a handler of weft's has changed", case.blocking(function(t)
    local attached = t.weft.adapters.luasocket.attach()
    local client, server = t:both()
    local over = false
    t.weft.spawn(function()
      server:receive()
      over = true
    end)
    t.weft.step()
    client:try_send "stop"
    local deadline = weft.now() + patience(5)
    while not over do
      attached:select({}, {}, patience(6))
      assert(weft.now() < deadline, "it waited for its own")
    end
    attached:close()
  end))

  it("says what was wrong with its arguments", case.blocking(function(t)
    local attached = t.weft.adapters.luasocket.attach()
    raises(function() attached:select(3); return 1 end, "attached:select", "reading", "table")
    raises(function() attached:select(nil, "w"); return 1 end, "attached:select", "writing", "table")
    for _, timeout in ipairs { "1", {}, 0 / 0 } do
      raises(function() attached:select(nil, nil, timeout); return 1 end, "attached:select", "timeout", "seconds")
    end
    attached:close()
  end))
end)
