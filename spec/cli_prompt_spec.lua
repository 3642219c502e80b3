-- `weft connect` at a terminal, which script(1) provides.
local case = require "support.case"
local command = require "support.command"
local prompt = require "weft.cli.prompt"
local terminal = require "weft.cli.terminal"

local CLEAR = "\r\27[K"

describe("a line that is typed", function()
  --- A prompt, what is on the screen, and the lines that came of it.
  local function new(columns)
    local screen, lines = {}, {}
    local one = prompt.new(function(text)
      screen[#screen + 1] = text
    end, columns or 80)
    return function(keys, size)
      local ended
      for from = 1, #keys, size or #keys do
        ended = one:type(keys:sub(from, from + (size or #keys) - 1), function(line)
          lines[#lines + 1] = line
          return line ~= "quit"
        end)
      end
      return table.concat(lines, "|"), ended
    end, screen, one
  end

  for name, keys in pairs {
    ["can be deleted from its end"] = { "abcd\127\8x\n", "abx" },
    ["is made of characters"] = { "hé€\127x\n", "héx" },
    ["can be changed within"] = { "helo\27[Dl\n", "hello" },
    ["has a beginning and an end"] = { "bc\1a\5d\27[H<\27[F>\27OH(\27[4~)\n", "(<abcd>)" },
    ["loses what stands after the cursor"] = { "abc\27[D\27[D\27[3~\4\n", "a" },
    ["can be cut on either side"] = { "abc\21def\27[D\11\n", "de" },
    ["can be cut by words"] = { "one two  \23x\n", "one x" },
    ["can be one of those before"] = { "one\ntwo\n\27[A\27[A!\n\16\16\14x\n", "one|two|one!|one!x" },
    ["is not lost by looking back"] = { "one\ntwo\27[A\27[B!\n", "one|two!" },
    ["goes past its ends nowhere"] = { "\127\27[3~\27[D\27[Ca\27[C\27[A\27[B\27[Bb\n", "ab" },
    ["takes no keys of other meaning"] = { "a\27[15~b\27xc\27[1;5Ad\0\7e\n", "abxcde" },
    ["may hold bytes of any kind"] = { "a\xFFb\xC3c\n", "a\xFFb\xC3c" },
    ["ends with CR too"] = { "a\rb\r", "a|b" },
    ["may be empty"] = { "\n\nx\n", "||x" },
  } do
    it(name, function()
      for size = 1, #keys[1] do
        assert.equal(keys[2], (new()(keys[1], size)))
      end
    end)
  end

  it("ends the input with Ctrl-D when it is empty", function()
    assert.same({ "abc", true }, { new() "abc\n\4" })
    assert.same({ "", nil }, { new() "abc\1\4" })
    assert.same({ "quit", false }, { new() "quit\nmore\n" })
  end)

  it("shows as much as there is room for", function()
    local type, screen, one = new(20)
    type(("x"):rep(30) .. "yz")
    assert.equal(CLEAR .. "> " .. ("x"):rep(15) .. "yz", screen[#screen])
    type "\1"
    assert.equal(CLEAR .. "> " .. ("x"):rep(17) .. "\27[17D", screen[#screen])
    one:print "news"
    assert.equal(CLEAR .. "news\n" .. CLEAR .. "> " .. ("x"):rep(17) .. "\27[17D",
                 table.concat(screen, "", #screen - 2))
    type "\21\5\11中中中中中中中中中中"
    assert.equal(CLEAR .. "> " .. ("中"):rep(8), screen[#screen])
  end)
end)

describe("a terminal", function()
  it("is not changed by what a peer sends", function()
    assert.equal("a\tb\nc\\x1B[2J\\x07\\x0D\\x00\\x7F", terminal.harmless "a\tb\nc\27[2J\7\r\0\127")
    assert.equal("héllo €", terminal.harmless "héllo €")
    assert.equal("\\x9B2J", terminal.harmless "\xC2\x9B2J")
    assert.equal("\\xFF\\xC3\\xA9", terminal.harmless "\xFF\xC3\xA9")
  end)
end)

-- Under the sanitizers script(1), which gives us terminals, fails by leaks of its
-- own; what runs in there is Lua and the plain module in any case.
local describe_terminal = os.getenv "ASAN_OPTIONS" and pending or describe

describe_terminal("weft connect at a terminal", function()
  --- The command on a terminal of its own, when its prompt is there.
  local function start(t, arguments)
    local child = command.start(t.weft, {}, { program = command.at_terminal { "connect", table.unpack(arguments) } })
    return child
  end

  it("prompts, and closes at Ctrl-D", case(function(t)
    local server = t:server { websocket = case.echo }
    local child = start(t, { t:url(server) })
    child:wait_for "> "
    child:write "helo\127lo\r"
    child:wait_for "\r\27%[K< hello\r\n"
    child:write "\4"
    local output, _, status = child:wait()
    assert.equal(0, status, output)
    assert.is_truthy(output:find(CLEAR .. "> hello\r\n", 1, true), output)
    assert.is_truthy(output:find(CLEAR .. "weft connect: closed with 1000, cause: local\r\n", 1, true), output)
  end, 25))

  it("keeps what is typed apart from what comes", case(function(t)
    local server = t:server()
    local child = start(t, { t:url(server) })
    local ws = t:accepted()
    child:wait_for "> "
    child:write "half"
    child:wait_for "> half"
    ws:send "news\27[2J"
    child:wait_for "< news\\x1B%[2J\r\n\r\27%[K> half"
    child:write " a line\r"
    assert.equal("half a line", ws:receive(5))
    ws:close(1000, "bye")
    local output, _, status = child:wait()
    assert.equal(0, status, output)
    assert.is_truthy(output:find("closed with 1000 (bye), cause: peer\r\n", 1, true), output)
  end, 25))

  it("closes with 1000 at Ctrl-C", case(function(t)
    local server = t:server()
    local child = start(t, { t:url(server) })
    local ws = t:accepted()
    child:wait_for "> "
    child:write "half\3"
    assert.same({ true, 1000, "" }, { ws:wait_closed(5) })
    local output, _, status = child:wait()
    assert.equal(130, status, output)
    assert.is_truthy(output:find(CLEAR .. "weft connect: closed with 1000", 1, true), output)
  end, 25))

  it("leaves the terminal as it was", case(function(t)
    local server = t:server()
    for _, ending in ipairs { "\4", "\3" } do
      local weft = table.concat(command.at_terminal { "connect", t:url(server) }, " ", 3, 3)
      local child = command.start(t.weft, {}, {
        program = { "script", "-qec", "trap : INT; stty -g; " .. weft .. "; stty -g", "/dev/null" },
      })
      t:accepted()
      child:wait_for "> "
      child:write(ending)
      local output = child:wait()
      local before, after = output:match "^([%w:]+)\r\n.*\n([%w:]+)\r\n$"
      assert.equal(before, after, output)
      assert.is_string(before, output)
    end
  end, 25))

  it("asks for a password that is not shown", case(function(t)
    local server = t:server { websocket = function(ws)
      ws:send(ws.request.headers.authorization)
    end }
    local child = start(t, { t:url(server), "--user", "ana" })
    child:wait_for "Password for ana: "
    child:write "sesame\r"
    local output, _, status = child:wait()
    assert.equal(0, status, output)
    assert.is_nil(output:find("sesame", 1, true), output)
    assert.is_truthy(output:find("Basic " .. (require "mime".b64 "ana:sesame"), 1, true), output)
  end, 25))

  it("can be interrupted instead", case(function(t)
    local child = start(t, { "ws://127.0.0.1:1", "--user", "ana" })
    child:wait_for "Password for ana: "
    child:write "\3"
    local output, _, status = child:wait()
    assert.same({ "Password for ana: \r\n", 130 }, { output, status })
  end, 25))

  it("has no prompt where only one side is a terminal", case(function(t)
    local server = t:server { websocket = case.echo }
    local words = table.concat(command.at_terminal { "connect", t:url(server) }, " ", 3, 3)
    local child = command.start(t.weft, {}, { program = { "script", "-qec", "echo hi | " .. words, "/dev/null" } })
    local output, _, status = child:wait()
    assert.equal(0, status, output)
    assert.matches("^hi\r\nweft connect: closed with 1000", output)
  end, 25))
end)
