--- Certificates of every kind, right ones and wrong ones, made with the
--- `openssl` command when the first spec asks, and removed when the process
--- ends.
---
---     local certificates = require "support.certificates"
---     certificates.server.cert        the path of a chain, leaf first
---     certificates.server.key         the path of its key
---     certificates.server.pin         "sha256//..." of its public key
---     certificates.ca                 the path of the CA that signed it
---     certificates.read(path)         what a file holds
local lfs = require "lfs"

---@class Certificate
---@field cert string
---@field key string
---@field pin string
---@field passphrase? string

local LONG_AGO, FAR_AHEAD = "20200101000000Z", "20900101000000Z"

-- Each is signed by `by` ("root" unless given) and has the names `names`.
local wanted = {
  { "root", by = false, authority = true },
  { "other_root", by = false, authority = true },
  { "server", names = "DNS:localhost,IP:127.0.0.1,IP:::1" },
  { "renewed", names = "DNS:localhost,IP:127.0.0.1,IP:::1" }, -- the same once more
  { "rsa", names = "DNS:localhost,IP:127.0.0.1", rsa = true },
  { "expired", names = "DNS:localhost", finish = "20201001120000Z" },
  { "early", names = "DNS:localhost", start = "20890301120000Z" },
  { "a_example", names = "DNS:a.example" },
  { "b_example", names = "DNS:b.example" },
  { "wildcard", names = "DNS:*.example.test" },
  { "partial", names = "DNS:lo*.example.test" },
  { "common", subject = "localhost" }, -- no names but that
  { "named", names = "DNS:localhost" }, -- no address
  { "addressed", names = "IP:127.0.0.1" }, -- no name
  { "untrusted", names = "DNS:localhost,IP:127.0.0.1", by = "other_root" },
  { "self_signed", names = "DNS:localhost,IP:127.0.0.1", by = false },
  { "intermediate", authority = true },
  { "chained", names = "DNS:localhost", by = "intermediate", sends = { "chained", "intermediate" } },
  { "unchained", names = "DNS:localhost", by = "intermediate" },
  { "rooted", names = "DNS:localhost", by = "other_root", sends = { "rooted", "other_root" } },
  { "impostor", names = "DNS:localhost", by = "server", sends = { "impostor", "server" } },
  { "client", purpose = "clientAuth", names = "email:ana@example.test" },
  { "client_untrusted", purpose = "clientAuth", by = "other_root" },
  { "client_expired", purpose = "clientAuth", finish = "20201001120000Z" },
  { "encrypted", names = "DNS:localhost,IP:127.0.0.1", passphrase = "open sesame" },
}

local CONFIGURATION = [[
[ca]
default_ca = any
[any]
database = index.txt
new_certs_dir = .
default_md = sha256
policy = policy
unique_subject = no
rand_serial = yes
[policy]
commonName = supplied
]]

--- The lines of a shell script that makes one certificate.  `openssl ca` is
--- the only command that can date one back.
local function lines(one)
  local name, by = one[1], one.by == nil and "root" or one.by
  local extensions = one.authority and "basicConstraints=critical,CA:TRUE\\nkeyUsage=keyCertSign,cRLSign\\n"
    or ("basicConstraints=CA:FALSE\\nkeyUsage=digitalSignature\\nextendedKeyUsage=%s\\n"):format(
      one.purpose or "serverAuth")
  if one.names then
    extensions = extensions .. "subjectAltName=" .. one.names .. "\\n"
  end
  local out = {
    ("printf '%s' >%s.ext"):format(extensions, name),
    ("openssl req -new -newkey %s %s -keyout %s.key -subj '/CN=%s' -out %s.csr"):format(
      one.rsa and "rsa:2048" or "ec -pkeyopt ec_paramgen_curve:P-256",
      one.passphrase and ("-passout 'pass:%s'"):format(one.passphrase) or "-nodes",
      name, one.subject or "weft " .. name:gsub("_", " "), name),
    ("openssl ca -config configuration -batch -notext %s -in %s.csr -extfile %s.ext"
      .. " -startdate %s -enddate %s -out %s.pem"):format(
      by and ("-cert %s.pem -keyfile %s.key"):format(by, by) or ("-selfsign -keyfile " .. name .. ".key"),
      name, name, one.start or LONG_AGO, one.finish or FAR_AHEAD, name),
    ("openssl req -in %s.csr -noout -pubkey | openssl pkey -pubin -outform der |"
      .. " openssl dgst -sha256 -binary | openssl base64 >%s.pin"):format(name, name),
  }
  if one.sends then
    out[#out + 1] = ("cat %s.pem >%s.chain"):format(table.concat(one.sends, ".pem "), name)
  end
  return table.concat(out, "\n")
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

local function write(path, text)
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
end

--- Runs a shell script in a directory; raises with what it printed.
local function run(directory, script)
  write(directory .. "/script", script)
  local ok = os.execute(("cd %s && env -u LD_PRELOAD sh -e script >log 2>&1"):format(directory))
  if not ok then
    local log = read(directory .. "/log")
    os.execute("rm -r " .. directory)
    error("cannot make certificates:\n" .. log, 0)
  end
end

--- Makes everything in a new directory and gives its path.
local function make()
  local directory = os.tmpname()
  os.remove(directory)
  assert(lfs.mkdir(directory))
  write(directory .. "/configuration", CONFIGURATION)
  write(directory .. "/index.txt", "")
  local script = {}
  for index, one in ipairs(wanted) do
    script[index] = lines(one)
  end
  run(directory, table.concat(script, "\n"))
  write(directory .. "/garbage", "this is no certificate and no key\n")
  write(directory .. "/broken", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
  write(directory .. "/empty", "")
  return directory
end

-- Where they are stands in the registry: a runner that loads this module anew
-- for each file of specs finds them there, and the end of the state ends them.
local REGISTERED = "weft.spec.certificates"
local registry = debug.getregistry()
registry[REGISTERED] = registry[REGISTERED] or setmetatable({ directory = make() }, {
  __gc = function(made)
    os.execute("rm -r " .. made.directory)
  end,
})
local directory = registry[REGISTERED].directory

local certificates = {
  directory = directory,
  ca = directory .. "/root.pem",
  other_ca = directory .. "/other_root.pem",
  intermediate_ca = directory .. "/intermediate.pem",
  --- Files that are not what they should be.
  garbage = directory .. "/garbage",
  broken = directory .. "/broken",
  empty = directory .. "/empty",
  missing = directory .. "/no-such-file.pem",
  read = read,
  write = write,
}

for _, one in ipairs(wanted) do
  local base = directory .. "/" .. one[1]
  certificates[one[1]] = {
    cert = base .. (one.sends and ".chain" or ".pem"),
    key = base .. ".key",
    pin = "sha256//" .. read(base .. ".pin"):gsub("%s", ""),
    passphrase = one.passphrase,
  }
end

--- What a server's or a client's `tls` says of a certificate, and more:
--- certificates.with(certificates.server, { client_cert = "required" }).
---@param certificate Certificate
---@param more? table
---@return table
function certificates.with(certificate, more)
  local options = { cert = certificate.cert, key = certificate.key }
  for name, value in pairs(more or {}) do
    options[name] = value
  end
  return options
end

return certificates
