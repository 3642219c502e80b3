--- The `tls` option of clients and servers, and what is made from it: contexts,
--- which hold the certificates and the trust that connections share.  Internal;
--- what each option means stands in types/options.lua.

local core = require "weft.core"
local address = require "weft.address"
local check = require "weft.check"

local tls = {}

local CACHED = 16 -- contexts that an instance keeps
local FRESH = 300 -- seconds until a client's files are read again

local versions = { ["1.2"] = 12, ["1.3"] = 13 }

local function version(value)
  return versions[value], "'1.2' or '1.3'"
end

-- Secrets are never shown, not even in part, and not when they are wrong.
local function secret(expected, accepts)
  return function(value)
    if type(value) == "string" and accepts(value) then
      return value
    end
    return nil, nil, nil, nil, ("expected %s, got %s"):format(
      expected, type(value) == "string" and "another string" or "a " .. type(value))
  end
end

local function has_no_zero(text)
  return not text:find("%z")
end

local function is_file(text)
  return text ~= "" and has_no_zero(text)
end

local file = secret("a file name or PEM text", is_file)
local passphrase = secret("a string without NUL", has_no_zero)

local function pin(value)
  if type(value) == "string" then
    local rest = (";" .. value):gsub(";sha256//" .. ("[%w+/]"):rep(43) .. "=", "")
    if rest == "" then
      return value
    end
  end
  return nil, "'sha256//' and a SHA-256 in base64, or several of them with ';' between"
end

-- "b.example", or "*.b.example" when `wildcard`, in lower case.
local function host_name(value, wildcard)
  local name = type(value) == "string" and value:lower() or ""
  local plain = wildcard and name:gsub("^%*%.", "") or name
  local last = plain:match("([^.]+)$")
  if last and #plain <= 253 and not ("." .. plain):gsub("%.[%w_-]+", ""):find(".")
     and not (last:find("^%d+$") and wildcard) then
    return name
  end
end

-- Whom a certificate must name: also an address.
local function server_name(value)
  local name = host_name(value)
  if not name and type(value) == "string" and address.parse(value) then
    name = value
  end
  return name, "a host name or address"
end

local certificate = {
  cert = { kind = file },
  key = { kind = file },
  passphrase = { kind = passphrase },
}

local function needs_cert(given)
  if not given.cert then
    return "expected the certificate, got nothing", ".cert"
  end
end

local named = check.table(certificate, "a table of cert, key and passphrase", needs_cert)

local function names(value)
  if type(value) ~= "table" then
    return nil, "a table from host name to { cert = ..., key = ... }"
  end
  local all = {}
  for given, identity in pairs(value) do
    local place = ("[%s]"):format(check.show(given))
    local name = host_name(given, true)
    if not name then
      return nil, nil, place, nil,
             "expected a host name, perhaps with *. before it, as the key"
    elseif all[name] then
      return nil, nil, place, nil, "this name comes twice"
    end
    local checked, expected, inner, item, complaint = named(identity)
    if not checked then
      if not inner then
        item = identity
      end
      return nil, expected, place .. (inner or ""), item, complaint
    end
    all[name] = checked
  end
  return all
end

local asked = { none = true, optional = true, required = true }

local function client_cert(value)
  return asked[value] and value, "'none', 'optional' or 'required'"
end

local client_options = {
  verify = { kind = check.boolean, default = true },
  ca = { kind = file },
  server_name = { kind = server_name },
  cert = { kind = file },
  key = { kind = file },
  passphrase = { kind = passphrase },
  pin = { kind = pin },
  min_version = { kind = version, default = 12 },
}

local server_options = {
  cert = { kind = file },
  key = { kind = file },
  passphrase = { kind = passphrase },
  ca = { kind = file },
  client_cert = { kind = client_cert },
  min_version = { kind = version, default = 12 },
  names = { kind = names, default = {} },
}

local client_table = check.table(client_options, "a table", function(given)
  if given.key and not given.cert then
    return "expected 'cert' as well: the certificate that the key is for", ".key"
  end
end)

local server_table = check.table(server_options, "a table, 'self-signed' or false",
  function(given)
    local asks = (given.client_cert or "none") ~= "none"
    if asks and not given.ca then
      return "expected 'ca' as well: who signs the clients' certificates",
             ".client_cert"
    elseif given.ca and not given.client_cert then
      return "expected 'client_cert' as well: whether clients must have a"
             .. " certificate signed by it", ".ca"
    end
    given.client_cert = given.client_cert or "none"
    return needs_cert(given)
  end)

--- A kind, as in check.lua: a client's `tls` option.  false is as good as {}.
function tls.client_kind(value)
  if value == false then
    value = {}
  end
  return client_table(value)
end

--- A kind, as in check.lua: a server's `tls` option; "self-signed" and false
--- come back as they are.
function tls.server_kind(value)
  if value == "self-signed" or value == false then
    return value
  end
  return server_table(value)
end

--- The contexts of one instance's clients.
---@class weft.TlsCache
---@field entries table<string, { context: userdata, made: number, used: integer }>
---@field count integer
---@field uses integer so far

---@return weft.TlsCache
function tls.cache()
  return { entries = {}, count = 0, uses = 0 }
end

local shared = { "verify", "ca", "cert", "key", "passphrase", "pin", "min_version" }
local defaults = client_table({})

-- One string for all that a context depends on.
local function key_of(checked)
  local parts = {}
  for i, name in ipairs(shared) do
    local text = tostring(checked[name])
    parts[i] = #text .. ":" .. text
  end
  return table.concat(parts)
end

local function drop_oldest(cache)
  local oldest
  for key, entry in pairs(cache.entries) do
    if not oldest or entry.used < cache.entries[oldest].used then
      oldest = key
    end
  end
  cache.entries[oldest] = nil
  cache.count = cache.count - 1
end

--- The context for a client with these options, as checked by client_kind or
--- nil; or nil and a message.
---@param cache weft.TlsCache
---@param checked? table
---@return userdata|nil, string?
function tls.client_context(cache, checked)
  checked = checked or defaults
  local key = key_of(checked)
  local entry = cache.entries[key]
  local now = core.now()
  cache.uses = cache.uses + 1
  if entry and now - entry.made < FRESH then
    entry.used = cache.uses
    return entry.context
  end
  local context, message = core.tls_context({
    server = false,
    verify = checked.verify,
    ca = checked.ca,
    pin = checked.pin,
    min_version = checked.min_version,
    identities = checked.cert and { checked } or {},
  })
  if not context then
    return nil, message
  end
  if not entry and cache.count == CACHED then
    drop_oldest(cache)
  end
  cache.count = cache.count + (entry and 0 or 1)
  cache.entries[key] = { context = context, made = now, used = cache.uses }
  return context
end

-- The default certificate, then those by name.
local function identities(checked)
  local list = { {
    cert = checked.cert, key = checked.key, passphrase = checked.passphrase,
  } }
  for name, identity in pairs(checked.names) do
    list[#list + 1] = {
      name = name,
      cert = identity.cert, key = identity.key, passphrase = identity.passphrase,
    }
  end
  return list
end

--- The context for a server with this option, as checked by server_kind: nil
--- without TLS; or nil and a message.  Reads the files.
---@param checked table|"self-signed"|false|nil
---@param host? string where it listens
---@param before? userdata the context that this one replaces
---@return userdata|nil, string?
function tls.server_context(checked, host, before)
  if not checked then
    return nil
  elseif checked == "self-signed" then
    return core.tls_context({
      server = true,
      min_version = 12,
      client_cert = "none",
      identities = {},
      self_signed = host and host:find("[%w]") and host or "localhost",
    }, before)
  end
  return core.tls_context({
    server = true,
    ca = checked.ca,
    client_cert = checked.client_cert,
    min_version = checked.min_version,
    identities = identities(checked),
  }, before)
end

return tls
