--- Messages about options of weft's functions, for people who have those of a
--- command before them.  Internal.

local spoken = {
  { "^tls%.(%l+):", { ca = "--ca:", cert = "--cert:", key = "--key:" } },
  { "pass tls%.(%l+)", { ca = "pass --ca", passphrase = "pass WEFT_PASSPHRASE" } },
  { "the certificate tls%.cert", "the certificate of --cert" },
  { "tls%.verify = false", "--insecure" },
  { "tls%.cert and tls%.key", "--cert and --key" },
  { "^option '(%l+)'", { headers = "option -H", username = "option --user", password = "option --user" } },
  { "option 'username'", "--user" },
  { "the options 'unix' and 'proxy'", "--unix and --proxy" },
}

--- The message with the names that the command line has for them.
---@param message string
---@return string
return function(message)
  for _, pair in ipairs(spoken) do
    message = message:gsub(pair[1], pair[2])
  end
  return message
end
