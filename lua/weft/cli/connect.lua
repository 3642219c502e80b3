--- `weft connect`: lines of stdin out, messages in.  Internal.

local core = require "weft.core"

local connect = {}

connect.usage = [[
usage: weft connect URL [OPTION]...
Sends each line of stdin as a message and prints each message that comes.
When stdin ends, it closes once nothing has come for a second. Exits 0 after a
clean close, 1 after a failure; the close code and cause go to stderr.

  -H 'Name: value'     a header of the request; may be repeated
  --protocol NAME      offer this subprotocol; may be repeated
  --binary             send binary messages instead of text
]]

local function header(text)
  local name, value = text:match("^([%w!#$%%&'*+.^_`|~-]+):[ \t]*([^%c]*)$")
  return name and { name = name, value = value }
end

local function token(text)
  return text:match("^[%w!#$%%&'*+.^_`|~-]+$")
end

connect.arguments = 1
connect.expected = "a URL"
connect.options = {
  ["-H"] = { key = "headers", value = header, expected = "'Name: value'", list = true },
  ["--protocol"] = { key = "protocols", value = token, expected = "a name", list = true },
  ["--binary"] = { key = "binary" },
  ["--insecure"] = { later = true },
  ["--ca"] = { later = true },
}

local function complain(...)
  io.stderr:write("weft connect: ", ...)
  io.stderr:write("\n")
end

-- Calls on_line with each line of stdin until it ends, on_line returns nil, or
-- the task is cancelled; true when stdin has ended.
local function each_line(weft, on_line)
  local pieces = {} -- of a line whose end has not come
  while true do
    local open, ready = pcall(weft.wait, 0, "r")
    if not open then -- started without a stdin
      return true
    elseif not ready then
      return
    end
    local bytes, why = core.read(0, 4096)
    if bytes == "" then
      local last = table.concat(pieces)
      return last == "" or on_line(last)
    elseif bytes then
      local from = 1
      repeat
        local at = bytes:find("\n", from, true)
        pieces[#pieces + 1] = bytes:sub(from, at and at - 1)
        if at then
          from = at + 1
          if not on_line(table.concat(pieces)) then
            return
          end
          pieces = {}
        end
      until not at
    elseif why ~= "again" then
      complain("cannot read stdin: ", why)
      return true
    end
  end
end

-- What goes into the request, for weft.connect.
local function request_options(options)
  local headers, request = {}, { protocols = options.protocols }
  for _, line in ipairs(options.headers or {}) do
    local lower = line.name:lower()
    if lower == "origin" then
      request.origin = line.value
    elseif lower == "user-agent" then
      request.user_agent = line.value
    else
      headers[line.name] = headers[line.name] or {}
      table.insert(headers[line.name], line.value)
    end
  end
  request.headers = headers
  return request
end

local clean_codes = { [1000] = true, [1001] = true, [1005] = true }

-- Says how the connection ended; the exit status.
local function report(ws)
  local _, code, reason = ws:wait_closed()
  local cause = ws.close_cause
  local clean = (cause == "peer" or cause == "local") and clean_codes[code]
  local words = reason ~= "" and " (" .. reason:gsub("%c", "?") .. ")" or ""
  local sentence = not clean and ws.close_message
  complain("closed with ", code, words, ", cause: ", cause,
           sentence and ": " .. sentence or "")
  return clean and 0 or 1
end

-- Sends stdin, and closes when it has ended and nothing comes any more.
-- `talk` is a table of `last`, when a message went or came, and `failed`.
local function send_lines(weft, ws, kind, talk)
  local ended = each_line(weft, function(line)
    talk.last = weft.now()
    if kind == "text" and not utf8.len(line) then
      complain("a line is not valid UTF-8 and was not sent (see --binary)")
      talk.failed = true
      return true
    end
    return ws:send(line, kind)
  end)
  talk.last = weft.now()
  while ended and weft.now() - talk.last < 1 do
    ended = weft.sleep(1 - (weft.now() - talk.last))
  end
  if ended then
    ws:close()
  end
end

--- Talks until either side closes.
---@param weft weft
---@param options table
---@param url string
---@return integer status
function connect.run(weft, options, url)
  local ws
  local function talk_to()
    local message
    ws, message = weft.connect(url, request_options(options))
    if not ws then
      complain(message)
      return 1
    end
    local talk = { last = weft.now(), failed = false }
    local sender = weft.spawn(send_lines, weft, ws,
                              options.binary and "binary" or "text", talk)
    for received in ws:messages() do
      talk.last = weft.now()
      io.stdout:write(received, "\n")
      io.stdout:flush()
    end
    sender:cancel()
    local status = report(ws)
    return talk.failed and 1 or status
  end

  local ok, status = pcall(weft.run, talk_to)
  if ok then
    return status
  end
  local message = tostring(status)
  if message:find("interrupted!", 1, true) then
    if ws then
      ws:close(1000, "", 1)
      report(ws)
    end
    return 130
  end
  complain((message:gsub("^[^:]*:%d+: weft%.connect: ", "")))
  return 1
end

return connect
