-- weft.reconnecting: one connection after the other, and how long there is
-- none.
-- luacheck: ignore 512 (loops that are left in their first round)
local case = require "support.case"
local frame = require "support.frame"
local handshake = require "support.handshake"
local patience = require "support.patience"
local raises = require "support.raises"

local SOON = { min_delay = 0.001, max_delay = 0.002 }

--- Options that wait next to nothing, and more.
local function soon(more)
  local options = {}
  for _, from in ipairs { SOON, more or {} } do
    for name, value in pairs(from) do
      options[name] = value
    end
  end
  return options
end

--- A server that answers the nth request by the nth of `answers`: a whole
--- answer, or a number of messages to send on an open connection, which it then
--- closes (`true`: leaves open).  The last one stands for all that follow.
local function server(t, answers)
  local count = 0
  local port = t:serve_raw(function(raw)
    count = count + 1
    local number = count
    local answer = answers[math.min(number, #answers)]
    local request = raw:parsed_head()
    if answer == "" then
      return raw:close()
    elseif type(answer) == "string" then
      raw:send(answer)
    else
      raw:send(handshake.response(request.headers["sec-websocket-key"]))
      for i = 1, tonumber(answer) or 0 do
        raw:send(frame.server.text(number .. "." .. i))
      end
      if answer ~= true then
        raw:send(frame.server.close(1012, "restarting"))
        raw:frame() -- the answer
        return raw:close()
      end
    end
    raw:read_until_closed()
    raw:close()
  end)
  return t:url(port), function() return count end
end

local function status(line, headers)
  return ("HTTP/1.1 %s\r\nContent-Length: 0\r\n%s\r\n"):format(line, headers or "")
end

local UNAVAILABLE = status "503 Service Unavailable"

describe("a loop over weft.reconnecting", function()
  for name, kind in pairs { ["in a task"] = case, ["on the main thread"] = case.blocking } do
    it("gives a new connection whenever one is lost, " .. name, kind(function(t)
      local url, count = server(t, { 2, 1, 0, 2 })
      local messages, seen, previous = {}, 0, nil
      for ws in t.weft.reconnecting(url, soon()) do
        seen = seen + 1
        assert.equal(101, ws.response.status)
        assert.is_true(previous == nil or previous ~= ws and previous.state == "closed")
        previous = ws
        for message in ws:messages() do
          messages[#messages + 1] = message
        end
        if seen == 4 then
          break
        end
      end
      assert.same({ "1.1", "1.2", "2.1", "4.1", "4.2" }, messages)
      assert.equal(4, count())
      assert.is_true((previous:wait_closed(5)))
    end))

    it("closes the connection that it had before it opens the next, " .. name, kind(function(t)
      local open, most, closed = 0, 0, {}
      local listening = t:listen { websocket = function(ws)
        open = open + 1
        most = math.max(most, open)
        ws:send "hello"
        ws:wait_closed()
        closed[#closed + 1] = ws.close_code
        open = open - 1
      end }
      local rounds = 0
      for ws in t.weft.reconnecting(t:url(listening), soon()) do
        rounds = rounds + 1
        assert.equal("hello", ws:receive(5)) -- and no more is asked of it
        if rounds == 3 then
          ws:close()
          break
        end
      end
      t:wait_until(function() return #closed == 3 end, "the third close")
      assert.same({ 1000, 1000, 1000 }, closed)
      assert.equal(1, most)
    end))
  end

  it("goes on after a failure", case(function(t)
    local url, count = server(t, { UNAVAILABLE, "nonsense\r\n\r\n", status "408 Request Timeout", status "429 Slow Down", "", 1 })
    for ws in t.weft.reconnecting(url, soon()) do
      assert.equal("6.1", ws:receive(5))
      break
    end
    assert.equal(6, count())
  end))

  it("waits for a server that is not there yet", case(function(t)
    local port = t:free_port()
    local attempts = 0
    local listening
    for ws in t.weft.reconnecting(t:url(port), soon { on_retry = function(_, message)
      attempts = attempts + 1
      assert.equal(("connect to 127.0.0.1:%d: connection refused"):format(port), message)
      if attempts == 3 then
        listening = t:listen { port = port, reuse_port = true }
      end
    end }) do
      assert.equal("open", ws.state)
      break
    end
    assert.equal(3, attempts)
    assert.equal(1, #{ listening })
  end))

  it("does not mix up two of them", case(function(t)
    local listening = t:listen { websocket = case.echo }
    local a = t.weft.reconnecting(t:url(listening, "/a"))
    local b = t.weft.reconnecting(t:url(listening, "/b"))
    local one, other = a(), b()
    assert.same({ "/a", "/b" }, { one.request.path, other.request.path })
    one:close()
    other:close()
  end))
end)

describe("weft.reconnecting that cannot go on", function()
  --- What it raises.
  local function raised(t, url, options)
    local message
    local function loop()
      message = raises(function()
        for _ in t.weft.reconnecting(url, options) do
          error "there is no connection"
        end
      end)
    end
    loop()
    return message:match "^.-:%d+: (.*)$"
  end

  it("raises the message of a bad URL, when the loop begins", case(function(t)
    assert.matches("^bad URL: ", raised(t, "nowhere"))
    assert.is_function(t.weft.reconnecting "nowhere")
  end))

  for _, line in ipairs { "400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found", "499 Gone" } do
    it("raises for a " .. line, case(function(t)
      local url, count = server(t, { line ~= "404 Not Found" and status(line) or UNAVAILABLE, status(line) })
      assert.equal("handshake refused: " .. line, raised(t, url, soon()))
      assert.equal(line == "404 Not Found" and 2 or 1, count())
    end))
  end

  it("raises for a certificate that nobody trusts", case(function(t)
    local listening = t:listen { tls = "self-signed" }
    local _, why, code = t.weft.connect(listening:url())
    assert.equal("tls", code)
    assert.equal(why, raised(t, listening:url(), soon()))
  end))

  for _, line in ipairs { "302 Found", "408 Timeout", "429 Slow Down", "500 Oops", "503 Unavailable" } do
    it("goes on after a " .. line .. ", as often as max_attempts says", case(function(t)
      local url, count = server(t, { status(line) })
      assert.equal("handshake refused: " .. line, raised(t, url, soon { max_attempts = 4 }))
      assert.equal(4, count())
    end))
  end

  it("counts the attempts since a connection was open", case(function(t)
    local url, count = server(t, { UNAVAILABLE, UNAVAILABLE, 0, UNAVAILABLE, UNAVAILABLE, UNAVAILABLE })
    local seen, ok, err = 0, pcall(function()
      for _ in t.weft.reconnecting(url, soon { max_attempts = 3 }) do end
    end)
    assert.same({ 0, false }, { seen, ok })
    assert.is_truthy(err:find("503", 1, true))
    assert.equal(6, count())
  end))

  it("ends the loop instead when there is a `retry`", case(function(t)
    local url, count = server(t, { status "404 Not Found" })
    local asked = {}
    for _ in t.weft.reconnecting(url, soon { retry = function(...)
      asked[#asked + 1] = table.pack(...)
      return #asked < 3
    end }) do
      error "there is no connection"
    end
    assert.equal(3, count())
    for i, call in ipairs(asked) do
      assert.same({ 4, "handshake refused: 404 Not Found", "handshake", i }, { call.n, call[1], call[2], call[3] })
      assert.equal(404, call[4].status)
    end
  end))

  it("asks `retry` about everything, with a response or without", case(function(t)
    local codes = {}
    for _, url in ipairs { "nowhere", t:url(t:free_port()), "ws://" .. ("x"):rep(64) .. ".invalid/" } do
      for _ in t.weft.reconnecting(url, soon { retry = function(_, code, attempt, response)
        codes[#codes + 1] = code
        assert.same({ 1, nil }, { attempt, response })
      end }) do
        error "there is no connection"
      end
    end
    assert.same({ "url", "refused", "dns" }, codes)
  end))

  it("ends the loop after max_attempts, whatever `retry` says, and has asked it", case(function(t)
    local url, count = server(t, { UNAVAILABLE })
    local attempts = {}
    for _ in t.weft.reconnecting(url, soon { max_attempts = 2, retry = function(_, _, attempt)
      attempts[#attempts + 1] = attempt
      return true
    end }) do
      error "there is no connection"
    end
    assert.same({ 1, 2 }, attempts)
    assert.equal(2, count())
  end))

  it("passes on the errors of its functions", case(function(t)
    local url = server(t, { UNAVAILABLE })
    for _, name in ipairs { "retry", "on_retry" } do
      local ok, err = pcall(function()
        for _ in t.weft.reconnecting(url, soon { [name] = function() error("mine", 0) end }) do end
      end)
      assert.same({ false, "mine" }, { ok, err })
    end
  end))

  it("stays ended", case(function(t)
    local step = t.weft.reconnecting("nowhere", { retry = function() end })
    assert.is_nil(step())
    assert.is_nil(step())
    step = t.weft.reconnecting "nowhere"
    assert.is_false((pcall(step)))
    assert.is_nil(step())
  end))
end)

describe("the delays of weft.reconnecting", function()
  --- The delays it draws: `count` of them, after failures by refusal.
  local function delays(t, count, options)
    local url = server(t, { options.answer or UNAVAILABLE })
    local drawn = {}
    options.answer = nil
    options.max_attempts = count + 1
    options.on_retry = function(delay, message)
      drawn[#drawn + 1] = delay
      assert.is_string(message)
    end
    options.retry = function() return true end
    for _ in t.weft.reconnecting(url, options) do
      error "there is no connection"
    end
    assert.equal(count, #drawn)
    return drawn
  end

  it("are drawn from 0 to a ceiling that doubles up to max_delay", case(function(t)
    local most = { 0, 0, 0, 0, 0 }
    local least = { 1, 1, 1, 1, 1 }
    for _ = 1, 25 do
      for i, delay in ipairs(delays(t, 5, { min_delay = 0.001, max_delay = 0.004 })) do
        most[i], least[i] = math.max(most[i], delay), math.min(least[i], delay)
      end
    end
    for i, ceiling in ipairs { 0.001, 0.002, 0.004, 0.004, 0.004 } do
      assert.is_true(most[i] <= ceiling)
      assert.is_true(most[i] > ceiling * 0.4, "of 25 draws one is above four tenths")
      assert.is_true(least[i] < ceiling * 0.6, "and one below six tenths")
      assert.is_true(least[i] >= 0)
    end
  end, 20))

  it("are waited for, and there is none before the first attempt", case(function(t)
    local url = server(t, { UNAVAILABLE })
    local began = t.weft.now()
    local first, total
    for _ in t.weft.reconnecting(url, {
      min_delay = 0.05, max_delay = 0.1, max_attempts = 4,
      on_retry = function(delay)
        first = first or t.weft.now() - began
        total = (total or 0) + delay
      end,
      retry = function() return true end,
    }) do
      error "there is no connection"
    end
    assert.is_true(t.weft.now() - began >= total)
    assert.is_true(first < patience(1))
  end))

  it("do not touch math.random", case(function(t)
    math.randomseed(7)
    local expected = { math.random(), math.random() }
    math.randomseed(7)
    local got = { math.random() }
    delays(t, 3, { min_delay = 0.0001 })
    got[2] = math.random()
    assert.same(expected, got)
  end))

  --- The largest delay before each round, in so many loops of so many rounds,
  --- each of which lasts so many seconds.
  local function rounds(t, loops, count, lasting, options)
    local url = server(t, { lasting and true or 0 })
    local most = {}
    for i = 1, count do
      most[i] = 0
    end
    for _ = 1, loops do
      local round = 0
      options.on_retry = function(delay, message)
        assert.is_string(message)
        most[round] = math.max(most[round], delay)
      end
      options.close_timeout = 0.001
      for ws in t.weft.reconnecting(url, options) do
        round = round + 1
        if lasting then
          t.weft.sleep(lasting)
        else
          ws:receive(5)
        end
        if round > count then
          break
        end
      end
    end
    return most
  end

  it("grow with connections that do not last", case(function(t)
    local most = rounds(t, 12, 4, nil, { min_delay = 0.001, max_delay = 1 })
    assert.is_true(most[1] <= 0.001 and most[4] <= 0.008)
    assert.is_true(most[4] > 0.002, "of 12 draws up to 0.008 one is above 0.002")
  end, 20))

  it("begin anew after one that lasted as long as max_delay", case(function(t)
    local most = rounds(t, 2, 8, 0.012, { min_delay = 0.001, max_delay = 0.01 })
    for i = 1, 8 do
      assert.is_true(most[i] <= 0.001, most[i])
    end
  end, 20))

  it("say why a connection was lost", case(function(t)
    local url = server(t, { 0 })
    local why
    for ws in t.weft.reconnecting(url, soon { on_retry = function(_, message) why = message end }) do
      if why then
        break
      end
      ws:receive(5)
    end
    assert.equal("the peer closed the connection (1012, restarting)", why)
  end))

  for _, line in ipairs { "429 Slow Down", "503 Service Unavailable" } do
    it("are as long as a " .. line .. " asks for, up to max_delay", case(function(t)
      local answer = status(line, "Retry-After: 60\r\n")
      for _, delay in ipairs(delays(t, 3, { min_delay = 0.001, max_delay = 0.01, answer = answer })) do
        assert.equal(0.01, delay)
      end
      local url = server(t, { status(line, "retry-after: 20\r\n") })
      local drawn
      local ok, err = pcall(function()
        for _ in t.weft.reconnecting(url, { min_delay = 0.01, on_retry = function(delay)
          drawn = delay
          error("seen", 0) -- instead of waiting for it
        end }) do
          error "there is no connection"
        end
      end)
      assert.same({ false, "seen" }, { ok, err })
      assert.is_true(drawn >= 20 and drawn <= 20.01, drawn)
    end))
  end

  for what, answer in pairs {
    ["another status"] = status("500 Oops", "Retry-After: 60\r\n"),
    ["a date"] = status("503 Oops", "Retry-After: Fri, 31 Dec 2999 23:59:59 GMT\r\n"),
    ["less than nothing"] = status("503 Oops", "Retry-After: -5\r\n"),
  } do
    it("take no notice of Retry-After with " .. what, case(function(t)
      local longest = 0
      for _ = 1, 5 do
        longest = math.max(longest, delays(t, 1, { min_delay = 0.001, max_delay = 60, answer = answer })[1])
      end
      assert.is_true(longest <= 0.001)
    end))
  end
end)

describe("a cancelled task", function()
  --- Cancels a task that loops once a condition holds; what it went through.
  local function cancelled(t, url, options, body, condition)
    local over, after = false, nil
    local task = t.weft.spawn(function()
      for ws in t.weft.reconnecting(url, options) do
        body(ws)
      end
      over = true
      after = t.weft.now()
    end)
    t:wait_until(condition, "the place to cancel at")
    task:cancel()
    task:join(patience(5))
    return over, task:status(), after
  end

  it("leaves the loop while it waits for the next attempt", case(function(t)
    local waiting = false
    local over, ended = cancelled(t, t:url(t:free_port()), { min_delay = 600, max_delay = 6000, on_retry = function()
      waiting = true
    end }, print, function() return waiting end)
    assert.same({ true, "done" }, { over, ended })
  end))

  it("leaves the loop while it connects", case(function(t)
    local asked, ending = false, nil
    local port = t:serve_raw(function(raw)
      raw:head()
      asked = true
      ending = select(2, raw:read_until_closed())
    end)
    local over, ended = cancelled(t, t:url(port), {}, print, function() return asked end)
    assert.same({ true, "done" }, { over, ended })
    t:wait_until(function() return ending end, "the end of the attempt")
  end))

  it("does not ask `retry` about it", case(function(t)
    local asked = false
    local port = t:serve_raw(function(raw)
      raw:head()
      asked = true
      raw:read_until_closed()
    end)
    local over = cancelled(t, t:url(port), { retry = function() error "asked" end }, print, function() return asked end)
    assert.is_true(over)
  end))

  it("leaves the loop while it has a connection", case(function(t)
    local listening = t:listen()
    local had
    local over = cancelled(t, t:url(listening), {}, function(ws)
      had = ws
      ws:receive()
    end, function() return had end)
    assert.is_false(over) -- it was in the body: the second wait raised
    had:abort() -- before Lua 5.4 the loop does not
    assert.equal(0, #t:reports())
  end))

  it("leaves the loop while it closes a connection, which is dropped then", case(function(t)
    local url = server(t, { true })
    local had
    local over, ended = cancelled(t, url, { close_timeout = 60 }, function(ws) had = ws end, function()
      return had and had.state == "closing"
    end)
    assert.same({ true, "done" }, { over, ended })
    assert.equal("closed", had.state)
  end))
end)

describe("a mistake in weft.reconnecting", function()
  it("raises when it is called, not when the loop begins", case(function(t)
    local url = "ws://127.0.0.1:1/"
    local function refused(options, ...)
      raises(function() t.weft.reconnecting(url, options) end, "weft.reconnecting: ", ...)
    end
    raises(function() t.weft.reconnecting() end, "weft.reconnecting: argument 'url'")
    raises(function() t.weft.reconnecting(url .. "\r\n") end, "weft.reconnecting: argument 'url'", "CR")
    refused("x", "argument 'options'")
    refused({ min_delay = 0 }, "option 'min_delay'", "above 0")
    refused({ max_delay = -1 }, "option 'max_delay'")
    refused({ max_attempts = 0 }, "option 'max_attempts'")
    refused({ retry = true }, "option 'retry'")
    refused({ on_retry = {} }, "option 'on_retry'")
    refused({ max_dealy = 1 }, "unknown option 'max_dealy'", "'max_delay'")
    refused({ events = { message = print } }, "unknown option 'events'")
    refused({ headers = { Host = "x" } }, "option 'headers'", "Host")
    refused({ timeout = "x" }, "option 'timeout'")
  end))

  it("raises where one cannot wait, when the loop begins", case(function(t)
    local listening = t:listen()
    local step = t.weft.reconnecting(t:url(listening))
    local ok, err = coroutine.resume(coroutine.create(step))
    assert.is_false(ok)
    assert.is_truthy(err:find("weft.spawn", 1, true), err)
  end))

  it("raises on a closed instance", case(function(t)
    local other = require "weft".new()
    other.close()
    assert.has_error(function() other.reconnecting "ws://127.0.0.1:1/" end)
    assert.is_function(t.weft.reconnecting "ws://127.0.0.1:1/")
  end))
end)
