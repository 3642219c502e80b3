-- A chat: one page for everybody who opens it, over one WebSocket each.
--
--   make demo, or: lua5.4 examples/chat/server.lua [PORT]
--
-- What the server sends is a line of words with tabs between.  Everybody may
-- read along; who wants to talk first sends a name, until one is free, and from
-- then on what there is to say.
local weft = require "weft"

local folder = arg[0]:match "^(.*)/" or "."
local file = assert(io.open(folder .. "/index.html", "rb"))
local page = file:read "a"
file:close()

local room = weft.room()

-- The names of those who have one, in order.
local function names()
  local list = {}
  for _, ws in ipairs(room:members()) do
    list[#list + 1] = ws.name
  end
  table.sort(list)
  return list
end

local function is_free(wish)
  for _, name in ipairs(names()) do
    if name:lower() == wish:lower() then
      return false
    end
  end
  return true
end

-- Asks until the client has a name of its own; nil when it leaves instead.
local function agree_on_name(ws)
  for message in ws:messages() do
    local wish = message:gsub("%c", " "):match "^%s*(.-)%s*$"
    local _, length = wish:gsub("[^\128-\191]", "") -- of UTF-8
    if wish == "" or length > 20 then
      ws:send "refused\tA name has 1 to 20 characters."
    elseif not is_free(wish) then
      ws:send("refused\t" .. wish .. " is taken.")
    else
      return wish
    end
  end
end

local function tell_members()
  room:send("members\t" .. table.concat(names(), "\t"))
end

local function chat(ws)
  room:join(ws)
  tell_members()
  ws.name = agree_on_name(ws)
  if not ws.name then
    return
  end
  ws:send("welcome\t" .. ws.name)
  room:send("joined\t" .. ws.name)
  tell_members()
  for text in ws:messages() do
    room:send("said\t" .. ws.name .. "\t" .. text)
  end
  room:send("left\t" .. ws.name) -- whose connection has closed, and left the room
  tell_members()
end

local server, why, code = weft.listen {
  host = os.getenv "HOST" or "127.0.0.1",
  port = tonumber(arg[1] or os.getenv "PORT" or 8080),
  max_message = 4096,
  compression = true, -- for the long ones: nothing said here is secret
  websocket = { ["/chat"] = chat },
  http = {
    ["/"] = function()
      return 200, { ["Content-Type"] = "text/html; charset=utf-8" }, page
    end,
  },
}
if not server then
  local hint = code == "in_use" and " (choose another with PORT=8081 make demo)" or ""
  io.stderr:write(why, hint, "\n")
  os.exit(1)
end
print("open " .. server:url():gsub("^ws", "http"))
io.stdout:flush()
weft.serve(server)
