-- How long an event stream lasts: what ends it, what keeps it, and who reads slowly.
local case = require "support.case"
local event_streams = require "support.event_stream"
local handshake = require "support.handshake"
local patience = require "support.patience"

local streams, reader, open = event_streams.streams, event_streams.reader, event_streams.open
local comes, check_ends = event_streams.comes, event_streams.check_ends

describe("the end of an event stream", function()
  it("comes with the client's", case(function(t)
    local stream, raw = open(t)
    raw:shutdown()
    assert.same({ true, 1005, "" }, { stream:wait_closed(patience(5)) })
    assert.same({ "closed", "peer", "the client closed the stream" },
                { stream.state, stream.close_cause, stream.close_message })
    assert.same({ nil, "closed", 1005, "" }, { stream:send "too late" })
    assert.same({ nil, "closed", 1005, "" }, { stream:try_send "too late" })
    assert.same({ nil, "closed", 1005, "" }, { stream:comment "too late" })
    assert.is_nil(stream.sent_code)
  end))

  it("is told when the client breaks off", case(function(t)
    local stream, raw = open(t)
    raw:reset()
    assert.same({ true, 1006, "" }, { stream:wait_closed(patience(5)) })
    assert.equal("reset", stream.close_cause)
  end))

  it("wakes a send that waits", case(function(t)
    local stream, raw = open(t, { send_buffer = 0 })
    local outcome = t:spawn(function()
      local ok, word
      repeat
        ok, word = stream:send(("x"):rep(100000), { id = 1 })
      until not ok
      return word
    end)
    t.weft.sleep(0.02)
    raw:reset()
    assert.same({ true, "closed" }, { outcome:join(patience(5)) })
  end))

  it("is ours to bring about", case(function(t)
    local stream, raw = open(t)
    stream:send "the last"
    local closing = t:spawn(function()
      return stream:close(1000, "heard by nobody")
    end)
    check_ends(raw, "data: the last\n\n")
    assert.equal("closing", stream.state)
    assert.same({ nil, "closed", 1006, "" }, { stream:send "too late" })
    raw:close()
    assert.same({ true, true }, { closing:join(patience(5)) })
    assert.same({ "local", 1005 }, { stream.close_cause, stream.close_code })
    assert.is_true(stream:close())
  end))

  it("does not wait for a client that stays", case(function(t)
    local stream = open(t, { close_timeout = patience(0.02) })
    assert.same({ nil, "timeout" }, { stream:close() })
    assert.equal("timeout", stream.close_cause)
    assert.matches("the client did not close", stream.close_message)
    local other = open(t)
    assert.is_true(other:close(nil, nil, 0))
  end))

  it("is abrupt when asked", case(function(t)
    local stream, raw = open(t)
    stream:abort()
    assert.equal("closed", stream.state)
    assert.equal("", (raw:read_until_closed()))
  end))

  it("comes when the handler returns", case(function(t)
    local stream
    local server = streams(t, {}, function(one)
      stream = one
      one:send "all there is"
      return 404, nil, "is ignored"
    end)
    local raw = reader(t, server)
    check_ends(raw, "data: all there is\n\n")
    raw:close()
    stream:wait_closed(patience(5))
    assert.equal("handler", stream.close_cause)
  end))

  it("comes when the handler fails, which is reported", case(function(t)
    local stream
    local server = streams(t, {}, function(one)
      stream = one
      one:send "so far"
      error "broken"
    end)
    local raw = reader(t, server)
    check_ends(raw, "data: so far\n\n")
    raw:close()
    stream:wait_closed(patience(5))
    assert.equal("error", stream.close_cause)
    local reports = t:reports()
    assert.equal(1, #reports)
    assert.matches("broken", reports[1].error)
    assert.equal(stream, reports[1].subject)
  end))

  it("comes with the server's", case(function(t)
    local server = streams(t, {})
    local raw = reader(t, server)
    local stream = t:accepted()
    stream:send "the last"
    local closing = t:spawn(function()
      return server:close(patience(5))
    end)
    check_ends(raw, "data: the last\n\n")
    raw:close()
    assert.same({ true, true }, { closing:join(patience(5)) })
    assert.equal("shutdown", stream.close_cause)
  end))

  it("comes at once on a server that is closing", case(function(t)
    local stream
    local server = t:server { http = function(request)
      t.weft.sleep(0.02)
      stream = assert(request:event_stream())
      stream:wait_closed()
    end }
    local raw = t:dial(server)
    raw:send(handshake.http())
    t.weft.sleep(0.005)
    local closing = t:spawn(function()
      return server:close(patience(5))
    end)
    raw:answer()
    raw:close()
    assert.same({ true, true }, { closing:join(patience(5)) })
    assert.equal("shutdown", stream.close_cause)
  end))

  it("comes when its handler is cancelled", case(function(t)
    local server = streams(t, { close_timeout = patience(5) })
    local raw = reader(t, server)
    local stream = t:accepted()
    server:close(0)
    raw:read_until_closed()
    assert.equal("closed", stream.state)
  end))

  it("comes when nothing was sent for idle_timeout", case(function(t)
    local stream, raw = open(t, { idle_timeout = patience(0.8), ping_interval = patience(0.05) })
    local got = raw:read_until_closed()
    assert.matches("^:\n\n", got)
    assert.equal("", (got:gsub(":\n\n", "")))
    raw:close()
    stream:wait_closed(patience(5))
    assert.equal("idle", stream.close_cause)
  end))
end)

describe("the keepalive of an event stream", function()
  it("is a comment, to which nobody need say anything", case(function(t)
    local stream, raw = open(t, { ping_interval = patience(0.02), ping_timeout = patience(0.01) })
    comes(raw, (":\n\n"):rep(5))
    assert.equal("open", stream.state)
    stream:send "x"
    assert.matches("^[:\n]*data: x\n\n", (raw:receive(12)))
  end))

  it("is not needed while something is sent", case(function(t)
    local stream, raw = open(t, { ping_interval = patience(0.7) })
    for _ = 1, 20 do
      stream:send "x"
      t.weft.sleep(patience(0.05))
    end
    comes(raw, ("data: x\n\n"):rep(20))
  end))

  it("can be turned off", case(function(t)
    local _, raw = open(t, { ping_interval = false })
    assert.is_true(raw:is_silent(0.05))
  end))
end)

describe("back-pressure on an event stream", function()
  local TEXT = ("x"):rep(50000)

  it("makes send wait and try_send say so", case(function(t)
    local stream, raw = open(t, { send_buffer = 100000 })
    while stream:try_send(TEXT) do
      t.weft.sleep(0)
    end
    assert.same({ nil, "full" }, { stream:try_send(TEXT, { id = 1 }) })
    assert.is_true(stream.buffered > 100000)
    assert.same({ nil, "timeout" }, { stream:send(TEXT, { id = 1, timeout = 0.005 }) })
    assert.same({ nil, "timeout" }, { stream:comment(TEXT, 0) })
    local options, order = { id = "late" }, {}
    local late = t:spawn(function()
      assert(stream:send("waited", options))
      order[#order + 1] = "sent"
      assert(stream:comment "waited too")
      assert(stream:close())
    end)
    t.weft.sleep(0)
    options.id = nil -- it has been taken
    collectgarbage()
    order[#order + 1] = "waits"
    local got = raw:read_until_closed()
    raw:close()
    assert.same({ true }, { late:join(patience(5)) })
    assert.same({ "waits", "sent" }, order)
    assert.matches("\n\nid: late\ndata: waited\n\n: waited too\n\n$", got)
    assert.equal("", (got:gsub("data: x+\n\n", ""):gsub("id: late\ndata: waited\n\n: waited too\n\n$", "")))
  end))

  it("ends with one that takes nothing", case(function(t)
    local stream = open(t, { write_timeout = patience(0.05), send_buffer = 0 })
    local ok, word
    repeat
      ok, word = stream:send(TEXT)
    until not ok
    assert.equal("closed", word)
    assert.equal("slow", stream.close_cause)
  end))
end)
