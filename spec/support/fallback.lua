--- A client of weft.fallback by hand: requests as they go over the wire.
---
---     local client = fallback.open(t, server, "/chat")
---     local stream = client:follow()
---     client:post { "tHello" }
---     assert.same({ 1, "tHello" }, { stream:event() })
local handshake = require "support.handshake"

local fallback = {}

local function read_line(raw, timeout)
  local bytes = {}
  while true do
    local byte, why = raw:receive(1, timeout)
    if why then
      return nil, why
    elseif byte == "\n" then
      return (table.concat(bytes):gsub("\r$", ""))
    end
    bytes[#bytes + 1] = byte
  end
end

--- The next chunk of a chunked body; nil and "end", or why there is none.
local function read_chunk(raw, timeout)
  local line, why = read_line(raw, timeout)
  if not line then
    return nil, why
  end
  local size = assert(tonumber(line:match "^%x+", 16), line)
  local data = size > 0 and raw:receive(size, timeout) or ""
  read_line(raw, timeout)
  if size > 0 then
    return data
  end
  return nil, "end"
end

local function read_body(raw, head)
  if head.headers["transfer-encoding"] == "chunked" then
    local parts = {}
    for data in read_chunk, raw do
      parts[#parts + 1] = data
    end
    return table.concat(parts)
  elseif head.headers["content-length"] then
    return (raw:receive(tonumber(head.headers["content-length"])))
  elseif head.status == 204 or head.status == 304 then
    return ""
  end
  return (raw:read_until_closed())
end

--- Sends a request, on a connection of its own; the peer.
---@param options table method, path, headers, body; see handshake.http
function fallback.send(t, server, options)
  local raw = t:dial(server)
  local headers = { ["Content-Length"] = options.body and #options.body, Connection = "close" }
  for name, value in pairs(options.headers or {}) do
    headers[name] = value
  end
  raw:send(handshake.http {
    method = options.method, path = options.path, headers = headers,
    host = "127.0.0.1:" .. server:port(),
  } .. (options.body or ""))
  return raw
end

--- The same, and its answer: a parsed head with `body`.
---@return table
function fallback.ask(t, server, options)
  local raw = fallback.send(t, server, options)
  local answer = raw:parsed_head()
  answer.body = options.method == "HEAD" and "" or read_body(raw, answer)
  raw:close()
  return answer
end

--- A stream of events.
local Stream = {}
Stream.__index = Stream

--- The next event: its number and record; or nil and "end" (an orderly one),
--- "fin", "reset" or "timeout".
function Stream:event(timeout)
  while true do
    local event, rest = self.text:match "^(.-)\n\n(.*)$"
    if not event then
      local data, why = read_chunk(self.raw, timeout)
      if not data then
        return nil, why
      end
      self.text = self.text .. data
    else
      self.text = rest
      local id, record = event:match "^id: (%d+)\ndata: ([^\n]*)$"
      if id then
        return math.tointeger(tonumber(id)), record
      end
      assert(event:sub(1, 1) == ":", event)
      self.comments = self.comments + 1
    end
  end
end

--- The records of the next n events, which have to follow each other.
function Stream:records(n)
  local list = {}
  for i = 1, n do
    local id, record = self:event()
    if not id then
      error(("only %d events came, then %s"):format(i - 1, record), 2)
    end
    self.last = self.last or id - 1
    assert(id == self.last + 1, "an event is missing, or there twice")
    self.last = id
    list[i] = record
  end
  return list
end

function Stream:close()
  self.raw:close()
end

local Client = {}
Client.__index = Client

Client.TYPE = "application/x-weft"

--- Asks for a session; the answer, and a client when it is 200.
---@param options? table query, headers
function fallback.try(t, server, path, options)
  options = options or {}
  local headers = { ["Content-Type"] = Client.TYPE }
  for name, value in pairs(options.headers or {}) do
    headers[name] = value
  end
  local answer = fallback.ask(t, server, {
    method = "POST", path = path .. "?" .. (options.query or "weft=open&weft.v=1"),
    headers = headers, body = options.body or "",
  })
  if answer.status ~= 200 then
    return answer
  end
  local client = setmetatable({ t = t, server = server, path = path, sent = 0, seen = 0 }, Client)
  client.id = answer.body:match '"id":"([^"]*)"'
  return answer, client
end

--- Opens a session, which has to succeed.
function fallback.open(t, server, path, options)
  local answer, client = fallback.try(t, server, path, options)
  if not client then
    error("no session: " .. answer.text .. answer.body, 2)
  end
  return client
end

function Client:url(more)
  return self.path .. "?weft=" .. self.id .. (more or "")
end

--- Asks for the stream after an event: a stream, or nil and the answer.
---@param after? integer (0)
---@param options? table more (of the query), headers
function Client:try_follow(after, options)
  options = options or {}
  local raw = fallback.send(self.t, self.server, {
    path = self:url((after and "&weft.after=" .. after or "") .. (options.more or "")),
    headers = options.headers,
  })
  local head = raw:parsed_head()
  if head.status ~= 200 then
    head.body = read_body(raw, head)
    raw:close()
    return nil, head
  end
  return setmetatable({ raw = raw, head = head, text = "", comments = 0, last = after }, Stream)
end

function Client:follow(after, options)
  local stream, answer = self:try_follow(after, options)
  if not stream then
    error("no stream: " .. answer.text .. answer.body, 2)
  end
  return stream
end

--- Posts a body as it is: the answer.
function Client:post_body(body, headers)
  return fallback.ask(self.t, self.server, {
    method = "POST", path = self:url(), body = body,
    headers = headers or { ["Content-Type"] = Client.TYPE },
  })
end

--- Posts records with the next numbers, or from a given one on: the status.
---@param list string[]
---@param first? integer
function Client:post(list, first)
  first = first or self.sent + 1
  local answer = self:post_body(("%d %d\n"):format(first, self.seen)
                                .. table.concat(list, "\n") .. (#list > 0 and "\n" or ""))
  if answer.status == 204 then
    self.sent = math.max(self.sent, first + #list - 1)
  end
  return answer.status, answer.body
end

--- A server with a handler at /chat, by WebSocket and without.
function fallback.served(t, handler, options, more)
  local all = {
    websocket = { ["/chat"] = handler },
    http = { ["/chat"] = t.weft.fallback(handler, options) },
  }
  for name, value in pairs(more or {}) do
    all[name] = value
  end
  return t:server(all)
end

--- The same, and a client with its first stream.
function fallback.joined(t, handler, options, more)
  local server = fallback.served(t, handler, options, more)
  local client = fallback.open(t, server, "/chat")
  return client, client:follow(), server
end

--- A handler that waits for the end, and a queue that gets how it came.
function fallback.watching(t)
  local ends = t.weft.queue()
  return function(ws)
    local _, word, code, reason = ws:receive()
    ends:put { word, code, reason, ws.close_cause }
  end, ends
end

--- That many text records, as posted and as they come.
function fallback.numbers(from, to)
  local list = {}
  for i = from, to do
    list[#list + 1] = "t" .. i
  end
  return list
end

--- A handler that says as many numbers, and waits for the end.
function fallback.counting(n)
  return function(ws)
    for i = 1, n do
      ws:send(tostring(i))
    end
    ws:receive()
  end
end

return fallback
