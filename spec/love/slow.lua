-- Peers that make a client wait: a name whose server never answers, a TLS peer
-- that says nothing, and one that has a long chain of certificates and sends it a
-- little at a time.
local socket = require "socket"
local weft = require "weft"
local inside = require "support.inside"

local CHAIN = 20 -- certificates
local PIECE, PAUSE = 1000, 0.02 -- bytes, seconds

local slow = {}

inside.name_server { ["slow.test"] = { slow_a = math.huge, slow_aaaa = math.huge } }
slow.name = "wss://slow.test:4433"

slow.listener = assert(socket.bind("127.0.0.1", 0)) -- which accepts nobody
slow.silent = ("wss://127.0.0.1:%d"):format(select(2, slow.listener:getsockname()))

-- A chain, leaf first, whose certificates have all the same key; its root too.
local function make_chain(directory)
  local lines = { "set -e; cd '" .. directory .. "'; openssl genrsa -out key.pem 3072" }
  for i = CHAIN, 1, -1 do
    lines[#lines + 1] = ([[
      openssl req -new -key key.pem -subj '/CN=%d of a long chain' -out request
      echo 'basicConstraints=%s' > extensions; %s
      openssl x509 -req -in request %s -days 30 -extfile extensions -out %d.pem]]):format(
      i, i > 1 and "critical,CA:TRUE" or "CA:FALSE",
      i == 1 and "echo 'subjectAltName=IP:127.0.0.1' >> extensions" or "",
      i == CHAIN and "-signkey key.pem" or ("-CA %d.pem -CAkey key.pem -CAcreateserial"):format(i + 1), i)
  end
  lines[#lines + 1] = "for i in $(seq 1 " .. CHAIN - 1 .. "); do cat $i.pem; done > chain.pem"
  assert(os.execute("mkdir -p '" .. directory .. "'; (" .. table.concat(lines, "\n") .. ") >/dev/null 2>&1"))
  return directory .. "/chain.pem", directory .. "/key.pem", directory .. "/" .. CHAIN .. ".pem"
end

-- Bytes from one socket to another, in pieces, until the first one ends.
local function pass_on(from, to, piece, pause)
  while weft.wait(from, "r") do
    local bytes, why, rest = from:receive(8192) -- as many as LuaSocket reads ahead
    bytes = bytes or rest
    for at = 1, #bytes, piece do
      to:send(bytes, at, math.min(at + piece - 1, #bytes))
      weft.sleep(pause)
    end
    if why == "closed" then
      break
    end
  end
  to:shutdown "send" -- which ends the other direction as well
end

local function relay(listener, port)
  listener:settimeout(0)
  while weft.wait(listener, "r") do
    local client = listener:accept()
    local server = client and socket.connect("127.0.0.1", port)
    if server then
      client:settimeout(0)
      server:settimeout(0)
      weft.spawn(pass_on, client, server, 8192, 0)
      weft.spawn(pass_on, server, client, PIECE, PAUSE)
    end
  end
end

local chain, key
chain, key, slow.ca = make_chain(arg[1] .. "/chain")
local server = assert(weft.listen {
  port = 0, tls = { cert = chain, key = key },
  websocket = function(ws)
    ws:wait_closed()
  end,
})
local dribble = assert(socket.bind("127.0.0.1", 0))
weft.spawn(relay, dribble, server:port())
slow.chain = ("wss://127.0.0.1:%d"):format(select(2, dribble:getsockname()))

return slow
