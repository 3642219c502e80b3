-- The option `log` with "text" or "json": lines on stderr, whatever comes from the
-- network, and whoever reads them or does not.
local case = require "support.case"
local child_process = require "support.child"
local core = require "weft.core"
local frame = require "support.frame"
local handshake = require "support.handshake"
local log = require "weft.log"

local client = frame.client

-- A program with a server that logs; "finish" as a path ends it.
local SERVER = [[
  local weft = require "weft"
  io.stdout:setvbuf "line"
  local options = { port = 0, log = arg[1], close_timeout = 0.1 }
  function options.http(request)
    if request.path == "/error" then error "a\nmistake" end
    if request.path == "/finish" then weft.stop() end
    return 200, nil, request.path
  end
  function options.websocket(ws)
    for message in ws:messages() do ws:send(message) end
  end
  function options.on_worker(_, server) print("port " .. server:port() .. ".") end
  %s
  print("served", weft.serve(options))
]]

local function start(t, form, more, prelude)
  local child = child_process.start_after(t.weft, prelude or ":", SERVER:format(more or ""), form)
  child:wait_for "port "
  return child, t:wait_until(function()
    return math.tointeger(tonumber(child:output():match "port (%d+)%."))
  end, "its port")
end

-- Ends it: what it has said in lines, without the time they begin with.
local function finish(t, child, port)
  t:http(port, { path = "/finish" })
  local output, status = child:wait()
  assert.equal(0, status, output)
  local lines = {}
  for line in output:gmatch "([^\n]*)\n" do
    if not line:find "^port " and not line:find "^served" then
      lines[#lines + 1] = line
    end
  end
  assert.matches("served\ttrue\n", output)
  return lines, output
end

local TIME = "^time=%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ "

describe("a log of text", function()
  it("is a line for each event", case(function(t)
    local child, port = start(t, "text")
    local raw = t:upgrade(port, { path = "/chat%20room?token=secret" })
    raw:send(client.close(4000, "so long"))
    raw:close_frame()
    raw:close()
    t:http(port, { path = "/page" })
    local lines = finish(t, child, port)
    for i, line in ipairs(lines) do
      assert.matches(TIME, line)
      lines[i] = line:gsub(TIME, ""):gsub("seconds=%d+%.%d%d%d", "seconds=S")
    end
    assert.same({
      "event=listening url=ws://127.0.0.1:" .. port .. " workers=1",
      "event=open connection=1 remote_address=127.0.0.1 path=/chat%20room kind=websocket",
      'event=close connection=1 remote_address=127.0.0.1 code=4000 sent_code=4000 reason="so long" cause=peer seconds=S',
      "event=request connection=2 remote_address=127.0.0.1 method=GET path=/page status=200 bytes=5 seconds=S",
      "event=request connection=3 remote_address=127.0.0.1 method=GET path=/finish status=200 bytes=7 seconds=S",
      "event=closing connections=0",
      "event=closed seconds=S",
    }, lines)
  end, 25))

  it("has errors in the place of what weft.on_error writes by itself", case(function(t)
    local child, port = start(t, "text")
    t:http(port, { path = "/error" })
    local lines, output = finish(t, child, port)
    assert.matches([[ event=error connection=1 .* message="[^"]*: a\nmistake" traceback="stack traceback:\n]], lines[2])
    assert.is_nil(output:find("\nstack traceback", 1, true))
    assert.equal(6, #lines)
  end, 25))

  it("leaves errors to the function given to weft.on_error, too", case(function(t)
    local child, port = start(t, "text", [[weft.on_error(function(err) print("mine: " .. err) end)]])
    t:http(port, { path = "/error" })
    local _, output = finish(t, child, port)
    assert.matches("mine: [^\n]*: a\nmistake\n", output)
    assert.matches(" event=error ", output)
  end, 25))
end)

-- JSON as it comes here: flat, of strings and numbers.
local function parse(line)
  local object, at = {}, 2
  assert(line:sub(1, 1) == "{" and line:sub(-1) == "}", line)
  while at < #line do
    local name, begin = line:match('^"([a-z_]+)":()', at)
    assert(name, line)
    local number, behind = line:match("^(%-?%d+%.?%d*)()[,}]", begin)
    if number then
      object[name], at = tonumber(number), behind + 1
    else
      local stop = begin + 1
      while line:sub(stop, stop) ~= '"' do
        stop = stop + (line:sub(stop, stop) == "\\" and 2 or 1)
        assert(stop < #line, line)
      end
      local text = line:sub(begin + 1, stop - 1)
      assert(not text:find "[%z\1-\31\127]", line)
      object[name] = text:gsub('\\(["\\nrtu])(%x?%x?%x?%x?)', function(letter, digits)
        if letter == "u" then
          return utf8.char(tonumber(digits, 16))
        end
        return (({ n = "\n", r = "\r", t = "\t" })[letter] or letter) .. digits
      end)
      at = stop + 2
    end
  end
  return object
end

describe("a log of text, where a process has no descriptors left", function()
  it("says so", case(function(t)
    local child, port = start(t, "text", "", "ulimit -n 16")
    for _ = 1, 16 do
      t:dial(port)
    end
    child:wait_for 'event=limit message="Too many open files"'
    child:signal "TERM"
    assert.equal(0, select(2, child:wait()))
  end, 25))
end)

describe("a log of JSON", function()
  it("is an object a line, with numbers that are numbers", case(function(t)
    local child, port = start(t, "json")
    t:http(port, { path = "/page" })
    t:http(port, { path = "/error" })
    local lines = finish(t, child, port)
    local events = {}
    for i, line in ipairs(lines) do
      assert.is_truthy(utf8.len(line))
      events[i] = parse(line)
      assert.matches("^%d+%-%d%d%-%d%dT%d%d:%d%d:%d%d%.%d%d%dZ$", events[i].time)
      events[i].time = nil
    end
    assert.equal("number", type(events[2].seconds))
    events[2].seconds = nil
    assert.same({
      event = "request", connection = 1, remote_address = "127.0.0.1", method = "GET", path = "/page",
      status = 200, bytes = 5,
    }, events[2])
    assert.matches(": a\nmistake$", events[3].message)
    assert.matches("^stack traceback:\n\t", events[3].traceback)
  end, 25))
end)

-- What a log writes of an event, by the seam where it does.
local function written(form, event)
  local lines, write = {}, core.write_line
  core.write_line = function(fd, line)
    assert.equal(2, fd)
    lines[#lines + 1] = line
    return #line
  end
  local ok, err = pcall(log.new(form, error).tell, event)
  core.write_line = write
  assert(ok, err)
  assert.equal(1, #lines)
  return lines[1]
end

local hostile = {
  "a\nevent=forged", "\r\27[2J", "quote \" and \\", "\0nul", "\255\254 no UTF-8", "\194\155 C1", "\239\191\191",
  "\226\128\174 turned around", "\216\156 turned", "\239\187\191 unseen", "\226\128\168 a line", "=", "a b", "\127", "\237\160\128 a surrogate", "ünïcode",
  ("x"):rep(1024), ("\n"):rep(1024), ("ü"):rep(512), ("\255"):rep(1024), ("\\"):rep(1023), ("\27"):rep(1024),
}

describe("a line of a log", function()
  for _, form in ipairs { "text", "json" } do
    it("of " .. form .. " cannot be forged, broken or made longer than a pipe takes", function()
      for _, text in ipairs(hostile) do
        local event = { time = 0, event = "request", traceback = text }
        for _, name in ipairs { "remote_address", "method", "path", "reason", "message" } do
          event[name] = text
        end
        local line = written(form, event)
        assert.is_nil(line:sub(1, -2):find "[%z\1-\31\127]", line)
        assert.equal("\n", line:sub(-1))
        assert.is_truthy(utf8.len(line), line)
        assert.is_nil(line:find "\194[\128-\159]")
        assert.is_nil(line:find "\226\128[\168-\174]")
        assert.is_nil(line:find "\216\156")
        assert.is_nil(line:find "\239\187\191")
        assert.is_true(#line <= 4096, "it has " .. #line .. " bytes")
        if form == "json" then
          local object = parse(line:sub(1, -2))
          local good = utf8.len(text) and not text:find "[\194\216\226\237\239]" -- 5.3 takes surrogates
          assert.equal("1970-01-01T00:00:00.000Z", object.time)
          if good and #text < 100 then
            assert.equal(text, object.path)
            assert.equal(text, object.traceback)
          end
        end
      end
    end)
  end

  for _, form in ipairs { "text", "json" } do
    it("of " .. form .. " is no longer where everything in it is long", function()
      local texts = {
        "remote_address", "method", "path", "kind", "protocol", "tls", "url", "reason", "cause", "option", "message",
        "traceback",
      }
      for _, text in ipairs(hostile) do
        local event = { time = 2 ^ 40, event = "request" }
        for _, name in ipairs(texts) do
          event[name] = text
        end
        for _, name in ipairs { "worker", "pid", "connection", "status", "bytes", "connections", "dropped", "lost" } do
          event[name] = 2 ^ 53
        end
        local line = written(form, event)
        assert.is_true(#line <= 4096, "it has " .. #line .. " bytes")
        assert.equal("\n", line:sub(-1))
        assert.is_truthy(utf8.len(line), line)
        if form == "json" then
          local object = parse(line:sub(1, -2))
          for _, name in ipairs(texts) do
            assert.is_string(object[name])
          end
          assert.equal(2 ^ 53, object.lost)
        end
      end
    end)
  end

  it("of text quotes what would look like another field", function()
    local function value(text)
      return written("text", { time = 1.5, event = "close", reason = text }):match " reason=(.*)\n$"
    end
    assert.equal('"a=b"', value "a=b")
    assert.equal('"a b"', value "a b")
    assert.equal('"\\"\\\\\\n\\x1B\\x00"', value '"\\\n\27\0')
    assert.equal('"\\xFFa"', value "\255a")
    assert.equal('"für"', value "für")
    assert.equal("/a/b-c_d.e", value "/a/b-c_d.e")
    assert.equal("time=1970-01-01T00:00:01.500Z event=close\n", written("text", { time = 1.5, event = "close" }))
    assert.equal('"' .. ("ü"):rep(238) .. '..."', value(("ü"):rep(512)))
    assert.matches('^"\\x80\\x80.*\\x80%.%.%."$', value(("\128"):rep(1024)))
    assert.equal([["\u061C"]], written("json", { time = 0, event = "close", reason = "\216\156" }):match '"reason":(.*)}')
  end)
end)

describe("a line into a socket", function()
  it("goes without waiting, and nobody need be there", case(function(t)
    local accepted
    local port = t:serve_raw(function(raw)
      accepted = raw
    end)
    local raw = t:dial(port)
    local fd = raw.socket:getfd()
    assert.equal(6, core.write_line(fd, "hello\n"))
    t:wait_until(function() return accepted end)
    assert.equal("hello\n", (accepted:receive(6)))
    local line = ("x"):rep(4095) .. "\n"
    repeat
      local n = core.write_line(fd, line)
    until n < #line -- the socket is full
    accepted:reset()
    t:wait_until(function()
      return core.write_line(fd, line) == 0
    end, "a socket that is gone")
    assert.equal(0, core.write_line(fd, line)) -- and no signal
  end))

  it("does not go to a descriptor of weft's own, whatever its number", case(function(t)
    t:upgrade(t:server { websocket = case.echo })
    assert.equal(0, core.write_line(t.weft.fd() or 1000, "x\n"))
  end))
end)

-- All that is in a named pipe now.
local function read_pipe(path)
  local pipe = assert(io.popen(("dd if=%s bs=1048576 count=1 iflag=nonblock 2>/dev/null"):format(path)))
  local text = pipe:read "*a"
  pipe:close()
  return text
end

describe("whoever reads the log", function()
  local path

  before_each(function()
    path = os.tmpname()
    os.remove(path)
    assert(os.execute("mkfifo " .. path))
  end)

  after_each(function()
    os.remove(path)
  end)

  it("may stop: lines are dropped whole, the server goes on, and says how many they were", case(function(t)
    -- the child's own reading end keeps the pipe open
    local child, port = start(t, "text", "", ("exec 2<>%s"):format(path))
    local later = t:upgrade(port)
    local raw = t:dial(port)
    local request = handshake.http { path = "/" .. ("x"):rep(1000), keep = true }
    local COUNT = 200 -- a line each, of half a kilobyte: more than a pipe holds
    for _ = 1, COUNT do
      raw:send(request)
      assert.equal(200, raw:parsed_head().status)
      assert.equal(1001, #raw:receive(1001))
    end
    later:send(client.ping "") -- the last answer left before its line was written
    assert.equal(frame.PONG, later:frame().opcode)
    local told, lines = read_pipe(path), 0
    assert.equal("\n", told:sub(-1))
    for line in told:gmatch "[^\n]+" do
      assert.matches(TIME .. "event=[a-z]+ ", line)
      lines = lines + 1
    end
    assert.is_true(lines < COUNT)
    raw:send(handshake.http { path = "/again", keep = true })
    assert.equal(200, raw:parsed_head().status)
    told = t:wait_until(function()
      local text = read_pipe(path)
      return text ~= "" and text
    end, "more lines")
    local dropped, rest = told:match(TIME .. "event=dropped dropped=(%d+)\n(.*)$")
    assert.equal(COUNT + 2 - lines, tonumber(dropped)) -- with where it listens, and who is there
    assert.matches(TIME .. "event=request .* path=/again ", rest)
    raw:close()
    t:http(port, { path = "/finish" })
    local _, status = child:wait()
    assert.equal(0, status)
  end, 25))

  it("may go: the server does not mind", case(function(t)
    local child, port = start(t, "json", "", ("head -c 1 <%s >/dev/null & exec 2>%s"):format(path, path))
    for _ = 1, 3 do
      assert.equal(200, t:http(port).status)
    end
    finish(t, child, port)
  end, 25))

  it("may never have been there", case(function(t)
    for _, poller in ipairs { "", "poll" } do
      local child, port = start(t, "json", "", "exec 2>&-; export WEFT_POLLER=" .. poller)
      local raw = t:upgrade(port)
      raw:send(client.text "hello")
      assert.equal("hello", (raw:message())) -- and nothing of the log
      raw:close()
      assert.equal("/page", t:http(port, { path = "/page" }).body)
      finish(t, child, port)
    end
  end, 25))

  it("may have no room for it: a disk that is full", case(function(t)
    local child, port = start(t, "text", "", "exec 2>/dev/full")
    assert.equal(200, t:http(port).status)
    finish(t, child, port)
  end, 25))
end)
