--- The command line: `weft COMMAND ...`.  Internal; bin/weft calls it.

local weft = require "weft"
local compat = require "weft.compat"

local usage = [[
usage: weft COMMAND [OPTION]...

  weft echo             an echo server
  weft serve DIR        the files of a directory, and a room of WebSockets
  weft connect URL      lines of stdin out, messages in; a prompt at a terminal
  weft bench URL        load an echo server: messages a second, latency
  weft COMMAND --help   the options of a command
  weft help             this page
  weft --version
]]

local commands = {
  echo = "weft.cli.echo",
  serve = "weft.cli.serve",
  connect = "weft.cli.connect",
  bench = "weft.cli.bench",
}

-- What is wrong with a command line: on stderr, exit status 2.
local function misuse(name, message)
  io.stderr:write(name, ": ", message, " (see ", name, " --help)\n")
  return 2
end

-- An option that does not exist, without what may be its value: that may be a
-- password ("-uana:sesame").
local function unknown(word)
  return "unknown option " .. (word:match("^%-%-[%w-]*") or word:sub(1, 2))
end

-- Sorts arguments into options and the rest.  An option is a table of `key`,
-- `value` (a function from the text to a value, or nil when it is no good),
-- `expected`, `list` (may come more than once).
local function parse(options, arguments, from)
  local values, rest = {}, {}
  local i = from
  while i <= #arguments do
    local word = arguments[i]
    local name, text = word:match("^(%-%-[^=]+)=(.*)$")
    local option = options[name or word]
    if word == "--" then
      compat.move(arguments, i + 1, #arguments, #rest + 1, rest)
      break
    elseif word == "-" or word:sub(1, 1) ~= "-" then
      rest[#rest + 1] = word
    elseif not option then
      return nil, unknown(word)
    elseif not option.value then
      if text then
        return nil, "option " .. name .. " takes no value"
      end
      values[option.key] = true
    else
      if not text then
        i = i + 1
        text = arguments[i]
      end
      local value = text and option.value(text)
      if value == nil then
        return nil, ("option %s: expected %s"):format(name or word, option.expected)
      elseif option.list then
        values[option.key] = values[option.key] or {}
        table.insert(values[option.key], value)
      else
        values[option.key] = value
      end
    end
    i = i + 1
  end
  return values, rest
end

--- Runs a command line; returns the exit status: 0, 1 for a failure, 2 for a
--- command line that is wrong.
---@param arguments string[]
---@return integer
return function(arguments)
  local name = arguments[1]
  if name == "help" or name == "--help" or name == "-h" then
    io.stdout:write(usage)
    return 0
  elseif name == "--version" then
    print(weft._VERSION)
    return 0
  elseif not name then
    return misuse("weft", "expected a command")
  elseif not commands[name] then
    return misuse("weft", "unknown command " .. name)
  end

  local command = require(commands[name])
  for i = 2, #arguments do
    if arguments[i] == "--help" then
      io.stdout:write(command.usage)
      return 0
    elseif arguments[i] == "--" then
      break
    end
  end
  local values, rest = parse(command.options, arguments, 2)
  if not values then
    return misuse("weft " .. name, rest)
  elseif #rest ~= command.arguments then
    -- not quoted: one too many may be a password
    local what = #rest > command.arguments and ", got " .. #rest or ""
    return misuse("weft " .. name, "expected " .. command.expected .. what)
  end
  return command.run(weft, values, compat.unpack(rest))
end
