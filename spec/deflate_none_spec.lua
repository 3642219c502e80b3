-- Where nothing is negotiated: one side does not want to, or the build has no
-- zlib, which takes the options and never agrees.
local case = require "support.case"
local frame = require "support.frame"
local handshake = require "support.handshake"

local available = require "weft.core".compression

local OFFER = "permessage-deflate; client_max_window_bits"
local EVERY = {
  level = 9, mem_level = 9, threshold = 0, server_no_context_takeover = true, client_no_context_takeover = true,
  server_max_window_bits = 10, client_max_window_bits = 10,
}

-- What is asked of servers and clients here, none of which comes to anything.
local servers = { [false] = "told not to" }
local clients = { [false] = "told not to" }
if not available then
  servers[true], servers[EVERY] = "told to", "told everything"
  clients[true], clients[EVERY] = "told to", "told everything"
end

it("the build says whether it can compress", function()
  assert.equal("boolean", type(available))
end)

for compression, words in pairs(servers) do
  describe("a server that is " .. words, function()
    it("declines every offer and talks all the same", case(function(t)
      local server = t:server { compression = compression, websocket = case.echo }
      for _, offer in ipairs { OFFER, "permessage-deflate", { "permessage-deflate", OFFER } } do
        local raw = t:upgrade(server, { headers = { ["Sec-WebSocket-Extensions"] = offer } })
        assert.is_nil(raw.response.headers["sec-websocket-extensions"])
        local text = ("x"):rep(5000)
        raw:send(frame.client.text(text))
        local got = raw:frame()
        assert.same({ 0, text }, { got.rsv, got.payload })
        raw:send(frame.client.text("x", { rsv = 4 }))
        assert.equal(1002, (raw:close_frame()))
      end
    end))

    it("has no extensions, nor have a client, a pair and the protocol", case(function(t)
      local client, server = t:both({}, { compression = compression })
      assert.same({ "", "" }, { client.extensions, server.extensions })
      local one, other = t.weft.pair({}, { compression = compression })
      assert.same({ "", "" }, { one.extensions, other.extensions })
      one:abort()
      local p = t.weft.protocol.server { compression = compression }
      p:feed(handshake.request { headers = { ["Sec-WebSocket-Extensions"] = OFFER } })
      assert.equal("", p:events()().extensions)
      assert.is_nil(handshake.parse(p:output()).headers["sec-websocket-extensions"])
    end))
  end)
end

for compression, words in pairs(clients) do
  describe("a client that is " .. words, function()
    it("offers nothing", case(function(t)
      local request
      local port = t:serve_upgraded(function(raw)
        request = raw.request
      end)
      local ws = t:connect(port, { compression = compression })
      t:wait_until(function()
        return request
      end)
      assert.is_nil(request.headers["sec-websocket-extensions"])
      assert.equal("", ws.extensions)
      local p = t.weft.protocol.client { compression = compression }
      assert.is_nil(handshake.parse(p:output()).headers["sec-websocket-extensions"])
    end))

    it("refuses an answer to what it has not offered", case(function(t)
      local port = t:serve_raw(function(raw)
        raw:accept_upgrade { headers = { ["Sec-WebSocket-Extensions"] = "permessage-deflate" } }
        raw:read_until_closed()
      end)
      local ws, message, code = t.weft.connect(t:url(port), { compression = compression })
      assert.is_nil(ws)
      assert.equal("handshake", code)
      assert.matches("extension that was not offered", message)
    end))

    it("sends messages with options all the same", case(function(t)
      local ws = t:connect(t:server { compression = true, websocket = case.echo }, { compression = compression })
      assert.equal("", ws.extensions)
      for _, options in ipairs { { compress = false }, { compress = true }, { kind = "binary", timeout = 5 } } do
        assert(ws:send(("x"):rep(5000), options))
        assert.equal(("x"):rep(5000), (ws:receive(5)))
      end
    end))
  end)
end
