-- Writes docs/reference.md from the annotations in the sources.
--
--   lua5.4 docs/generate.lua > docs/reference.md

local files = {
  "lua/weft/init.lua", "lua/weft/server.lua", "lua/weft/http.lua",
  "lua/weft/request.lua", "lua/weft/response.lua",
  "lua/weft/protocol.lua", "lua/weft/types/weft.lua",
  "lua/weft/types/options.lua", "lua/weft/types/stats.lua", "lua/weft/types/log.lua",
  "lua/weft/types/adapters.lua", "lua/weft/types/protocol.lua",
}

-- In the order of the page: a class or alias, and what its methods are
-- called on.
local chapters = {
  { "weft", "weft" },
  { "weft.Server", "server" }, { "weft.Stats" }, { "weft.Times" }, { "weft.Refused" },
  { "weft.ListenOptions" }, { "weft.Rate" }, { "weft.LogEvent" }, { "weft.ServeOptions" }, { "weft.OnWorker" },
  { "weft.ServerTls" },
  { "weft.Identity" },
  { "weft.StaticOptions" }, { "weft.File", "file" },
  { "weft.FallbackOptions" },
  { "weft.ConnectOptions" }, { "weft.ReconnectingOptions" }, { "weft.Retry" },
  { "weft.ClientTls" },
  { "weft.ConnectionOptions" }, { "weft.Compression" },
  { "weft.Handler" }, { "weft.Events" }, { "weft.Page" }, { "weft.Methods" }, { "weft.Body" }, { "weft.Upgrade" },
  { "weft.Connection", "ws" },
  { "weft.Writer", "writer" },
  { "weft.EventStream", "stream" }, { "weft.EventStreamOptions" },
  { "weft.Kind" }, { "weft.SendOptions" }, { "weft.Cause" },
  { "weft.Request", "request" }, { "weft.Response" },
  { "weft.Tls" }, { "weft.Certificate" },
  { "weft.Room", "room" },
  { "weft.Task", "task" }, { "weft.Queue", "queue" },
  { "weft.Loop", "weft.loop" },
  { "weft.Adapters" }, { "weft.AttachOptions" }, { "weft.Attachment", "attached" },
  { "weft.CopasAttachment", "attached" }, { "weft.SelectAttachment", "attached" },
  { "weft.protocol", "weft.protocol" },
  { "weft.ProtocolClientOptions" }, { "weft.ProtocolServerOptions" },
  { "weft.Protocol", "p" }, { "weft.ProtocolEvent" },
}

local entries = {} -- by name: { prose, kind, type, parent, fields, cases, functions }
local classes = {} -- the class a local variable of the file being read stands for

-- "name? type words" after @field or @param, where the type may hold blanks in
-- brackets, after commas, colons and bars: name, type, words.
local function split_type(text)
  local depth, at = 0, 1
  while at <= #text do
    local c = text:sub(at, at)
    if c:find("[%(%[{<]") then
      depth = depth + 1
    elseif c:find("[%)%]}>]") then
      depth = depth - 1
    elseif c == " " and depth == 0 and not text:sub(1, at - 1):find("[,:|]$")
           and not text:sub(at + 1):find("^|") then
      break
    end
    at = at + 1
  end
  return text:sub(1, at - 1), text:sub(at + 1)
end

local function split_named(text)
  local name, rest = text:match("^(%S+)%s+(.*)$")
  local kind, words = split_type(rest)
  return { name = name, type = kind, words = words }
end

-- One comment block and the line of code after it.
local function take(block, code)
  local prose, entry = {}, { fields = {}, cases = {}, params = {}, returns = {} }
  for _, line in ipairs(block) do
    local tag, text = line:match("^@(%a+)%s*(.*)$")
    if tag == "class" then
      entry.kind, entry.name, entry.parent = "class", text:match("^([%w.]+):?%s*([%w.]*)")
    elseif tag == "alias" then
      entry.kind, entry.name, entry.type = "alias", text:match("^(%S+)%s*(.*)$")
    elseif tag == "field" then
      if not text:find("^private ") then
        table.insert(entry.fields, split_named(text))
      end
    elseif tag == "param" then
      table.insert(entry.params, split_named(text))
    elseif tag == "return" then
      local kind, words = split_type(text)
      table.insert(entry.returns, { type = kind, words = words })
    elseif tag == "private" then
      entry.private = true
    elseif line:find("^|") then
      table.insert(entry.cases, { line:match('^| (".-") (.*)$') })
    elseif not tag then
      table.insert(prose, line)
    end
  end
  entry.prose = table.concat(prose, "\n")

  local owner, separator, name, arguments = code:match("^%s*function ([%a_]+)([.:])([%w_]+)(%b())")
  if entry.kind then
    entry.functions = {}
    entries[entry.name] = entry
    classes[code:match("^%s*local (%w+)") or ""] = entry
  elseif owner and classes[owner] and not entry.private then
    entry.separator, entry.name, entry.arguments = separator, name, arguments
    table.insert(classes[owner].functions, entry)
  end
end

local function read(path)
  local block = {}
  classes = {}
  for line in io.lines(path) do
    local comment = line:match("^%s*%-%-%-%s?(.*)$")
    if comment then
      block[#block + 1] = comment
    elseif #block > 0 then
      take(block, line)
      block = {}
    end
  end
  if #block > 0 then
    take(block, "")
  end
end

local function anchor(name)
  return "#" .. name:lower():gsub("%.", "")
end

local function code(text)
  return "`" .. text .. "`"
end

local function item(name, field)
  return ("- %s %s%s\n"):format(code(name), code(field.type),
                                field.words ~= "" and ": " .. field.words or "")
end

local function write_function(on, entry)
  io.write("### ", code(on .. entry.separator .. entry.name .. entry.arguments), "\n\n",
           entry.prose, "\n\n")
  for _, param in ipairs(entry.params) do
    io.write(item(param.name, param))
  end
  for _, result in ipairs(entry.returns) do
    local name, words = result.words:match("^([%a_.]+)%s*(.*)$")
    io.write(item("->", {
      type = result.type .. (name and " " .. name or ""), words = words or "",
    }))
  end
  io.write(#entry.params + #entry.returns > 0 and "\n" or "")
end

local function write_chapter(entry, on)
  io.write("## ", entry.name, "\n\n", entry.prose, "\n\n")
  if entry.kind == "alias" and entry.type ~= "" then
    io.write(code(entry.type), "\n\n")
  end
  for _, case in ipairs(entry.cases) do
    io.write("- ", code(case[1]), ": ", case[2], "\n")
  end
  if entry.parent and entry.parent ~= "" then
    io.write("Besides all of [", entry.parent, "](", anchor(entry.parent), "):\n\n")
  end
  for _, field in ipairs(entry.fields) do
    io.write(item(field.name, field))
  end
  io.write(#entry.cases + #entry.fields > 0 and "\n" or "")
  for _, fn in ipairs(entry.functions) do
    write_function(on, fn)
  end
end

for _, path in ipairs(files) do
  read(path)
end
io.write("# Reference\n\nMade by docs/generate.lua from the annotations in the sources.\n\n")
for _, chapter in ipairs(chapters) do
  io.write("- [", chapter[1], "](", anchor(chapter[1]), ")\n")
end
io.write("\n")
for _, chapter in ipairs(chapters) do
  write_chapter(assert(entries[chapter[1]], chapter[1]), chapter[2])
end
