--- How long to wait for what ought to happen at once: seconds, stretched where
--- the build or the collector is slow (sanitizers, RESTLESS).
local factor = (os.getenv "SANITIZED" or "") ~= "" and 4 or (os.getenv "RESTLESS" or "") ~= "" and 6 or 1

---@param seconds number
---@return number
return function(seconds)
  return seconds * factor
end
