-- An echo server on lua-http and cqueues, as its documentation writes one.
--
--   lua5.3 lua_http.lua PORT        on 127.0.0.1, until a signal comes
--
-- With VERSIONS in the environment it says only what it is made of.

-- Debian installs some of what it needs, which is plain Lua, for 5.2 at most.
package.path = package.path .. ";/usr/share/lua/5.2/?.lua;/usr/share/lua/5.2/?/init.lua"

local cqueues = require "cqueues"
local http_server = require "http.server"
local http_version = require "http.version"
local websocket = require "http.websocket"

local function echo(_, stream)
  local ws = websocket.new_from_stream(stream, assert(stream:get_headers()))
  if ws and ws:accept() then
    for message, kind in ws:each() do
      if not ws:send(message, kind) then
        break
      end
    end
    ws:close()
  end
end

if os.getenv "VERSIONS" then
  print(("%s, cqueues %s, %s"):format(http_version.version, cqueues.VERSION, _VERSION))
  return
end

local server = assert(http_server.listen {
  host = "127.0.0.1",
  port = tonumber(arg[#arg]),
  onstream = echo,
  onerror = function() end, -- connections that end
})
assert(server:listen())
assert(server:loop())
