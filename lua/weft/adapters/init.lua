--- `weft.adapters`: the module for a host's loop is loaded, and with it the
--- host's library, when its name is first read.  Internal.
local attachment = require "weft.adapters.attachment"

local adapters = {}

local names = { copas = true, cqueues = true, luasocket = true, luv = true }

local function load_adapter(name, level)
  if not names[name] then
    error("weft.adapters." .. tostring(name) .. ": there is no such adapter, only"
          .. " copas, cqueues, luasocket and luv", level + 1)
  end
  local ok, adapter = pcall(require, "weft.adapters." .. name)
  if not ok then
    error("weft.adapters." .. name .. ": its library cannot be loaded: "
          .. tostring(adapter), level + 1)
  end
  return adapter
end

--- The table of an instance's adapters.
---@param weft weft
---@param attached table<weft.Attachment, boolean> where attachments stand until they are closed
---@return weft.Adapters
function adapters.new(weft, attached)
  return setmetatable({}, {
    __index = function(self, name)
      local make = attachment.maker(weft, attached)
      local adapter = load_adapter(name, 2)(weft, make)
      rawset(self, name, adapter)
      return adapter
    end,
  })
end

--- Closes them all.
---@param attached table<weft.Attachment, boolean>
function adapters.close(attached)
  local one = next(attached)
  while one do
    one:close()
    one = next(attached)
  end
end

return adapters
