local stream = require "sockets".stream

return { stream = function() return stream(true) end }
