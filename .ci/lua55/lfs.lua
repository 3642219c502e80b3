-- What the specs ask of lfs, by the system's own tools, for a Lua that has no lfs.
local lfs = {}

-- By a file: this process may still hold both ends of a pipe when a tool looks at
-- its descriptors.
local function lines_of(command)
  local path, lines = os.tmpname(), {}
  os.execute(command .. " >" .. path .. " 2>/dev/null")
  for line in io.lines(path) do
    lines[#lines + 1] = line
  end
  os.remove(path)
  return lines
end

-- Of this process, whose child the shell is.
local function quote(path)
  local text = path:gsub("^/proc/self/", "/proc/$PPID/", 1)
  return '"' .. text:gsub('(["`\\])', "\\%1") .. '"'
end

function lfs.attributes(path, name)
  local said = lines_of("stat -L -c '%s %i %Y %a %F' " .. quote(path))[1]
  if not said then
    return nil, path .. ": No such file or directory"
  end
  local size, inode, modified, mode, kind = said:match "^(%d+) (%d+) (%d+) (%d+) (.*)$"
  local all = {
    size = tonumber(size), ino = tonumber(inode), modification = tonumber(modified), permissions = mode,
    mode = kind:find "^regular" and "file" or kind,
  }
  if name then
    return all[name]
  end
  return all
end

function lfs.dir(path)
  local names, i = lines_of("ls -a " .. quote(path)), 0
  return function()
    i = i + 1
    return names[i]
  end
end

function lfs.mkdir(path)
  return os.execute("mkdir 2>/dev/null " .. quote(path)) == true
end

function lfs.rmdir(path)
  return os.execute("rmdir " .. quote(path)) == true
end

function lfs.link(old, new, symbolic)
  return os.execute("ln " .. (symbolic and "-s " or "") .. quote(old) .. " " .. quote(new)) == true
end

function lfs.touch(path, _, modified)
  return os.execute(("touch -m -d @%d %s"):format(modified or os.time(), quote(path))) == true
end

function lfs.currentdir()
  return lines_of("pwd")[1]
end

return lfs
