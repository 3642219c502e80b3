--- Members of rooms on sockets: how they come, and what they get.
local assert = require "luassert"

local room = {}

--- n members on sockets, { ws =, raw = } each, in the room.
function room.members(t, of, n, options, peer_options)
  local server, all = t:server(options), {}
  for i = 1, n do
    local raw = t:upgrade(server, peer_options)
    all[i] = { raw = raw, ws = t:accepted() }
    assert.is_true(of:join(all[i].ws))
  end
  return all
end

--- A room with that many.
function room.party(t, n, options)
  local new = t.weft.room()
  return new, room.members(t, new, n, options)
end

--- The next messages of a raw peer are these.
function room.hears(raw, ...)
  for _, expected in ipairs { ... } do
    assert.equal(expected, (raw:message()))
  end
end

--- Nothing else has come: whatever was sent before comes before this.
function room.hears_no_more(member)
  assert.is_true(member.ws:try_send "no more")
  room.hears(member.raw, "no more")
end

--- What is said in a turn in which a peer has sent these bytes: they are there
--- when the server looks for input again, and so is the word for who speaks.
function room.speaker(t, say)
  local raw = t:upgrade(t:server { websocket = function(ws)
    for message in ws:messages() do
      say(message, ws)
    end
  end })
  t.weft.sleep(0)
  return raw
end

return room
