--- `weft connect`: lines of stdin out, messages in.  Internal.

local common = require "weft.cli.common"
local core = require "weft.core"
local lines = require "weft.cli.lines"
local terminal = require "weft.cli.terminal"
local verbose = require "weft.cli.verbose"
local words = require "weft.cli.words"

local connect = {}

connect.usage = [[
usage: weft connect URL [OPTION]...
Sends each line of stdin as a message and prints each message that comes. At a
terminal there is a prompt; Ctrl-D closes. In a pipe it closes once stdin has
ended and nothing has come for a second. Exits 0 after a clean close, 1 after a
failure, 2 for a mistake in the command line, 128 and its number after a signal;
the close code and cause go to stderr.

  -H 'Name: value'     a header of the request; may be repeated
  --protocol NAME      offer this subprotocol; may be repeated
  --binary             send binary messages instead of text
  --no-compression     do not offer to compress messages
  --user NAME[:PASSWORD]
                       Basic authentication; without a password here it is
                       WEFT_PASSWORD in the environment or asked for
  --redirects N        follow up to N redirects (0)
  --proxy URL          http://[USER:PASSWORD@]HOST:PORT or socks5://..., or off;
                       else HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY in
                       the environment count
  --unix PATH          connect to this Unix-domain socket
  -v                   tell on stderr what was negotiated

of wss:// URLs:
  --insecure           accept any certificate, for anyone; for tests only
  --ca FILE            trust these certificates instead of the system's
  --cert FILE          the client's certificate
  --key FILE           its key, if that is not in the same file; the passphrase
                       of an encrypted one is WEFT_PASSPHRASE in the environment
]]

local function header(text)
  local name, value = text:match("^([%w!#$%%&'*+.^_`|~-]+):[ \t]*([^%c]*)$")
  return name and { name = name, value = value }
end

local function token(text)
  return text:match("^[%w!#$%%&'*+.^_`|~-]+$")
end

local function some(text)
  return text ~= "" and text or nil
end

local function proxy(text)
  if text == "off" then
    return false
  end
  return some(text)
end

local function user(text)
  local name, password = text:match("^([^:]*):(.*)$")
  name = name or text
  return name ~= "" and { name = name, password = password } or nil
end

connect.arguments = 1
connect.expected = "one URL"
connect.options = {
  ["-H"] = { key = "headers", value = header, expected = "'Name: value'", list = true },
  ["--protocol"] = { key = "protocols", value = token, expected = "a name", list = true },
  ["--binary"] = { key = "binary" },
  ["--no-compression"] = { key = "plain" },
  ["--user"] = { key = "user", value = user, expected = "NAME or NAME:PASSWORD" },
  ["--redirects"] = { key = "redirects", value = common.whole(0, 2 ^ 53),
                    expected = "a number" },
  ["--proxy"] = { key = "proxy", value = proxy, expected = "a URL or off" },
  ["--unix"] = { key = "unix", value = some, expected = "a path" },
  ["-v"] = { key = "verbose" },
  ["--insecure"] = { key = "insecure" },
  ["--ca"] = { key = "ca", value = some, expected = "a file" },
  ["--cert"] = { key = "cert", value = some, expected = "a file" },
  ["--key"] = { key = "key", value = some, expected = "a file" },
}

local function complain(...)
  common.complain("weft connect", ...)
end

-- Headers as weft.connect takes them; two of them have options of their own.
local function take_headers(request, list)
  request.headers = {}
  for _, line in ipairs(list or {}) do
    local lower = line.name:lower()
    if lower == "origin" then
      request.origin = line.value
    elseif lower == "user-agent" then
      request.user_agent = line.value
    else
      request.headers[line.name] = request.headers[line.name] or {}
      table.insert(request.headers[line.name], line.value)
    end
  end
end

-- The options for weft.connect; or nil and what is wrong with the command line.
local function request_options(options)
  local request = {
    protocols = options.protocols,
    redirects = options.redirects,
    proxy = options.proxy,
    unix = options.unix,
    compression = not options.plain,
  }
  take_headers(request, options.headers)
  if options.key and not options.cert then
    return nil, "--key goes with --cert, the certificate that it is for"
  end
  request.tls = {
    verify = not options.insecure,
    ca = options.ca,
    cert = options.cert,
    key = options.key,
    passphrase = options.cert and os.getenv("WEFT_PASSPHRASE"),
  }
  if options.user then
    request.username = options.user.name
    request.password = options.user.password or os.getenv("WEFT_PASSWORD")
      or terminal.ask_secret("Password for " .. options.user.name .. ": ")
    if not request.password then
      return nil, "--user without a password needs a terminal to ask at, or"
                  .. " WEFT_PASSWORD in the environment"
    end
  end
  return request
end

local clean_codes = { [1000] = true, [1001] = true, [1005] = true }

-- Says how the connection ended; the exit status.
local function report(ws)
  local _, code, reason = ws:wait_closed()
  local cause = ws.close_cause
  local clean = (cause == "peer" or cause == "local") and clean_codes[code]
  local said = reason ~= "" and " (" .. reason .. ")" or ""
  local sentence = not clean and ws.close_message
  complain("closed with ", code, said, ", cause: ", cause,
           sentence and ": " .. sentence or "")
  return clean and 0 or 1
end

--- One run of the command.
---@class weft.Talk
---@field weft weft
---@field options table
---@field ws? weft.Connection
---@field lines? weft.Lines
---@field last number when a message went or came
---@field failed boolean something was not sent
---@field signal? string that ended it

-- Sends stdin, and closes when it has ended; in a pipe, when nothing comes any
-- more.
local function send_lines(talk)
  local weft, ws = talk.weft, talk.ws
  local kind = talk.options.binary and "binary" or "text"
  local ended, why = talk.lines:each(function(line)
    talk.last = weft.now()
    if kind == "text" and not core.is_utf8(line) then
      complain("a line is not valid UTF-8 and was not sent (see --binary)")
      talk.failed = true
      return true
    end
    return ws:send(line, kind)
  end)
  if why then
    complain(why)
    ended = true
  end
  talk.last = weft.now()
  while ended and not talk.lines.prompts and weft.now() - talk.last < 1 do
    ended = weft.sleep(1 - (weft.now() - talk.last))
  end
  if ended then
    ws:close()
  end
end

local function complain_of_misuse(mistake)
  complain(mistake, " (see weft connect --help)")
end

-- Opens the connection: nothing, or the exit status when that failed.
local function open(talk, url, request)
  local tell = talk.options.verbose and function(text)
    io.stderr:write(text)
  end
  local from = talk.weft.now()
  local called, ws, message, code, response = common.connect(talk.weft, url, request)
  if not called then
    complain_of_misuse(words(ws))
    return 2
  elseif ws then
    talk.ws = ws
    if tell then
      verbose.opened(tell, ws, talk.weft.now() - from, request.proxy)
    end
    return nil
  end
  if tell and response then
    verbose.refused(tell, response)
  end
  if not (code == "cancelled" and talk.signal) then
    complain(words(message))
  end
  return 1
end

-- Talks until either side closes; the exit status.
local function converse(talk, url, request)
  local failed = open(talk, url, request)
  if failed then
    return failed
  end
  talk.lines = lines.open(talk.weft)
  talk.last = talk.weft.now()
  local sender = talk.weft.spawn(send_lines, talk)
  local received = talk.ws:receive()
  while received do
    talk.last = talk.weft.now()
    local printed, why = talk.lines:print(received)
    if not printed then
      complain("cannot write to stdout: ", why)
      talk.failed = true
      talk.ws:close()
    end
    received = talk.ws:receive()
  end
  sender:cancel()
  talk.lines:finish()
  local status = report(talk.ws)
  return talk.failed and 1 or status
end

-- A signal ends the opening, or closes the connection with 1000.
local function watch(talk, main)
  talk.signal = core.wait_signal(talk.weft.loop)
  if not talk.signal then
    return
  elseif talk.lines then
    talk.lines:finish() -- now: a second signal kills
  end
  if talk.ws then
    talk.ws:close(1000, "", 1)
  else
    main:cancel()
  end
end

--- Talks until either side closes.
---@param weft weft
---@param options table
---@param url string
---@return integer status
function connect.run(weft, options, url)
  if package.config:sub(1, 1) == "\\" then -- whose terminals and pipes cannot be waited for
    io.stderr:write "weft connect: not supported on Windows\n"
    return 1
  end
  local asked, request, mistake = pcall(request_options, options)
  if not asked and tostring(request):find("interrupted!", 1, true) then
    return common.signal_status.SIGINT -- instead of a password
  end
  assert(asked, request)
  if not request then
    complain_of_misuse(mistake)
    return 2
  end
  local talk = { weft = weft, options = options, last = 0, failed = false }
  core.signals_begin(weft.loop)
  local main = weft.spawn(converse, talk, url, request)
  local watcher = weft.spawn(watch, talk, main)
  local ended, status = weft.run(main.join, main)
  watcher:cancel()
  if talk.lines then
    talk.lines:finish()
  end
  core.signals_end(weft.loop)
  if talk.signal then
    return common.signal_status[talk.signal]
  end
  assert(ended, status)
  return status
end

return connect
