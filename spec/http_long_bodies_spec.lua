-- Long bodies of answers: they are sent from where they are, and nobody who reads
-- slowly makes the server copy one.
local case = require "support.case"
local certificates = require "support.certificates"
local exchange = require "support.exchange"
local frame = require "support.frame"
local handshake = require "support.handshake"
local held = require "support.held"
local memory = require "support.memory"
local tls_peer = require "support.tls_peer"

local get, next_answer, read_chunks = exchange.get, exchange.next_answer, exchange.read_chunks

local SIZE = 3000000 -- more than two sockets take

-- A string that nobody else has.
local function fresh(letter, size)
  return letter:rep(size or SIZE)
end

describe("a long body", function()
  for _, path in ipairs { "/long", "/written" } do
    it("is there once for all who read it slowly: " .. path, case(function(t)
      local server = memory.serve(t, "")
      local known = memory.is_known()
      if known then
        server:reset()
      end
      local readers = {}
      for i = 1, 16 do
        readers[i] = t:dial(server.port, { receive_buffer = 65536 })
        readers[i]:send(get(path))
        assert.equal(200, readers[i]:parsed_head().status)
      end
      if known then
        local peak = server:peak()
        assert.is_true(peak < 16 * 1024, ("it grew by %d KiB"):format(peak))
      end
      for _, raw in ipairs(readers) do
        raw:close()
      end
      server:close()
    end, 20))
  end

  local answers = {
    ["as a string"] = function(letter)
      return 200, {}, fresh(letter)
    end,
    ["as a list"] = function(letter)
      return 200, {}, { fresh(letter, SIZE - 100000), fresh(letter, 100000) }
    end,
    ["written, in chunks"] = function(letter)
      return 200, {}, function(write)
        write(fresh(letter, SIZE - 100000))
        write(fresh(letter, 100000))
      end
    end,
    ["written, with its length"] = function(letter)
      return 200, { ["Content-Length"] = SIZE }, function(write)
        write(fresh(letter, SIZE - 100000))
        write(fresh(letter, 100000))
      end
    end,
    ["returned by a function"] = function(letter)
      local left = 1
      return 200, {}, function()
        left = left - 1
        return left == 0 and fresh(letter) or nil
      end
    end,
  }
  for name, answer in pairs(answers) do
    it("arrives as it is, whatever the collector does meanwhile: " .. name, case(function(t)
      local server = t:listen { http = function(request)
        return answer(request.path:sub(2))
      end }
      local readers = {}
      for letter in ("ab"):gmatch "." do
        local raw = t:dial(server, { receive_buffer = 65536 })
        raw:send(get("/" .. letter) .. get("/" .. letter:upper()))
        readers[letter] = raw
      end
      t.weft.sleep(0.05)
      collectgarbage()
      for i = 1, 5 do
        assert.equal(SIZE + i, #("-"):rep(SIZE + i)) -- where they were, were they gone
      end
      for letter, raw in pairs(readers) do
        for _, wanted in ipairs { letter, letter:upper() } do
          local head = raw:parsed_head()
          local length = tonumber(head.headers["content-length"])
          local body = length and raw:receive(length) or read_chunks(raw)
          assert.is_true(body == wanted:rep(SIZE))
          collectgarbage "step"
        end
      end
    end, 30))
  end

  it("is let go of when it has been sent, and when its reader is gone", case(function(t)
    local server = t:listen { http = function(request)
      return 200, {}, fresh(request.path:sub(2))
    end }
    collectgarbage()
    collectgarbage()
    local before = collectgarbage "count"
    local raw = t:dial(server, { receive_buffer = 65536 })
    raw:send(get "/a")
    assert.equal(SIZE, #next_answer(raw).body)
    local gone = t:dial(server, { receive_buffer = 65536 })
    gone:send(get "/b")
    gone:parsed_head()
    gone:reset()
    held.wait_until_none(t)
    t:wait_until(function()
      collectgarbage()
      return collectgarbage "count" < before + 1000
    end, "a collection of what was sent")
  end, 20))

  it("is not kept for a HEAD", case(function(t)
    collectgarbage()
    collectgarbage()
    local before = collectgarbage "count"
    local raw = t:dial(t:server { http = function()
      return 200, {}, fresh "x"
    end })
    raw:send(get("/", { method = "HEAD" }))
    raw:parsed_head()
    t:wait_until(function()
      collectgarbage()
      return collectgarbage "count" < before + 1000
    end, "a collection of what was not sent")
  end))

  it("is not sent for a HEAD, nor for a 304", case(function(t)
    local raw = t:dial(t:server { http = function(request)
      return tonumber(request.query_string), {}, fresh "x"
    end })
    raw:send(get("/?200", { method = "HEAD" }) .. get "/?304" .. get "/?200")
    assert.equal(tostring(SIZE), raw:parsed_head().headers["content-length"])
    assert.equal(304, raw:parsed_head().status)
    assert.is_true(next_answer(raw).body == ("x"):rep(SIZE))
  end))

  it("that is longer than was said is a mistake", case(function(t)
    local raw = t:dial(t:server { http = function()
      return 200, { ["Content-Length"] = 20000 }, function(write)
        write(fresh("x", 20001))
      end
    end })
    raw:send(get "/")
    raw:read_until_closed()
    assert.matches("longer than its Content%-Length", t:reports()[1].error)
  end))

  it("comes before what follows on the connection, also when that becomes a WebSocket", case(function(t)
    local server = t:listen { send_buffer = SIZE * 2, websocket = case.echo, http = function()
      return 200, {}, fresh "x"
    end }
    local raw = t:dial(server, { receive_buffer = 65536 })
    raw:send(get "/" .. handshake.request())
    t.weft.sleep(0.05)
    collectgarbage()
    assert.is_true(next_answer(raw).body == ("x"):rep(SIZE))
    assert.equal(101, raw:parsed_head().status)
    raw:send(frame.client.text "hi")
    assert.equal("hi", raw:message())
  end, 20))

  it("arrives by TLS", case(function(t)
    local server = t:listen { tls = certificates.with(certificates.server), http = function()
      return 200, {}, fresh "x"
    end }
    local openssl = tls_peer.s_client(t, server, { "-quiet" })
    openssl:write(get("/", { headers = { Connection = "close" } }))
    assert.is_true(openssl:finish():match "\r\n\r\n(.*)$" == ("x"):rep(SIZE))
  end, 20))
end)
