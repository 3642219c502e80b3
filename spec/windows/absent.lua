--- What weft does not have on Windows says so; run by run.lua.
local case = require "support.case"
local weft = require "weft"

describe("on Windows", function()
  it("the poller is WSAPoll", case(function(t)
    assert.equal("wsapoll", t.weft.loop:backend())
    assert.same({ nil, "unsupported" }, { t.weft.fd() })
  end))

  it("a server has no TLS", case(function(t)
    local server, why, code = t.weft.listen { port = 0, tls = "self-signed", websocket = case.echo }
    assert.same({ nil, "this build of weft has no TLS", "tls" }, { server, why, code })
  end))

  it("nor has a client", case(function(t)
    local ws, why, code = t.weft.connect "wss://127.0.0.1:9/"
    assert.same({ nil, "this build of weft has no TLS", "tls" }, { ws, why, code })
  end))

  it("there are no Unix-domain sockets", case(function(t)
    local server, why, code = t.weft.listen { unix = "weft.sock", websocket = case.echo }
    assert.same({ nil, "listen on weft.sock: not supported on Windows", "system" }, { server, why, code })
    local ws
    ws, why, code = t.weft.connect("ws://localhost/", { unix = "weft.sock" })
    assert.same({ nil, "connect to weft.sock: not supported on Windows", "system" }, { ws, why, code })
  end))

  it("ports are not shared, and sockets not inherited", case(function(t)
    local server, why = t.weft.listen { port = 0, reuse_port = true, websocket = case.echo }
    assert.same({ nil, "listen on 127.0.0.1:0: not supported on Windows" }, { server, why })
    server, why = t.weft.listen { fd = 3, websocket = case.echo }
    assert.same({ nil, "listen on descriptor 3: not supported on Windows" }, { server, why })
  end))

  it("weft.serve has no workers", function()
    local ok, why = pcall(weft.serve, { port = 0, workers = 2, websocket = case.echo })
    assert.is_false(ok)
    assert.matches("weft%.serve: option 'workers': not supported on Windows", why)
  end)

  it("only sockets are waited for", case(function(t)
    local ok, why = pcall(t.weft.wait, 0, "r", 0)
    assert.is_false(ok)
    assert.matches("weft%.wait: descriptor 0: Not a socket", why)
  end))
end)
