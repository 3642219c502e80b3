-- The protocol without I/O, compressed (RFC 7692): both roles, every cut.
local weft = require "weft"
local deflate = require "support.deflate"
local frame = require "support.frame"
local handshake = require "support.handshake"
local raises = require "support.raises"

--- Feeds bytes in pieces of `size` and gives the events.
local function feed(p, bytes, size)
  local events = {}
  for at = 1, #bytes, size do
    p:feed(bytes:sub(at, at + size - 1))
    for event in p:events() do
      events[#events + 1] = event
    end
  end
  return events
end

--- Both sides past the handshake, fed with each other's output, and what their
--- events say of extensions.
local function open_both(client_options, server_options)
  local client, server = weft.protocol.client(client_options), weft.protocol.server(server_options)
  assert.equal("", client.extensions)
  server:feed(client:output())
  local asked = server:events()()
  client:feed(server:output())
  local answered = client:events()()
  assert.equal("open", asked.type)
  assert.equal("open", answered.type, answered.message)
  assert.equal(asked.extensions, answered.extensions)
  assert.equal(asked.extensions, server.extensions)
  assert.equal(asked.extensions, client.extensions)
  return client, server
end

describe("the protocol without I/O", function()
  it("does not compress unless both sides want to", function()
    for _, pair in ipairs { { nil, nil }, { false, true }, { true, false } } do
      local client, server = open_both({ compression = pair[1] }, { compression = pair[2] })
      assert.equal("", client.extensions)
      client:send(("x"):rep(1000))
      assert.equal(0, frame.parse(client:output())[1].rsv)
      server:send(("x"):rep(1000))
      assert.equal("\x81\x7E\x03\xE8" .. ("x"):rep(1000), server:output())
    end
  end)

  it("takes a table for how a message is sent", function()
    local client, server = open_both()
    assert.is_true(client:send("\xFF", { kind = "binary", compress = false }))
    assert.is_true(client:send("text", { compress = true }))
    assert.is_true(client:send("text", {}))
    local events = feed(server, client:output(), 1000)
    assert.same({ "binary", "text", "text" }, { events[1].type, events[2].type, events[3].type })
    raises(function() client:send("x", { timeout = 1 }) end, "protocol:send", "timeout")
    raises(function() client:send("x", { compress = 1 }) end, "protocol:send", "compress")
    raises(function() client:send("x", { kind = "json" }) end, "protocol:send", "kind")
    raises(function() weft.protocol.server { compression = "yes" } end, "weft.protocol.server", "compression")
    raises(function() weft.protocol.client { compression = { level = 10 } } end, "weft.protocol.client", "level")
    assert.equal("", client:output())
  end)
end)

if not deflate.available then
  return pending "the protocol without I/O, compressed: built without zlib"
end

local text, noise = deflate.text(5000), deflate.noise(5000)

local agreements = {
  { "as they come", nil, true, "permessage-deflate; server_no_context_takeover; client_no_context_takeover" },
  { "with sliding windows", nil, { server_no_context_takeover = false, client_no_context_takeover = false },
    "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12" },
  { "with the smallest windows", { server_max_window_bits = 8, client_max_window_bits = 8 }, true,
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=8; "
    .. "client_max_window_bits=8" },
}

for _, size in ipairs { 1, 2, 3, 7, 1000, 100000 } do
  for _, agreement in ipairs(agreements) do
    local what, client_option, server_option, extensions = table.unpack(agreement, 1, 4)
    it("two sides understand each other compressed, " .. what .. ", fed " .. size .. " bytes at a time", function()
      local client, server = open_both({ compression = client_option }, { compression = server_option })
      assert.equal(extensions, server.extensions)
      for _, way in ipairs { { client, server }, { server, client }, { client, server }, { server, client } } do
        local from, to = way[1], way[2]
        from:send(text)
        from:ping "?"
        from:send(noise, "binary")
        from:send("", "text")
        from:send(text, { compress = false })
        from:send(text:rep(3), { kind = "binary" })
        local bytes = from:output()
        local frames = frame.parse(bytes)
        assert.same({ 4, 0, 0 }, { frames[1].rsv, frames[2].rsv, frames[5].rsv })
        assert.is_true(#frames[1].payload < #text / 2)
        assert.equal(text, frames[5].payload)
        local events = feed(to, bytes, size)
        assert.equal(6, #events)
        assert.same({ "text", text }, { events[1].type, events[1].data })
        assert.same({ "ping", "?" }, { events[2].type, events[2].data })
        assert.same({ "binary", noise }, { events[3].type, events[3].data })
        assert.same({ "text", "" }, { events[4].type, events[4].data })
        assert.same({ "text", text }, { events[5].type, events[5].data })
        assert.same({ "binary", text:rep(3) }, { events[6].type, events[6].data })
        to:output() -- the pong
      end
      client:close(1000)
      feed(server, client:output(), size)
      feed(client, server:output(), size)
      assert.same({ "closed", "closed" }, { client.state, server.state })
    end)
  end

  --- A server's side past the handshake with what browsers offer.
  local function open_server(options)
    options.compression = true
    local p = weft.protocol.server(options)
    local events = feed(p, handshake.request(deflate.offering()), size)
    assert.equal("permessage-deflate; server_no_context_takeover; client_no_context_takeover", events[1].extensions)
    local answer = handshake.parse(p:output())
    assert.equal(events[1].extensions, answer.headers["sec-websocket-extensions"])
    return p
  end

  describe("the protocol without I/O, fed " .. size .. " bytes at a time,", function()
    it("inflates messages, whole and in fragments", function()
      local p, payload = open_server {}, deflate.compress(text)
      local events = feed(p, deflate.client.text(payload)
        .. deflate.client.text(payload:sub(1, 10), { fin = false }) .. frame.client.ping "?"
        .. frame.client.continuation(payload:sub(11, 11), { fin = false })
        .. frame.client.continuation(payload:sub(12)) .. frame.client.text "plain", size)
      assert.equal(4, #events)
      assert.equal(text, events[1].data)
      assert.equal("ping", events[2].type)
      assert.equal(text, events[3].data)
      assert.equal("plain", events[4].data)
    end)

    local faults = {
      { "what cannot be inflated", deflate.client.text "\xFF\xFF\xFF", 1007 },
      { "text that is not UTF-8 once inflated", deflate.client.text(deflate.compress "caf\xE9"), 1007 },
      { "what inflates to too much", deflate.client.binary(deflate.bomb(1)), 1009 },
      { "a compressed ping", frame.client.ping("", { rsv = 4 }), 1002 },
      { "a compressed continuation", deflate.client.text("\xF2", { fin = false })
        .. frame.client.continuation("\x48", { rsv = 4 }), 1002 },
      { "another reserved bit", frame.client.text("x", { rsv = 6 }), 1002 },
    }
    for _, fault in ipairs(faults) do
      local what, bytes, code = table.unpack(fault)
      it("takes " .. what .. " for an error", function()
        local p = open_server { max_message = 6000 }
        local events = feed(p, bytes, size)
        assert.equal(1, #events)
        assert.same({ "error", code }, { events[1].type, events[1].code })
        assert.equal(code, frame.parse(p:output())[1].code)
        assert.equal("closed", p.state)
      end)
    end

    it("goes without when no offer can be met", function()
      local p = weft.protocol.server { compression = true }
      local events = feed(p, handshake.request(deflate.offering {
        "permessage-deflate; server_max_window_bits=16", "foo, permessage-deflate; unknown",
      }), size)
      assert.same({ "open", "" }, { events[1].type, events[1].extensions })
      assert.is_nil(handshake.parse(p:output()).headers["sec-websocket-extensions"])
    end)

    it("fails an answer that nobody asked for", function()
      local p = weft.protocol.client()
      local request = handshake.parse(p:output())
      assert.equal(deflate.OFFER, request.headers["sec-websocket-extensions"])
      local events = feed(p, handshake.response(request.headers["sec-websocket-key"],
        deflate.answering "permessage-deflate; client_max_window_bits=16"), size)
      assert.equal("error", events[1].type)
      assert.matches("window", events[1].message)
    end)
  end)
end
