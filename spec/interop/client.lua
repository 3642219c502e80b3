-- weft as a client of another library's server.
--
--   lua5.4 spec/interop/client.lua URL [CA]
--
-- Without CA, a wss server is verified as the system's store says.
local weft = require "weft"
local checks = require "check"

local check, equal = checks.check, checks.equal
local base = assert(arg[1], "usage: client.lua URL [CA]")
local options = { max_message = 4 * 1024 * 1024 }
if arg[2] then
  options.tls = { ca = arg[2] }
end

local function open(path, more)
  local all = {}
  for _, from in ipairs { options, more or {} } do
    for name, value in pairs(from) do
      all[name] = value
    end
  end
  return assert(weft.connect(base .. path, all))
end

local function ask(ws, message, kind)
  assert(ws:send(message, kind))
  return ws:receive(20)
end

-- every byte value, at places that no power of two divides
local function bytes(size)
  local all = {}
  for value = 0, 250 do
    all[#all + 1] = string.char(value)
  end
  local row = table.concat(all)
  return row:rep(math.floor(size / #row) + 1):sub(1, size)
end

-- how the server saw the last connection to /echo end; it may learn of that a
-- moment later than we do
local function last(expected)
  local message
  for _ = 1, 50 do
    local ws = open "/last"
    message = ws:receive(20)
    ws:close()
    if message == expected then
      break
    end
    weft.sleep(0.02)
  end
  return message
end

for _, size in ipairs { 0, 1, 125, 126, 127, 65535, 65536, 1024 * 1024 } do
  check("text of " .. size .. " bytes comes back", function()
    local ws = open "/echo"
    local message, kind = ask(ws, ("w"):rep(size))
    equal("text", kind)
    equal(("w"):rep(size), message)
    equal(true, ws:close())
  end)

  check(size .. " bytes of binary come back", function()
    local ws = open "/echo"
    local message, kind = ask(ws, bytes(size), "binary")
    equal("binary", kind)
    equal(bytes(size), message)
    equal(true, ws:close())
  end)

  check(size .. " bytes sent in fragments with a ping between them arrive whole", function()
    local ws = open "/fragments"
    local message, kind = ask(ws, ("e"):rep(size))
    equal("text", kind)
    equal(("e"):rep(size), message)
    equal(true, ws:close())
  end)

  check(size .. " bytes sent by a writer come back", function()
    local ws = open "/echo"
    local message = bytes(size)
    local writer = ws:writer "binary"
    for at = 1, size, 10007 do
      writer:write(message:sub(at, at + 10006))
    end
    writer:close()
    equal(message, (ws:receive(20)))
    equal(true, ws:close())
  end)
end

check("text beyond ASCII comes back", function()
  local ws = open "/echo"
  equal("grüß \u{1F9F5} \0 ende", (ask(ws, "grüß \u{1F9F5} \0 ende")))
  ws:close()
end)

check("five hundred messages sent in one go come back in order", function()
  local ws = open "/echo"
  weft.run(function()
    local sender = weft.spawn(function()
      for i = 1, 500 do
        assert(ws:send("message " .. i))
      end
    end)
    for i = 1, 500 do
      equal("message " .. i, (ws:receive(20)))
    end
    assert(sender:join())
  end)
  ws:close()
end)

check("weft's ping is answered", function()
  local ws = open "/echo"
  local seconds = assert(ws:ping("hello", 20))
  assert(seconds >= 0 and seconds < 20)
  ws:close()
end)

check("the server's ping is answered with its payload", function()
  local ws = open "/ping"
  equal("pong are you there?", (ws:receive(20)))
  ws:close()
end)

check("weft's close code and reason arrive, and the echo is read", function()
  local ws = open "/echo"
  equal(true, ws:close(4001, "bye"))
  equal("closed", ws.state)
  equal(4001, ws.sent_code)
  equal(4001, ws.close_code)
  equal("local", ws.close_cause)
  equal("4001 bye", last "4001 bye")
end)

check("the server's close code and reason arrive", function()
  local ws = open "/close"
  local message, word, code, reason = ws:receive(20)
  equal(nil, message)
  equal("closed", word)
  equal(4002, code)
  equal("because", reason)
  equal("peer", ws.close_cause)
  equal(nil, (ws:send("too late")))
end)

check("a lost server is 1006", function()
  local ws = open "/drop"
  local _, word, code = ws:receive(20)
  equal("closed", word)
  equal(1006, code)
end)

check("the subprotocol that the server chose is told", function()
  local ws = open("/echo", { protocols = { "chat.v1", "chat.v2" } })
  equal("chat.v2", ws.protocol)
  ws:close()
end)

check("no subprotocol is told where none was offered", function()
  local ws = open "/echo"
  equal(nil, ws.protocol)
  ws:close()
end)

check("a refusal is told with its status, headers and body", function()
  local ws, message, code, response = weft.connect(base .. "/secret", options)
  equal(nil, ws)
  equal("handshake refused: 401 Unauthorized", message)
  equal("handshake", code)
  equal(401, response.status)
  assert(response.headers["www-authenticate"]:match("^Basic realm="))
  assert(response.body:find("who are you?", 1, true))
end)

check("an unknown path is a refusal too", function()
  local ws, _, code, response = weft.connect(base .. "/nowhere", options)
  equal(nil, ws)
  equal("handshake", code)
  equal(404, response.status)
end)

check("fifty connections talk at once", function()
  weft.run(function()
    local tasks = {}
    for i = 1, 50 do
      tasks[i] = weft.spawn(function()
        local ws = open "/echo"
        for round = 1, 5 do
          local message = ("this is %d, %d"):format(i, round)
          equal(message, (ask(ws, message)))
        end
        equal(true, ws:close())
      end)
    end
    for _, task in ipairs(tasks) do
      assert(task:join())
    end
  end)
end)

checks.report()
