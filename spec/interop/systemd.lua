-- examples/service by systemd's own tools: its units are what systemd
-- understands, and its program takes the socket that it is handed.
--
--   lua5.4 spec/interop/systemd.lua PORT PID
--
-- The process is main.lua, started by systemd-socket-activate at the port.
local weft = require "weft"
local checks = require "check"

local check, equal, matches = checks.check, checks.equal, checks.matches
local port = assert(arg[1], "usage: systemd.lua PORT PID")
local pid = assert(arg[2], "usage: systemd.lua PORT PID")
local folder = "examples/service/"

-- What a command says, errors too.
local function said(...)
  local pipe = assert(io.popen(("%s 2>&1"):format(table.concat({ ... }, " "))))
  local text = pipe:read "a"
  pipe:close()
  return text
end

-- Its status says nothing of a word that systemd ignores; so no line may name
-- the units.  What it thinks of the machine's other units is not for us.
local function complaints(...)
  local found = {}
  for line in said("systemd-analyze", "verify", "--man=no", ...):gmatch "[^\n]+" do
    if line:find("room.", 1, true) then
      found[#found + 1] = line
    end
  end
  return table.concat(found, "\n")
end

check("systemd understands both units", function()
  equal("", complaints(folder .. "room.service", folder .. "room.socket"))
end)

check("systemd would have said so otherwise", function()
  local copy = os.tmpname()
  local wrong = copy .. "room.service"
  os.execute(("sed s/KillMode=mixed/KillMode=mixd/ %sroom.service >%s"):format(folder, wrong))
  local text = complaints(wrong, folder .. "room.socket")
  os.remove(copy)
  os.remove(wrong)
  matches(text, "mixd")
end)

check("the room serves on the socket that it was handed, and says who is here", function()
  local one = assert(weft.connect("ws://127.0.0.1:" .. port))
  local other = assert(weft.connect("ws://127.0.0.1:" .. port))
  one:send "hello"
  equal("hello", one:receive(20))
  equal("hello", other:receive(20))
  equal("2 here\n", said("curl", "-sS", ("http://127.0.0.1:%s/health"):format(port)))
  equal(true, other:close())
  equal(true, one:close())
end)

check("SIGTERM tells who is here, and ends it", function()
  local ws = assert(weft.connect("ws://127.0.0.1:" .. port))
  os.execute("kill -TERM " .. pid)
  local _, word, code = ws:receive(20)
  equal("closed", word)
  equal(1001, code)
  local left = 200
  while os.execute(("kill -0 %s 2>/dev/null"):format(pid)) and left > 0 do
    left = left - 1
    weft.sleep(0.05)
  end
  equal(true, left > 0)
end)

checks.report()
