-- Text is UTF-8 (RFC 6455, 8.1; RFC 3629): checked as it arrives, over every cut
-- of the stream and every edge between fragments.
local case = require "support.case"
local frame = require "support.frame"

local client = frame.client

local good = {
  ["one byte"] = "\x00\x7F",
  ["two bytes"] = "\xC2\x80\xDF\xBF",
  ["three bytes"] = "\xE0\xA0\x80\xED\x9F\xBF\xEE\x80\x80\xEF\xBF\xBF",
  ["four bytes"] = "\xF0\x90\x80\x80\xF4\x8F\xBF\xBF",
  ["a sentence"] = "Hello-\xC2\xB5@\xC3\x9F\xC3\xB6\xC3\xA4\xC3\xBC\xC3\xA0\xC3\xA1-UTF-8!!",
  ["a byte order mark and a noncharacter"] = "\xEF\xBB\xBF\xEF\xBF\xBE",
}

-- each fails at its last byte, which need not be the last of the frame
local bad = {
  ["a continuation byte alone"] = "\x80",
  ["0xFF"] = "\xFF",
  ["0xC0"] = "\xC0",
  ["0xC1"] = "\xC1",
  ["0xF5"] = "\xF5",
  ["a lead followed by no continuation"] = "\xC3\x28",
  ["a three-byte sequence broken at its end"] = "\xE2\x82\x28",
  ["a four-byte sequence broken at its end"] = "\xF0\x9F\x98\x28",
  ["an overlong slash in three bytes"] = "\xE0\x9F",
  ["an overlong form in four bytes"] = "\xF0\x8F",
  ["a surrogate"] = "\xED\xA0",
  ["the last surrogate"] = "\xED\xBF",
  ["a code point past U+10FFFF"] = "\xF4\x90",
}

local function pieces(text, size)
  return table.concat(client.fragments(frame.TEXT, text, size))
end

describe("incoming text", function()
  for _, size in ipairs { 1, 2, 3, 7, 1000 } do
    for what, text in pairs(good) do
      it(("of %s comes through, %d bytes at a time"):format(what, size), case(function(t)
        local raw = t:upgrade(t:server { websocket = case.echo })
        raw:send_in_pieces(client.text(text), size)
        assert.same({ text, "text" }, { raw:message() })
      end))
    end

    for what, text in pairs(bad) do
      it(("with %s fails with 1007, %d bytes at a time"):format(what, size), case(function(t)
        local ws
        local raw = t:upgrade(t:server { websocket = function(connection)
          ws = connection
          case.echo(connection)
        end })
        raw:send_in_pieces(client.text "before" .. client.text("ok " .. text .. " after") .. client.text "later", size)
        assert.equal("before", (raw:message()))
        assert.equal(1007, (raw:close_frame()))
        assert.same({ "", "fin" }, { raw:read_until_closed() })
        raw:close()
        t:wait_until(function()
          return ws.state == "closed"
        end, "the end")
        assert.equal("protocol", ws.close_cause)
        assert.equal(1007, ws.sent_code)
        assert.matches("8%.1", ws.close_message)
      end))
    end
  end

  for what, text in pairs(bad) do
    it("with " .. what .. " fails before its frame is complete", case(function(t)
      local raw = t:upgrade(t:server { websocket = case.echo })
      raw:send(client.text(("a"):rep(200) .. text, { announce = 60000 }))
      assert.equal(1007, (raw:close_frame()))
    end))
  end

  it("fails at a bad byte in the middle of a huge frame", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo })
    raw:send(client.text(("a"):rep(300000) .. "\xFF" .. ("a"):rep(50000), { announce = 1000000 }))
    assert.equal(1007, (raw:close_frame()))
  end))

  it("fails at a bad byte of an unfinished fragment", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo })
    raw:send(client.text("Hel\xED", { fin = false }) .. client.continuation("\xA0\x80", { fin = false }))
    assert.equal(1007, (raw:close_frame()))
  end))

  for what, text in pairs(good) do
    it("of " .. what .. " may be cut into fragments anywhere", case(function(t)
      local raw = t:upgrade(t:server { websocket = case.echo })
      for size = 1, #text do
        raw:send(pieces(text, size))
        assert.equal(text, (raw:message()))
      end
    end))
  end

  for _, text in ipairs { "\xC3", "\xE2\x82", "\xF0\x9F\x98", "ok \xF0" } do
    it(("that ends inside a character fails with 1007 (%q)"):format(text), case(function(t)
      local server = t:listen { websocket = case.echo }
      local raw = t:upgrade(server)
      raw:send(client.text(text))
      assert.equal(1007, (raw:close_frame()))
      raw = t:upgrade(server)
      raw:send(client.text(text, { fin = false }))
      assert.is_true(raw:is_silent(0.03))
      raw:send(client.continuation "")
      assert.equal(1007, (raw:close_frame()))
    end))
  end

  it("starts anew with each message", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo })
    raw:send(client.text "\xC3\xA9" .. client.binary "\xC3" .. client.text "\xC3\xA9")
    assert.equal("\xC3\xA9", (raw:message()))
    assert.equal("\xC3", (raw:message()))
    assert.equal("\xC3\xA9", (raw:message()))
  end))

  it("is not confused by a ping between the bytes of a character", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo })
    raw:send(client.text("\xE2\x82", { fin = false }) .. client.ping "\xFF" .. client.continuation "\xAC")
    assert.equal("\xFF", raw:frame().payload)
    assert.equal("\xE2\x82\xAC", (raw:message()))
  end))

  it("may be anything in binary", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo })
    local all = {}
    for byte = 0, 255 do
      all[#all + 1] = string.char(byte)
    end
    local bytes = table.concat(all)
    raw:send(client.binary(bytes))
    assert.same({ bytes, "binary" }, { raw:message() })
  end))

  it("is checked whole when it is large and valid", case(function(t)
    local raw = t:upgrade(t:server { websocket = case.echo })
    local text = ("\xE2\x82\xAC"):rep(100000)
    raw:send(client.text(text))
    assert.is_true(raw:message() == text)
  end))
end)
