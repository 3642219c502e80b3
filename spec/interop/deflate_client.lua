-- weft as a compressing client of another library's server.
--
--   lua5.4 spec/interop/deflate_client.lua URL LEAST
--
-- The server takes its own options from the query of the path, under the names
-- that RFC 7692 has for the parameters.  LEAST are the fewest bits of a window
-- that it can compress with: 8, or 9 where it leaves them to zlib.
local weft = require "weft"
local checks = require "check"

local check, equal = checks.check, checks.equal
local base = assert(arg[1], "usage: deflate_client.lua URL LEAST")
local least = assert(math.tointeger(tonumber(arg[2])))
local sizes = { 0, 1, 125, 126, 127, 511, 512, 65535, 65536, 1024 * 1024 }

-- random-looking bytes, the same each time
local noises = {}
local function noise(size)
  if not noises[size] then
    local bytes, x = {}, 1
    for i = 1, size do
      x = (x * 1664525 + 1013904223) % 2 ^ 32
      bytes[i] = string.char(math.floor(x / 2 ^ 24))
    end
    noises[size] = table.concat(bytes)
  end
  return noises[size]
end

-- what compresses well
local function prose(size)
  local text, len, i = {}, 0, 0
  while len < size do
    text[#text + 1] = ("{\"id\":%d,\"name\":\"member %d\",\"tags\":[\"blue\",\"%d\"]},"):format(
      i, i * 7919 % 1000, i % 17)
    len = len + #text[#text]
    i = i + 1
  end
  return table.concat(text):sub(1, size)
end

-- noise that comes again at the distance
local function echoes(distance, size)
  return noise(distance):rep(math.floor(size / distance) + 1):sub(1, size)
end

-- a path with the server's options
local function with(path, options)
  local all = {}
  for name, value in pairs(options) do
    all[#all + 1] = name .. "=" .. tostring(value)
  end
  table.sort(all)
  return path .. (all[1] and "?" .. table.concat(all, "&") or "")
end

local function open(path, compression, options)
  local all = { max_message = 4 * 1024 * 1024, compression = compression }
  for name, value in pairs(options or {}) do
    all[name] = value
  end
  return assert(weft.connect(base .. path, all))
end

local function ask(ws, message, kind)
  assert(ws:send(message, kind))
  local answer, answered = ws:receive(20)
  equal(kind or "text", answered)
  equal(message, answer)
end

-- sends it piece by piece
local function write(ws, message, kind, size)
  local writer = ws:writer(kind)
  for at = 1, #message, size do
    writer:write(message:sub(at, at + size - 1))
  end
  writer:close()
  local answer, answered = ws:receive(20)
  equal(kind, answered)
  equal(message, answer)
end

local function talk(ws)
  for _, size in ipairs(sizes) do
    ask(ws, prose(size))
    ask(ws, noise(size), "binary")
  end
  ask(ws, "")
  ask(ws, "")
  for _, distance in ipairs { 200, 250, 251, 256, 500, 4000, 5000, 32000, 33000 } do
    ask(ws, echoes(distance, 100000), "binary")
  end
  write(ws, prose(100000), "text", 997)
  write(ws, noise(100000), "binary", 9973)
  write(ws, "", "text", 1)
  equal(true, ws:close())
end

-- what was agreed on, as a table
local function agreed(ws)
  local told = {}
  for name, value in ws.extensions:gmatch("; ([%w_]+)=?(%d*)") do
    told[name] = tonumber(value) or true
  end
  checks.matches(ws.extensions, "^permessage%-deflate")
  return told
end

-- weft's options against what the server is told to do; both are named as the
-- parameters are
local function combination(name, compression, options)
  check(name .. ": messages of every size come back", function()
    local ws = open(with("/echo", options), compression)
    local told = agreed(ws)
    local ours = type(compression) == "table" and compression or {}
    for _, which in ipairs { "server_no_context_takeover", "client_no_context_takeover" } do
      if options[which] then
        equal(true, told[which])
      end
    end
    if ours.server_no_context_takeover then
      equal(true, told.server_no_context_takeover)
    end
    for _, which in ipairs { "server_max_window_bits", "client_max_window_bits" } do
      local limit = math.min(options[which] or 15,
                             which:match("^server") and ours[which] or 15)
      assert((told[which] or 15) <= limit, ws.extensions)
    end
    talk(ws)
  end)
end

combination("as it is", true, {})
combination("nothing is said of windows", { client_max_window_bits = 15 }, {})
for _, who in ipairs { "server", "client" } do
  local takeover = who .. "_no_context_takeover"
  combination(("the server wants %s"):format(takeover), true, { [takeover] = true })
  combination(("weft wants %s"):format(takeover), { [takeover] = true }, {})
end
combination("nobody takes a window over", {
  server_no_context_takeover = true,
  client_no_context_takeover = true,
  threshold = 0,
}, { server_no_context_takeover = true, client_no_context_takeover = true })
for bits = 8, 15 do
  combination(("the server wants client_max_window_bits=%d"):format(bits), { threshold = 0 },
              { client_max_window_bits = bits })
  combination(("weft offers client_max_window_bits=%d"):format(bits),
              { client_max_window_bits = bits, threshold = 0 }, {})
  combination(("weft takes nothing over, client_max_window_bits=%d"):format(bits),
              { client_max_window_bits = bits, client_no_context_takeover = true, threshold = 0 },
              { client_no_context_takeover = true })
end
for bits = least, 15 do
  combination(("weft wants server_max_window_bits=%d"):format(bits),
              { server_max_window_bits = bits }, {})
  combination(("the server takes nothing over, server_max_window_bits=%d"):format(bits),
              { server_max_window_bits = bits, server_no_context_takeover = true }, {})
end
for level = 0, 9 do
  combination(("level %d, mem_level %d"):format(level, math.max(level, 1)),
              { level = level, mem_level = math.max(level, 1), threshold = 0 }, {})
end

for _, path in ipairs { "/fragments", "/mixed" } do
  check(path:sub(2) .. ": messages of every size come back", function()
    talk(open(path, true))
  end)
end

check("messages of every size come in chunks", function()
  local ws = open("/fragments", true)
  for _, size in ipairs(sizes) do
    for kind, make in pairs { text = prose, binary = noise } do
      local message, chunks = make(size), {}
      assert(ws:send(message, kind))
      for chunk in ws:chunks() do
        chunks[#chunks + 1] = chunk
      end
      equal(message, table.concat(chunks))
    end
  end
  equal(true, ws:close())
end)

check("messages that are not to be compressed come back too", function()
  local ws = open("/echo", true)
  for i = 1, 20 do
    local message = i .. prose(2000)
    assert(ws:send(message, { compress = i % 3 == 0 }))
    equal(message, (ws:receive(20)))
  end
  equal(true, ws:close())
end)

check("both ends tell the same of what was agreed on", function()
  local ws = open("/extensions", true)
  equal(ws.extensions, (ws:receive(20)))
  ws:close()
end)

check("nothing is offered where nothing is wanted", function()
  local ws = open("/echo", false)
  equal("", ws.extensions)
  ask(ws, prose(100000))
  equal(true, ws:close())
end)

check("five hundred messages sent in one go come back in order", function()
  local ws = open("/echo", { threshold = 0 })
  weft.run(function()
    local sender = weft.spawn(function()
      for i = 1, 500 do
        assert(ws:send(i .. prose(i * 5)))
      end
    end)
    for i = 1, 500 do
      equal(i .. prose(i * 5), (ws:receive(20)))
    end
    assert(sender:join())
  end)
  ws:close()
end)

check("a message past max_message once inflated ends the connection", function()
  local ws = open("/zeros", true, { max_message = 1024 * 1024 })
  ws:send(tostring(1024 * 1024))
  equal(("\0"):rep(1024 * 1024), (ws:receive(20)))
  ws:send(tostring(1024 * 1024 + 1))
  local _, word = ws:receive(20)
  equal("closed", word)
  equal(1009, ws.sent_code)
  equal("too_big", ws.close_cause)
end)

check("fifty connections talk at once", function()
  weft.run(function()
    local tasks = {}
    for i = 1, 50 do
      tasks[i] = weft.spawn(function()
        local ws = open("/echo", i % 2 == 0 or { client_no_context_takeover = true })
        for round = 1, 5 do
          ask(ws, ("this is %d, %d: %s"):format(i, round, prose(i * 100)))
        end
        equal(true, ws:close())
      end)
    end
    for _, task in ipairs(tasks) do
      assert(task:join())
    end
  end)
end)

checks.report()
