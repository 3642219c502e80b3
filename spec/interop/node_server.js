// Node's ws as a server for the weft client.  Prints where it listens.
//
//   node spec/interop/node_server.js [DIRECTORY [VERSION]]
//
// With the DIRECTORY of the certificates it speaks TLS, up to VERSION, and asks
// for a client certificate.
'use strict';
const fs = require('fs');
const http = require('http');
const https = require('https');
const path = require('path');
const { WebSocketServer } = require('ws');

let last = 'none'; // how the last connection to /echo ended

function send(ws, data, isBinary) {
  ws.send(data, { binary: isBinary });
}

// what was negotiated, and with whom
function negotiated(socket) {
  const { subject } = socket.getPeerCertificate();
  const client = socket.authorized ? subject && subject.CN : socket.authorizationError;
  return [
    `version=${socket.getProtocol()}`,
    `alpn=${socket.alpnProtocol}`,
    `name=${socket.servername}`,
    `client=${client}`,
    socket.isSessionReused() ? 'resumed' : 'full',
  ].join(' ');
}

const paths = {
  '/echo'(ws) {
    ws.on('message', (data, isBinary) => send(ws, data, isBinary));
    ws.on('close', (code, reason) => { last = `${code} ${reason}`; });
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
  '/ping'(ws) {
    ws.on('pong', (data) => ws.send(`pong ${data}`));
    ws.ping('are you there?');
  },
  '/close'(ws) {
    ws.close(4002, 'because');
  },
  '/drop'(ws) {
    ws.terminate();
  },
  // the end of the stream, properly, with no close frame before it
  '/end'(ws, socket) {
    socket.end();
  },
  '/last'(ws) {
    ws.send(last);
  },
  '/tls'(ws, socket) {
    ws.send(negotiated(socket));
  },
};

const sockets = new WebSocketServer({
  noServer: true,
  perMessageDeflate: false,
  maxPayload: 4 * 1024 * 1024,
  handleProtocols: (offered) => (offered.has('chat.v2') ? 'chat.v2' : false),
});

function nothing(request, response) {
  response.writeHead(404);
  response.end();
}

const [directory, maxVersion] = process.argv.slice(2);
const read = (name) => fs.readFileSync(path.join(directory, name));
const server = directory
  ? https.createServer({
    cert: read('server.pem'),
    key: read('server.key'),
    ca: read('ca.pem'),
    requestCert: true,
    rejectUnauthorized: false,
    maxVersion,
  }, nothing)
  : http.createServer(nothing);

server.on('upgrade', (request, socket, head) => {
  const serve = paths[request.url];
  if (request.url === '/secret') {
    const body = 'who are you?';
    socket.end('HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="ws"\r\n' +
      `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
  } else if (!serve) {
    socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  } else {
    sockets.handleUpgrade(request, socket, head, (ws) => {
      ws.on('error', () => {});
      serve(ws, socket);
    });
  }
});

server.listen(0, '127.0.0.1', () => {
  console.log(`listening on ${directory ? 'wss' : 'ws'}://127.0.0.1:${server.address().port}`);
});
