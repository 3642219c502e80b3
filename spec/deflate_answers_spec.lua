-- What a client offers, and what it makes of answers (RFC 7692, 5 and 7.1): those
-- that do not fit its offer fail the connection.
local case = require "support.case"
local deflate = require "support.deflate"

if not deflate.available then
  return pending "answers about compression: built without zlib"
end

describe("a client's offer", function()
  local offers = {
    { nil, deflate.OFFER },
    { true, deflate.OFFER },
    { {}, deflate.OFFER },
    { { level = 1, threshold = 0 }, deflate.OFFER },
    { { server_no_context_takeover = true }, "permessage-deflate; server_no_context_takeover; client_max_window_bits" },
    { { client_no_context_takeover = true }, "permessage-deflate; client_no_context_takeover; client_max_window_bits" },
    { { server_max_window_bits = 10 }, "permessage-deflate; server_max_window_bits=10; client_max_window_bits" },
    { { client_max_window_bits = 10 }, "permessage-deflate; client_max_window_bits=10" },
    { {
      server_no_context_takeover = true, client_no_context_takeover = true,
      server_max_window_bits = 8, client_max_window_bits = 9,
    }, "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=8; "
       .. "client_max_window_bits=9" },
  }
  for _, pair in ipairs(offers) do
    it("is " .. pair[2] .. (pair[1] == nil and " unless told otherwise" or ""), case(function(t)
      local request
      local port = t:serve_upgraded(function(raw)
        request = raw.request
      end)
      local ws = t:connect(port, { compression = pair[1] })
      assert.equal(pair[2], request.headers["sec-websocket-extensions"])
      assert.equal("", ws.extensions) -- which the server ignored
    end))
  end
end)

describe("a client", function()
  --- What connect() gives for a server that answers so.
  local function connect(t, compression, answer)
    local port = t:serve_raw(function(raw)
      raw:accept_upgrade(deflate.answering(answer))
      raw:read_until_closed()
      raw:close()
    end)
    return t.weft.connect(t:url(port), { compression = compression })
  end

  local taken = {
    { true, "permessage-deflate" },
    { true, "permessage-deflate; server_no_context_takeover" },
    { true, "permessage-deflate; client_no_context_takeover" },
    { true, "permessage-deflate; server_no_context_takeover; client_no_context_takeover" },
    { true, "permessage-deflate; server_max_window_bits=8" }, -- unasked for, but allowed (7.1.2.1)
    { true, "permessage-deflate; server_max_window_bits=15; client_max_window_bits=15" },
    { true, "permessage-deflate; client_max_window_bits=8" },
    { true, 'permessage-deflate;client_max_window_bits="9"' },
    { { server_no_context_takeover = true }, "permessage-deflate; server_no_context_takeover" },
    { { server_max_window_bits = 10 }, "permessage-deflate; server_max_window_bits=10" },
    { { server_max_window_bits = 10 }, "permessage-deflate; server_max_window_bits=9" },
    { { client_max_window_bits = 10 }, "permessage-deflate; client_max_window_bits=10" },
    { { client_max_window_bits = 10 }, "permessage-deflate; client_max_window_bits=9" },
    { { client_max_window_bits = 10 }, "permessage-deflate" }, -- a window it may keep to itself
    { { client_no_context_takeover = true }, "permessage-deflate" }, -- the same (7.1.1.2)
  }
  for _, pair in ipairs(taken) do
    it("takes " .. pair[2] .. (pair[1] ~= true and ", having asked for " .. next(pair[1]) or ""), case(function(t)
      local ws, message = connect(t, pair[1], pair[2])
      assert.is_truthy(ws, message)
      assert.matches("^permessage%-deflate", ws.extensions)
      for name in pair[2]:gmatch "[%w_]+_[%w_]+" do
        assert.is_truthy(ws.extensions:find(name, 1, true), ws.extensions)
      end
      ws:abort()
    end))
  end

  local refused = {
    { false, "permessage-deflate", "never offered" },
    { true, "x-unheard-of", "never offered" },
    { true, "permessage-deflate, x-unheard-of", "one never offered too" },
    { true, "permessage-deflate, permessage-deflate", "twice" },
    { true, { "permessage-deflate", "permessage-deflate" }, "twice, in two headers" },
    { true, "permessage-deflate; level=9", "with an unknown parameter" },
    { true, "permessage-deflate; client_max_window_bits", "with no value where one is needed" },
    { true, "permessage-deflate; server_max_window_bits", "with no value where one is needed" },
    { true, "permessage-deflate; server_no_context_takeover=1", "with a value where none is allowed" },
    { true, "permessage-deflate; client_no_context_takeover=1", "with a value where none is allowed" },
    { true, "permessage-deflate; server_no_context_takeover; server_no_context_takeover", "with a parameter twice" },
    { true, "permessage-deflate; client_max_window_bits=9; client_max_window_bits=9", "with a parameter twice" },
    { { server_no_context_takeover = true }, "permessage-deflate", "without what was demanded" },
    { { server_max_window_bits = 10 }, "permessage-deflate", "without the window demanded" },
    { { server_max_window_bits = 10 }, "permessage-deflate; server_max_window_bits=11", "with a larger window than demanded" },
    { { client_max_window_bits = 10 }, "permessage-deflate; client_max_window_bits=11", "with a larger window than offered" },
  }
  for _, value in ipairs { "7", "16", "08", "+9", "9.0", "1e1", "abc", "4294967305" } do
    table.insert(refused, { true, "permessage-deflate; server_max_window_bits=" .. value, "with a bad number" })
    table.insert(refused, { true, "permessage-deflate; client_max_window_bits=" .. value, "with a bad number" })
  end
  for _, one in ipairs(refused) do
    local compression, answer, why = one[1], one[2], one[3]
    it(("refuses %s: %s"):format(type(answer) == "table" and answer[1] or answer, why), case(function(t)
      local ws, message, code, response = connect(t, compression, answer)
      assert.is_nil(ws)
      assert.equal("handshake", code)
      assert.matches("no WebSocket handshake: the server[^ ]* ", message)
      assert.equal(101, response.status)
    end))
  end
end)
