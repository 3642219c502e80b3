--- What was handed to this process: the listening sockets of systemd's socket
--- activation, sd_listen_fds(3).  Internal.

local core = require "weft.core"

local inherited = {}

local FIRST, MOST = 3, 1024

local function number(name)
  local text = os.getenv(name) or ""
  return text:find("^%d+$") and tonumber(text) or nil
end

--- The descriptors, if the environment says that they are this process's, in
--- order; and the first one of each name.
---@return integer[]
---@return table<string, integer>
function inherited.descriptors()
  local list, by_name = {}, {}
  if number("LISTEN_PID") ~= core.pid() then
    return list, by_name -- our parent's, perhaps
  end
  for i = 1, math.min(number("LISTEN_FDS") or 0, MOST) do
    list[i] = FIRST + i - 1
  end
  local i = 0
  for name in (os.getenv("LISTEN_FDNAMES") or ""):gmatch("[^:]+") do
    i = i + 1
    by_name[name] = by_name[name] or list[i]
  end
  return list, by_name
end

return inherited
