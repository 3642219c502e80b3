--- What the command line needs of a terminal, by the system's own tools.
--- Internal.

local compat = require "weft.compat"
local core = require "weft.core"

local terminal = {}

--- Whether a descriptor (0, 1, 2) is a terminal.
---@param fd integer
---@return boolean
function terminal.is(fd)
  return compat.execute(("test -t %d"):format(fd))
end

-- The first line that a shell script prints, or nil.
local function line_of(script)
  local pipe = io.popen(script)
  local line = pipe and pipe:read("*l")
  if pipe then
    pipe:close()
  end
  return line
end

--- Makes stdin give each key as it is pressed and echo none. Returns a function
--- that puts it back as it was, and how many columns there are; nil when that
--- is impossible.
---@return function|nil restore
---@return integer? columns
function terminal.keys()
  local before = line_of("stty -g 2>/dev/null")
  if not before or not before:find("^[%w:=]+$")
     or not compat.execute("stty -icanon -echo min 1 time 0 2>/dev/null") then
    return nil
  end
  local size = line_of("stty size 2>/dev/null") or ""
  local columns = tonumber(size:match(" (%d+)$") or 0)
  return function()
    os.execute("stty " .. before .. " 2>/dev/null")
  end, columns >= 20 and columns or 80
end

local ask = [[
exec 2>/dev/null </dev/tty || exit
trap 'stty echo; echo >/dev/tty; exit' INT TERM HUP
stty -echo && printf '%%s' '%s' >/dev/tty && IFS= read -r answer
stty echo
echo >/dev/tty
printf '%%s\n' "$answer"
]]

--- Asks whoever sits at the terminal, wherever stdin and stdout lead, for
--- something that is not shown. Nil without a terminal or an answer.
---@param question string
---@return string|nil
function terminal.ask_secret(question)
  local answer = line_of(ask:format((question:gsub("['%c]", "?"))))
  return answer ~= "" and answer or nil
end

--- Text that cannot change the state of a terminal: control characters and
--- bytes that are no UTF-8 are written out as \xNN. Tabs and line ends stay.
---@param text string
---@return string
function terminal.harmless(text)
  local function escape(byte)
    return ("\\x%02X"):format(byte:byte())
  end
  text = text:gsub("[%z\1-\8\11-\31\127]", escape)
  if not core.is_utf8(text) then
    return (text:gsub("[\128-\255]", escape))
  end
  return (text:gsub("\194[\128-\159]", function(control) -- 8-bit ones, in UTF-8
    return escape(control:sub(2))
  end))
end

return terminal
