-- Limits on what a peer may send: close 1009 as soon as the head that announces
-- too much is read, and nothing allocated on the strength of an announcement.
local case = require "support.case"
local frame = require "support.frame"

local client = frame.client

--- A server's connection fails with 1009 for its size.
local function fails(t, options, good, bad)
  local ws
  options.websocket = function(connection)
    ws = connection
    case.echo(connection)
  end
  local raw = t:upgrade(t:server(options))
  raw:send(good)
  for _, got in ipairs(frame.parse(good)) do
    if got.fin and got.opcode < 8 then
      raw:message()
    end
  end
  assert.is_true(raw:is_silent(0.02))
  raw:send(bad)
  assert.equal(1009, (raw:close_frame()))
  assert.same({ "", "fin" }, { raw:read_until_closed() })
  raw:close()
  t:wait_until(function()
    return ws.state == "closed"
  end, "the end")
  assert.equal("too_big", ws.close_cause)
  assert.equal(1009, ws.sent_code)
  assert.equal("string", type(ws.close_message))
end

describe("max_message", function()
  it("lets a message of its size pass and stops a longer one at its head", case(function(t)
    fails(t, { max_message = 1000 }, client.binary(("x"):rep(1000)), client.binary("", { announce = 1001 }))
  end))

  it("is 1 MiB unless given", case(function(t)
    fails(t, {}, client.binary(("x"):rep(1048576)), client.binary("", { announce = 1048577 }))
  end))

  it("counts a message over its fragments", case(function(t)
    fails(t, { max_message = 10 },
      client.text("12345", { fin = false }) .. client.continuation("6789", { fin = false }),
      client.continuation("", { announce = 2 }))
  end))

  it("starts anew with each message", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo, max_message = 10 })
    for _ = 1, 20 do
      raw:send(client.text("12345", { fin = false }) .. client.continuation "67890")
      assert.equal("1234567890", (raw:message()))
    end
  end))

  it("does not count control frames", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo, max_message = 4 })
    raw:send(client.text("12", { fin = false }) .. client.ping(("x"):rep(125)) .. client.continuation "34")
    assert.equal(125, #raw:frame().payload)
    assert.equal("1234", (raw:message()))
  end))

  it("stops the largest announcement there is, 2^63 - 1, at its head", case(function(t)
    fails(t, {}, "", client.binary("", { announce = math.maxinteger }))
  end))

  it("holds over the sum of announcements, which may not wrap", case(function(t)
    fails(t, { max_message = 100 }, client.binary("x", { fin = false }),
      client.continuation("", { announce = math.maxinteger }))
  end))

  for _, size in ipairs { 1, 2, 3, 7 } do
    it("is kept when the head comes " .. size .. " bytes at a time", case(function(t)
      local raw = t:upgrade(t:server { websocket = case.echo, max_message = 1000 })
      raw:send_in_pieces(client.binary("", { announce = 70000 }), size)
      assert.equal(1009, (raw:close_frame()))
    end))
  end

  it("delivers what came before", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo, max_message = 10 })
    raw:send(client.text "one" .. client.text "two" .. client.text(("x"):rep(11)) .. client.text "three")
    assert.equal("one", (raw:message()))
    assert.equal("two", (raw:message()))
    assert.equal(1009, (raw:close_frame()))
    assert.same({ "", "fin" }, { raw:read_until_closed() })
  end))
end)

describe("max_frame", function()
  it("bounds one frame of a message that is in bounds", case(function(t)
    fails(t, { max_message = 1000, max_frame = 100 }, client.binary(("x"):rep(100)), client.binary("", { announce = 101 }))
  end))

  it("does not bound the sum of frames", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo, max_message = 1000, max_frame = 10 })
    raw:send(table.concat(client.fragments(frame.TEXT, ("0123456789"):rep(100), 10)))
    assert.equal(1000, #raw:message())
  end))
end)

describe("max_fragments", function()
  it("counts the frames of a message, empty ones too", case(function(t)
    local open = client.text("", { fin = false }) .. client.continuation("", { fin = false }):rep(3)
    fails(t, { max_fragments = 4 }, open, client.continuation "x")
  end))

  it("lets a message of so many frames pass, again and again", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo, max_fragments = 4 })
    for _ = 1, 10 do
      raw:send(client.text("", { fin = false }) .. client.continuation("x", { fin = false }):rep(2) .. client.continuation "")
      assert.equal("xx", (raw:message()))
    end
  end))

  it("does not count an empty last frame, which only ends the message", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo, max_fragments = 4 })
    raw:send(client.text("a", { fin = false }) .. client.continuation("b", { fin = false }):rep(3) .. client.continuation "")
    assert.equal("abbb", (raw:message()))
  end))

  it("does not count control frames between", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo, max_fragments = 2 })
    raw:send(client.text("a", { fin = false }) .. client.pong "":rep(10) .. client.continuation "b")
    assert.equal("ab", (raw:message()))
  end))

  it("is 1,024 unless given", case(function(t)
    local open = client.text("", { fin = false }) .. client.continuation("", { fin = false }):rep(1023)
    fails(t, {}, open, client.continuation "x")
  end))
end)

describe("an announcement", function()
  --- Kilobytes of address space, where that can be known.
  local function address_space()
    local file = io.open "/proc/self/status"
    local size = file and file:read("*a"):match "VmSize:%s+(%d+)"
    if file then
      file:close()
    end
    return tonumber(size or 0)
  end

  it("allocates nothing", case(function(t)
    local listening = t:listen { max_message = 256 * 1024 * 1024 }
    local raws = {}
    for index = 1, 20 do
      raws[index] = t:upgrade(listening)
      t:accepted()
    end
    local before = address_space()
    for _, raw in ipairs(raws) do
      raw:send(client.binary("a little", { announce = 256 * 1024 * 1024 }))
    end
    for _ = 1, 10 do
      t.weft.sleep(0)
    end
    assert.is_true(address_space() - before < 256 * 1024)
  end))
end)
