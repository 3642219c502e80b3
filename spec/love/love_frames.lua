-- That connecting holds up no frame: what the worst one takes while there is no
-- connection, and while the game waits for peers that are slow.
--
-- Other processes make frames late too, and only ever later.  So each kind has
-- several rounds: its best one must be no worse than the game does anyway, and
-- what weft itself takes of a frame small.
local weft = require "weft"
local checks = require "check"
local player = require "player"
local slow = require "slow"

local check = checks.check
local ROUNDS, MOST, EACH = 3, 6, 1.2 -- at least, at most; seconds of a phase
-- In ms: what the scheduler may add to a frame, and half a frame, in which the
-- verification of a long chain, which is not divided, must fit.
local LATE, STEP = 1, 8

-- url, CA, what is seen in the end
local kinds = {
  { "no connection" },
  { "slow name server", slow.name, nil, "connecting" },
  { "silent TLS peer", slow.silent, nil, "connecting" },
  { "slow long chain", slow.chain, slow.ca, "connected" },
  { "one of nobody known", slow.chain, nil, "issuer is not known" },
}

local best, latest = {}, 0 -- of the rounds; the worst frame without a connection
for i, kind in ipairs(kinds) do
  best[i] = { name = kind[1], frame = math.huge, step = math.huge, spent = math.huge }
end

-- Plays all kinds one after the other; the frames of each.
local function play()
  local game = player.start("frames", "none", "--ca", slow.ca):ready()
  local marks = {}
  weft.sleep(1) -- until it has drawn everything once
  for i, kind in ipairs(kinds) do
    local _, url, ca, seen = table.unpack(kind)
    marks[i] = { from = game:ask "return #game.frames.lines + 1" }
    if url then
      game:ask(([[
        local connection = require "connection"
        game.connection = connection.open(%q, "Ana", game.world, { ca = %s })
      ]]):format(url, ca and ("%q"):format(ca)))
    end
    weft.sleep(EACH)
    marks[i].to = game:ask "return #game.frames.lines"
    checks.matches(game:ask "return game.connection.status", seen or "no address")
    game:ask "game.connection:close()"
  end
  local status, log = game:quit()
  checks.equal("", log)
  checks.equal(0, status)
  return game:frames(), marks
end

local function measure()
  local frames, marks = play()
  for i, mark in ipairs(marks) do
    local frame, step, spent = 0, 0, 0
    for n = tonumber(mark.from), tonumber(mark.to) do
      frame, step = math.max(frame, frames[n].frame), math.max(step, frames[n].step)
      spent = spent + frames[n].step
    end
    assert(tonumber(mark.to) - tonumber(mark.from) >= 10, "no frames")
    local so_far = best[i]
    so_far.frame, so_far.step = math.min(so_far.frame, frame), math.min(so_far.step, step)
    so_far.spent = math.min(so_far.spent, spent)
    latest = i == 1 and math.max(latest, frame) or latest
  end
end

-- The kinds that have held up a frame.
local function late()
  local list = {}
  for i = 2, #best do
    if best[i].frame > latest + LATE or best[i].step > STEP then
      list[#list + 1] = best[i].name
    end
  end
  return table.concat(list, ", ")
end

check("frames: none is later for connecting", function()
  local round = 0
  repeat
    round = round + 1
    measure()
  until round >= ROUNDS and late() == "" or round == MOST
  print(("ms, best of %d rounds         worst frame   worst step   all steps"):format(round))
  for _, one in ipairs(best) do
    print(("  %-24s %12.2f %12.2f %11.2f"):format(one.name, one.frame, one.step, one.spent))
  end
  print(("  the worst frame of all rounds without a connection: %.2f"):format(latest))
  checks.equal("", late())
end)
