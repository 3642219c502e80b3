-- The option `compression`: what may be said, what is said when nothing is, and
-- what the core is told.
local check = require "weft.check"
local options = require "weft.options"
local case = require "support.case"
local raises = require "support.raises"

--- What the core is told of the option on one side.
local function told(spec, value)
  return options.settings(check.options(spec, "weft.opener", { compression = value }, 1)).compression
end

local SERVER = {
  level = 6, mem_level = 0, threshold = 512, window_bits = 15,
  server_no_context_takeover = true, client_no_context_takeover = true,
  server_max_window_bits = 15, client_max_window_bits = 15,
}
local CLIENT = {
  level = 6, mem_level = 0, threshold = 512, window_bits = 12,
  server_no_context_takeover = false, client_no_context_takeover = false,
  server_max_window_bits = 15, client_max_window_bits = 15,
}

--- A default with some fields changed.
local function with(base, changes)
  local all = {}
  for name, value in pairs(base) do
    all[name] = value
  end
  for name, value in pairs(changes) do
    all[name] = value
  end
  return all
end

local servers = { "listen", "serve", "pair_server", "protocol_server" }
local clients = { "connect", "reconnecting", "pair_client", "protocol_client" }

describe("the option compression", function()
  it("is off for servers and on for clients", function()
    for _, name in ipairs(servers) do
      assert.equal(false, told(options[name]))
    end
    for _, name in ipairs(clients) do
      assert.same(CLIENT, told(options[name]))
    end
  end)

  it("takes true, an empty table and false", function()
    for _, name in ipairs(servers) do
      assert.same(SERVER, told(options[name], true))
      assert.same(SERVER, told(options[name], {}))
      assert.equal(false, told(options[name], false))
    end
    for _, name in ipairs(clients) do
      assert.same(CLIENT, told(options[name], true))
      assert.same(CLIENT, told(options[name], {}))
      assert.equal(false, told(options[name], false))
    end
  end)

  it("has small windows on a server for what keeps them", function()
    assert.same(with(SERVER, { server_no_context_takeover = false, server_max_window_bits = 12, window_bits = 12 }),
      told(options.listen, { server_no_context_takeover = false }))
    assert.same(with(SERVER, { client_no_context_takeover = false, client_max_window_bits = 12 }),
      told(options.listen, { client_no_context_takeover = false }))
    assert.same(with(SERVER, {
      server_no_context_takeover = false, server_max_window_bits = 15,
      client_no_context_takeover = false, client_max_window_bits = 9,
    }), told(options.listen, {
      server_no_context_takeover = false, server_max_window_bits = 15,
      client_no_context_takeover = false, client_max_window_bits = 9,
    }))
  end)

  it("has a client's own window as large as it was told to", function()
    assert.same(with(CLIENT, { client_max_window_bits = 15, window_bits = 15 }),
      told(options.connect, { client_max_window_bits = 15 }))
    assert.same(with(CLIENT, { client_max_window_bits = 8, window_bits = 8, server_max_window_bits = 10 }),
      told(options.connect, { client_max_window_bits = 8, server_max_window_bits = 10 }))
  end)

  it("leaves what is given as it is", function()
    local given = { level = 9 }
    told(options.listen, given)
    assert.same({ level = 9 }, given)
  end)

  it("takes every value in range", function()
    for _, level in ipairs { -1, 0, 1, 9, 9.0 } do
      assert.equal(level, told(options.connect, { level = level }).level)
    end
    for _, level in ipairs { 1, 9 } do
      assert.equal(level, told(options.connect, { mem_level = level }).mem_level)
    end
    for _, bytes in ipairs { 0, 1, 65536, math.huge } do
      assert.equal(bytes, told(options.connect, { threshold = bytes }).threshold)
    end
    for bits = 8, 15 do
      assert.equal(bits, told(options.listen, { server_max_window_bits = bits }).server_max_window_bits)
      assert.equal(bits, told(options.connect, { client_max_window_bits = bits }).client_max_window_bits)
    end
  end)

  --- The openers and their sides' names in them.
  local openers = {
    ["weft.listen"] = function(weft, value) weft.listen { port = 0, websocket = print, compression = value } end,
    ["weft.serve"] = function(weft, value) weft.serve { port = 0, websocket = print, compression = value } end,
    ["weft.connect"] = function(weft, value) weft.connect("ws://127.0.0.1:9/", { compression = value }) end,
    ["weft.reconnecting"] = function(weft, value) weft.reconnecting("ws://127.0.0.1:9/", { compression = value }) end,
    ["weft.pair"] = function(weft, value) weft.pair({ compression = value }) end,
    ["weft.protocol.client"] = function(weft, value) weft.protocol.client { compression = value } end,
    ["weft.protocol.server"] = function(weft, value) weft.protocol.server { compression = value } end,
  }

  for name, opener in pairs(openers) do
    it("raises at the line of " .. name .. " for what it is not", case(function(t)
      for _, value in ipairs { 1, "permessage-deflate", print } do
        raises({ opener, t.weft, value }, name .. ": option 'compression': expected true, false or a table")
      end
      raises({ opener, t.weft, { levle = 5 } }, name .. ": option 'compression.levle': unknown option", "'level'")
      raises({ opener, t.weft, { true } }, name, "unknown option")
      raises({ opener, t.weft, { level = 10 } }, name .. ": option 'compression.level': expected a level", "got 10")
    end))
  end

  it("raises on the second side of a pair as well", case(function(t)
    raises(function() t.weft.pair({}, { compression = 5 }) end, "weft.pair", "'compression'")
  end))

  local wrong = {
    level = { -2, 10, 1.5, 0 / 0, math.huge, "6", true },
    mem_level = { 0, 10, 8.5, 0 / 0, "8", false },
    threshold = { -1, 0.5, 0 / 0, "512", false },
    server_no_context_takeover = { 0, 1, "true" },
    client_no_context_takeover = { 0, 1, "false" },
    server_max_window_bits = { 7, 16, 9.5, 0 / 0, "15", true },
    client_max_window_bits = { 7, 16, 9.5, 0 / 0, "15", true },
  }
  local ranges = {
    level = "from 0 to 9", mem_level = "from 1 to 9", threshold = "bytes", server_no_context_takeover = "true or false",
    client_no_context_takeover = "true or false", server_max_window_bits = "from 8 to 15",
    client_max_window_bits = "from 8 to 15",
  }
  for field, values in pairs(wrong) do
    it("names its " .. field .. " when that is wrong, and what was expected", function()
      for _, value in ipairs(values) do
        for _, name in ipairs { "listen", "connect" } do
          raises(function()
            local function opener(given)
              check.options(options[name], "weft.opener", given, 2)
            end
            opener { compression = { [field] = value } }
          end, "weft.opener: option 'compression." .. field .. "': expected", ranges[field], "got " .. check.show(value))
        end
      end
    end)
  end
end)
