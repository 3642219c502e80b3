--- What specs look at in server:stats().
local stats = {}

--- Those of a table's counts that are not 0.
---@param counts table
---@return table
function stats.counted(counts)
  local found = {}
  for name, count in pairs(counts) do
    found[name] = count ~= 0 and count or nil
  end
  return found
end

--- Waits until so many WebSockets and event streams have ended; the stats then.
---@param t Case
---@param server weft.Server
---@param count? integer 1
---@return weft.Stats
function stats.ended(t, server, count)
  return t:wait_until(function()
    local now = server:stats()
    return now.closed == (count or 1) and now
  end, "the end")
end

return stats
