--- What the commands that serve have in common: where to listen, TLS, workers,
--- how they end, the line they print.  Internal.

local common = require "weft.cli.common"
local words = require "weft.cli.words"

local serving = {}

--- What --help says of it.
serving.usage = [[
  --host HOST          the address to listen on (127.0.0.1; * is every one)
  --port PORT          (8080; 0 picks a free one)
  --unix PATH          listen on this Unix-domain socket instead
  --tls-self-signed    wss, with a certificate made for this run
  --cert FILE          wss, with this certificate (a chain, its own one first)
  --key FILE           its key, if that is not in the same file; the passphrase
                       of an encrypted one is WEFT_PASSPHRASE in the environment
  --memory-limit BYTES how much all connections may hold; past it the one that
                       holds the most is closed (no limit; each worker's own)
  --workers N          processes that share the port (1)
  --grace SECONDS      how long SIGINT or SIGTERM waits for connections to end (10)
  --drain SECONDS      over how long it spreads telling them (0)
  --log FORM           tell on stderr what happens, a line each: text or json
]]

local function seconds(value)
  local number = value:find("^%d*%.?%d*$") and tonumber(value)
  return number or nil
end

local function log_form(value)
  return (value == "text" or value == "json") and value or nil
end

--- The options, beside those of a command's own.
---@param own table
---@return table
function serving.options(own)
  local all = {
    ["--host"] = { key = "host", value = common.text, expected = "an address" },
    ["--port"] = { key = "port", value = common.whole(0, 65535), expected = "a port" },
    ["--unix"] = { key = "unix", value = common.text, expected = "a path" },
    ["--tls-self-signed"] = { key = "self_signed" },
    ["--cert"] = { key = "cert", value = common.text, expected = "a file" },
    ["--key"] = { key = "key", value = common.text, expected = "a file" },
    ["--memory-limit"] = { key = "memory_limit", value = common.whole(1, 2 ^ 53),
                           expected = "bytes" },
    ["--workers"] = { key = "workers", value = common.whole(1, 1024),
                      expected = "a number from 1 to 1024" },
    ["--grace"] = { key = "grace", value = seconds, expected = "seconds" },
    ["--drain"] = { key = "drain", value = seconds, expected = "seconds" },
    ["--log"] = { key = "log", value = log_form, expected = "text or json" },
  }
  for name, option in pairs(own) do
    all[name] = option
  end
  return all
end

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

-- The socket that the process was handed, if it was.
local function take_descriptor(weft, options)
  local descriptors = weft.listen_fds()
  if #descriptors > 1 then
    return ("it was handed %d sockets (LISTEN_FDS), and serves one"):format(#descriptors)
  elseif descriptors[1] and (options.host or options.port or options.unix) then
    return "--host, --port and --unix go without a socket that is handed over (LISTEN_FDS)"
  end
  options.fd = descriptors[1]
end

--- Turns what was given into options of weft.serve; or says what is wrong.
---@param weft weft
---@param options table
---@return string|nil
function serving.take(weft, options)
  if options.unix and (options.host or options.port) then
    return "--unix goes without --host and --port"
  end
  return take_descriptor(weft, options) or take_tls(options)
end

--- weft.serve, until a signal comes; prints the URL once, when signals are seen
--- to.  The exit status; what goes wrong is told on stderr.
---@param weft weft
---@param name string the command's, for messages
---@param options table of weft.serve, but for on_worker
---@return integer
function serving.run(weft, name, options)
  function options.on_worker(n, server, restarts)
    if n == 1 and restarts == 0 then
      io.stdout:write("listening on ", server:url(), "\n")
      io.stdout:flush()
    end
  end
  local ok, err = pcall(weft.serve, options)
  if ok then
    return 0
  end
  local message = tostring(err):match("^weft%.serve: (.*)$")
  if not message then
    error(err, 0)
  end
  io.stderr:write(name, ": ", words(message), "\n")
  return 1
end

return serving
