local check = require "weft.check"
local options = require "weft.options"
local raises = require "support.raises"

--- What the words of an option's error must be; the name is in all of them.
local function refused(spec, given, ...)
  raises(function()
    local function opener(table)
      check.options(spec, "weft.opener", table, 2)
    end
    opener(given)
  end, "weft.opener", ...)
end

describe("a table of options", function()
  it("gets the defaults filled in, and is not changed", function()
    local given = { max_message = 5 }
    local checked = check.options(options.listen, "weft.listen", given, 1)
    assert.same({ max_message = 5 }, given)
    assert.same({ 5, 1024, "127.0.0.1", 8080, 10 }, {
      checked.max_message, checked.max_fragments, checked.host, checked.port, checked.handshake_timeout,
    })
  end)

  it("may be left out", function()
    assert.equal(10, check.options(options.connect, "weft.connect", nil, 1).timeout)
    refused(options.connect, 5, "options", "a table", "5")
  end)

  it("raises for an unknown name, and says which one may have been meant", function()
    refused(options.listen, { prot = 1 }, "unknown option 'prot'", "'port'")
    refused(options.listen, { max_mesage = 1 }, "'max_mesage'", "'max_message'")
    refused(options.listen, { ping_intervall = 1 }, "'ping_interval'")
    refused(options.listen, { something_else = 1 }, "unknown option 'something_else'")
    refused(options.listen, { [{}] = 1 }, "unknown option a table")
    local message = raises(function()
      check.options(options.listen, "weft.listen", { something_else = 1 }, 1)
    end)
    assert.is_nil(message:find "did you mean")
  end)

  it("does not mind an option that asks for nothing", function()
    check.options(options.serve, "weft.serve", {
      tls = false, proxy_protocol = false,
    }, 1)
    check.options(options.connect, "weft.connect", { proxy = false, redirects = 0 }, 1)
  end)

  it("never shows a user name or password, not even a wrong one", function()
    for name, values in pairs {
      username = { "sesame:", "sesame\r\nX: y", "sesame\0", "\127sesame", { "sesame" }, 7353 },
      password = { "sesame\n", "\27sesame", { "sesame" }, 7353, true },
    } do
      for _, value in ipairs(values) do
        local message = raises(function()
          check.options(options.connect, "weft.connect", { [name] = value }, 1)
        end, "weft.connect: option '" .. name .. "': expected a string without", ", got a")
        assert.is_nil(message:find "sesame")
        assert.is_nil(message:find "7353")
      end
    end
  end)

  it("takes any other text for a user name or password", function()
    local checked = check.options(options.connect, "weft.connect", {
      username = "", password = ": \u{FC}\xFF",
    }, 1)
    assert.same({ "", ": \u{FC}\xFF" }, { checked.username, checked.password })
  end)

  it("knows how a server is closed", function()
    assert.same({ drain = 0 }, check.options(options.close, "server:close", nil, 1))
    assert.same({ drain = math.huge }, check.options(options.close, "server:close", { drain = math.huge }, 1))
    local checked = check.options(options.serve, "weft.serve", {}, 1)
    assert.same({ 10, 0 }, { checked.grace, checked.drain })
    for _, value in ipairs { -1, 0 / 0, "5", true } do
      refused(options.close, { drain = value }, "'drain'", "seconds")
      refused(options.serve, { drain = value }, "'drain'", "seconds")
      refused(options.serve, { grace = value }, "'grace'", "seconds")
    end
    refused(options.close, { drian = 5 }, "unknown option 'drian'", "'drain'")
    refused(options.listen, { grace = 5 }, "unknown option 'grace'")
    refused(options.listen, { drain = 5 }, "unknown option 'drain'")
  end)

  it("takes a descriptor to listen on", function()
    assert.equal(3, check.options(options.listen, "weft.listen", { fd = 3 }, 1).fd)
    for _, value in ipairs { -1, 1.5, 0 / 0, math.huge, "3", true } do
      refused(options.listen, { fd = value }, "'fd'", "a descriptor")
    end
  end)

  it("knows what reconnecting takes besides", function()
    local checked = check.options(options.reconnecting, "weft.reconnecting", nil, 1)
    assert.same({ 0.25, 30, math.huge, 10, 0 }, {
      checked.min_delay, checked.max_delay, checked.max_attempts, checked.timeout, checked.redirects,
    })
    for _, name in ipairs { "min_delay", "max_delay" } do
      for _, value in ipairs { 0, -1, 0 / 0, "1", true } do
        refused(options.reconnecting, { [name] = value }, "'" .. name .. "'", "a number above 0")
      end
    end
    refused(options.reconnecting, { max_attempts = 0 }, "'max_attempts'", "1 or more")
    refused(options.reconnecting, { retry = true }, "'retry'", "a function")
    refused(options.reconnecting, { on_retry = 5 }, "'on_retry'", "a function")
    refused(options.reconnecting, { events = {} }, "unknown option 'events'")
    refused(options.connect, { retry = print }, "unknown option 'retry'")
  end)

  it("takes whole numbers of redirects and a path for a socket", function()
    refused(options.connect, { redirects = -1 }, "'redirects'", "0 or more")
    refused(options.connect, { redirects = 1.5 }, "'redirects'", "a whole number")
    refused(options.connect, { redirects = true }, "'redirects'")
    refused(options.connect, { unix = "" }, "'unix'", "a path")
    refused(options.connect, { unix = "a\0b" }, "'unix'", "a path")
  end)

  local wrong = {
    port = { -1, 65536, 80.5, 0 / 0, "80", math.huge },
    max_message = { 0, -1, 1.5, 0 / 0, "1" },
    send_buffer = { -1, 0.5, 0 / 0 },
    ping_interval = { 0, -1, 0 / 0, true, "20" },
    idle_timeout = { -1, 0 / 0, false },
    backlog = { 0, 1.5, math.huge },
    origins = { 5, "example.com", { x = "*" }, "https://a.*.b", "https://*", "https://*." },
    protocols = { "chat", { a = "b" } },
  }
  for name, values in pairs(wrong) do
    for i = 1, 6 do
      local value = values[i]
      if value ~= nil then
        it(("raises for the %s %s, at the caller's line"):format(name, check.show(value)), function()
          refused(options.listen, { [name] = value }, "option '" .. name .. "': expected", ", got ")
        end)
      end
    end
  end

  it("names what is wrong in a list", function()
    for _, bad in ipairs { "https://a/path", "bad", "https://a*.b", "https://*.*.b", "https://a:*" } do
      refused(options.listen, { origins = { "*", bad } }, "option 'origins[2]': expected an origin", 'got "' .. bad)
    end
    refused(options.listen, { origins = { 1 } }, "option 'origins[1]': expected an origin", "got 1")
    refused(options.listen, { protocols = { "a b" } }, "option 'protocols[1]': expected a token", 'got "a b"')
    refused(options.listen, { protocols = { "a", "" } }, "option 'protocols[2]': expected a token", 'got ""')
    refused(options.listen, { protocols = { "a", "a" } }, "option 'protocols[2]'", "none comes twice", 'got "a"')
    refused(options.connect, { protocols = { "a", [3] = "b" } }, "option 'protocols'", "expected a list")
  end)

  it("takes a star for an origin or for the first words of its host", function()
    for _, good in ipairs { "*", "https://*.example.com", "https://*.example.com:8443", "http://[::1]:80" } do
      assert.same({ good }, check.options(options.listen, "weft.listen", { origins = good }, 1).origins)
    end
  end)

  it("takes whole numbers as floats and math.huge for no limit", function()
    local checked = check.options(options.listen, "weft.listen", {
      port = 80.0, max_message = math.huge, ping_interval = math.huge, idle_timeout = math.huge,
      send_buffer = 0, close_timeout = 0,
    }, 1)
    assert.equal(math.huge, checked.max_message)
  end)
end)

describe("the settings of a connection", function()
  local function settings(spec, given)
    return options.settings(check.options(spec, "weft", given, 1))
  end

  it("are complete, whoever opens it", function()
    for spec, is_server in pairs {
      [options.listen] = true, [options.connect] = false, [options.pair_client] = false, [options.pair_server] = true,
      [options.protocol_client] = false, [options.protocol_server] = true,
    } do
      local made = settings(spec, {})
      assert.equal(is_server and "boolean" or "table", type(made.compression)) -- see deflate_options_spec
      made.compression = nil
      assert.same({
        max_message = 1048576, max_frame = 1048576, max_fragments = 1024, max_header = 16384, max_headers = 100, max_body = 1048576,
        handshake_timeout = 10, idle_timeout = math.huge, close_timeout = 5, write_timeout = 30, ping_interval = 20,
        ping_timeout = 20, send_buffer = 65536, receive_buffer = 65536, nodelay = true,
        memory_limit = math.huge,
      }, made)
    end
  end)

  it("take a frame to be as long as a message, unless told otherwise", function()
    assert.equal(7, settings(options.connect, { max_message = 7 }).max_frame)
    assert.equal(3, settings(options.connect, { max_message = 7, max_frame = 3 }).max_frame)
  end)

  it("have the keepalive off for false", function()
    assert.equal(math.huge, settings(options.listen, { ping_interval = false }).ping_interval)
  end)

  it("take a client's timeout for the handshake's", function()
    assert.equal(3, settings(options.connect, { timeout = 3 }).handshake_timeout)
  end)
end)
