-- What the game and its server say to each other: lines of words with tabs
-- between, one a message.  Runs on LÖVE's LuaJIT and on the server's Lua 5.4.
--
--   to the server                       from the server
--   join  NAME                          welcome  ID
--   steer DX DY  (-1, 0 or 1 each)      player   ID COLOUR NAME
--   say   TEXT                          at       ID X Y  ID X Y ...
--                                       said     NAME TEXT
--                                       left     ID
local protocol = {
  WIDTH = 640, HEIGHT = 480, -- of the field
  RADIUS = 12, -- of a dot
  SPEED = 180, -- of a dot, a second
  RATE = 20, -- times a second that the server says where everybody is
  NAME = 16, TEXT = 100, -- characters at most
  COLOURS = {
    { 240, 96, 80 }, { 80, 176, 240 }, { 104, 208, 112 }, { 248, 200, 72 },
    { 184, 128, 240 }, { 248, 144, 56 }, { 72, 208, 200 }, { 240, 128, 184 },
  },
}

function protocol.line(...)
  return table.concat({ ... }, "\t")
end

function protocol.words(line)
  local words = {}
  for word in line:gmatch "[^\t]+" do
    words[#words + 1] = word
  end
  return words
end

--- Text that somebody typed, fit for a line: without control characters and
--- blanks around it, cut to so many characters; nil when nothing is left.
function protocol.clean(text, most)
  text = text:gsub("%c", " "):match "^%s*(.-)%s*$"
  local characters = {}
  for character in text:gmatch "[\1-\127\194-\244][\128-\191]*" do
    if #characters == most then
      break
    end
    characters[#characters + 1] = character
  end
  return characters[1] and table.concat(characters)
end

return protocol
