local case = require "support.case"
local command = require "support.command"
local curl = require "support.curl"
local folder = require "support.folder"

local place

-- A serve command that listens, and its URL for curl.
local function serve(t, ...)
  local child = command.start(t.weft, { "serve", place:at "www", "--port", "0", ... })
  local url = child:wait_for "^listening on (%S+)\n"
  return child, url, (url:gsub("^ws", "http"))
end

-- Ends it: what it wrote.
local function finish(child)
  child:signal "TERM"
  local output, errors, status = child:wait()
  assert.equal(0, status)
  return output, errors
end

describe("weft serve", function()
  setup(function()
    place = folder.make {
      ["www/index.html"] = "<h1>home</h1>", ["www/sub/data.json"] = "{}", secret = "outside",
    }
  end)

  teardown(function()
    place:remove()
  end)

  it("serves the files of a directory, and prints one line", case(function(t)
    local child, url, http = serve(t)
    assert.matches("^ws://127%.0%.0%.1:%d+$", url)
    assert.equal("<h1>home</h1>", curl(t.weft, { http .. "/" }))
    assert.matches("application/json\r\n.*{}$", curl(t.weft, { "-i", http .. "/sub/data.json" }))
    assert.matches("^HTTP/1.1 404 ", curl(t.weft, { "-i", "--path-as-is", http .. "/../secret" }))
    local output, errors = finish(child)
    assert.same({ "listening on " .. url .. "\n", "" }, { output, errors })
  end, 25))

  it("has a room, in which each message goes to all the others", case(function(t)
    local child, url = serve(t)
    local a, b, c = t:connect(url .. "/ws"), t:connect(url .. "/ws"), t:connect(url .. "/ws")
    t.weft.sleep(0)
    a:send "hello"
    a:send("\0\1", "binary")
    for _, ws in ipairs { b, c } do
      assert.same({ "hello", "text" }, { ws:receive(5) })
      assert.same({ "\0\1", "binary" }, { ws:receive(5) })
    end
    b:send "back"
    assert.equal("back", a:receive(5))
    assert.equal("back", c:receive(5))
    assert.same({ nil, "timeout" }, { b:receive(0) }) -- what it said came to the others alone
    finish(child)
    for _, ws in ipairs { a, b, c } do
      assert.same({ n = 4, nil, "closed", 1001, "" }, table.pack(ws:receive(5)))
    end
  end, 25))

  it("has it where it is told, and for clients without WebSocket too", case(function(t)
    local child, url, http = serve(t, "--room", "/a/room")
    local ws = t:connect(url .. "/a/room")
    assert.is_nil((t.weft.connect(url .. "/ws")))
    assert.matches("WeftSocket", curl(t.weft, { http .. "/a/room?weft.js" }))
    assert.is_true(ws:close())
    finish(child)
  end, 25))

  it("speaks TLS", case(function(t)
    local child, url = serve(t, "--tls-self-signed")
    assert.matches("^wss://", url)
    assert.equal("<h1>home</h1>", curl(t.weft, { "-k", (url:gsub("^wss", "https")) .. "/" }))
    finish(child)
  end, 25))

  it("has workers", case(function(t)
    local child, url, http = serve(t, "--workers", "2")
    for _ = 1, 6 do
      assert.equal("<h1>home</h1>", curl(t.weft, { http .. "/" }))
    end
    assert.same({ "listening on " .. url .. "\n", "" }, { finish(child) })
  end, 25))

  it("logs requests and connections when it is told to", case(function(t)
    local child, url, http = serve(t, "--log", "text")
    curl(t.weft, { http .. "/", http .. "/none%0A?x" })
    local ws = t:connect(url .. "/ws")
    assert.is_true(ws:close(4001))
    local _, errors = finish(child)
    local lines = {}
    for line in errors:gmatch "[^\n]+" do
      lines[#lines + 1] = line:match "^time=%d+%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ event=(.*)$"
        :gsub(" connection=.*1 method", ""):gsub(" bytes=.*", ""):gsub(" remote_address.* path", "")
    end
    assert.same({
      "listening url=" .. url .. " workers=1", "request=GET path=/ status=200", "request=GET path=/none%0A status=404",
      "open connection=2=/ws kind=websocket",
    }, { table.unpack(lines, 1, 4) })
    assert.matches("^close connection=2 .* code=4001 .* cause=peer seconds=", lines[5])
    assert.matches("^closing ", lines[6])
    assert.matches("^closed ", lines[7])
    assert.is_nil(lines[8])
  end, 25))

  it("says what is wrong with its command line", case(function(t)
    for _, each in ipairs {
      { {}, 2, "expected a directory" },
      { { "a", "b" }, 2, "expected a directory, got 2" },
      { { place:at "none" }, 1, "cannot serve the directory .*none" },
      { { place:at "secret" }, 1, "cannot serve the directory .*secret" },
      { { place:at "www", "--room", "ws" }, 2, "option %-%-room: expected a path" },
      { { place:at "www", "--room", "/" }, 2, "option %-%-room: expected a path" },
      { { place:at "www", "--memory-limit", "0" }, 2, "option %-%-memory%-limit: expected bytes" },
      { { place:at "www", "--key", "k" }, 2, "%-%-key goes with %-%-cert" },
      { { place:at "www", "--host", "127.0.0.1", "--unix", "u" }, 2, "%-%-unix goes without" },
      { { place:at "www", "--compression" }, 2, "unknown option" },
      { { place:at "www", "--log", "yes" }, 2, "option %-%-log: expected text or json" },
    } do
      local output, errors, status = command.start(t.weft, { "serve", table.unpack(each[1]) }):wait()
      assert.same({ "", each[2] }, { output, status })
      assert.matches("^weft serve: .*" .. each[3], errors)
    end
  end, 25))

  it("has a page of help", case(function(t)
    local output, _, status = command.start(t.weft, { "serve", "--help" }):wait()
    assert.equal(0, status)
    for _, word in ipairs { "DIR", "--port", "--room", "--tls-self-signed", "--workers", "--memory-limit", "--log" } do
      assert.is_truthy(output:find(word, 1, true), word)
    end
    assert.matches("weft serve DIR", (command.start(t.weft, { "help" }):wait()))
  end))
end)
