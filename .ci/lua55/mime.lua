return { b64 = require "weft.core".base64 }
