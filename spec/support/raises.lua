--- A programming mistake: the call raises at the caller's line, in words.
---
---     raises(function() ws:send(nil) end, "ws:send", "message", "a string")
---     raises({ mistake, ws }, "ws:send")      -- the mistake is in `mistake(ws)`

--- Runs a function, which has to raise a string that names a line of that
--- function itself and has all the words in it; gives that string.
---@param call function|table the function, or it and its arguments
---@param ... string plain text
---@return string message
local function raises(call, ...)
  local fn = type(call) == "table" and call[1] or call
  local ok, message
  if type(call) == "table" then
    ok, message = pcall(table.unpack(call))
  else
    ok, message = pcall(call)
  end
  if ok then
    error("nothing was raised", 2)
  elseif type(message) ~= "string" then
    error("what was raised is no string but " .. tostring(message), 2)
  end
  local here = debug.getinfo(fn, "S")
  local place = message:sub(1, #here.short_src + 1) == here.short_src .. ":"
    and tonumber(message:sub(#here.short_src + 2):match "^(%d+): ")
  if not place or place < here.linedefined or place > here.lastlinedefined then
    error("raised, but not at the caller's line: " .. message, 2)
  end
  local words = message:match "^.-:%d+: (.*)$"
  for _, word in ipairs { ... } do
    if not words:find(word, 1, true) then
      error(("raised, but without the word %q: %s"):format(word, message), 2)
    end
  end
  return message
end

return raises
