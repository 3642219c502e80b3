--- What a script in a namespace is made of: a name server, dead houses, and
--- a clock that shows whether the loop has stood still.
local lfs = require "lfs"
local socket = require "socket"
local weft = require "weft"

local inside = {}

local A, AAAA = 1, 28

-- An address in network order.
local function packed(address, kind)
  if kind == A then
    return (address:gsub("(%d+)%.?", function(byte)
      return string.char(tonumber(byte))
    end))
  end
  local left, right = address:match("^(.-)::(.*)$")
  left, right = left or address, right or ""
  local function words(text)
    local bytes = text:gsub("(%x+):?", function(word)
      return string.pack(">I2", tonumber(word, 16))
    end)
    return bytes
  end
  left, right = words(left), words(right)
  return left .. ("\0"):rep(16 - #left - #right) .. right
end

-- id, name, kind and the bytes of a query's question.
local function parse(query)
  local id = string.unpack(">I2", query)
  local labels, at = {}, 13
  while query:byte(at) > 0 do
    local label
    label, at = string.unpack("s1", query, at)
    labels[#labels + 1] = label
  end
  local kind = string.unpack(">I2", query, at + 1)
  return id, table.concat(labels, "."):lower(), kind, query:sub(13, at + 4)
end

-- NOERROR with the addresses, or NXDOMAIN when they are nil (RFC 1035, 4.1).
local function answer(id, question, kind, addresses)
  local records = {}
  for index, address in ipairs(addresses or {}) do
    records[index] = string.pack(">I2 I2 I2 I4 s2", 0xC00C, kind, 1, 60, packed(address, kind))
  end
  local head = string.pack(">I2 I2 I2 I2 I2 I2", id, addresses and 0x8580 or 0x8583, 1, #records, 0, 0)
  return head .. question .. table.concat(records)
end

--- Answers on port 53 until the script ends.  zone: by name, `a` and `aaaa`
--- (lists of addresses, none when left out) and `slow_a`, `slow_aaaa` (seconds
--- until the answer, math.huge for never).  Any other name does not exist.
---@param zone table<string, table>
function inside.name_server(zone)
  local udp = assert(socket.udp4())
  udp:settimeout(0)
  assert(udp:setsockname("127.0.0.1", 53))
  weft.spawn(function()
    while weft.wait(udp, "r") do
      local query, host, port = udp:receivefrom()
      if query then
        local id, name, kind, question = parse(query)
        local entry = zone[name]
        local slow = entry and entry[kind == A and "slow_a" or "slow_aaaa"] or 0
        local list = entry and (entry[kind == A and "a" or kind == AAAA and "aaaa" or ""] or {})
        weft.spawn(function()
          if slow < math.huge then
            weft.sleep(slow)
            udp:sendto(answer(id, question, kind, list), host, port)
          end
        end)
      end
    end
  end)
end

local kept = {}

--- A house that takes no visitors: bound, listening, its backlog full.
---@param address string
---@param port integer
function inside.dead(address, port)
  local family = address:find(":", 1, true) and socket.tcp6 or socket.tcp4
  local listener = assert(family())
  listener:setoption("reuseaddr", true)
  assert(listener:bind(address, port))
  assert(listener:listen(0))
  kept[#kept + 1] = listener
  for _ = 1, 4 do
    local filler = family()
    filler:settimeout(0.05)
    filler:connect(address, port)
    kept[#kept + 1] = filler
  end
end

--- A server that echoes on host and a free port.
---@param host string
---@return weft.Server server, integer port
function inside.echo_server(host)
  local server = assert(weft.listen { host = host, port = 0, websocket = function(ws)
    for message, kind in ws:messages() do
      ws:send(message, kind)
    end
  end })
  return server, server:port()
end

--- Starts a task that only sleeps; the function gives its worst delay so far.
---@return fun(): number
function inside.ticks()
  local worst = 0
  weft.spawn(function()
    while true do
      local due = weft.now() + 0.002
      weft.sleep(0.002)
      worst = math.max(worst, weft.now() - due)
    end
  end)
  return function()
    return worst
  end
end

--- How many descriptors this process has open, once there are no more than
--- `expected` or a while later.
---@param expected? integer
---@return integer
function inside.descriptors(expected)
  local deadline = weft.now() + 2
  while true do
    local count = 0
    for _ in lfs.dir "/proc/self/fd" do
      count = count + 1
    end
    if not expected or count <= expected or weft.now() > deadline then
      return count
    end
    weft.sleep(0.01)
  end
end

--- What fn(...) returns, and before that the seconds it took.
---@return number, any ...
function inside.timed(fn, ...)
  local began = weft.now()
  local results = table.pack(fn(...))
  return weft.now() - began, table.unpack(results, 1, results.n)
end

return inside
