// What is particular to TLS, with Node as the client of the weft server.
//
//   node spec/interop/node_tls.js DIRECTORY USUAL_URL STRICT_URL
//
// DIRECTORY holds the certificates, the servers are server.lua's kinds.
'use strict';
const assert = require('assert');
const fs = require('fs');
const path = require('path');
const tls = require('tls');
const WebSocket = require('ws');
const { check, report } = require('./check');

const [directory, usual, strict] = process.argv.slice(2);
const read = (name) => fs.readFileSync(path.join(directory, name));
const ca = read('ca.pem');
const client = { cert: read('client.pem'), key: read('client.key') };

function open(url, options) {
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(url, [], { perMessageDeflate: false, ca, ...options });
    ws.once('open', () => resolve(ws));
    ws.once('error', reject);
  });
}

function ask(ws, message) {
  return new Promise((resolve, reject) => {
    ws.once('message', (data) => resolve(data.toString()));
    ws.once('close', (code) => reject(new Error(`closed with ${code}`)));
    ws.send(message);
  });
}

function close(ws) {
  return new Promise((resolve) => {
    ws.once('close', (code) => resolve(code));
    ws.close(1000);
  });
}

// what the server says of itself: the first message, perhaps with the handshake
function told(url, options) {
  const ws = new WebSocket(url, [], { perMessageDeflate: false, ca, ...options });
  return new Promise((resolve, reject) => {
    ws.once('message', (data) => resolve(data.toString()));
    ws.once('close', (code) => reject(new Error(`closed with ${code}`)));
    ws.once('error', reject);
  });
}

// why the connection did not come about, or was ended before an answer came
async function refused(url, options) {
  let answer;
  try {
    answer = await ask(await open(url, options), 'in?');
  } catch (error) {
    return `${error.code || ''} ${error.message}`;
  }
  throw new Error(`not refused: ${answer}`);
}

// the session of a connection, for another one to resume
async function session(options) {
  const sessions = [];
  const ws = await open(usual + '/echo', {
    ...options,
    finishRequest(request) {
      request.on('socket', (socket) => socket.on('session', (ticket) => sessions.push(ticket)));
      request.end();
    },
  });
  assert.strictEqual(ws._socket.isSessionReused(), false);
  assert.strictEqual(await ask(ws, 'first'), 'first');
  await close(ws);
  assert.ok(sessions.length > 0);
  return sessions.pop();
}

async function main() {
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    const only = { minVersion: version, maxVersion: version };

    await check(`${version} is spoken`, async () => {
      assert.match(await told(usual + '/tls', only), new RegExp(`^${version} `));
    });

    await check(`a second connection resumes the first one's session (${version})`, async () => {
      const ws = await open(usual + '/echo', { ...only, session: await session(only) });
      assert.strictEqual(ws._socket.isSessionReused(), true);
      assert.strictEqual(await ask(ws, 'second'), 'second');
      await close(ws);
    });

    await check(`a client certificate is told to the handler (${version})`, async () => {
      assert.match(await told(usual + '/tls', { ...only, ...client }), / weft client$/);
    });

    await check(`a megabyte in records of 512 bytes comes back (${version})`, async () => {
      const ws = await open(usual + '/echo', only);
      assert.ok(ws._socket.setMaxSendFragment(512));
      const message = 'r'.repeat(1024 * 1024);
      assert.strictEqual(await ask(ws, message), message);
      await close(ws);
    });
  }

  await check('the required client certificate gets in', async () => {
    assert.strictEqual(await told(strict + '/tls', client), 'TLSv1.3 weft client');
  });

  await check('a missing client certificate is refused by an alert', async () => {
    assert.match(await refused(strict + '/echo'), /certificate required/);
  });

  await check('a client certificate of a stranger is refused by an alert', async () => {
    const impostor = { cert: read('impostor.pem'), key: read('impostor.key') };
    assert.match(await refused(strict + '/echo', impostor), /alert (unknown ca|bad certificate)/);
  });

  await check('min_version = "1.3" refuses TLS 1.2 by an alert', async () => {
    assert.match(await refused(strict + '/echo', { ...client, maxVersion: 'TLSv1.2' }),
      /alert protocol version/);
  });

  await check('TLS 1.1 is refused by an alert', async () => {
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' };
    assert.match(await refused(usual + '/echo', old), /alert protocol version/);
  });

  await check('the certificate is the one for the server name', async () => {
    const ws = await open(usual + '/echo', { servername: 'other.example' });
    assert.strictEqual(ws._socket.getPeerCertificate().subject.CN, 'weft other');
    await close(ws);
  });

  await check('renegotiation is refused, and the server goes on', async () => {
    const { port } = new URL(usual);
    const socket = tls.connect({ port, host: '127.0.0.1', ca, maxVersion: 'TLSv1.2' });
    await new Promise((resolve, reject) => {
      socket.once('secureConnect', resolve);
      socket.once('error', reject);
    });
    const error = await new Promise((resolve) => {
      socket.on('error', resolve);
      socket.on('close', () => resolve('closed'));
      socket.renegotiate({ rejectUnauthorized: true }, resolve);
    });
    assert.ok(error, 'it was not refused');
    socket.destroy();
    await close(await open(usual + '/echo'));
  });

  await check('a hundred handshakes at once', async () => {
    const all = await Promise.all(Array.from({ length: 100 }, () => open(usual + '/echo')));
    const answers = await Promise.all(all.map((ws, i) => ask(ws, `this is ${i}`)));
    answers.forEach((answer, i) => assert.strictEqual(answer, `this is ${i}`));
    await Promise.all(all.map(close));
  });

  report();
}

main();
