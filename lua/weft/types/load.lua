---@meta
--- What the C module `weft.load` gives to `weft bench`.  Internal, and a module
--- of its own: nothing else loads it.

---@class weft.load
local load = {}

--- A load that has not begun; or nil and why not.
---@param plan weft.LoadPlan
---@return weft.LoadRun|nil, string?
function load.new(plan) end

--- Makes room for so many descriptors in this process; or nil and why not.
---@param connections integer
---@return true|nil, string?
function load.allow(connections) end

--- What is asked for; fields out of range raise.
---@class weft.LoadPlan
---@field address string numeric
---@field port integer
---@field host string whom TLS is to find there
---@field host_header string
---@field target string path and query
---@field headers? string further lines of the request, each ended by CRLF
---@field tls boolean
---@field verify boolean
---@field ca? string a file or PEM text
---@field connections integer 1 to 60000
---@field depth integer 1 to 4096, messages outstanding on each
---@field at_once integer openings in progress
---@field size integer bytes of a message
---@field binary boolean
---@field compression boolean the server must agree to it
---@field seconds number
---@field warmup number seconds
---@field patience number seconds without any progress

---@class weft.LoadRun
local run = {}

--- Goes on for so many seconds, less when the phase changes or a signal comes;
--- nil and a sentence when it has failed.
---@param seconds number
---@return "opening"|"warming"|"measuring"|"draining"|"done"|nil phase
---@return string? message
function run:step(seconds) end

--- At any time, after a failure too.
---@return weft.LoadReport
function run:report() end

--- Ends its connections; later calls of the others raise.
function run:close() end

---@class weft.LoadReport
---@field phase string
---@field opened integer connections
---@field opening_seconds number
---@field total integer echoes, the warm-up's too
---@field echoes integer while measuring
---@field seconds number of measuring
---@field rate number echoes in a second
---@field cpu number of this process: share of a core
---@field p50 number latency, microseconds
---@field p99 number
---@field p999 number
---@field max number
---@field tls_version string "" without
---@field tls_cipher string
---@field deflate string what was agreed on, "" without
---@field carried number bytes of an echo, in its frames

return load
