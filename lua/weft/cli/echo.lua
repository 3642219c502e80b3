--- `weft echo`: an echo server.  Internal.

local common = require "weft.cli.common"
local words = require "weft.cli.words"

local echo = {}

echo.usage = [[
usage: weft echo [OPTION]...
An echo server; it prints the URL it listens on. SIGINT or SIGTERM ends it.

  --host HOST          the address to listen on (127.0.0.1; * is every one)
  --port PORT          (8080; 0 picks a free one)
  --unix PATH          listen on this Unix-domain socket instead
  --tls-self-signed    wss, with a certificate made for this run
  --cert FILE          wss, with this certificate (a chain, its own one first)
  --key FILE           its key, if that is not in the same file; the passphrase
                       of an encrypted one is WEFT_PASSPHRASE in the environment
  --compression        compress messages (permessage-deflate) for clients that
                       offer it, each message by itself
  --sliding            with it: keep the window from one message to the next
  --max-message BYTES  the longest message (1048576)
  --max-fragments N    the most frames of a message (1024)
  --ping-interval S    seconds between keepalive pings (20), or off
]] .. common.workers_usage

local function text(value)
  return value ~= "" and value or nil
end

local function interval(value)
  local number = tonumber(value)
  if value == "off" then
    return false
  end
  return number and number > 0 and number or nil
end

echo.arguments = 0
echo.expected = "no arguments"
echo.options = {
  ["--host"] = { key = "host", value = text, expected = "an address" },
  ["--port"] = { key = "port", value = common.whole(0, 65535), expected = "a port" },
  ["--unix"] = { key = "unix", value = text, expected = "a path" },
  ["--max-message"] = { key = "max_message", value = common.whole(1, math.maxinteger),
                        expected = "bytes" },
  ["--max-fragments"] = { key = "max_fragments", value = common.whole(1, math.maxinteger),
                          expected = "a number" },
  ["--ping-interval"] = { key = "ping_interval", value = interval,
                          expected = "seconds or off" },
  ["--tls-self-signed"] = { key = "self_signed" },
  ["--cert"] = { key = "cert", value = text, expected = "a file" },
  ["--key"] = { key = "key", value = text, expected = "a file" },
  ["--compression"] = { key = "compression" },
  ["--sliding"] = { key = "sliding" },
  ["--workers"] = common.workers,
}

-- Turns the options of TLS into the one of weft.serve; or what is wrong.
local function take_tls(options)
  local self_signed, cert, key = options.self_signed, options.cert, options.key
  options.self_signed, options.cert, options.key = nil, nil, nil
  if self_signed and (cert or key) then
    return "--tls-self-signed goes without --cert and --key"
  elseif key and not cert then
    return "--key goes with --cert, the certificate that it is for"
  elseif self_signed then
    options.tls = "self-signed"
  elseif cert then
    options.tls = { cert = cert, key = key, passphrase = os.getenv("WEFT_PASSPHRASE") }
  end
end

-- The same for compression.
local function take_compression(options)
  local sliding = options.sliding
  options.sliding = nil
  if sliding and not options.compression then
    return "--sliding goes with --compression"
  elseif sliding then
    options.compression = {
      server_no_context_takeover = false, client_no_context_takeover = false,
    }
  end
end

--- Serves until a signal comes.
---@param weft weft
---@param options table for weft.serve
---@return integer status
function echo.run(weft, options)
  local mistake = take_tls(options) or take_compression(options)
  if options.unix and (options.host or options.port) then
    mistake = "--unix goes without --host and --port"
  end
  if mistake then
    io.stderr:write("weft echo: ", mistake, " (see weft echo --help)\n")
    return 2
  end
  options.origins = "*" -- an echo tells nobody anything
  options.websocket = function(ws)
    for message, kind in ws:messages() do
      ws:send(message, kind)
    end
  end
  local ok, message = common.serve(weft, options)
  if not ok then
    io.stderr:write("weft echo: ", words(message), "\n")
    return 1
  end
  return 0
end

return echo
