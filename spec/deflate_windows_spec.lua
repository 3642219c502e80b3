-- Windows: as small as was agreed on, at every level; new with each message, or
-- kept from one to the next (RFC 7692, 7.1 and 7.2).
local case = require "support.case"
local deflate = require "support.deflate"

if not deflate.available then
  return pending "compression windows: built without zlib"
end

-- Noise that comes again after 200 to 400 bytes: a compressor whose window is
-- larger than it should be finds it.
local far = {}
for distance = 200, 400, 4 do
  far[#far + 1] = deflate.noise(distance, distance):rep(2)
end
far = table.concat(far) .. deflate.text(20000)

it("a match beyond the window is an error to the specs' own inflater", function()
  local noise = deflate.noise(280)
  assert.has_error(function() deflate.inflate(deflate.compress(noise .. noise), 8) end)
  assert.equal(noise .. noise, deflate.inflate(deflate.compress(noise .. noise, 9), 9))
  assert.is_true(deflate.inflate(deflate.compress(far)) == far)
  assert.has_error(function() deflate.inflate(deflate.compress(far), 8) end)
end)

--- A server's connection that has to keep its window to so many bits, and the raw
--- client.
local function served(t, compression, bits)
  local raw = t:upgrade(t:server { compression = compression },
    deflate.offering("permessage-deflate; server_max_window_bits=" .. bits))
  assert.matches("; server_max_window_bits=" .. bits .. "$", raw.response.headers["sec-websocket-extensions"])
  return t:accepted(), raw
end

--- The same of a client.
local function connected(t, compression, bits, more)
  local raw
  local port = t:serve_raw(function(one)
    one:accept_upgrade(deflate.answering("permessage-deflate; client_max_window_bits=" .. bits .. (more or "")))
    raw = one
  end)
  return t:connect(port, { compression = compression }), raw
end

describe("a window of 8 bits", function()
  for level = 1, 9 do
    it("holds on a server at level " .. level, case(function(t)
      local ws, raw = served(t, { level = level }, 8)
      for _ = 1, 2 do
        assert(ws:send(far, "binary"))
        local message, frames = deflate.read(raw, deflate.inflater(8))
        assert.equal(deflate.RSV1, frames[1].rsv)
        assert.is_true(message == far)
      end
    end))

    it("holds on a server that keeps it at level " .. level, case(function(t)
      local ws, raw = served(t, { level = level, server_no_context_takeover = false, server_max_window_bits = 8 }, 8)
      local inflate = deflate.inflater(8)
      for _ = 1, 3 do
        assert(ws:send(far, "binary"))
        assert.is_true(deflate.read(raw, inflate) == far)
      end
    end))

    it("holds on a client at level " .. level, case(function(t)
      local ws, raw = connected(t, { level = level }, 8, "; client_no_context_takeover")
      assert(ws:send(far, "binary"))
      assert.is_true(deflate.read(raw, deflate.inflater(8)) == far)
    end))

    it("holds on a client that keeps it at level " .. level, case(function(t)
      local ws, raw = connected(t, { level = level }, 8)
      local inflate = deflate.inflater(8)
      for _ = 1, 3 do
        assert(ws:send(far, "binary"))
        assert.is_true(deflate.read(raw, inflate) == far)
      end
    end))
  end
end)

describe("a window of", function()
  for bits = 9, 15 do
    it(bits .. " bits holds, kept or not, in both roles", case(function(t)
      local message = deflate.noise(2 ^ bits, bits):rep(2) .. far
      local fresh, near = served(t, true, bits)
      assert(fresh:send(message, "binary"))
      assert.is_true(deflate.read(near, deflate.inflater(bits)) == message)
      for _, pair in ipairs {
        { served(t, { server_no_context_takeover = false, server_max_window_bits = bits }, bits) },
        { connected(t, true, bits) },
        { connected(t, { client_max_window_bits = 15 }, bits) },
      } do
        local ws, raw = pair[1], pair[2]
        local inflate = deflate.inflater(bits)
        for _ = 1, 2 do
          assert(ws:send(message, "binary"))
          assert.is_true(deflate.read(raw, inflate) == message)
        end
      end
    end))
  end

  it("a client of its own accord has 12 bits at most where it is kept", case(function(t)
    local raw
    local port = t:serve_raw(function(one)
      one:accept_upgrade(deflate.answering())
      raw = one
    end)
    local ws = t:connect(port)
    local inflate = deflate.inflater(12)
    local message = deflate.noise(5000):rep(2)
    for _ = 1, 2 do
      assert(ws:send(message, "binary"))
      assert.is_true(deflate.read(raw, inflate) == message)
    end
  end))
end)

describe("a server's window", function()
  local text = deflate.text(1000)

  it("is new with each message unless asked for otherwise", case(function(t)
    local raw = t:upgrade(t:server { compression = true }, deflate.offering())
    local ws = t:accepted()
    assert(ws:send(text))
    local first = raw:frame().payload
    assert(ws:send(text))
    assert.equal(first, raw:frame().payload)
    assert.equal(text, deflate.inflate(first))
  end))

  it("is kept where it slides: the same again is shorter", case(function(t)
    local raw = t:upgrade(t:server { compression = { server_no_context_takeover = false } }, deflate.offering())
    local ws = t:accepted()
    local inflate = deflate.inflater(12)
    assert(ws:send(text))
    local first = raw:frame().payload
    assert.equal(text, inflate(first))
    for _ = 1, 3 do
      assert(ws:send(text))
      local again = raw:frame().payload
      assert.is_true(#again < #first / 4)
      assert.equal(text, inflate(again))
    end
  end))

  it("is not touched by what goes as it is", case(function(t)
    local raw = t:upgrade(t:server { compression = { server_no_context_takeover = false } }, deflate.offering())
    local ws = t:accepted()
    local inflate = deflate.inflater(12)
    for round = 1, 3 do
      assert(ws:send(text))
      local message, frames = deflate.read(raw, inflate)
      assert.equal(text, message)
      assert.is_true(round == 1 or #frames[1].payload < 100)
      assert(ws:send("short"))
      assert(ws:send(deflate.noise(600), { kind = "binary", compress = false }))
      assert.equal("short", deflate.read(raw, inflate))
      assert.equal(deflate.noise(600), deflate.read(raw, inflate))
    end
  end))

  it("for what the client sends is kept where it slides", case(function(t)
    local raw = t:upgrade(t:server { compression = { client_no_context_takeover = false }, websocket = case.echo },
      deflate.offering())
    assert.matches("client_max_window_bits=12", raw.response.headers["sec-websocket-extensions"])
    local compress = deflate.compressor(12)
    for round = 1, 4 do
      local payload = compress(text)
      assert.is_true(round == 1 or #payload < 100)
      raw:send(deflate.client.text(payload))
      assert.equal(text, deflate.read(raw))
    end
  end))

  it("for what the client sends is new where it does not slide", case(function(t)
    local raw = t:upgrade(t:server { compression = true, websocket = case.echo }, deflate.offering())
    local compress = deflate.compressor()
    raw:send(deflate.client.text(compress(text)))
    assert.equal(text, deflate.read(raw))
    raw:send(deflate.client.text(compress(text))) -- which refers to the first
    assert.equal(1007, (raw:close_frame()))
  end))
end)

describe("a client's window", function()
  local text = deflate.text(1000)

  it("is kept unless the server forbids it", case(function(t)
    for answer, kept in pairs { ["permessage-deflate"] = true, ["permessage-deflate; client_no_context_takeover"] = false } do
      local raw
      local port = t:serve_raw(function(one)
        one:accept_upgrade(deflate.answering(answer))
        raw = one
      end)
      local ws = t:connect(port)
      assert(ws:send(text))
      local first = raw:frame().payload
      assert(ws:send(text))
      local again = raw:frame().payload
      assert.equal(kept and text or nil, kept and (function(inflate)
        return inflate(first) and inflate(again)
      end)(deflate.inflater()) or nil)
      assert.equal(kept, #again < #first / 4)
      if not kept then
        assert.same({ text, text }, { deflate.inflate(first), deflate.inflate(again) })
      end
    end
  end))

  it("for what the server sends is kept, 15 bits of it", case(function(t)
    local noise = deflate.noise(32000)
    local port = t:serve_upgraded(function(raw)
      local compress = deflate.compressor(15, 9)
      for round = 1, 3 do
        local payload = compress(noise)
        assert(round == 1 or #payload < 1000)
        raw:send(deflate.server.binary(payload))
      end
    end, deflate.answering())
    local ws = t:connect(port)
    for _ = 1, 3 do
      assert.is_true(ws:receive(5) == noise)
    end
  end))
end)
