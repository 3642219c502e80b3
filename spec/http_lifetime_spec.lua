-- How connections with plain requests end: clients that stop sending, servers
-- that close, handlers that are cancelled, and what is still on its way then.
local case = require "support.case"
local certificates = require "support.certificates"
local exchange = require "support.exchange"
local handshake = require "support.handshake"
local requests = require "weft.request"
local tls_peer = require "support.tls_peer"

local get, post, next_answer = exchange.get, exchange.post, exchange.next_answer

local function tells(request)
  return 200, {}, request.path .. " " .. request.body
end

local LARGE = ("x"):rep(4000000) -- more than two sockets take

describe("a client that sends no more", function()
  it("gets its answers, also of requests that came at once", case(function(t)
    local raw = t:dial(t:server { http = function(request)
      t.weft.sleep(0.005)
      return tells(request)
    end })
    raw:send(get "/a" .. post("body", "/b") .. get "/c")
    raw:shutdown()
    for _, body in ipairs { "/a ", "/b body", "/c " } do
      assert.equal(body, next_answer(raw).body)
    end
    assert.same({ "", "fin" }, { raw:read_until_closed() })
  end))

  for name, options in pairs {
    ["that ends the connection"] = { headers = { Connection = "close" } },
    ["that does not"] = {},
    ["of HTTP/1.0"] = { version = "HTTP/1.0" },
  } do
    it("gets a large answer whole, " .. name, case(function(t)
      local raw = t:dial(t:server { http = function()
        return 200, {}, LARGE
      end }, { receive_buffer = 65536 })
      raw:send(get("/", options))
      raw:shutdown()
      t.weft.sleep(0.05)
      local answer = raw:answer()
      assert.same({ 200, #LARGE, "fin" }, { answer.status, #answer.body, answer.ending })
    end))
  end

  it("gets what was written piece by piece", case(function(t)
    local raw = t:dial(t:server { http = function()
      return 200, { ["Content-Length"] = 4000000 }, function(write)
        for _ = 1, 40 do
          write(("y"):rep(100000))
        end
      end
    end }, { receive_buffer = 65536 })
    raw:send(get("/", { headers = { Connection = "close" } }))
    raw:shutdown()
    t.weft.sleep(0.05)
    local answer = raw:answer()
    assert.same({ 4000000, "fin" }, { #answer.body, answer.ending })
  end))

  it("gets what came before a request that breaks off", case(function(t)
    for _, rest in ipairs { "GET /b HT", post("body", "/b"):sub(1, -3) } do
      local raw = t:dial(t:server { send_buffer = 8000000, http = function()
        return 200, {}, LARGE
      end }, { receive_buffer = 65536 })
      raw:send(get "/a" .. rest)
      raw:shutdown()
      t.weft.sleep(0.05)
      local answer = raw:answer()
      assert.same({ 200, #LARGE, "fin" }, { answer.status, #answer.body, answer.ending })
    end
  end))

  it("holds nothing when it never reads", case(function(t)
    local server = t:listen { write_timeout = 0.05, close_timeout = 0.05, http = function()
      return 200, {}, LARGE
    end }
    local raw = t:dial(server, { receive_buffer = 65536 })
    raw:send(get("/", { headers = { Connection = "close" } }))
    raw:shutdown()
    t:wait_until(function() return server:stats().accepted == 1 and server:stats().connections == 0 end)
  end))
end)

describe("a client that reads slowly", function()
  it("is not taken for idle while an answer is on its way", case(function(t)
    local raw = t:dial(t:server { handshake_timeout = 0.05, send_buffer = 8000000, http = function()
      return 200, {}, LARGE
    end }, { receive_buffer = 65536 })
    raw:send(get "/")
    t.weft.sleep(0.15)
    assert.equal(#LARGE, #next_answer(raw).body)
    assert.same({ "", "fin" }, { raw:read_until_closed() })
  end))

  it("is dropped when it takes nothing", case(function(t)
    local more = LARGE:rep(6) -- than the kernel takes for it
    local server = t:listen { write_timeout = 0.05, send_buffer = 8000000, http = function()
      return 200, {}, more
    end }
    local raw = t:dial(server, { receive_buffer = 65536 })
    raw:send(get "/")
    t:wait_until(function() return server:stats().accepted == 1 and server:stats().connections == 0 end)
  end))

  it("gets its answer whole when the server closes", case(function(t)
    local answered
    local server = t:listen { send_buffer = 8000000, http = function()
      answered = true
      return 200, {}, LARGE
    end }
    for _, rest in ipairs { "", "GET /b HT" } do
      answered = false
      local raw = t:dial(server, { receive_buffer = 65536 })
      raw:send(get "/" .. rest)
      t:wait_until(function() return answered end)
      t.weft.sleep(0.02)
      if rest ~= "" then
        t:spawn(server.close, server, 5)
      end
      local answer = next_answer(raw)
      assert.equal(#LARGE, #answer.body)
      raw:close()
    end
  end))
end)

describe("a server that closes", function()
  it("right behind an answer sends it", case(function(t)
    local server
    server = t:listen { http = function(request)
      t.weft.spawn(server.close, server, 5)
      return tells(request)
    end }
    local raw = t:dial(server)
    raw:send(get "/a")
    local answer = next_answer(raw)
    assert.equal("/a ", answer.body)
    assert.same({ "", "fin" }, { raw:read_until_closed() })
  end))

  -- one of them hits the moment between the body's end and the handler's turn
  for turns = 0, 8 do
    it("at once, " .. turns .. " turns after a body's last byte", case(function(t)
      local server = t:listen { http = tells }
      local peers = {}
      for i = 1, 3 do
        peers[i] = t:dial(server)
        peers[i]:send(get("/", { method = "POST", headers = { ["Content-Length"] = "4" }, body = "fou" }))
      end
      t.weft.sleep(0.01)
      for i = 1, 3 do
        peers[i]:send "r"
      end
      for _ = 1, turns do
        t.weft.sleep(0)
      end
      server:close(0)
      for i = 1, 3 do
        local _, ending = peers[i]:read_until_closed()
        assert.is_true(ending == "fin" or ending == "reset")
      end
    end))
  end

  local states = {
    ["idle, new"] = "",
    ["idle, behind an answer"] = get "/quick",
    ["in the middle of a head"] = "GET / HTTP/1.1\r\nHo",
    ["in the middle of a body"] = post("body"):sub(1, -2),
    ["while a handler works"] = get "/waits",
    ["while an answer is written"] = get "/writes",
    ["while an answer waits for the client"] = get "/stalls",
    ["while a large answer waits for the client"] = get "/large",
    ["behind an answer that ended it"] = get("/quick", { headers = { Connection = "close" } }),
    ["behind a refusal"] = "GET  / HTTP/1.1\r\n\r\n",
    ["with more requests behind"] = get "/waits" .. get "/quick" .. get "/waits",
  }
  local function pages(t, outcomes)
    return function(request)
      local path = request.path
      if path == "/waits" then
        outcomes[#outcomes + 1] = { t.weft.sleep(60) }
        return 200, {}, "late"
      elseif path == "/writes" then
        return 200, {}, function(write)
          write "begun"
          outcomes[#outcomes + 1] = { t.weft.sleep(60) }
          outcomes[#outcomes + 1] = { write "more" }
        end
      elseif path == "/stalls" then
        return 200, {}, function(write)
          repeat
            local ok = write(("z"):rep(100000))
          until not ok
        end
      elseif path == "/large" then
        return 200, {}, LARGE
      end
      return tells(request)
    end
  end
  for name, bytes in pairs(states) do
    it("at once, " .. name, case(function(t)
      local outcomes = {}
      local server = t:listen { http = pages(t, outcomes) }
      local raw = t:dial(server, { receive_buffer = 65536 })
      raw:send(bytes)
      t.weft.sleep(0.02)
      assert.is_true(server:close(0))
      local _, ending = raw:read_until_closed()
      assert.not_equal("timeout", ending)
      t.weft.sleep(0.01)
      for _, outcome in ipairs(outcomes) do
        assert.is_nil(outcome[1])
      end
      assert.equal(0, server:stats().connections)
    end))

    it("when its time is up, " .. name, case(function(t)
      local outcomes = {}
      local server = t:listen { close_timeout = 0.05, http = pages(t, outcomes) }
      local raw = t:dial(server, { receive_buffer = 65536 })
      raw:send(bytes)
      t.weft.sleep(0.02)
      assert.is_true(server:close(0.03))
      assert.equal(0, server:stats().connections)
    end))

    it("with its instance, " .. name, case(function(t)
      local other = require("weft").new()
      local outcomes = {}
      local server = assert(other.listen { port = 0, http = pages({ weft = other }, outcomes) })
      local raw = t:dial(server:port(), { receive_buffer = 65536 })
      raw:send(bytes)
      for _ = 1, 5 do
        other.step(0)
        t.weft.sleep(0.002)
      end
      other.close()
      local _, ending = raw:read_until_closed()
      assert.not_equal("timeout", ending)
    end))
  end
end)

describe("over TLS", function()
  local function client(t, server)
    return tls_peer.s_client(t, server, { "-quiet" })
  end

  it("requests that came in one record are answered, however long each takes", case(function(t)
    for _, pause in ipairs { 0, 0.002 } do
      local openssl = client(t, t:listen { tls = certificates.with(certificates.server), http = function(request)
        if pause > 0 then
          t.weft.sleep(pause)
        end
        return tells(request)
      end })
      local all = {}
      for i = 1, 200 do
        all[i] = i % 3 == 0 and post("b" .. i, "/" .. i) or get("/" .. i)
      end
      openssl:write(table.concat(all))
      openssl:expect "/200 "
      local output, at = openssl:output(), 1
      for i = 1, 200 do
        local _, last = output:find(("\r\n\r\n/%d %s"):format(i, i % 3 == 0 and "b" .. i or ""), at, true)
        assert.is_truthy(last)
        at = last
      end
      openssl:close()
    end
  end, 20))

  it("what is there already is looked at when its turn comes", case(function(t)
    local gate = t.weft.queue()
    local openssl = client(t, t:listen { tls = certificates.with(certificates.server), http = function(request)
      if request.path == "/a" then
        gate:take()
      end
      return tells(request)
    end })
    openssl:write(get "/a" .. post(("x"):rep(9000), "/b") .. get "/c")
    t.weft.sleep(0.05)
    gate:put(true)
    openssl:expect "/c "
    openssl:close()
  end))

  it("a large answer is whole, also when it ends the connection", case(function(t)
    local server = t:listen { tls = certificates.with(certificates.server), http = function()
      return 200, {}, LARGE
    end }
    local openssl = client(t, server)
    openssl:write(get("/", { headers = { Connection = "close" } }))
    local output = openssl:finish()
    assert.equal(#LARGE, #output:match "\r\n\r\n(.*)$")
    t:wait_until(function() return server:stats().connections == 0 end)
  end, 20))

  it("a server closes in each state", case(function(t)
    for _, bytes in ipairs { "", get "/quick", "GET / HT", post("body"):sub(1, -2), get "/waits", get "/large" } do
      local server = t:listen { tls = certificates.with(certificates.server), http = function(request)
        if request.path == "/waits" then
          t.weft.sleep(60)
        end
        return 200, {}, request.path == "/large" and LARGE or "ok"
      end }
      local openssl = client(t, server)
      openssl:write(bytes)
      t.weft.sleep(0.05)
      assert.is_true(server:close(0))
      openssl:finish()
    end
  end, 20))
end)

describe("an error in a handler", function()
  local values = {
    text = "words", number = 5, table = {}, ["true"] = true,
    ["a table that cannot be shown"] = setmetatable({}, { __tostring = function() error "no" end }),
    ["a table that shows no string"] = setmetatable({}, { __tostring = function() return 5 end }),
    ["another's cancellation"] = "the task was cancelled",
  }
  values["nothing"] = false -- for nil
  for name, value in pairs(values) do
    it("is reported as it is, with the connection, which goes on: " .. name, case(function(t)
      local bad = true
      local raw = t:dial(t:server { http = function(request)
        if bad then
          error(value or nil, 0)
        end
        return tells(request)
      end })
      raw:send(get "/")
      local answer = next_answer(raw)
      assert.same({ 500, "Internal Server Error\n" }, { answer.status, answer.body })
      local reports = t:reports()
      assert.equal(1, #reports)
      if value then
        assert.is_true(rawequal(value, reports[1].error) or value == "words" and reports[1].error:find "words" ~= nil
                       or value == "the task was cancelled" and reports[1].error:find(value, 1, true) ~= nil)
      end
      assert.matches("traceback.*http_lifetime_spec.lua:%d+", reports[1].traceback)
      assert.matches("^weft.Connection", tostring(reports[1].subject))
      bad = false
      raw:send(get "/again")
      assert.equal("/again ", next_answer(raw).body)
    end))

    it("in the middle of an answer breaks it off: " .. name, case(function(t)
      local raw = t:dial(t:server { http = function()
        return 200, {}, function(write)
          write "begun"
          error(value or nil)
        end
      end })
      raw:send(get "/a" .. get "/b")
      raw:parsed_head()
      assert.same({ "5\r\nbegun\r\n", "fin" }, { raw:read_until_closed() })
      assert.equal(1, #t:reports())
    end))
  end

  it("may end the connection in the hook", case(function(t)
    for _, how in ipairs { "abort", "close" } do
      local raw = t:dial(t:server { http = function() error "oh" end })
      t.weft.on_error(function(_, _, ws)
        if how == "abort" then
          ws:abort()
        else
          ws:close(1000, "", 0)
        end
      end)
      raw:send(get "/a" .. get "/b")
      local all, ending = raw:read_until_closed()
      assert.equal("", all)
      assert.not_equal("timeout", ending)
    end
  end))
end)

describe("a connection that many requests come by", function()
  it("tells of the one that it is about", case(function(t)
    local about, seen = {}, nil
    local raw = t:dial(t:server {
      http = function() error "oh" end,
      websocket = function(ws)
        seen = ws.request.path
        ws:wait_closed()
      end,
    })
    t.weft.on_error(function(_, _, ws)
      about[#about + 1] = ws.state .. " " .. ws.request.path
    end)
    raw:send(get "/a" .. get "/b")
    next_answer(raw)
    next_answer(raw)
    raw:send(post("x", "/c"))
    next_answer(raw)
    assert.same({ "connecting /a", "connecting /b", "connecting /c" }, about)
    raw:send(handshake.request { path = "/chat" })
    raw:parsed_head()
    t:wait_until(function() return seen end)
    assert.equal("/chat", seen)
    raw:close()
  end))

  it("tells nothing of one that has not come", case(function(t)
    local kept
    local raw = t:dial(t:server { http = function() error "oh" end })
    t.weft.on_error(function(_, _, ws) kept = ws end)
    raw:send(get "/a")
    next_answer(raw)
    raw:send "GET /secret HTTP/1.1\r\nAuthorization: x"
    t.weft.sleep(0.01)
    assert.same({ "connecting", 0 }, { kept.state, kept.buffered })
    assert.is_nil(kept.request)
    assert.same({ nil, "connecting" }, { kept:try_send "x" })
    raw:send "\r\nHost: x\r\n\r\n"
    assert.equal(500, next_answer(raw).status)
  end))

  it("is no longer a request's that was kept", case(function(t)
    local kept = {}
    local raw = t:dial(t:server { http = function(request)
      kept[#kept + 1] = request
      assert.is_truthy(requests.connection(request))
      assert.is_nil(kept[1] ~= request and requests.connection(kept[1]) or nil)
      if request.path == "/bad" then
        error "oh"
      end
      return tells(request)
    end })
    for _, path in ipairs { "/a", "/bad", "/c" } do
      raw:send(get(path))
      next_answer(raw)
    end
    assert.equal(1, #t:reports())
    assert.equal(3, #kept)
    raw:close()
    t.weft.sleep(0.01)
    for i, path in ipairs { "/a", "/bad", "/c" } do
      assert.is_nil(requests.connection(kept[i]))
      assert.same({ path, "" }, { kept[i].path, kept[i].body })
    end
  end))

  it("is no event stream for a request that was answered", case(function(t)
    local kept, outcome
    local raw = t:dial(t:server { http = function(request)
      if kept then
        outcome = { pcall(kept.event_stream, kept) }
      end
      kept = request
      return tells(request)
    end })
    raw:send(get "/a" .. get "/b")
    next_answer(raw)
    assert.equal("/b ", next_answer(raw).body)
    assert.is_false(outcome[1])
    assert.matches("not one that a server is answering", outcome[2])
  end))

  it("lives without anybody who refers to it, and is gone when it has ended", case(function(t)
    local known = setmetatable({}, { __mode = "k" })
    local server = t:listen { http = function(request)
      known[requests.connection(request)] = true
      if request.path == "/waits" then
        t.weft.sleep(0.01)
      end
      collectgarbage()
      return 200, {}, function(write)
        write(request.path)
        collectgarbage()
      end
    end }
    local raw = t:dial(server)
    for i = 1, 5 do
      raw:send(get(i % 2 == 0 and "/waits" or "/"))
      assert.equal(200, raw:parsed_head().status)
      raw:receive(i % 2 == 0 and 16 or 11)
      collectgarbage()
      raw:send(post("body"):sub(1, -3))
      t.weft.sleep(0.002)
      collectgarbage()
      raw:send "dy"
      assert.equal(200, raw:parsed_head().status)
      raw:receive(11)
    end
    assert.equal(1, server:stats().connections)
    raw:close()
    t:wait_until(function() return server:stats().connections == 0 end)
    t:wait_until(function()
      collectgarbage()
      return next(known) == nil
    end, "the connection's collection")
  end))

  it("can be written to by other tasks as long as its answer lasts", case(function(t)
    local late
    local raw = t:dial(t:server { send_buffer = 1000, http = function(request)
      if request.path == "/b" then
        return tells(request)
      end
      return 200, {}, function(write)
        local tasks = {}
        for i = 1, 3 do
          tasks[i] = t.weft.spawn(function()
            for _ = 1, 20 do
              assert(write(("%d"):format(i):rep(5000)))
            end
          end)
        end
        for i = 1, 3 do
          assert(tasks[i]:join())
        end
        late = write
      end
    end }, { receive_buffer = 4096 })
    raw:send(get("/a", { headers = { Connection = "close" } }))
    local answer = raw:answer()
    local count = { 0, 0, 0 }
    for digit in answer.body:gmatch "([123])%1%1%1%1" do
      count[tonumber(digit)] = count[tonumber(digit)] + 5
    end
    assert.same({ 100000, 100000, 100000 }, count)
    assert.matches("0\r\n\r\n$", answer.body)
    assert.same({ nil, "closed" }, { late "more" })
  end))

  it("is served in small turns", case(function(t)
    local other = require("weft").new()
    local server = assert(other.listen { port = 0, http = function(request)
      other.sleep(0)
      return tells(request)
    end })
    local raws = {}
    for i = 1, 5 do
      raws[i] = t:dial(server:port())
      raws[i]:send(get "/a" .. post("b", "/b") .. get("/c", { headers = { Connection = "close" } }))
    end
    for _ = 1, 500 do
      other.step(0, { messages = 1, seconds = 0 })
    end
    for i = 1, 5 do
      local all = raws[i]:read_until_closed(0.01)
      assert.equal(3, select(2, all:gsub("HTTP/1.1 200 OK", "")))
    end
    other.close()
  end))
end)
