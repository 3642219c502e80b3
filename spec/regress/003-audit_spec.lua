-- What an audit against the contract found, each by a script that failed.
local case = require "support.case"

--- A server that answers each handshake with these bytes and stays open.
local function answering(t, bytes)
  return t:serve_raw(function(raw)
    raw:parsed_head()
    raw:send(bytes)
    raw:read_until_closed()
  end)
end

describe("a refusal whose connection stays open", function()
  local function refused(t, bytes)
    local begin = t.weft.now()
    local ws, message, code, response = t.weft.connect(t:url(answering(t, bytes)), { timeout = 8 })
    assert.is_nil(ws)
    assert.equal("handshake", code)
    assert.is_true(t.weft.now() - begin < 4)
    return message, response
  end

  it("ends with the last chunk, and gives the body without its framing", case(function(t)
    local message, response = refused(t, "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n"
      .. "5;x=y\r\nhello\r\nA\r\n, stranger\r\n0\r\n\r\n")
    assert.equal("handshake refused: 403 Forbidden", message)
    assert.equal("hello, stranger", response.body)
  end))

  it("ends with the head when there can be no body", case(function(t)
    local _, response = refused(t, "HTTP/1.1 204 No Content\r\n\r\n")
    assert.same({ 204, "" }, { response.status, response.body })
  end))

  it("ends with what Content-Length announces", case(function(t)
    local _, response = refused(t, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 3\r\n\r\nwho?")
    assert.equal("who", response.body)
  end))

  it("ends at the bound", case(function(t)
    local _, response = refused(t, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 60000\r\n\r\n" .. ("x"):rep(60000))
    assert.equal(16 * 1024, #response.body)
  end))

  it("ends at chunks that are none", case(function(t)
    local _, response = refused(t, "HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nzebra\r\n")
    assert.equal("hi", response.body)
  end))
end)

describe("a peer that is no WebSocket server", function()
  it("is named in the message", case(function(t)
    local port = t:serve_raw(function(raw)
      raw:send("SSH-2.0-OpenSSH_9.2p1\r\n")
      raw:read_until_closed()
    end)
    local ws, message, code = t.weft.connect(t:url(port))
    assert.is_nil(ws)
    assert.equal("handshake", code)
    assert.is_truthy(message:find("connect to 127.0.0.1:" .. port .. ": no WebSocket handshake: ", 1, true))
  end))
end)

describe("why a connection ended", function()
  it("is the timeout, whichever way that was given", case(function(t)
    for _, how in ipairs { "option", "argument" } do
      local port = t:serve_upgraded(function(raw)
        raw:read_until_closed(5)
      end)
      local ws = t:connect(port, how == "option" and { close_timeout = 0.05 } or nil)
      assert.same({ nil, "timeout" }, { ws:close(1000, "", how == "argument" and 0.05 or nil) })
      assert.equal("timeout", ws.close_cause)
    end
  end))

  it("is the writer that was left, not the handler", case(function(t)
    local ws = t.weft.pair()
    local function leave()
      ws:writer():write "unfinished"
    end
    leave()
    collectgarbage()
    collectgarbage()
    t.weft.sleep(0.01)
    assert.matches("writer", ws.close_message)
  end))

  it("is max_message where that alone was set", case(function(t)
    local ws, peer = t.weft.pair { max_message = 10 }
    peer:send(("x"):rep(11))
    ws:receive(5)
    assert.matches("max_message", ws.close_message)
    peer:wait_closed(5)
    ws:wait_closed(5)
  end))
end)

describe("receive(0) on the main thread", function()
  it("looks at the network, so polling gets there", case.blocking(function(t)
    local echo = t:listen { websocket = case.echo }
    local ws = t:connect(echo)
    ws:send "polled"
    local message
    local over = t.weft.now() + 5
    while not message and t.weft.now() < over do
      message = ws:receive(0)
    end
    assert.equal("polled", message)
  end))
end)
