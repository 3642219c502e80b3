-- A whole conversation, for programs that let something fail in it: listen,
-- connect, echo, a room, a close from either side; compressed, with TLS and then
-- without, by an address and by a name.  Beside it another connection, which must
-- not notice.
local weft = require "weft"

local scenario = {}

local TEXT = ("some words, again and again; "):rep(700)

-- Seconds in which a connection that cannot send still reads what was sent to it.
local CLOSE = 0.3

local reports = {}
weft.on_error(function(err)
  reports[#reports + 1] = err
end)

-- The other connection: its own server, plain, and a task that waits in it.
local bystander = {}

local function echo(ws)
  for message, kind in ws:messages() do
    ws:send(message, kind)
  end
end

--- Before anything fails.
function scenario.prepare()
  bystander.server = assert(weft.listen { port = 0, websocket = echo })
  bystander.ws = assert(weft.connect(bystander.server:url()))
  scenario.beside()
end

--- Whether the other connection is as it was.
function scenario.beside()
  for _, message in ipairs { "still here", TEXT } do
    assert(bystander.ws:send(message, nil, 5))
    local got, why = bystander.ws:receive(5)
    assert(got == message, why)
  end
  return true
end

-- What the conversation has opened, for recover().  Nothing is allocated to
-- write it down.
local opened = { server = false, ws = false, why = false }

-- What a call gave, or raises what it said instead.
local function must(value, ...)
  if not value then
    error({ ... }, 0)
  end
  return value
end

local function expect(ws, wanted)
  local message, why, code = ws:receive(5)
  must(message, why, code)
  assert(message == wanted, "another message than was sent")
end

local room = weft.room()

local function serve(ws)
  room:join(ws)
  for message, kind in ws:messages() do
    if message == "close" then
      ws:close(4000, "as asked", 2)
    else
      ws:send(message, kind)
    end
  end
end

local function listen(secured)
  local server, why, code = weft.listen {
    port = 0,
    tls = secured and "self-signed" or nil,
    compression = { threshold = 100 },
    websocket = serve,
    close_timeout = CLOSE,
  }
  opened.server = server or false
  return must(server, why, code)
end

local function connect(url)
  local ws, why, code = weft.connect(url, { tls = { verify = false }, timeout = 5, close_timeout = CLOSE })
  opened.ws = ws or false
  return must(ws, why, code)
end

local function talk(ws)
  must(ws:send(TEXT, nil, 5))
  expect(ws, TEXT)
  must(room:send(TEXT, "text") == 1, "nobody is in the room")
  expect(ws, TEXT)
end

local function converse(secured)
  local server = listen(secured)
  local ws = connect(server:url())
  talk(ws)
  must(ws:close(1000, "done", 2))
  ws = connect((server:url():gsub("127.0.0.1", "127.1"))) -- a name to threads, and no name server's
  talk(ws)
  must(ws:send("close", nil, 5))
  local message, why, code = ws:receive(5)
  must(message == nil and code == 4000, why, code)
  must(server:close(2))
end

local function converse_twice()
  converse(true)
  converse(false)
end

--- The conversation: whether all of it went well.
function scenario.play()
  local ok, why = pcall(weft.run, converse_twice)
  opened.why = not ok and why
  return ok and 1 or 0
end

--- After something has failed: lets go of what is left.
function scenario.recover()
  local ws, server = opened.ws, opened.server
  opened.ws, opened.server = false, false
  if ws then
    ws:abort()
  end
  if server then
    server:close(0)
  end
  collectgarbage()
end

--- One turn of the loop, which ends what was let go of.
function scenario.turn()
  weft.step(0.001)
end

--- An error in one line.
local function words(err)
  if type(err) == "table" then
    local list = {}
    for i = 1, #err do
      list[i] = tostring(err[i])
    end
    return table.concat(list, " ")
  end
  return tostring(err)
end

--- What play() has failed with, and what was reported meanwhile, one a line.
function scenario.words()
  local list = { opened.why and words(opened.why) or nil }
  for _, err in ipairs(reports) do
    list[#list + 1] = words(err)
  end
  reports, opened.why = {}, false
  return table.concat(list, "\n")
end

return scenario
