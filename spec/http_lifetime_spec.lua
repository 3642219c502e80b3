-- How connections with plain requests end: clients that stop sending, servers
-- that close, handlers that are cancelled, and what is still on its way then.
local case = require "support.case"
local handshake = require "support.handshake"

local function get(path, options)
  options = options or {}
  options.path, options.keep = path, true
  return handshake.http(options)
end

local function post(body, path)
  return get(path or "/", { method = "POST", headers = { ["Content-Length"] = tostring(#body) }, body = body })
end

local function next_answer(raw)
  local answer = raw:parsed_head()
  answer.body = raw:receive(tonumber(answer.headers["content-length"] or 0))
  return answer
end

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
    local server = t:listen { write_timeout = 0.05, send_buffer = 8000000, http = function()
      return 200, {}, LARGE
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
