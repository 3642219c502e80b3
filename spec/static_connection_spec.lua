-- weft.static and the connections that its files go through: kept alive, slow,
-- gone, and files that change on the way.
local case = require "support.case"
local child_process = require "support.child"
local command = require "support.command"
local folder = require "support.folder"
local handshake = require "support.handshake"
local memory = require "support.memory"
local patience = require "support.patience"

local MEGABYTE = 1024 * 1024
local place

-- The next answer on a connection that goes on, with a body of known length.
local function read_answer(raw, method)
  local answer = raw:parsed_head()
  local length = answer.status ~= 304 and method ~= "HEAD" and tonumber(answer.headers["content-length"]) or 0
  answer.body = raw:receive(math.tointeger(length))
  return answer
end

local function request(path, options)
  local merged = { path = path, keep = true }
  for name, value in pairs(options or {}) do
    merged[name] = value
  end
  return handshake.http(merged)
end

local function serve(t, options)
  return t:server { http = t.weft.static(place.path, options) }
end

describe("files of weft.static", function()
  before_each(function()
    place = folder.make { ["a.txt"] = "text of a", ["b.txt"] = "b", ["sub/index.html"] = "of sub", empty = "" }
    place:run "head -c 3000000 /dev/zero | tr '\\0' z > big"
  end)

  after_each(function()
    place:remove()
  end)

  it("come one after the other on one connection", case(function(t)
    local raw = t:dial(serve(t))
    local etag
    for _, row in ipairs {
      { "/a.txt", 200, "text of a" }, { "/nothing", 404, "There is nothing at this path.\n" }, { "/b.txt", 200, "b" },
      { "/empty", 200, "" }, { "/a.txt", 200, "", { method = "HEAD" } }, { "/sub", 301 }, { "/sub/", 200, "of sub" },
      { "/a.txt", 206, "xt", { headers = { Range = "bytes=2-3" } } }, { "/a.txt", 416, nil, { headers = { Range = "bytes=100-" } } },
      { "/a.txt", 304, "", { headers = { ["If-None-Match"] = "ETAG" } } }, { "/big", 200, ("z"):rep(3000000) },
      { "/a.txt", 405, nil, { method = "POST", headers = { ["Content-Length"] = "0" } } }, { "/b.txt", 200, "b" },
    } do
      local options = row[4] or {}
      if options.headers and options.headers["If-None-Match"] then
        options.headers["If-None-Match"] = etag
      end
      raw:send(request(row[1], options))
      local answer = read_answer(raw, options.method)
      assert.equal(row[2], answer.status, row[1])
      assert.is_true(row[3] == nil or row[3] == answer.body, row[1])
      etag = row[1] == "/a.txt" and answer.headers.etag or etag
    end
  end))

  it("come in the order of requests that did not wait", case(function(t)
    local raw = t:dial(serve(t))
    raw:send(request "/big" .. request "/a.txt" .. request("/big", { method = "HEAD" }) .. request "/nothing" .. request "/b.txt")
    assert.equal(3000000, #read_answer(raw).body)
    assert.equal("text of a", read_answer(raw).body)
    assert.equal("3000000", read_answer(raw, "HEAD").headers["content-length"])
    assert.equal(404, read_answer(raw).status)
    assert.equal("b", read_answer(raw).body)
  end))

  it("come to HTTP/1.0", case(function(t)
    local answer = t:http(serve(t), { path = "/a.txt", version = "HTTP/1.0" })
    assert.same({ 200, "text of a" }, { answer.status, answer.body })
  end))

  it("come over TLS", case(function(t)
    local server = t:listen { tls = "self-signed", http = t.weft.static(place.path) }
    local file = place:at "got"
    local output = command.start(t.weft, {
      "-sk", "--noproxy", "*", "-o", file, "-w", "%{http_code} %{size_download}", ("https://127.0.0.1:%d/big"):format(server:port()),
    }, { program = { "curl" }, environment = { "-u", "LD_PRELOAD" } }):wait()
    assert.equal("200 3000000", output)
  end))

  -- Between two turns nothing was queued, and the kernel had space, but less than
  -- it tells of: so nobody looked at the clock, ever.
  it("are closed when the client takes nothing of them for write_timeout", case(function(t)
    local listening = t:listen { http = t.weft.static(place.path), write_timeout = patience(0.2) }
    place:run "truncate -s 200M huge"
    for _ = 1, 20 do
      local raw = t:dial(listening, { receive_buffer = 4096 })
      raw:send(request "/huge")
      assert.equal(200, raw:parsed_head().status)
    end
    t:wait_until(function() return listening:stats().connections == 0 end, "the end of all")
  end))

  it("are closed when the client goes away", case(function(t)
    local listening = serve(t)
    place:run "truncate -s 200M huge"
    for _ = 1, 20 do -- the case sees descriptors that are left
      local raw = t:dial(listening)
      raw:send(request "/huge")
      assert.equal(200, raw:parsed_head().status)
      raw:reset()
    end
  end))

  it("that become shorter end the connection", case(function(t)
    place:run "truncate -s 200M huge"
    local raw = t:dial(serve(t))
    raw:send(request "/huge")
    assert.equal("209715200", raw:parsed_head().headers["content-length"])
    place:run "truncate -s 0 huge"
    local bytes = raw:read_until_closed()
    assert.is_true(#bytes < 200 * MEGABYTE)
  end))

  it("that become longer are sent as they were", case(function(t)
    place:run "truncate -s 20M grows"
    local raw = t:dial(serve(t))
    raw:send(request "/grows")
    raw:parsed_head()
    place:run "echo more >> grows"
    raw:send(request "/b.txt")
    assert.equal(20 * MEGABYTE, #raw:receive(20 * MEGABYTE))
    assert.equal("b", read_answer(raw).body)
  end))

  it("that another takes the place of are sent as they were", case(function(t)
    place:run("head -c 20000000 /dev/zero | tr '\\0' a > swapped")
    local listening = serve(t)
    local raw = t:dial(listening)
    raw:send(request "/swapped")
    raw:parsed_head()
    place:run "echo new > new; mv new swapped"
    assert.is_nil(raw:receive(20000000):find "[^a]")
    raw:send(request "/swapped")
    assert.equal("new\n", read_answer(raw).body)
  end))
end)

-- Serves a folder and says how much memory it has had at most.
local SERVER = [[
local weft = require "weft"
local server = assert(weft.listen { port = 0, http = {
  ["/peak"] = function()
    local file = assert(io.open "/proc/self/status")
    local peak = file:read("*a"):match "VmHWM:%s+(%d+)"
    file:close()
    return 200, nil, peak
  end,
  ["/files/*"] = weft.static(arg[1]),
} })
print("port " .. server:port())
io.stdout:flush()
weft.serve(server)
]]

describe("a large file", function()
  it("is not read whole, however slow its readers are", case(function(t)
    if not memory.is_known() then
      return
    end
    local big = folder.make()
    big:run "truncate -s 100M file"
    local child = child_process.start(t.weft, SERVER, big.path)
    child:wait_for "\n"
    local port = math.tointeger(tonumber(child:output():match "port (%d+)"))
    local before = tonumber(t:http(port, { path = "/peak" }).body)
    local slow = {}
    for i = 1, 10 do
      slow[i] = t:dial(port, { receive_buffer = 4096 })
      slow[i]:send(request "/files/file")
      slow[i]:parsed_head()
    end
    local raw = t:dial(port)
    raw:send(request "/files/file")
    raw:parsed_head()
    for _ = 1, 100 do
      assert.equal(MEGABYTE, #raw:receive(MEGABYTE))
    end
    local peak = tonumber(t:http(port, { path = "/peak" }).body)
    assert.is_true(peak - before < 8 * 1024, ("%d KiB more"):format(peak - before))
    for _, one in ipairs(slow) do
      one:close()
    end
    raw:close()
    child:signal "KILL"
    child:wait()
    big:remove()
  end, 30))
end)
