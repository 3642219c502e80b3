--- Plain requests behind one another on one raw connection.
---
---     local raw = t:dial(server)
---     raw:send(exchange.get "/a" .. exchange.post("body", "/b"))
---     assert.equal("...", exchange.next_answer(raw).body)
local handshake = require "support.handshake"

local exchange = {}

--- A request that wants the connection to go on; options as for handshake.http.
---@param path string
---@param options? table
---@return string
function exchange.get(path, options)
  options = options or {}
  options.path, options.keep = path, true
  return handshake.http(options)
end

---@param body string
---@param path? string
---@return string
function exchange.post(body, path)
  return exchange.get(path or "/", {
    method = "POST", headers = { ["Content-Length"] = tostring(#body) }, body = body,
  })
end

--- The next answer on a connection that may go on: a parsed head with `body`.
---@param raw Peer
---@return table
function exchange.next_answer(raw)
  local answer = raw:parsed_head()
  answer.body = raw:receive(tonumber(answer.headers["content-length"] or 0))
  return answer
end

--- What the chunks behind a head hold, and how many there are.
---@param raw Peer
---@return string, integer
function exchange.read_chunks(raw)
  local pieces = {}
  while true do
    local line = ""
    while line:sub(-2) ~= "\r\n" do
      line = line .. assert(raw:receive(1))
    end
    local size = tonumber(line:sub(1, -3), 16)
    local piece = raw:receive(size)
    assert(raw:receive(2) == "\r\n")
    if size == 0 then
      return table.concat(pieces), #pieces
    end
    pieces[#pieces + 1] = piece
  end
end

return exchange
