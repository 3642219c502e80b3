// An echo server on Node's ws, as its documentation writes one: messages up to
// 16 MiB, no compression.
//
//   node ws.js PORT        on 127.0.0.1, until a signal comes
//
// With CERT and KEY in the environment, names of PEM files: over TLS.  With
// DEFLATE: compressed; "sliding" as ws does it by itself, "alone" without
// context takeover.  With MODE=broadcast: what a member says goes to all, itself
// included.  With MODE=closing: SIGTERM closes all connections with 1001, and the
// process ends when they have.
"use strict";

const fs = require("fs");
const https = require("https");
const { WebSocket, WebSocketServer } = require("ws");

const { CERT, KEY, DEFLATE, MODE } = process.env;
const compression = {
  sliding: true,
  alone: { serverNoContextTakeover: true, clientNoContextTakeover: true },
};
const host = "127.0.0.1";
const port = Number(process.argv.at(-1));

function listenWithTls() {
  const cert = fs.readFileSync(CERT);
  const key = fs.readFileSync(KEY);
  return https.createServer({ cert, key }).listen(port, host);
}

const server = new WebSocketServer({
  ...(CERT ? { server: listenWithTls() } : { host, port }),
  perMessageDeflate: compression[DEFLATE] || false,
  maxPayload: 16 * 1024 * 1024,
});

function broadcast(data, isBinary) {
  for (const member of server.clients) {
    if (member.readyState === WebSocket.OPEN) {
      member.send(data, { binary: isBinary });
    }
  }
}

server.on("connection", (ws) => {
  ws.on("error", () => {});
  ws.on(
    "message",
    MODE === "broadcast"
      ? broadcast
      : (data, isBinary) => ws.send(data, { binary: isBinary }),
  );
});

if (MODE === "closing") {
  process.once("SIGTERM", () => {
    server.close();
    for (const ws of server.clients) {
      ws.close(1001);
    }
  });
}
