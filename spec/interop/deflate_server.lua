-- The weft server that the peers' compressing clients talk to.  Prints where it
-- listens.
--
--   lua5.4 spec/interop/deflate_server.lua WINDOWS [DIRECTORY]
--
-- WINDOWS is "shared" for `compression = true`, "sliding" for context takeover
-- with all else as it is, or the bits of sliding windows in both directions, 8
-- to 15; then every message is compressed.  With the DIRECTORY of the
-- certificates it speaks TLS.
local weft = require "weft"

local windows, directory = arg[1], arg[2]

local function compression()
  if windows == "shared" then
    return true
  end
  local bits = tonumber(windows)
  return {
    server_no_context_takeover = false,
    client_no_context_takeover = false,
    server_max_window_bits = bits,
    client_max_window_bits = bits,
    threshold = bits and 0,
  }
end

local function echo(ws)
  for message, kind in ws:messages() do
    ws:send(message, kind)
  end
end

-- answers each message in pieces of at most ten thousand bytes
local function fragments(ws)
  for message, kind in ws:messages() do
    local writer = ws:writer(kind)
    for at = 1, #message, 10000 do
      writer:write(message:sub(at, at + 9999))
    end
    writer:close()
  end
end

-- reads each message in pieces, and answers in those; pieces have no kind
local function chunks(ws)
  while ws.state == "open" do
    local writer
    for chunk in ws:chunks() do
      writer = writer or ws:writer "binary"
      writer:write(chunk)
    end
    if writer then
      writer:close()
    end
  end
end

-- every other answer as it is
local function mixed(ws)
  local compress = false
  for message, kind in ws:messages() do
    ws:send(message, { kind = kind, compress = compress })
    compress = not compress
  end
end

local server = assert(weft.listen {
  port = 0,
  max_message = 2 * 1024 * 1024,
  compression = compression(),
  tls = directory and { cert = directory .. "/server.pem", key = directory .. "/server.key" },
  websocket = {
    ["/echo"] = echo,
    ["/fragments"] = fragments,
    ["/chunks"] = chunks,
    ["/mixed"] = mixed,
    ["/extensions"] = function(ws)
      ws:receive()
      ws:send(ws.extensions)
    end,
  },
  http = function()
    return 200, { ["Content-Type"] = "text/html; charset=utf-8" }, "<!doctype html><title>weft</title>"
  end,
})

print("listening on " .. server:url())
io.stdout:flush()
weft.run()
