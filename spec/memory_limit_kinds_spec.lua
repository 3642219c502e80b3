-- memory_limit, for what is not a WebSocket with a queue of its own: requests, event
-- streams, rooms, pairs; and what it means with several servers.
local case = require "support.case"
local frame = require "support.frame"
local handshake = require "support.handshake"
local held = require "support.held"
local raises = require "support.raises"

local client = frame.client
local KIBI, MEBI = 1024, 1024 * 1024
local NO_MASK = "\0\0\0\0" -- a key like any other, and quickly laid over

--- A raw client that has sent the head of a request and some of its body.
local function upload(t, server, announced, sent)
  local raw = t:dial(server)
  raw:send(("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"):format(announced) .. ("b"):rep(sent))
  return raw
end

local function sink(ws)
  for _ in ws:messages() do end
end

local function part(size)
  return client.binary(("y"):rep(size), { fin = false, mask = NO_MASK })
end

describe("memory_limit, with requests,", function()
  it("answers the body of which the most has come with 503", case(function(t)
    local bodies = {}
    local server = t:server { memory_limit = MEBI, max_body = 4 * MEBI, http = function(request)
      bodies[#bodies + 1] = #request.body
      return 200
    end }
    local small = upload(t, server, 300 * KIBI, 300 * KIBI - 1)
    t:wait_until(function() return held.bytes(t) > 299 * KIBI end, "the small one")
    local large = upload(t, server, 4 * MEBI, 900 * KIBI)
    local answer = large:answer()
    assert.same({ 503, "close" }, { answer.status, answer.headers.connection })
    assert.equal("The server has no memory to spare.\n", answer.body)
    assert.is_true(held.bytes(t) < 301 * KIBI)
    small:send "b"
    assert.equal(200, small:parsed_head().status)
    assert.same({ 300 * KIBI }, bodies)
    assert.equal(1, server:stats().over_memory)
    small:close()
    large:close()
    held.wait_until_none(t)
  end))

  it("holds nothing of a body once its connection waits for the next request", case(function(t)
    local server = t:server { http = function(request) return 200, nil, tostring(#request.body) end }
    local raw = t:dial(server)
    raw:send(handshake.http { method = "POST", keep = true, headers = { ["Content-Length"] = "100000" } } .. ("b"):rep(100000))
    assert.equal(200, raw:parsed_head().status)
    held.wait_until_none(t)
  end))

  it("answers a head that is held back with 503", case(function(t)
    local server = t:server { memory_limit = 10000, max_header = 100000, http = function() return 200 end }
    local raw = t:dial(server)
    raw:send("GET / HTTP/1.1\r\nHost: x\r\nX: " .. ("h"):rep(12000))
    assert.equal(503, raw:answer().status)
    assert.equal(200, t:http(server).status)
  end))

  it("cuts an answer that its client does not take", case(function(t)
    local failed
    local server = t:server { memory_limit = MEBI, send_buffer = math.huge, http = function()
      return 200, nil, function(write)
        repeat
          local ok = write(("a"):rep(100 * KIBI))
          t.weft.sleep(0)
        until not ok
        failed = true
        error("the body goes no further", 0)
      end
    end }
    local raw = t:dial(server, { receive_buffer = 4096 })
    raw:send(handshake.http())
    t:wait_until(function() return server:stats().over_memory == 1 end, "the limit")
    held.wait_until_none(t)
    raw:read_until_closed()
    t:wait_until(function() return #t.reported > 0 or failed end, "the end of the body")
    t:reports()
  end))

  it("ends an event stream that its client does not take", case(function(t)
    local cause
    local server = t:server { memory_limit = MEBI, send_buffer = math.huge, http = function(request)
      local stream = request:event_stream()
      while stream:try_send(("e"):rep(10000)) do
        t.weft.sleep(0)
      end
      stream:wait_closed(5)
      cause = stream.close_cause
    end }
    local raw = t:dial(server, { receive_buffer = 4096 })
    raw:send(handshake.http { keep = true })
    assert.equal(200, raw:parsed_head().status)
    t:wait_until(function() return server:stats().over_memory == 1 end, "the limit")
    assert.equal(0, held.bytes(t))
    raw:read_until_closed()
    raw:close()
    t:wait_until(function() return cause end, "the handler")
    assert.equal("slow", cause)
  end))
end)

describe("memory_limit, with rooms,", function()
  it("counts a message once, and closes who has the most of them", case(function(t)
    local server = t:server { memory_limit = 4 * MEBI, send_buffer = math.huge }
    local room = t.weft.room()
    local slow, members = {}, {}
    for i = 1, 10 do
      slow[i] = t:upgrade(server, { receive_buffer = 4096 })
      members[i] = t:accepted()
    end
    local ws = t:connect(server)
    local reader = t:accepted()
    local got = 0
    t:spawn(function()
      for message in ws:messages() do got = got + #message end
    end)
    for _, member in ipairs(members) do room:join(member) end
    room:join(reader)
    local message, sent = ("m"):rep(100 * KIBI), 0
    while held.bytes(t) < 2 * MEBI do
      room:send(message, "binary")
      sent = sent + 1
      t.weft.sleep(0.001)
    end
    local queued = 0
    for _, member in ipairs(members) do queued = queued + member.buffered end
    assert.is_true(queued > 5 * held.bytes(t))
    assert.equal(11, room:count())
    assert(members[3]:try_send(("x"):rep(MEBI), "binary")) -- it has the most now
    room:send(message, "binary")
    while server:stats().over_memory == 0 do
      room:send(message, "binary")
      sent = sent + 1
      t.weft.sleep(0.001)
    end
    assert.equal("open", reader.state)
    assert.equal("slow", members[3].close_cause)
    t:wait_until(function() return got >= sent * #message end, "all messages at the reader")
    for _, raw in ipairs(slow) do raw:close() end
    reader:close(1000, "", 0)
    held.wait_until_none(t)
  end))

  it("lets go of short ones that were gathered", case(function(t)
    local server = t:server { memory_limit = 100000, send_buffer = math.huge }
    local room = t.weft.room()
    local raw = t:upgrade(server, { receive_buffer = 4096 })
    room:join(t:accepted())
    local short = ("s"):rep(120)
    while room:count() == 1 do
      for _ = 1, 100 do room:send(short) end
      t.weft.sleep(0)
    end
    assert.equal(frame.server.close(1013), raw:read_until_closed():sub(-4))
    raw:close()
    held.wait_until_none(t)
  end))
end)

describe("memory_limit, with pairs,", function()
  it("counts what lies between the ends", case(function(t)
    t:server { memory_limit = 200000 }
    local a, b = t.weft.pair()
    while b.state == "open" do -- reads 65,536 bytes ahead; the pair takes more
      a:try_send(("p"):rep(50000))
      t.weft.sleep(0)
    end
    assert.equal("too_big", b.close_cause)
    a:wait_closed(5)
    assert.same({ 1013, "peer" }, { a.close_code, a.close_cause })
    b:wait_closed(5)
    held.wait_until_none(t)
  end))
end)

describe("several memory_limits", function()
  local function has_room_for(t, server, size)
    local raw = t:upgrade(server)
    raw:send(part(size) .. client.continuation "." .. client.close(1000))
    local code = raw:close_frame()
    raw:close()
    return code == 1000
  end

  it("are one, the least, as long as what has it is open", case(function(t)
    local large = t:server { memory_limit = MEBI, websocket = sink }
    local none = t:server { websocket = sink }
    assert.is_true(has_room_for(t, none, 500000))
    local small = t:server { memory_limit = 200000, websocket = sink }
    local last = t:upgrade(small)
    assert.is_false(has_room_for(t, large, 500000))
    assert.is_false(has_room_for(t, none, 500000))
    assert.is_true(has_room_for(t, none, 100000))
    local closing = t:spawn(function() small:close(5) end)
    t.weft.sleep(0.01)
    assert.is_false(has_room_for(t, large, 500000)) -- one of its connections is there
    last:send(client.close(1001))
    last:read_until_closed()
    last:close()
    closing:join(5)
    assert.is_true(has_room_for(t, large, 500000))
    assert.is_false(has_room_for(t, large, MEBI - 1) and has_room_for(t, large, MEBI))
  end))

  it("may be a client's", case(function(t)
    local server = t:server { websocket = sink }
    local ws = t:connect(server, { memory_limit = 100000 })
    assert.is_false(has_room_for(t, server, 300000))
    ws:close()
    assert.is_true(has_room_for(t, server, 300000))
  end))
end)

describe("the option memory_limit", function()
  it("is bytes", case(function(t)
    for _, value in ipairs { 0, -1, 1.5, 0 / 0, "1", true } do
      raises(function() t.weft.listen { port = 0, websocket = print, memory_limit = value } end,
             "weft.listen", "'memory_limit'", "bytes")
      raises(function() t.weft.connect("ws://127.0.0.1:9/", { memory_limit = value }) end, "weft.connect", "'memory_limit'")
    end
    local server = t:server { memory_limit = math.huge, websocket = case.echo }
    local ws = t:connect(server)
    ws:send(("w"):rep(MEBI))
    assert.equal(MEBI, #ws:receive())
  end))
end)
