--- The `compression` option: what both sides may say of permessage-deflate
--- (RFC 7692), and what the core is told.  Internal; what each field means stands
--- in types/options.lua.

local check = require "weft.check"

local compression = {}

local FULL = 15 -- bits of the largest window, which limits nothing
local SLIDING = 12 -- the most that a window which is kept gets unless told

local level = check.whole(-1, 9, "a level (a whole number from 0 to 9)")
local mem_level = check.whole(1, 9, "a level (a whole number from 1 to 9)")
local window_bits = check.whole(8, FULL, "bits (a whole number from 8 to 15)")
local threshold = check.whole(0, math.huge, "bytes (a whole number, 0 or more, or math.huge)")

local fields = check.table({
  level = { kind = level, default = 6 },
  mem_level = { kind = mem_level, default = 0 }, -- the core chooses
  threshold = { kind = threshold, default = 512 },
  server_no_context_takeover = { kind = check.boolean },
  client_no_context_takeover = { kind = check.boolean },
  server_max_window_bits = { kind = window_bits },
  client_max_window_bits = { kind = window_bits },
}, "true, false or a table")

-- On a server: no window is kept between messages unless that is asked for.
local function complete_server(given)
  for _, side in ipairs { "server", "client" } do
    local fresh, bits = side .. "_no_context_takeover", side .. "_max_window_bits"
    given[fresh] = given[fresh] ~= false
    given[bits] = given[bits] or (given[fresh] and FULL or SLIDING)
  end
  given.window_bits = given.server_max_window_bits
  return given
end

-- On a client: nothing is demanded of the server, and our own window is small
-- should the server let us keep it.
local function complete_client(given)
  given.window_bits = given.client_max_window_bits or SLIDING
  for _, side in ipairs { "server", "client" } do
    local fresh, bits = side .. "_no_context_takeover", side .. "_max_window_bits"
    given[fresh] = given[fresh] or false
    given[bits] = given[bits] or FULL
  end
  return given
end

local function kind(complete)
  return function(value)
    if value == false then
      return false
    elseif value == true then
      value = {}
    end
    local checked, expected, place, item, complaint = fields(value)
    if not checked then
      return nil, expected, place, item, complaint
    end
    return complete(checked)
  end
end

--- Kinds (see check.lua): from the option to what core.config takes, a complete
--- table or false.
compression.server_kind = kind(complete_server)
compression.client_kind = kind(complete_client)

return compression
