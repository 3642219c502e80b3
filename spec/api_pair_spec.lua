local case = require "support.case"

describe("a pair", function()
  it("is two open connections to each other", case(function(t)
    local client, server = t.weft.pair()
    assert.equal("open", client.state)
    assert.equal("open", server.state)
    client:send "to the server"
    server:send("to the client", "binary")
    assert.same({ "to the server", "text" }, { server:receive(5) })
    assert.same({ "to the client", "binary" }, { client:receive(5) })
    assert.is_true(client:close(4000, "done"))
    assert.same({ true, 4000, "done" }, { server:wait_closed(5) })
  end))

  it("needs no socket", case(function(t)
    local lfs = require "lfs"
    local function descriptors()
      local n = 0
      for _ in lfs.dir "/proc/self/fd" do
        n = n + 1
      end
      return n
    end
    if lfs.attributes "/proc/self/fd" then
      t.weft.pair():abort()
      local before = descriptors()
      local pairs_of = {}
      for i = 1, 20 do
        pairs_of[i] = { t.weft.pair() }
        pairs_of[i][1]:send "x"
        assert.equal("x", pairs_of[i][2]:receive(5))
      end
      assert.equal(before, descriptors())
      for _, pair in ipairs(pairs_of) do
        pair[1]:abort()
      end
    end
  end))

  it("tests a handler without a server", case(function(t)
    local function shout(ws)
      for message in ws:messages() do
        ws:send(message:upper() .. "!")
      end
      return ws.close_code
    end
    local client, server = t.weft.pair()
    local handler = t:spawn(shout, server)
    client:send "hello"
    assert.equal("HELLO!", client:receive(5))
    assert.is_true(client:close(4001))
    assert.same({ true, 4001 }, { handler:join(5) })
  end))

  it("works with blocking calls in a script", case.blocking(function(t)
    local client, server = t.weft.pair()
    assert.is_true(client:send "hello")
    assert.equal("hello", server:receive())
    assert.is_true(server:send "hello yourself")
    assert.equal("hello yourself", client:receive())
    assert.is_true(client:ping() >= 0)
    assert.same({ nil, "timeout" }, { client:receive(0.001) })
    assert.is_true(client:close())
    assert.same({ nil, "closed", 1000, "" }, { server:receive() })
  end))

  it("takes the options of both ends", case(function(t)
    local client, server = t.weft.pair({ protocols = { "a", "b" }, max_message = 10 }, { protocols = { "b" }, max_message = 20 })
    assert.equal("b", client.protocol)
    assert.equal("b", server.protocol)
    client:send(("x"):rep(20))
    assert.equal(20, #server:receive(5))
    server:send(("x"):rep(11))
    assert.same({ nil, "closed" }, { (select(1, client:receive(5))), (select(2, client:receive(5))) })
    assert.equal("too_big", client.close_cause)
    server:wait_closed(5)
    assert.equal(1009, server.close_code)
  end))

  it("has a request and a response like any other", case(function(t)
    local client, server = t.weft.pair { headers = { ["X-Name"] = "ana" } }
    assert.equal("GET", server.request.method)
    assert.equal("ana", server.request.headers["x-name"])
    assert.equal("/", server.request.path)
    assert.equal("ana", client.request.headers["X-Name"])
    assert.equal(101, client.response.status)
    assert.is_nil(server.response)
    client:abort()
  end))

  it("ends for both when one aborts", case(function(t)
    local client, server = t.weft.pair()
    server:send "before"
    t.weft.sleep(0)
    server:abort()
    assert.equal("before", client:receive(5))
    assert.same({ true, 1006, "" }, { client:wait_closed(5) })
    assert.is_truthy(client.close_cause == "eof" or client.close_cause == "reset", client.close_cause)
  end))

  it("pushes back when one end does not receive", case(function(t)
    local client, server = t.weft.pair({ send_buffer = 1000 }, { receive_buffer = 1000 })
    local sent = 0
    local sender = t:spawn(function()
      for _ = 1, 1000 do
        assert.is_true(client:send(("x"):rep(1000)))
        sent = sent + 1
      end
    end)
    for _ = 1, 50 do
      t.weft.sleep(0)
    end
    assert.is_true(sent < 1000, "a pair holds a megabyte")
    for _ = 1, 1000 do
      assert.equal(1000, #server:receive(5))
    end
    assert.is_true((sender:join(5)))
    client:abort()
  end))

  it("carries large messages both ways at once", case(function(t)
    local client, server = t.weft.pair()
    local message = ("0123456789abcdef"):rep(65536)
    for _, ws in ipairs { client, server } do
      t:spawn(function()
        for _ = 1, 3 do
          assert.is_true(ws:send(message))
        end
      end)
      t:spawn(function()
        for _ = 1, 3 do
          assert.is_true(ws:receive(5) == message)
        end
      end)
    end
    t:wait_until(function() return client.buffered == 0 and server.buffered == 0 end)
    for _, task in ipairs(t.tasks) do
      assert.is_true((task:join(5)))
    end
    client:abort()
  end))

  it("keeps alive without a socket, too", case(function(t)
    local client, server = t.weft.pair({ ping_interval = 0.005 }, { ping_interval = false })
    t:wait_until(function() return client.latency end, "a latency")
    assert.equal("open", server.state)
    client:abort()
  end))

  it("may be made by the thousand", case(function(t)
    local ends = {}
    for i = 1, 2000 do
      local client, server = t.weft.pair()
      client:try_send(tostring(i))
      ends[i] = { client, server }
    end
    for i = 1, 2000 do
      assert.equal(tostring(i), ends[i][2]:receive(5))
      ends[i][1]:abort()
    end
  end))
end)
