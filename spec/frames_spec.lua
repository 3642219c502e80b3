--- A program that draws frames, and does with weft what docs/embedding.md says.
local weft = require "weft"
local case = require "support.case"
local patience = require "support.patience"

local LIMITS = { seconds = 0.002 }

--- Frames until the condition holds.
local function frames_until(t, holds, update)
  local deadline = weft.now() + patience(5)
  while not holds() do
    t.weft.step(0, LIMITS)
    if update then
      update()
    end
    assert(weft.now() < deadline, "it never happened")
  end
end

--- A server that closes each connection after two messages.
local function fickle(t)
  return t:listen { websocket = function(ws)
    ws:send("you are number " .. ws.request.path:sub(2))
    ws:receive()
    ws:receive()
  end }
end

describe("a program of frames", function()
  it("comes back with weft.reconnecting in a task", case.blocking(function(t)
    local server = fickle(t)
    local inbox, ws = {}, nil
    local task = t.weft.spawn(function()
      for connection in t.weft.reconnecting(server:url() .. "/1", { min_delay = 0.001 }) do
        ws = connection
        for message in ws:messages() do
          table.insert(inbox, message)
        end
        ws = nil
      end
    end)
    frames_until(t, function() return #inbox >= 3 end, function()
      if ws then
        ws:try_send "my position"
      end
    end)
    assert.equal("you are number 1", inbox[3])
    task:cancel()
    frames_until(t, function() return task:status() == "cancelled" or task:status() == "done" end)
    if ws then
      ws:abort()
    end
  end))

  it("comes back with events, once for each end", case.blocking(function(t)
    local server = fickle(t)
    local refusing = "ws://127.0.0.1:" .. t:free_port()
    local opened, closed, failed = 0, 0, 0
    local ws
    local function connect(delay)
      local function again()
        if opened < 3 then
          t.weft.spawn(function()
            t.weft.sleep(delay)
            connect(math.min(delay * 2, 0.01))
          end)
        end
      end
      -- every other attempt meets nobody
      local url = (closed % 2 == 0) and refusing or server:url() .. "/2"
      t.weft.connect(url, { events = {
        open = function(connection)
          ws, delay = connection, 0.001
          opened = opened + 1
        end,
        message = function() end,
        close = function()
          ws = nil
          closed = closed + 1
          again()
        end,
        error = function() failed = failed + 1 end,
      } })
    end
    connect(0.001)
    frames_until(t, function() return closed == 6 end, function()
      if ws then
        ws:try_send "my position"
      end
    end)
    assert.same({ 3, 3 }, { opened, failed })
  end))

  it("blocks on no name", case.blocking(function(t)
    local word
    t.weft.connect("ws://no-such-host.invalid/", { events = {
      error = function(_, _, code) word = code end,
    } })
    assert.is_nil(word)
    frames_until(t, function() return word end)
    assert.equal("dns", word)
  end))
end)
