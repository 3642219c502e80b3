-- How long frames take: a line for each in a file that is written at the end.
-- Milliseconds: the whole frame, and of that what weft.step() took.
local frames = {}
frames.__index = frames

function frames.new(path)
  return setmetatable({ path = path, lines = {} }, frames)
end

function frames:add(frame, step)
  if self.path then
    self.lines[#self.lines + 1] = ("%.3f\t%.3f\n"):format(frame * 1000, step * 1000)
  end
end

function frames:write()
  if self.path then
    local file = assert(io.open(self.path, "w"))
    file:write(table.concat(self.lines))
    file:close()
  end
end

return frames
