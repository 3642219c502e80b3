local protocol = require "protocol"

function love.conf(t)
  t.identity = "weft-dots"
  t.version = "11.4"
  t.window.title = "weft: dots"
  t.window.width, t.window.height = protocol.WIDTH, protocol.HEIGHT
  t.modules.audio, t.modules.sound = false, false -- nothing here makes a noise
  t.modules.joystick, t.modules.physics, t.modules.video = false, false, false
end
