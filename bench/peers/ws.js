// An echo server on Node's ws, as its documentation writes one: no
// compression, messages up to 16 MiB.
//
//   node ws.js PORT        on 127.0.0.1, until a signal comes
"use strict";

const { WebSocketServer } = require("ws");

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: Number(process.argv.at(-1)),
  perMessageDeflate: false,
  maxPayload: 16 * 1024 * 1024,
});

server.on("connection", (ws) => {
  ws.on("error", () => {});
  ws.on("message", (data, isBinary) => ws.send(data, { binary: isBinary }));
});
