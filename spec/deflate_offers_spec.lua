-- What a server makes of offers of permessage-deflate (RFC 7692, 5 and 7.1): the
-- first that it can accept, or none.
local case = require "support.case"
local deflate = require "support.deflate"
local frame = require "support.frame"

if not deflate.available then
  return pending "offers of compression: built without zlib"
end

--- What a server with this option answers to an offer, or several; it works
--- either way.
local function answer(t, compression, offer)
  local raw = t:upgrade(t:server { compression = compression, websocket = case.echo }, deflate.offering(offer))
  raw:send(frame.client.text "still here")
  assert.equal("still here", deflate.read(raw))
  return raw.response.headers["sec-websocket-extensions"]
end

local FRESH = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

local sliding = { server_no_context_takeover = false, client_no_context_takeover = false }
local wide = {
  server_no_context_takeover = false, client_no_context_takeover = false,
  server_max_window_bits = 15, client_max_window_bits = 15,
}

describe("a server with compression", function()
  local accepted = {
    ["permessage-deflate"] = FRESH,
    ["permessage-deflate; client_max_window_bits"] = FRESH,
    ["permessage-deflate; server_no_context_takeover"] = FRESH,
    ["permessage-deflate; client_no_context_takeover"] = FRESH,
    ["permessage-deflate;server_no_context_takeover;client_no_context_takeover"] = FRESH,
    ["  permessage-deflate  ;  client_max_window_bits  "] = FRESH,
    ["permessage-deflate; server_max_window_bits=10"] = FRESH .. "; server_max_window_bits=10",
    ["permessage-deflate; server_max_window_bits=8"] = FRESH .. "; server_max_window_bits=8",
    ['permessage-deflate; server_max_window_bits="10"'] = FRESH .. "; server_max_window_bits=10",
    ['permessage-deflate; server_max_window_bits = "1\\0"'] = FRESH .. "; server_max_window_bits=10",
    -- the first that is good, in the order of the client's preference
    ["permessage-deflate; server_max_window_bits=9, permessage-deflate"] = FRESH .. "; server_max_window_bits=9",
    ["permessage-deflate, permessage-deflate; server_max_window_bits=9"] = FRESH,
    ["x-unheard-of, permessage-deflate"] = FRESH,
    ["x-unheard-of; level=9; mode=\"fast\", permessage-deflate, another"] = FRESH,
    ["permessage-deflate; level=9, permessage-deflate"] = FRESH,
    ["permessage-deflate; server_max_window_bits=7, permessage-deflate; server_max_window_bits=11"] =
      FRESH .. "; server_max_window_bits=11",
  }
  for offer, expected in pairs(accepted) do
    it("answers to " .. offer, case(function(t)
      assert.equal(expected, (answer(t, true, offer)))
    end))
  end

  it("says of a window of 15 bits that it is at most that", case(function(t)
    assert.equal(FRESH .. "; server_max_window_bits=15", answer(t, true, "permessage-deflate; server_max_window_bits=15"))
  end))

  for _, bits in ipairs { 8, 9, 12, 15 } do
    it("takes note of a client's " .. bits .. " bits, and need not say so", case(function(t)
      local got = answer(t, true, "permessage-deflate; client_max_window_bits=" .. bits)
      local named = got:match "; client_max_window_bits=(%d+)"
      assert.is_true(named == nil or tonumber(named) <= bits, got)
      assert.equal(FRESH, (got:gsub("; client_max_window_bits=%d+", "")))
    end))
  end

  it("reads offers in several headers as one list", case(function(t)
    assert.equal(FRESH, answer(t, true, { "x-unheard-of", "permessage-deflate" }))
    assert.equal(FRESH .. "; server_max_window_bits=9", answer(t, true, {
      "permessage-deflate; server_max_window_bits=16", "permessage-deflate; server_max_window_bits=9", "permessage-deflate",
    }))
  end))

  local declined = {
    "x-unheard-of", "x-webkit-deflate-frame", "permessage-deflat", "permessage-deflate2", "permessage-bzip2",
    "permessage-deflate; level", "permessage-deflate; level=9", "permessage-deflate; mem_level=8",
    "permessage-deflate; Server_No_Context_Takeover2",
    -- twice
    "permessage-deflate; client_max_window_bits; client_max_window_bits",
    "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
    "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
    "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
    "permessage-deflate; client_no_context_takeover; client_max_window_bits; client_no_context_takeover",
    -- a value where none is allowed, none where one is needed
    "permessage-deflate; server_no_context_takeover=1", "permessage-deflate; server_no_context_takeover=true",
    'permessage-deflate; client_no_context_takeover="1"', "permessage-deflate; server_max_window_bits",
  }
  for _, value in ipairs {
    "0", "1", "7", "16", "99", "08", "010", "+9", "-9", "9.0", "9a", "0x9", "1e1", "abc", "'9'", "4294967305",
    "18446744073709551625", "99999999999999999999999999",
  } do
    table.insert(declined, "permessage-deflate; server_max_window_bits=" .. value)
    table.insert(declined, "permessage-deflate; client_max_window_bits=" .. value)
  end
  for _, offer in ipairs(declined) do
    it("declines " .. offer, case(function(t)
      assert.is_nil(answer(t, true, offer))
    end))
  end

  it("declines one offer after the other", case(function(t)
    assert.is_nil(answer(t, true, table.concat(declined, ", ", 1, 20)))
    assert.equal(FRESH, answer(t, true, table.concat(declined, ", ", 1, 20) .. ", permessage-deflate"))
  end))
end)

describe("a server with sliding windows", function()
  it("has them of 12 bits, and says so", case(function(t)
    assert.equal("permessage-deflate; server_max_window_bits=12; client_max_window_bits=12",
      answer(t, sliding, deflate.OFFER))
  end))

  it("has them of what it was told", case(function(t)
    assert.equal("permessage-deflate", answer(t, wide, deflate.OFFER))
    assert.equal("permessage-deflate; server_max_window_bits=9; client_max_window_bits=10", answer(t, {
      server_no_context_takeover = false, client_no_context_takeover = false,
      server_max_window_bits = 9, client_max_window_bits = 10,
    }, deflate.OFFER))
  end))

  it("has its own smaller where the client asks for that", case(function(t)
    assert.matches("; server_max_window_bits=9", answer(t, sliding, "permessage-deflate; server_max_window_bits=9"))
    assert.matches("; server_max_window_bits=12", answer(t, sliding, "permessage-deflate; server_max_window_bits=14"))
    assert.matches("; server_max_window_bits=14", answer(t, wide, "permessage-deflate; server_max_window_bits=14"))
  end))

  it("has none where the client asks for that", case(function(t)
    assert.matches("; server_no_context_takeover", answer(t, wide, "permessage-deflate; server_no_context_takeover"))
  end))

  it("has the client's smaller where the client says so", case(function(t)
    local got = answer(t, wide, "permessage-deflate; client_max_window_bits=10")
    local named = got:match "; client_max_window_bits=(%d+)"
    assert.is_true(named == nil or tonumber(named) <= 10, got)
  end))

  it("names no client_max_window_bits to a client that has not (7.1.2.2)", case(function(t)
    local got = answer(t, sliding, "permessage-deflate")
    assert.is_true(got == nil or not got:find "client_max_window_bits", got)
  end))

  it("may be so in one direction only", case(function(t)
    assert.equal("permessage-deflate; client_no_context_takeover; server_max_window_bits=12",
      answer(t, { server_no_context_takeover = false }, deflate.OFFER))
    assert.equal("permessage-deflate; server_no_context_takeover; client_max_window_bits=12",
      answer(t, { client_no_context_takeover = false }, deflate.OFFER))
  end))
end)

describe("ws.extensions", function()
  it("is what a server has answered", case(function(t)
    for offer, expected in pairs { [deflate.OFFER] = FRESH, ["permessage-deflate; level=9"] = "", ["x"] = "" } do
      t:upgrade(t:server { compression = true }, deflate.offering(offer))
      assert.equal(expected, t:accepted().extensions)
    end
  end))

  it("is weft's own: it cannot be assigned", case(function(t)
    t:upgrade(t:server { compression = true }, deflate.offering())
    local ws = t:accepted()
    assert.has_error(function() ws.extensions = "" end)
    assert.equal(FRESH, ws.extensions)
  end))
end)
