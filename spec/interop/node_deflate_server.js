// Node's ws as a compressing server for the weft client.  Prints where it
// listens.
//
//   node spec/interop/node_deflate_server.js
//
// The path's query says what it is to ask for, as RFC 7692 names the parameters:
// /echo?server_max_window_bits=9&client_no_context_takeover=true
'use strict';
const http = require('http');
const { WebSocketServer } = require('ws');

const paths = {
  '/echo'(ws) {
    ws.on('message', (data, binary) => ws.send(data, { binary }));
  },
  // three fragments, the middle one empty, with a ping between them
  '/fragments'(ws) {
    ws.on('message', (data, binary) => {
      const half = data.length >> 1;
      ws.send(data.subarray(0, half), { binary, fin: false });
      ws.ping('between');
      ws.send(Buffer.alloc(0), { binary, fin: false });
      ws.send(data.subarray(half), { binary, fin: true });
    });
  },
  // every other answer as it is
  '/mixed'(ws) {
    let compress = false;
    ws.on('message', (data, binary) => {
      ws.send(data, { binary, compress });
      compress = !compress;
    });
  },
  // as many zeros as asked for
  '/zeros'(ws) {
    ws.on('message', (count) => ws.send(Buffer.alloc(Number(count)), { binary: true }));
  },
  '/extensions'(ws) {
    ws.send(ws.extensions);
  },
};

const servers = new Map(); // by query

// client_max_window_bits is clientMaxWindowBits to ws
function camelCase(name) {
  return name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
}

function serverFor(query) {
  if (!servers.has(query)) {
    const options = Object.fromEntries([...new URLSearchParams(query)]
      .map(([name, value]) => [camelCase(name), JSON.parse(value)]));
    servers.set(query, new WebSocketServer({
      noServer: true,
      perMessageDeflate: { threshold: 0, ...options },
      maxPayload: 4 * 1024 * 1024,
    }));
  }
  return servers.get(query);
}

const server = http.createServer((request, response) => {
  response.writeHead(404);
  response.end();
});

server.on('upgrade', (request, socket, head) => {
  const [path, query] = request.url.split('?');
  serverFor(query || '').handleUpgrade(request, socket, head, (ws) => {
    ws.on('error', () => {});
    paths[path](ws);
  });
});

server.listen(0, '127.0.0.1', () => {
  console.log(`listening on ws://127.0.0.1:${server.address().port}`);
});
