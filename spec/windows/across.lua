--- A server under Wine and clients of this system, over the loopback; for busted,
--- started by .ci/windows.
local folder = require "support.folder"
local handshake = require "support.handshake"
local case = require "support.case"

local place, program, url, port

setup(function()
  place = folder.make {
    ["www/a.txt"] = "text", ["www/sub/b.html"] = "<p>", ["www/.hidden"] = "hidden",
    ["secret"] = "secret", ["www/large"] = ("0123456789abcdef"):rep(100000),
  }
  program = assert(io.popen(os.getenv "SERVE" .. " Z:" .. place:at "www"))
  url = assert(program:read "l"):match "listening on ws(://%S-)/?\r?$"
  port = assert(tonumber(url:match ":(%d+)$"))
end)

teardown(function()
  program:close()
  place:remove()
end)

-- The body and the head of what a path gives.
local function get(t, path)
  local head = t:ask(port, handshake.http { path = path })
  return head.body, head
end

describe("a server on Windows, asked from here,", function()
  for _, kind in ipairs { "text", "binary" } do
    it("echoes " .. kind .. ", empty to large", case(function(t)
      local ws = t:connect("ws" .. url .. "/echo")
      for _, size in ipairs { 0, 1, 125, 126, 65535, 65536, 1000000 } do
        local message = ("x"):rep(size)
        assert(ws:send(message, kind))
        assert.same({ message, kind }, { ws:receive(10) })
      end
      assert.is_true(ws:close(4000, "bye"))
    end))
  end

  it("agrees on permessage-deflate", case(function(t)
    local ws = t:connect("ws" .. url .. "/echo", { compression = true })
    local message = ("All work and no play. "):rep(5000)
    assert.matches("permessage%-deflate", ws.extensions)
    ws:send(message)
    assert.equal(message, (ws:receive(5)))
  end))

  it("lets a room's members hear each other", case(function(t)
    local list = {}
    for i = 1, 10 do
      list[i] = t:connect("ws" .. url .. "/meet")
    end
    t:connect("ws" .. url .. "/echo") -- by now all are in
    list[1]:send "all"
    for _, ws in ipairs(list) do
      assert.equal("all", (ws:receive(5)))
    end
  end))

  it("has 500 connections, and none when they have gone", case(function(t)
    local list = {}
    for i = 1, 500 do
      list[i] = t:connect("ws" .. url .. "/echo")
    end
    for i, ws in ipairs(list) do
      ws:send(tostring(i))
    end
    for i, ws in ipairs(list) do
      assert.equal(tostring(i), (ws:receive(10)))
    end
    for _, ws in ipairs(list) do
      ws:close(1000, "", 0)
    end
    t:wait_until(function()
      return get(t, "/count") == "0"
    end, "that all have gone")
  end))

  it("answers plain requests", case(function(t)
    assert.equal("hello", (get(t, "/hello")))
  end))

  it("serves files, and none that is elsewhere", case(function(t)
    local body, head = get(t, "/files/a.txt")
    assert.same({ 200, "text" }, { head.status, body })
    assert.matches("^%a+, %d%d %a+ %d+ ", head.headers["last-modified"])
    assert.equal("<p>", (get(t, "/files/sub/b.html")))
    assert.equal(1600000, #get(t, "/files/large"))
    for _, path in ipairs {
      "none", "../secret", "..%2fsecret", "..%5csecret", "sub/..%5c..%5csecret", ".hidden",
      "a.txt::$DATA", "a.txt%3a%3a$DATA", "a.txt.", "a.txt%20", "HIDDEN~1", "con", "nul", "c:", "%5c", "sub%5cb.html",
    } do
      assert.equal(404, select(2, get(t, "/files/" .. path)).status, path)
    end
  end))

  it("connects to servers here, by address and by name", case(function(t)
    local heard = {}
    local _, here = t:listen { host = "localhost", websocket = function(ws)
      heard[#heard + 1] = ws:receive(5)
      ws:send "heard"
    end }
    local ws = t:connect("ws" .. url .. "/reach")
    for _, host in ipairs { "127.0.0.1", "localhost" } do
      ws:send(("ws://%s:%d/"):format(host, here))
      assert.equal("heard", (ws:receive(10)))
    end
    assert.same({ "from Windows", "from Windows" }, heard)
    ws:send(("ws://127.0.0.1:%d/"):format(t:free_port()))
    assert.matches("connection refused$", (ws:receive(10)))
    ws:send "ws://no-such-name.invalid/"
    assert.matches("^look up no%-such%-name%.invalid: ", (ws:receive(10)))
  end))

  it("ends when it is told to", case(function(t)
    t:dial(port):send(handshake.http { path = "/stop" })
    assert.equal("", program:read "a")
  end))
end)
