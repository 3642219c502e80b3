std = "min" -- what all Luas have
cache = false
color = false
max_line_length = 160
self = false -- a method may ignore its object
files["spec"] = { std = "lua54+busted" } -- see spec/support/older.lua
files["examples/love"] = { std = "+luajit+love" } -- which LÖVE runs
files["spec/love/drive.lua"] = { std = "+luajit+love" }
files["spec/support/bits.lua"] = { std = "max" }
files["spec/support/older.lua"] = { std = "max" }
files[".ci"] = { std = "lua54" }
files["docs"] = { std = "lua54" }
files["bench"] = { std = "lua54" }
files["lua/weft/compat.lua"] = { std = "max" }
files["lua/weft/types"] = { ignore = { "1", "2" } } -- definitions without bodies
exclude_files = { "build" }
