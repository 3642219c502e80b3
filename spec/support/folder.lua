--- A folder of files for a spec, away again after it.
---
---     local place = folder.make { ["www/a.txt"] = "text", ["www/sub/"] = true }
---     place:link("../secret", "www/link")
---     place:remove()
local lfs = require "lfs"

local folder = {}

---@class Folder
---@field path string
local methods = {}
methods.__index = methods

--- Where a file of it is.
---@param name string
---@return string
function methods:at(name)
  return self.path .. "/" .. name
end

--- Writes a file, whole, and the folders on the way; a name that ends with a
--- slash is a folder.
---@param name string
---@param text string|true
function methods:write(name, text)
  for at in name:gmatch "()/" do
    lfs.mkdir(self:at(name:sub(1, at - 1)))
  end
  if text ~= true then
    local file = assert(io.open(self:at(name), "wb"))
    assert(file:write(text))
    file:close()
  end
end

--- Sets when a file was changed.
---@param name string
---@param seconds integer
function methods:touch(name, seconds)
  assert(lfs.touch(self:at(name), seconds, seconds))
end

--- Makes a symbolic link to `target`.
---@param target string
---@param name string
function methods:link(target, name)
  assert(lfs.link(target, self:at(name), true))
end

--- Runs a shell command in it, without the sanitizers that may be preloaded here.
---@param command string
function methods:run(command)
  assert(os.execute(("unset LD_PRELOAD; cd %s && { %s; }"):format(self.path, command)))
end

--- Removes it with all that is in it.
function methods:remove()
  assert(self.path:find "^/%w")
  os.execute("rm -rf " .. self.path)
end

--- Makes one, with these files.
---@param files? table<string, string|true>
---@return Folder
function folder.make(files)
  local path = os.tmpname()
  os.remove(path)
  assert(lfs.mkdir(path))
  local self = setmetatable({ path = path }, methods)
  for name, text in pairs(files or {}) do
    self:write(name, text)
  end
  return self
end

return folder
