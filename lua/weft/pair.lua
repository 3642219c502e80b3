--- The two ends of weft.pair.  Internal.

local core = require "weft.core"
local check = require "weft.check"
local client = require "weft.client"
local options = require "weft.options"
local url = require "weft.url"

local pair = {}

local target = url.parse("ws://localhost/")

--- Checks the options of both ends and returns the specs for core.pair.
---@param client_options? table
---@param server_options? table
---@param level integer
---@return table, table
function pair.check(client_options, server_options, level)
  local where = "weft.pair"
  local ours = check.options(options.pair_client, where, client_options, level + 1)
  local theirs = check.options(options.pair_server, where, server_options, level + 1)
  local request = client.request(where, ours, target, level + 1)
  request.config = core.config(options.settings(ours))
  return request, {
    protocols = theirs.protocols,
    config = core.config(options.settings(theirs)),
  }
end

return pair
