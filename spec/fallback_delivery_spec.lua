-- What weft.fallback delivers, both ways: once, in order, across what is cut off.
local case = require "support.case"
local fallback = require "support.fallback"
local patience = require "support.patience"

local served, joined, watching = fallback.served, fallback.joined, fallback.watching
local numbers, counting = fallback.numbers, fallback.counting

describe("events", function()
  it("are neither lost nor repeated, wherever the stream breaks", case(function(t)
    local n = 12
    local client, stream = joined(t, counting(n))
    assert.same(numbers(1, n), stream:records(n))
    for cut = 0, n - 1 do
      local again = client:follow(cut)
      assert.same(numbers(cut + 1, n), again:records(n - cut))
      if cut % 2 == 0 then
        again.raw:reset()
      else
        again:close()
      end
    end
  end))

  it("go on in the next stream while the handler sends", case(function(t)
    local n = 300
    local client, stream = joined(t, function(ws)
      for i = 1, n do
        ws:send(tostring(i))
        t.weft.sleep(0)
      end
      ws:receive()
    end)
    local all = {}
    while #all < n do
      for _ = 1, math.min(7, n - #all) do
        all[#all + 1] = stream:records(1)[1]
      end
      stream:close()
      if #all < n then
        stream = client:follow(#all)
      end
    end
    assert.same(numbers(1, n), all)
  end))

  it("may be asked for by Last-Event-ID", case(function(t)
    local client, stream = joined(t, counting(3))
    stream:records(3)
    local again = client:follow(nil, { headers = { ["Last-Event-ID"] = "2" } })
    again.last = 2
    assert.same({ "t3" }, again:records(1))
    again:close()
  end))

  it("that were acknowledged are gone, and others have not been", case(function(t)
    local client, stream = joined(t, counting(5))
    stream:records(5)
    client.seen = 3
    client:post {}
    for after, status in pairs { [2] = 410, [6] = 400, x = 400, ["-1"] = 400 } do
      local none, answer = client:try_follow(after)
      assert.is_nil(none)
      assert.equal(status, answer.status)
    end
    assert.same({ "t4", "t5" }, client:follow(3):records(2))
    client.seen = 6
    assert.equal(400, (client:post { "tlost" }))
  end))

  it("come in one stream at a time: the second ends the first", case(function(t)
    local client, first = joined(t, case.echo)
    local second = client:follow()
    assert.same({ nil, "end" }, { first:event() })
    client:post { "thello" }
    assert.same({ "thello" }, second:records(1))
    second:close()
  end))

  it("may be polled for", case(function(t)
    local server = served(t, case.echo, { ping_interval = patience(0.8) })
    local client = fallback.open(t, server, "/chat")
    local none = client:follow(0, { more = "&weft.poll" })
    assert.same({ nil, "end" }, { none:event() })
    client:post { "t1", "t2" }
    local some = client:follow(0, { more = "&weft.poll" })
    assert.equal("t1", some:records(1)[1])
    local rest = {}
    for _, record in some.event, some do
      rest[#rest + 1] = record
    end
    if #rest < 2 then -- t2 may come with the next
      assert.equal("t2", client:follow(1, { more = "&weft.poll" }):records(1)[1])
    end
    local waiting = client:follow(2, { more = "&weft.poll" })
    client:post { "t3" }
    assert.same({ "t3" }, waiting:records(1))
    assert.same({ nil, "end" }, { waiting:event() })
  end))

  it("have comments between them while nothing happens", case(function(t)
    local client, stream = joined(t, case.echo, { ping_interval = 0.02 })
    t.weft.sleep(0.1)
    client:post { "thello" }
    assert.same({ "thello" }, stream:records(1))
    assert.is_true(stream.comments >= 3, stream.comments)
    stream:close()
    client, stream = joined(t, case.echo, { ping_interval = false })
    t.weft.sleep(0.05)
    client:post { "thello" }
    assert.same({ "thello" }, stream:records(1))
    assert.equal(1, stream.comments)
    stream:close()
  end))
end)

describe("a client that is away", function()
  it("is waited for, for a while", case(function(t)
    local handler, ends = watching(t)
    local client, stream = joined(t, handler, { grace = 0.1, ping_interval = 0.02 })
    stream:close()
    t.weft.sleep(0.05)
    stream = client:follow()
    t.weft.sleep(0.15)
    assert.equal(0, #ends)
    stream:close()
    assert.same({ "closed", 1006, "", "eof" }, ends:take(patience(5)))
    local none, answer = client:try_follow(0)
    assert.is_nil(none)
    assert.equal(404, answer.status)
  end))

  it("is missed when it never came, and its handler never ran", case(function(t)
    local ran = false
    local server = served(t, function() ran = true end, { grace = 0.02 })
    local client = fallback.open(t, server, "/chat")
    t.weft.sleep(0.05)
    assert.equal(404, client:post_body("1 0\n").status)
    assert.is_false(ran)
  end))
end)

describe("posts", function()
  --- A session that keeps what it is sent.
  local function keeping(t)
    local got = {}
    local client, stream = joined(t, function(ws)
      for message in ws:messages() do
        got[#got + 1] = message
      end
    end)
    return client, got, stream
  end

  it("that come twice are delivered once", case(function(t)
    local client, got = keeping(t)
    for _ = 1, 3 do
      assert.equal(204, (client:post({ "t1", "t2" }, 1)))
    end
    assert.equal(204, (client:post({ "t2", "t3" }, 2)))
    assert.equal(204, (client:post({ "t1", "t2", "t3", "t4" }, 1)))
    t:wait_until(function() return #got == 4 end)
    assert.same({ "1", "2", "3", "4" }, got)
  end))

  it("that come twice at the same time are delivered once", case(function(t)
    local client, got = keeping(t)
    local list = numbers(1, 50)
    local tasks = {}
    for i = 1, 5 do
      tasks[i] = t:spawn(function() return (client:post(list, 1)) end)
    end
    for i = 1, 5 do
      assert.same({ true, 204 }, { tasks[i]:join(5) })
    end
    t:wait_until(function() return #got >= 50 end)
    t.weft.sleep(0.01)
    assert.equal(50, #got)
    assert.equal("50", got[50])
  end))

  it("that leave something out are told where to go on", case(function(t)
    local client, got = keeping(t)
    client:post { "t1" }
    local status, body = client:post({ "t3" }, 3)
    assert.same({ 409, "2\n" }, { status, body })
    assert.equal(204, (client:post({ "t2", "t3" }, 2)))
    t:wait_until(function() return #got == 3 end)
    assert.same({ "1", "2", "3" }, got)
  end))

  it("that are not well-formed deliver nothing", case(function(t)
    local client, got = keeping(t)
    for _, body in ipairs {
      "", "1\n", "1 0", "x 0\ntx\n", "-1 0\ntx\n", "1 0\ntx", "1 0\ntx\nhm\n", "1 0\ntx\n\n",
      "1 0\ntx\nb@@\n", "1 0\ntx\nbAP8\n", "1 0\ntx\nt\\x\n", "1 0\ntx\nt\\\n", "1 0\ntx\nt\r\n",
      "1 0\ntx\nt\255\n", "1 0\ntx\nt\237\160\128\n", "1 0\ntx\nc999\n", "1 0\ntx\nc1005\n", "1 0\ntx\nc1006\n",
      "1 0\ntx\nc1011\n", "1 0\ntx\nc5000\n", "1 0\ntx\nc1000 " .. ("x"):rep(124) .. "\n", "1 0\ntx\nc1000 \255\n",
      "1 99999999999999999999\ntx\n", "1 1\ntx\n",
    } do
      assert.equal(400, client:post_body(body).status, body)
    end
    assert.equal(204, (client:post { "tgood" }))
    t:wait_until(function() return #got == 1 end)
    assert.same({ "good" }, got)
  end))

  it("have a type that no form sends", case(function(t)
    local client, got = keeping(t)
    for _, kind in ipairs { "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                            "application/x-wefty", "" } do
      assert.equal(415, client:post_body("1 0\ntx\n", { ["Content-Type"] = kind }).status, kind)
    end
    assert.equal(415, client:post_body("1 0\ntx\n", {}).status)
    assert.equal(415, fallback.try(t, client.server, "/chat", { headers = { ["Content-Type"] = "text/plain" } }).status)
    assert.equal(204, client:post_body("1 0\ntx\n", { ["Content-Type"] = "Application/X-Weft; charset=utf-8" }).status)
    t:wait_until(function() return #got == 1 end)
  end))

  it("are answered when the handler's end has taken what was in them", case(function(t)
    local go = t.weft.queue()
    local got = 0
    local client, stream = joined(t, function(ws)
      go:take()
      for message in ws:messages() do
        got = got + #message
      end
    end)
    local piece = ("x"):rep(100000)
    local posted = 0
    local poster = t:spawn(function()
      for _ = 1, 12 do
        assert(client:post { "t" .. piece } == 204)
        posted = posted + 1
      end
      return "done"
    end)
    t:wait_until(function() return posted >= 2 end)
    assert.same({ nil, "timeout" }, { poster:join(0.2) })
    assert.is_true(posted < 12)
    go:put(true)
    assert.same({ true, "done" }, { poster:join(5) })
    t:wait_until(function() return got == 1200000 end)
    stream:close()
  end))
end)

describe("back-pressure", function()
  it("holds the handler's sends when the client acknowledges nothing", case(function(t)
    local sent = 0
    local piece = ("x"):rep(10000)
    local client, stream = joined(t, function(ws)
      for _ = 1, 100 do
        ws:send(piece)
        sent = sent + 1
      end
      ws:receive()
    end, { window = 20000, send_buffer = 1000, receive_buffer = 1000 })
    stream:records(2)
    t.weft.sleep(0.1)
    local held = sent
    assert.is_true(held < 60, held)
    assert.same({ nil, "timeout" }, { stream:event(0.05) }) -- two are the window
    for seen = 2, 100 do
      client.seen = seen
      assert.equal(204, (client:post {}))
      if seen < 100 then
        stream:records(1)
      end
    end
    assert.equal(100, sent)
    stream:close()
  end))

  it("closes a member of a room that does not keep up", case(function(t)
    local room = t.weft.room()
    local handler, ends = watching(t)
    local _, stream = joined(t, function(ws)
      room:join(ws)
      handler(ws)
    end, { window = 1000, send_buffer = 1000, close_timeout = 0.05 })
    t:wait_until(function() return room:count() == 1 end)
    local piece = ("x"):rep(10000)
    t:wait_until(function()
      room:send(piece)
      return room:count() == 0
    end)
    assert.equal("closed", ends:take(5)[1])
    stream:close()
  end))
end)
