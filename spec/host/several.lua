-- For a program with several lua_States, or one after the other.  weft is loaded
-- from inside a coroutine, as a program may happen to do.
local weft = coroutine.wrap(function()
  return require "weft"
end)()

local several = {}

local TEXT = ("a long message; "):rep(5000)

local heard = 0

local function echo(ws)
  for message, kind in ws:messages() do
    ws:send(message, kind)
  end
end

--- Whether every module that the program carries loads, without a file, and
--- what they say that they are.
function several.version()
  package.path, package.cpath = "", ""
  for name in pairs(package.preload) do
    if not name:find "^weft%.adapters%." then -- they want the loops of others
      require(name)
    end
  end
  weft.fallback(echo) -- has a script for browsers
  return weft._VERSION
end

--- Listens, with TLS and compression when that is asked for: the port.
function several.serve(secured)
  local server = assert(weft.listen {
    port = 0, websocket = echo, compression = true, tls = secured == 1 and "self-signed" or nil,
  })
  return server:port()
end

local function talk(url)
  local ws = weft.connect(url, { tls = { verify = false }, timeout = 20 })
  while ws and ws:send(TEXT) and ws:receive() == TEXT do
    heard = heard + 1
  end
end

--- A task that says the same again and again; its host's name has to be looked up,
--- by a thread, when that is asked for.
local function dial(port, scheme, host)
  weft.spawn(talk, ("%s://%s:%d/"):format(scheme, host, port))
end

function several.dial(port) dial(port, "ws", "127.0.0.1") end
function several.dial_secured(port) dial(port, "wss", "127.0.0.1") end
function several.dial_by_name(port) dial(port, "ws", "localhost") end

--- One turn of the loop.
function several.turn()
  weft.step(0.001)
end

--- How many messages have come back.
function several.heard()
  return heard
end

--- Instances of one state that talk to each other; all are left as they are.
function several.instances()
  local first, second = weft.new(), weft.new()
  local server = assert(first.listen { port = 0, websocket = echo })
  local before = heard
  for _, instance in ipairs { weft, second } do
    instance.spawn(function()
      local ws = assert(instance.connect(server:url()))
      while ws:send(TEXT) and ws:receive() == TEXT do
        heard = heard + 1
      end
    end)
  end
  local deadline = weft.now() + 20
  while heard < before + 6 and weft.now() < deadline do
    weft.step(0)
    second.step(0)
    first.step(0.001)
  end
  second.close() -- the others are dropped with the state
  first.step(0)
  assert(not pcall(second.sleep, 0))
  return heard - before
end

return several
