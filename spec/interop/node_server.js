// Node's ws as a server for the weft client.  Prints where it listens.
//
//   node spec/interop/node_server.js
'use strict';
const http = require('http');
const { WebSocketServer } = require('ws');

let last = 'none'; // how the last connection to /echo ended

function send(ws, data, isBinary) {
  ws.send(data, { binary: isBinary });
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
  '/last'(ws) {
    ws.send(last);
  },
};

const sockets = new WebSocketServer({
  noServer: true,
  perMessageDeflate: false,
  maxPayload: 4 * 1024 * 1024,
  handleProtocols: (offered) => (offered.has('chat.v2') ? 'chat.v2' : false),
});

const server = http.createServer((request, response) => {
  response.writeHead(404);
  response.end();
});

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
      serve(ws);
    });
  }
});

server.listen(0, '127.0.0.1', () => {
  console.log(`listening on ws://127.0.0.1:${server.address().port}`);
});
