std = "lua54"
cache = false
color = false
max_line_length = 160
self = false -- a method may ignore its object
files["spec"] = { std = "+busted" }
files["examples/love"] = { std = "+luajit+love" } -- which LÖVE runs
files["spec/love/drive.lua"] = { std = "+luajit+love" }
files["lua/weft/types"] = { ignore = { "1", "2" } } -- definitions without bodies
exclude_files = { "build" }
