--- weft.static: files beneath a directory, as an HTTP handler.  Internal; what
--- the options mean stands in types/options.lua.
---
--- What a request asks for is taken from its target as it was sent, cut at the
--- slashes first and then decoded once, name by name.  The core opens name after
--- name beneath the directory and follows no link.

local core = require "weft.core"
local check = require "weft.check"
local compat = require "weft.compat"
local conditions = require "weft.conditions"
local content_types = require "weft.content_types"
local date = require "weft.date"
local http = require "weft.http"

local static = {}

local KNOWN = 1000 -- files whose heads are kept

-- Paths ----------------------------------------------------------------------

-- Whether a name could stand in a path, "." and ".." and hidden ones too.
local function is_name(name)
  return name ~= "" and not name:find("[%z\1-\31\127/\\]")
end

-- The file name that a segment of a path stands for, or nil: it stands for
-- none that is served.
local function name_of(segment, dotfiles)
  if segment:find("^[%w_-][%w._-]*$") then
    return segment
  elseif segment:gsub("%%%x%x", ""):find("%%") then
    return nil
  end
  local name = http.decode(segment)
  if not is_name(name) or name == "." or name == ".."
     or name:byte() == 46 and not dotfiles then
    return nil
  end
  return name
end

-- The segments of a path as it was sent, those alone that the `*` of a route
-- stands for; nil when that cannot be told.  Each segment more makes the rest
-- longer, so no more than one beginning fits what the route has found.
local function segments_of(path, rest)
  if path:byte() ~= 47 then
    return nil
  end
  local all = {}
  for segment in path:gmatch("/([^/]*)") do
    all[#all + 1] = segment
  end
  if not rest then
    return all
  end
  local first, missing = #all + 1, #rest + 1
  while missing > 0 and first > 1 do
    first = first - 1
    missing = missing - 1 - #http.decode(all[first])
  end
  return missing == 0 and compat.move(all, first, #all, 1, {}) or nil
end

-- The path beneath the root that a request asks for, and whether it was written
-- as a directory's, "" and true for the root itself; nil when no file is called
-- so.
local function path_of(request, dotfiles)
  local path = http.split(request.target)
  local rest = request.params and request.params["*"]
  local plain = rest and "/" .. rest or path
  if not path:find("%", 1, true) and plain:find("^/[%w_/.-]*$")
     and not plain:find("/[/.]") then
    -- nothing is encoded, no name is empty or begins with a dot
    return plain:match("^/(.-)/?$"), plain:byte(-1) == 47
  end
  local names = segments_of(path, rest)
  if not names then
    return nil
  end
  local is_directory = names[#names] == ""
  if is_directory then
    names[#names] = nil
  end
  for i, segment in ipairs(names) do
    names[i] = name_of(segment, dotfiles)
    if not names[i] then
      return nil
    end
  end
  return table.concat(names, "/"), is_directory
end

-- Options --------------------------------------------------------------------

local max_age = check.whole(0, 2147483648, "seconds (a whole number, 0 or more)")

local function file_name(value)
  if value == false or type(value) == "string" and is_name(value)
     and value ~= "." and value ~= ".." then
    return value
  end
  return nil, "the name of a file, or false"
end

local function inner_path(value)
  local good = type(value) == "string"
  for name in (good and value .. "/" or ""):gmatch("([^/]*)/") do
    good = good and is_name(name) and name ~= "." and name ~= ".."
  end
  if good then
    return value
  end
  return nil, "a path beneath the directory, such as 'index.html'"
end

local function types(value)
  if type(value) ~= "table" then
    return nil, "a table from extension to content type"
  end
  local all = {}
  for extension, name in pairs(value) do
    local place = ("[%s]"):format(check.show(extension))
    if type(extension) ~= "string" or not extension:find("^[^./%c]+$") then
      return nil, nil, place, nil,
             "expected an extension without its dot as the key"
    elseif type(name) ~= "string" or not name:find("^[^%s/]+/[^%c]+$") then
      return nil, "a content type such as 'text/plain'", place, name
    end
    all[extension:lower()] = name
  end
  return all
end

local own = {}
for name in ([[accept-ranges allow connection content-encoding content-length
    content-range content-type date etag last-modified location
    transfer-encoding vary]]):gmatch("%S+") do
  own[name] = "is set by weft.static"
end

local function headers(value)
  if type(value) ~= "table" then
    return nil, "a table from name to value or list of values"
  end
  local lines, wrong = http.header_lines(value, function(name)
    return own[name]
  end)
  if not lines then
    return nil, nil, "", nil, wrong
  end
  return value
end

--- The options of weft.static.
static.options = {
  index = { kind = file_name, default = "index.html" },
  fallback = { kind = inner_path },
  dotfiles = { kind = check.boolean, default = false },
  max_age = { kind = max_age },
  types = { kind = types, default = {} },
  headers = { kind = headers, default = {} },
}

-- What the options add to the head of every answer with a file.
local function further_headers(options)
  local further, cached = {}, false
  for name, value in pairs(options.headers) do
    local lower = name:lower()
    cached = cached or lower == "cache-control"
    local known = lower == "x-content-type-options" and "X-Content-Type-Options"
    further[known or name] = type(value) == "table"
                             and compat.move(value, 1, #value, 1, {}) or value
  end
  if options.max_age and not cached then
    further["Cache-Control"] = ("max-age=%d"):format(options.max_age)
  end
  return further
end

-- Answers --------------------------------------------------------------------

local function refuse(status, sentence, more)
  local head = { ["Content-Type"] = "text/plain; charset=utf-8" }
  for name, value in pairs(more or {}) do
    head[name] = value
  end
  return status, head, sentence .. "\n"
end

local function missing()
  return refuse(404, "There is nothing at this path.")
end

local failures = {
  busy = { 503, "The server has too much to do." },
  forbidden = { 403, "The server may not read this file." },
  system = { 500, "The file cannot be read." },
}

local function failure(word)
  if failures[word] then
    return refuse(compat.unpack(failures[word]))
  end
  return missing()
end

-- To the same path with a slash, written so that it names no other host,
-- whatever the name is (RFC 3986, section 4.2), and behind any proxy.
local function redirect(request, path)
  local name = path:match("[^/]*$"):gsub("[^%w._~-]", function(c)
    return ("%%%02X"):format(c:byte())
  end)
  local _, query = http.split(request.target)
  return refuse(301, "This is a directory: its path ends with a slash.", {
    Location = "./" .. name .. "/" .. (query and "?" .. query or ""),
  })
end

-- The file compressed beside this one, unless it is older: what it was made
-- from has changed since.
local function compressed(self, path, seconds, nanoseconds)
  local file = core.open_file(self.root, path .. ".gz")
  if not file then
    return nil
  end
  local _, its_seconds, its_nanoseconds = file:facts()
  if its_seconds < seconds
     or its_seconds == seconds and its_nanoseconds < nanoseconds then
    file:close()
    return nil
  end
  return file
end

-- Which file to send for one that was opened: itself, or a compressed one and
-- true.
local function choose(self, request, path, file)
  local accepted = request.headers["accept-encoding"]
  if accepted and conditions.takes_gzip(accepted) and not path:find("%.gz$") then
    local _, seconds, nanoseconds = file:facts()
    local packed = compressed(self, path, seconds, nanoseconds)
    if packed then
      file:close()
      return packed, true
    end
  end
  return file, false
end

local function type_of(self, path)
  local extension = (path:match("%.([^./]*)$") or ""):lower()
  return self.types[extension] or content_types[extension]
         or "application/octet-stream"
end

-- What the head says of a file.  Until it changes it is said again: `known`
-- has that by path.
local function representation_of(self, path, file, packed, now)
  local known = packed and self.known_packed or self.known
  local size, seconds, nanoseconds, inode = file:facts()
  local sum = ("%d %d %d %d"):format(seconds, nanoseconds, size, inode)
  local representation = known[path]
  if representation and representation.sum == sum then
    return representation
  end
  local modified = math.min(seconds, now) -- no later than Date (8.8.2.1)
  representation = {
    sum = sum,
    size = size,
    modified = modified,
    date = date.format(modified),
    etag = '"' .. core.fingerprint(sum) .. (packed and '-gz"' or '"'),
    type = type_of(self, path),
  }
  if self.count == KNOWN then
    self.known, self.known_packed, self.count = {}, {}, 0
  elseif seconds <= now then
    known[path] = representation
    self.count = self.count + 1
  end
  return representation
end

-- The head of an answer with a file or, when `unchanged`, instead of one.
local function head_of(self, representation, packed, unchanged)
  local head = {
    ["Accept-Ranges"] = "bytes",
    ["Content-Encoding"] = packed and not unchanged and "gzip" or nil,
    ["Content-Type"] = not unchanged and representation.type or nil,
    ["ETag"] = representation.etag,
    ["Last-Modified"] = representation.date,
    ["Vary"] = "Accept-Encoding",
    ["X-Content-Type-Options"] = "nosniff",
  }
  for name, value in next, self.further do
    head[name] = value
  end
  return head
end

-- The file, a part of it, or nothing but that it has not changed.
local function send(self, request, path, opened)
  local now = os.time()
  local file, packed = choose(self, request, path, opened)
  local representation = representation_of(self, path, file, packed, now)
  local status = conditions.check(request.headers, representation)
  if status then
    file:close()
    if status == 304 then
      return 304, head_of(self, representation, packed, true)
    end
    return refuse(status, "The file is not what the request expects.")
  end

  local offset, length
  if request.method == "GET" then -- elsewhere it means nothing (14.2)
    offset, length = conditions.range(request.headers, representation, now)
  end
  if length == true then
    file:close()
    return refuse(416, "The file has no such range.", {
      ["Content-Range"] = "bytes */" .. representation.size,
    })
  end
  if not offset then
    representation.head = representation.head
                          or http.prepare(head_of(self, representation, packed, false))
    return 200, representation.head(), file
  end
  local head = head_of(self, representation, packed, false)
  head["Content-Range"] = ("bytes %d-%d/%d"):format(offset, offset + length - 1,
                                                    representation.size)
  return 206, head, file:part(offset, length)
end

-- What is sent when there is nothing at the path.
local function fall_back(self, request)
  local path = self.fallback
  local file = path and core.open_file(self.root, path)
  if not file then
    return missing()
  end
  return send(self, request, path, file)
end

local function answer(self, request)
  if request.method ~= "GET" and request.method ~= "HEAD" then
    return refuse(405, "Files can only be read.", { Allow = "GET, HEAD" })
  end
  local path, is_directory = path_of(request, self.dotfiles)
  if not path then
    return missing()
  elseif is_directory then
    if not self.index then
      return fall_back(self, request)
    end
    path = (path == "" and "" or path .. "/") .. self.index
  end
  local file, word = core.open_file(self.root, path)
  if file then
    return send(self, request, path, file)
  elseif word == "directory" and self.index and not is_directory then
    return redirect(request, path)
  elseif word == "missing" or word == "directory" then
    return fall_back(self, request)
  end
  return failure(word)
end

--- Opens a directory and makes the handler; raises when it is none.
---@param where string
---@param path string
---@param options table checked
---@param level integer
---@return fun(request: weft.Request): integer, table, weft.File|string|nil
function static.handler(where, path, options, level)
  local root, why = core.open_root(path)
  if not root then
    error(("%s: cannot serve the directory %s: %s"):format(where, check.show(path), why),
          level + 1)
  end
  local self = {
    root = root,
    index = options.index,
    fallback = options.fallback,
    dotfiles = options.dotfiles,
    types = options.types,
    further = further_headers(options),
    known = {},
    known_packed = {},
    count = 0, -- of both
  }
  return function(request)
    return answer(self, request)
  end
end

return static
