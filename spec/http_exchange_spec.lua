-- Requests behind one another on one connection (RFC 9112, section 9), and
-- answers that are written piece by piece.
local case = require "support.case"
local curl = require "support.curl"
local exchange = require "support.exchange"
local frame = require "support.frame"
local handshake = require "support.handshake"

local get, post = exchange.get, exchange.post
local next_answer, read_chunks = exchange.next_answer, exchange.read_chunks

local function tells(request)
  return 200, {}, request.method .. " " .. request.path .. " " .. request.body
end

describe("a connection", function()
  it("carries one request after the other", case(function(t)
    local server = t:listen { http = tells }
    local raw = t:dial(server)
    for i = 1, 5 do
      raw:send(get("/" .. i))
      local answer = next_answer(raw)
      assert.same({ 200, "GET /" .. i .. " " }, { answer.status, answer.body })
      assert.is_nil(answer.headers.connection)
    end
    raw:send(post "body")
    assert.equal("POST / body", next_answer(raw).body)
    assert.equal(1, server:stats().accepted)
    raw:send(handshake.http())
    local answer = raw:answer()
    assert.same({ "close", "fin" }, { answer.headers.connection, answer.ending })
  end))

  it("answers requests that came at once, in their order, one after the other", case(function(t)
    local running, most = 0, 0
    local raw = t:dial(t:server { http = function(request)
      running = running + 1
      most = math.max(most, running)
      t.weft.sleep(request.path == "/slow" and 0.03 or 0)
      running = running - 1
      return tells(request)
    end })
    raw:send(get "/slow" .. post("one", "/a") .. get "/b" .. get("/c", { method = "HEAD" }) .. post("", "/d"))
    assert.equal("GET /slow ", next_answer(raw).body)
    assert.equal("POST /a one", next_answer(raw).body)
    assert.equal("GET /b ", next_answer(raw).body)
    assert.equal("8", raw:parsed_head().headers["content-length"])
    assert.equal("POST /d ", next_answer(raw).body)
    assert.equal(1, most)
  end))

  for _, size in ipairs { 1, 2, 3, 7 } do
    it("reads them " .. size .. " bytes at a time", case(function(t)
      local raw = t:dial(t:server { http = tells })
      local chunked = get("/c", { method = "POST", headers = { ["Transfer-Encoding"] = "chunked" },
                                  body = "3\r\nabc\r\n0\r\n\r\n" })
      raw:send_in_pieces(get "/a" .. post("bb", "/b") .. chunked .. get "/d", size)
      for _, body in ipairs { "GET /a ", "POST /b bb", "POST /c abc", "GET /d " } do
        assert.equal(body, next_answer(raw).body)
      end
    end))
  end

  it("takes hundreds at once from a client that reads slowly, and holds little", case(function(t)
    local answered = 0
    local raw = t:dial(t:server { send_buffer = 1000, http = function()
      answered = answered + 1
      return 200, {}, ("x"):rep(20000)
    end }, { receive_buffer = 65536 })
    raw:send(get("/"):rep(300))
    t.weft.sleep(0.05)
    assert.is_true(answered < 300) -- the rest waits until there is room
    for _ = 1, 300 do
      assert.equal(20000, #next_answer(raw).body)
    end
    assert.equal(300, answered)
  end, 20))

  it("may become a WebSocket", case(function(t)
    local raw = t:dial(t:server { http = tells, websocket = case.echo })
    raw:send(get "/page")
    assert.equal("GET /page ", next_answer(raw).body)
    raw:send(handshake.request())
    assert.equal(101, raw:parsed_head().status)
    raw:send(frame.client.text "hi")
    assert.equal("hi", raw:message())
  end))

  it("ends when nothing comes for handshake_timeout, without a word", case(function(t)
    local raw = t:dial(t:server { http = tells, handshake_timeout = 0.05 })
    raw:send(get "/")
    next_answer(raw)
    assert.same({ "", "fin" }, { raw:read_until_closed() })
  end))

  it("waits as long as a handler takes, whatever handshake_timeout is", case(function(t)
    local raw = t:dial(t:server { handshake_timeout = 0.03, http = function()
      t.weft.sleep(0.1)
      return 200, {}, "late"
    end })
    raw:send(get "/")
    assert.equal("late", next_answer(raw).body)
  end))

  it("ends behind an answer to a body that nobody has read", case(function(t)
    local raw = t:dial(t:server { http = { ["/"] = tells } })
    raw:send(post("GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n", "/none") .. get "/")
    local answer = raw:answer()
    assert.same({ 404, "close", "fin" }, { answer.status, answer.headers.connection, answer.ending })
    assert.is_nil(answer.body:find "smuggled")
  end))

  it("ends behind a request that is malformed", case(function(t)
    local raw = t:dial(t:server { http = tells })
    raw:send(get "/a" .. "GET  / HTTP/1.1\r\n\r\n" .. get "/b")
    assert.equal("GET /a ", next_answer(raw).body)
    local answer = raw:answer()
    assert.same({ 400, "fin" }, { answer.status, answer.ending })
    assert.is_nil(answer.body:find "/b")
  end))

  it("ends where the handler says so", case(function(t)
    local answer = t:ask(t:server { http = function()
      return 200, { Connection = "close" }, "bye"
    end }, get "/")
    assert.same({ "close", "bye", "fin" }, { answer.headers.connection, answer.body, answer.ending })
  end))

  it("goes on for HTTP/1.0 where it is asked to, and says so", case(function(t)
    local listening = t:listen { http = tells }
    local raw = t:dial(listening)
    raw:send(get("/a", { version = "HTTP/1.0", headers = { Connection = "Keep-Alive" } }))
    local answer = next_answer(raw)
    assert.same({ "keep-alive", "GET /a " }, { answer.headers.connection, answer.body })
    raw:send(get("/b", { version = "HTTP/1.0" }))
    answer = raw:answer()
    assert.same({ "close", "GET /b ", "fin" }, { answer.headers.connection, answer.body, answer.ending })
  end))

  it("does not outlast its server: one that is idle ends, one that is answered says close", case(function(t)
    local go, asked = t.weft.queue(), 0
    local server = t:listen { http = function()
      asked = asked + 1
      go:take()
      return 200, {}, "done"
    end }
    local idle, busy = t:dial(server), t:dial(server)
    idle:send(get "/")
    go:put(true)
    assert.equal("done", next_answer(idle).body)
    busy:send(get "/")
    t:wait_until(function() return asked == 2 end, "the second request")
    local closing = t:spawn(server.close, server, 5)
    assert.same({ "", "fin" }, { idle:read_until_closed() })
    go:put(true)
    local answer = busy:answer()
    assert.same({ "close", "done", "fin" }, { answer.headers.connection, answer.body, answer.ending })
    busy:close()
    assert.same({ true, true }, { closing:join(5) })
  end))

  it("is kept by curl and reused", case(function(t)
    local server = t:listen { http = tells }
    local url = "http://127.0.0.1:" .. server:port()
    assert.equal("GET /a GET /b POST /c data", curl(t.weft, { url .. "/a", url .. "/b" })
      .. curl(t.weft, { "-d", "data", url .. "/c" }))
    assert.equal(2, server:stats().accepted)
  end))
end)

describe("an answer", function()
  it("has a date", case(function(t)
    local answer = t:http(t:server { http = tells })
    assert.matches("^%a%a%a, %d%d %a%a%a 20%d%d %d%d:%d%d:%d%d GMT$", answer.headers.date)
    answer = t:http(t:server { http = function()
      return 200, { Date = "Thu, 01 Jan 1970 00:00:00 GMT" }
    end })
    assert.equal("Thu, 01 Jan 1970 00:00:00 GMT", answer.headers.date)
  end))

  it("may be a function that writes, and waits in between", case(function(t)
    local raw = t:dial(t:server { http = function()
      return 200, { ["Content-Type"] = "text/html" }, function(write)
        assert.is_true(write "one, ")
        assert.is_true(write "")
        t.weft.sleep(0.01)
        assert.is_true(write "two")
      end
    end })
    raw:send(get "/")
    local answer = raw:parsed_head()
    assert.same({ 200, "chunked", "text/html" },
                { answer.status, answer.headers["transfer-encoding"], answer.headers["content-type"] })
    assert.is_nil(answer.headers["content-length"])
    assert.same({ "one, two", 2 }, { read_chunks(raw) })
    raw:send(get "/") -- and the connection goes on
    assert.equal(200, raw:parsed_head().status)
    assert.equal("one, two", (read_chunks(raw)))
  end))

  it("may be a function that returns piece after piece", case(function(t)
    local listening = t:listen { http = function()
      local i = 0
      return 200, {}, function()
        i = i + 1
        return ({ "a", "b", "", "c" })[i]
      end
    end }
    local raw = t:dial(listening)
    raw:send(get "/")
    raw:parsed_head()
    assert.equal("abc", (read_chunks(raw)))
    assert.equal("abc", curl(t.weft, { "http://127.0.0.1:" .. listening:port() .. "/" }))
  end))

  it("of a function has a length where the handler knows it", case(function(t)
    local raw = t:dial(t:server { http = function()
      return 200, { ["content-length"] = "6" }, function(write)
        write "one"
        return "two"
      end
    end })
    raw:send(get "/" .. get "/")
    -- the function returns "two" again and again: it is more than was said
    local answer = raw:parsed_head()
    assert.equal("6", answer.headers["content-length"])
    assert.equal("onetwo", raw:receive(6))
    assert.same({ "", "fin" }, { raw:read_until_closed() })
    assert.matches("longer than its Content%-Length", t:reports()[1].error)
  end))

  it("that is shorter than was said breaks off", case(function(t)
    local raw = t:dial(t:server { http = function()
      return 200, { ["Content-Length"] = 10 }, function(write) write "short" end
    end })
    raw:send(get "/")
    raw:parsed_head()
    assert.same({ "short", "fin" }, { raw:read_until_closed() })
    assert.matches("shorter than its Content%-Length", t:reports()[1].error)
  end))

  it("of a function that fails ends with a reset for HTTP/1.0, which has no other sign", case(function(t)
    local answer = t:ask(t:server { http = function()
      return 200, {}, function(write)
        write(("x"):rep(100000))
        t.weft.sleep(0.01)
        error "oh"
      end
    end }, get("/", { version = "HTTP/1.0" }))
    assert.equal("reset", answer.ending)
    assert.matches("oh", t:reports()[1].error)
  end))

  it("of a function ends with the connection for HTTP/1.0", case(function(t)
    local answer = t:ask(t:server { http = function()
      return 200, {}, function(write) write "old" end
    end }, get("/", { version = "HTTP/1.0", headers = { Connection = "keep-alive" } }))
    assert.same({ "close", "old", "fin" }, { answer.headers.connection, answer.body, answer.ending })
    assert.is_nil(answer.headers["transfer-encoding"])
  end))

  it("to HEAD and of 204 and 304 calls no function", case(function(t)
    local called = false
    local status = 200
    local raw = t:dial(t:server { http = function()
      return status, {}, function() called = true end
    end })
    raw:send(get("/", { method = "HEAD" }))
    assert.equal("chunked", raw:parsed_head().headers["transfer-encoding"])
    for _, each in ipairs { 204, 304 } do
      status = each
      raw:send(get "/")
      local answer = raw:parsed_head()
      assert.same({ each }, { answer.status, answer.headers["transfer-encoding"], answer.headers["content-length"] })
    end
    assert.is_false(called)
  end))

  it("to HEAD may tell a length without a body", case(function(t)
    local raw = t:dial(t:server { http = function()
      return 200, { ["Content-Length"] = 12345 }
    end })
    raw:send(get("/", { method = "HEAD" }) .. get("/", { method = "HEAD" }))
    assert.equal("12345", raw:parsed_head().headers["content-length"])
    assert.equal("12345", raw:parsed_head().headers["content-length"])
  end))

  it("waits for a client that reads slowly", case(function(t)
    local written = 0
    local raw = t:dial(t:server { send_buffer = 10000, http = function()
      return 200, {}, function(write)
        for _ = 1, 600 do
          write(("y"):rep(10000))
          written = written + 10000
        end
      end
    end }, { receive_buffer = 65536 })
    raw:send(get "/")
    raw:parsed_head()
    t.weft.sleep(0.05)
    assert.is_true(written < 6000000)
    assert.equal(6000000, #(read_chunks(raw)))
  end, 20))

  it("stops when the client goes", case(function(t)
    local outcome
    local raw = t:dial(t:server { send_buffer = 10000, http = function()
      return 200, {}, function(write)
        repeat
          outcome = { write(("z"):rep(10000)) }
        until not outcome[1]
      end
    end }, { receive_buffer = 65536 })
    raw:send(get "/")
    raw:parsed_head()
    raw:reset()
    t:wait_until(function() return outcome and not outcome[1] end)
    assert.equal("closed", outcome[2])
    assert.same({}, t:reports())
  end))

  it("is dropped when nothing of it is taken for write_timeout", case(function(t)
    local outcome
    local raw = t:dial(t:server { send_buffer = 10000, write_timeout = 0.05, http = function()
      return 200, {}, function(write)
        repeat
          outcome = { write(("z"):rep(100000)) }
        until not outcome[1]
      end
    end }, { receive_buffer = 65536 })
    raw:send(get "/")
    t:wait_until(function() return outcome and not outcome[1] end)
    assert.equal("closed", outcome[2])
  end))

  it("whose function fails before it has written or waited is a 500, and the connection goes on", case(function(t)
    local ways = {
      ["/raises"] = function() error "at once" end,
      ["/number"] = function(write) write(5) end,
      ["/returns"] = function() return 5 end,
      ["/long"] = function(write) write "longer" end,
      ["/long/lent"] = function(write) write(("x"):rep(20000)) end,
      ["/short"] = function(write) write "" end,
    }
    local server = t:listen { http = function(request)
      return 200, { ["Content-Length"] = request.query_string == "" and 3 or nil, ["X-Is"] = "lost" },
             ways[request.path]
    end }
    local raw = t:dial(server)
    local count = 0
    for path in pairs(ways) do
      for _, target in ipairs(path:find "^/[rn]" and { path, path .. "?chunks" } or { path }) do
        raw:send(get(target))
        local answer = next_answer(raw)
        assert.same({ 500, "Internal Server Error\n" }, { answer.status, answer.body })
        assert.is_nil(answer.headers["x-is"])
        count = count + 1
      end
    end
    raw:send(get "/raises" .. get "/raises" .. get("/raises", { headers = { Connection = "close" } }))
    assert.same({ 500, 500, "close" }, { next_answer(raw).status, next_answer(raw).status,
                                         next_answer(raw).headers.connection })
    assert.same({ "", "fin" }, { raw:read_until_closed() })
    assert.equal(count + 3, #t:reports())
  end))

  it("whose function fails while its head waits behind another answer is a 500", case(function(t)
    local gate, size = t.weft.queue(1), 12000000 -- more than two sockets take
    local server = t:listen { send_buffer = size * 2, http = function(request)
      if request.path == "/long" then
        return 200, {}, ("x"):rep(size)
      end
      return 200, {}, function()
        gate:take()
        error "meanwhile"
      end
    end }
    local raw = t:dial(server, { receive_buffer = 65536 })
    raw:send(get "/long" .. get "/fails")
    local long = raw:parsed_head()
    assert.equal(200, long.status)
    raw:receive(size / 2) -- more of the long one leaves
    gate:put(true)
    raw:receive(size / 2)
    local answer = next_answer(raw)
    assert.same({ 500, "Internal Server Error\n" }, { answer.status, answer.body })
    assert.matches("meanwhile", t:reports()[1].error)
  end, 20))

  it("whose function fails once its head has left breaks off", case(function(t)
    local raw = t:dial(t:server { http = function()
      return 200, {}, function()
        t.weft.sleep(0.01)
        error "late"
      end
    end })
    raw:send(get "/")
    assert.equal(200, raw:parsed_head().status)
    assert.same({ "", "fin" }, { raw:read_until_closed() })
    assert.matches("late", t:reports()[1].error)
  end))

  it("whose function fails is reported, and breaks off", case(function(t)
    local raw = t:dial(t:server { http = function()
      return 200, {}, function(write)
        write "begun"
        error "in the middle"
      end
    end })
    raw:send(get "/")
    raw:parsed_head()
    assert.same({ "5\r\nbegun\r\n", "fin" }, { raw:read_until_closed() })
    assert.matches("in the middle", t:reports()[1].error)
  end))

  it("cannot be written to once it is over", case(function(t)
    local kept
    local raw = t:dial(t:server { http = function(request)
      if request.path == "/second" then
        return 200, {}, function(write)
          assert.same({ nil, "closed" }, { kept "smuggled" })
          write "mine"
        end
      end
      return 200, {}, function(write)
        kept = write
        write "first"
      end
    end })
    raw:send(get "/first" .. get "/second")
    raw:parsed_head()
    assert.equal("first", (read_chunks(raw)))
    raw:parsed_head()
    assert.equal("mine", (read_chunks(raw)))
  end))

  it("of anything else is a mistake: 500", case(function(t)
    local body
    local listening = t:listen { http = function() return 200, {}, body end }
    for _, each in ipairs { 5, true, { 5 }, { "a", {} }, io.stdout } do
      body = each
      assert.equal(500, t:http(listening).status)
      assert.matches("^http: ", t:reports()[1].error)
    end
    body = function() return 5 end
    assert.equal(500, t:http(listening).status)
    assert.matches("http: the body: expected a string", t:reports()[1].error)
  end))
end)

describe("an error in a handler", function()
  it("is a 500, and the connection goes on", case(function(t)
    local raw = t:dial(t:server { http = function(request)
      if request.path == "/bad" then
        error "oh"
      end
      return tells(request)
    end })
    raw:send(get "/bad" .. get "/good")
    assert.equal(500, next_answer(raw).status)
    assert.equal("GET /good ", next_answer(raw).body)
    assert.matches("oh", t:reports()[1].error)
  end))
end)

describe("methods", function()
  local function options(t)
    return t:listen { http = {
      ["/item/:id"] = {
        GET = function(request) return 200, {}, "got " .. request.params.id end,
        DELETE = function(request) return 200, {}, "deleted " .. request.params.id end,
      },
      ["/any"] = tells,
    } }
  end

  it("go each to its own function, HEAD to GET", case(function(t)
    local listening = options(t)
    assert.equal("got 7", t:http(listening, { path = "/item/7" }).body)
    assert.equal("deleted 7", t:http(listening, { path = "/item/7", method = "DELETE" }).body)
    local answer = t:http(listening, { path = "/item/7", method = "HEAD" })
    assert.same({ 200, "5", "" }, { answer.status, answer.headers["content-length"], answer.body })
    assert.equal("PATCH /any ", t:http(listening, { path = "/any", method = "PATCH" }).body)
  end))

  it("that are missing get 405 with Allow, OPTIONS an answer", case(function(t)
    local listening = options(t)
    local answer = t:http(listening, { path = "/item/7", method = "PUT" })
    assert.same({ 405, "DELETE, GET, HEAD, OPTIONS" }, { answer.status, answer.headers.allow })
    answer = t:http(listening, { path = "/item/7", method = "OPTIONS" })
    assert.same({ 204, "DELETE, GET, HEAD, OPTIONS" }, { answer.status, answer.headers.allow })
    answer = t:http(listening, { path = "*", method = "OPTIONS" }) -- the server itself
    assert.same({ 204, "" }, { answer.status, answer.body })
    assert.equal(404, t:http(listening, { path = "/item", method = "PUT" }).status)
    assert.equal(405, t:http(listening, { path = "/item/7", method = "get" }).status)
  end))

  it("may be all there is", case(function(t)
    local listening = t:listen { http = { POST = tells } }
    assert.equal(405, t:http(listening).status)
    assert.equal(200, t:http(listening, { method = "POST", path = "/x" }).status)
  end))

  it("are checked", case(function(t)
    local raises = require "support.raises"
    raises(function() t.weft.listen { port = 0, http = { get = tells } } end, "http", "get", "methods")
    raises(function() t.weft.listen { port = 0, http = { GET = 5 } } end, "http", "GET", "function")
    raises(function() t.weft.listen { port = 0, http = {} } end, "http", "empty")
    raises(function() t.weft.listen { port = 0, http = { ["/"] = { "x" } } } end, "http", "'/'")
    raises(function() t.weft.listen { port = 0, http = { ["/"] = tells, GET = tells } } end, "http", "mixture")
  end))
end)

describe("a path that is a WebSocket's", function()
  it("gets 426 as a page, where the pages have nothing", case(function(t)
    local listening = t:listen {
      http = { ["/"] = tells, ["/both"] = tells },
      websocket = { ["/chat"] = case.echo, ["/both"] = case.echo },
    }
    local answer = t:http(listening, { path = "/chat" })
    assert.same({ 426, "websocket" }, { answer.status, answer.headers.upgrade })
    assert.matches("Upgrade", answer.headers.connection)
    assert.equal(200, t:http(listening, { path = "/both" }).status)
    assert.equal(404, t:http(listening, { path = "/nothing" }).status)
  end))
end)

describe("a request", function()
  it("tells who asks", case(function(t)
    local listening = t:listen { http = function(request)
      return 200, {}, ("%s %s %s"):format(request.remote_address, math.type(request.remote_port), tostring(request.tls))
    end }
    assert.equal("127.0.0.1 integer nil", t:http(listening).body)
  end))

  it("tells upgrade the same", case(function(t)
    local seen
    local listening = t:listen { websocket = case.echo, upgrade = function(request)
      seen = request.remote_address
      return true
    end }
    t:upgrade(listening)
    assert.equal("127.0.0.1", seen)
  end))
end)
