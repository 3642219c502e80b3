// Node's ws as a client of the weft server.
//
//   node spec/interop/node_client.js URL
//
// Of a wss URL the certificate is verified, also against the file that
// NODE_EXTRA_CA_CERTS names.
'use strict';
const assert = require('assert');
const http = require('http');
const https = require('https');
const WebSocket = require('ws');
const { check, report } = require('./check');

const base = process.argv[2];
const site = base.replace('ws', 'http'); // http: or https:
const sizes = [0, 1, 125, 126, 127, 65535, 65536, 1024 * 1024];

// once(emitter, name): the arguments of the next event of that name
function once(emitter, name) {
  return new Promise((resolve, reject) => {
    emitter.once(name, (...args) => resolve(args));
    if (name !== 'error') emitter.once('error', reject);
  });
}

async function open(path, protocols, options) {
  const ws = new WebSocket(base + path, protocols || [], { perMessageDeflate: false, ...options });
  await once(ws, 'open');
  return ws;
}

async function close(ws, ...args) {
  const closed = once(ws, 'close');
  ws.close(...args);
  const [code, reason] = await closed;
  return [code, reason.toString()];
}

async function ask(ws, message, options) {
  const answer = once(ws, 'message');
  ws.send(message, options || {});
  const [data, isBinary] = await answer;
  return isBinary ? data : data.toString();
}

// the status, the headers and the body of a refused handshake
async function refused(path, options) {
  const ws = new WebSocket(base + path, [], options || {});
  const [, response] = await once(ws, 'unexpected-response');
  let body = '';
  for await (const piece of response) body += piece;
  return { status: response.statusCode, headers: response.headers, body };
}

async function last() {
  const ws = new WebSocket(base + '/last');
  const [data] = await once(ws, 'message');
  ws.close();
  return data.toString();
}

async function main() {
  for (const size of sizes) {
    await check(`text of ${size} bytes comes back`, async () => {
      const ws = await open('/echo');
      const message = 'w'.repeat(size);
      assert.strictEqual(await ask(ws, message), message);
      await close(ws);
    });
    await check(`${size} bytes of binary come back`, async () => {
      const ws = await open('/echo');
      const message = Buffer.alloc(size);
      for (let i = 0; i < size; i++) message[i] = (i * 7 + (i >> 8)) & 255;
      const answer = await ask(ws, message);
      assert.ok(Buffer.isBuffer(answer) && answer.equals(message));
      await close(ws);
    });
    await check(`${size} bytes sent by weft in fragments arrive whole`, async () => {
      const ws = await open('/fragments');
      const message = 'e'.repeat(size);
      assert.strictEqual(await ask(ws, message), message);
      await close(ws);
    });
  }

  await check('text beyond ASCII comes back', async () => {
    const ws = await open('/echo');
    assert.strictEqual(await ask(ws, 'grüß \u{1F9F5} \u0000 ende'), 'grüß \u{1F9F5} \u0000 ende');
    await close(ws);
  });

  await check('a thousand messages sent at once come back in order', async () => {
    const ws = await open('/echo');
    const got = [];
    const done = new Promise((resolve) => ws.on('message', (data) => {
      got.push(data.toString());
      if (got.length === 1000) resolve();
    }));
    for (let i = 0; i < 1000; i++) ws.send(`message ${i}`);
    await done;
    got.forEach((message, i) => assert.strictEqual(message, `message ${i}`));
    await close(ws);
  });

  await check('fragments with a ping between them come back as one message', async () => {
    const ws = await open('/echo');
    const answer = once(ws, 'message');
    const pong = once(ws, 'pong');
    ws.send('one ', { fin: false });
    ws.ping('between');
    ws.send('', { fin: false });
    ws.send('two ', { fin: false });
    ws.send('three', { fin: true });
    assert.strictEqual((await pong)[0].toString(), 'between');
    assert.strictEqual((await answer)[0].toString(), 'one two three');
    await close(ws);
  });

  await check('each of ten pings is answered, in order', async () => {
    const ws = await open('/echo');
    const got = [];
    const done = new Promise((resolve) => ws.on('pong', (data) => {
      got.push(data.toString());
      if (got.length === 10) resolve();
    }));
    for (let i = 0; i < 10; i++) ws.ping(`ping ${i}`);
    await done;
    assert.deepStrictEqual(got, Array.from({ length: 10 }, (_, i) => `ping ${i}`));
    await close(ws);
  });

  await check('weft\'s ping is answered', async () => {
    const ws = new WebSocket(base + '/ping');
    const ping = once(ws, 'ping');
    const message = once(ws, 'message');
    assert.strictEqual((await ping)[0].toString(), 'are you there?');
    assert.strictEqual((await message)[0].toString(), 'answered');
    await once(ws, 'close');
  });

  await check('the client\'s close code and reason arrive, and the code is echoed', async () => {
    const ws = await open('/echo');
    assert.strictEqual((await close(ws, 4001, 'bye'))[0], 4001);
    assert.strictEqual(await last(), '4001 bye peer');
  });

  await check('a close without a code is answered by one without', async () => {
    const ws = await open('/echo');
    assert.deepStrictEqual(await close(ws), [1005, '']);
  });

  await check('weft\'s close code and reason arrive', async () => {
    const ws = new WebSocket(base + '/close/4002');
    const [code, reason] = await once(ws, 'close');
    assert.deepStrictEqual([code, reason.toString()], [4002, 'because']);
  });

  await check('a handler that returns closes with 1000', async () => {
    const ws = new WebSocket(base + '/last');
    assert.strictEqual((await once(ws, 'close'))[0], 1000);
  });

  await check('a lost client is 1006 to weft', async () => {
    const ws = await open('/echo');
    await ask(ws, 'here');
    ws.terminate();
    let seen;
    for (let tries = 0; tries < 50; tries++) {
      seen = await last();
      if (seen.startsWith('1006')) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.match(seen, /^1006 /);
  });

  await check('a message past max_message is refused with 1009', async () => {
    const ws = await open('/echo');
    const closed = once(ws, 'close');
    ws.send(Buffer.alloc(2 * 1024 * 1024), { fin: false });
    ws.send(Buffer.alloc(1), { fin: true });
    assert.strictEqual((await closed)[0], 1009);
  });

  await check('text that is not UTF-8 is refused with 1007', async () => {
    const ws = await open('/echo');
    const closed = once(ws, 'close');
    ws.send(Buffer.from([0x67, 0xff, 0x67]), { binary: false });
    assert.strictEqual((await closed)[0], 1007);
  });

  await check('the server\'s favourite of the offered subprotocols is spoken', async () => {
    const ws = await open('/echo', ['other', 'chat.v1', 'chat.v2']);
    assert.strictEqual(ws.protocol, 'chat.v2');
    await close(ws);
  });

  await check('no subprotocol is claimed where none was offered', async () => {
    const ws = await open('/echo');
    assert.strictEqual(ws.protocol, '');
    assert.strictEqual(ws.extensions, '');
    await close(ws);
  });

  await check('compression that was offered is not forced', async () => {
    const ws = await open('/echo', [], { perMessageDeflate: true });
    assert.strictEqual(await ask(ws, 'plain'), 'plain');
    await close(ws);
  });

  await check('a refusal by upgrade is a 401 with its header and message', async () => {
    const { status, headers, body } = await refused('/secret');
    assert.strictEqual(status, 401);
    assert.strictEqual(headers['www-authenticate'], 'Basic realm="weft"');
    assert.match(body, /who are you\?/);
  });

  await check('the right password gets in', async () => {
    const ws = await open('/secret', [], { auth: 'ana:sesame' });
    assert.strictEqual(await ask(ws, 'in'), 'in');
    await close(ws);
  });

  await check('a foreign origin gets 403 with a body that names the option', async () => {
    const { status, body } = await refused('/echo', { origin: 'http://evil.example' });
    assert.strictEqual(status, 403);
    assert.match(body, /origins/);
  });

  await check('its own origin gets in', async () => {
    const ws = await open('/echo', [], { origin: site });
    await close(ws);
  });

  await check('an unknown path gets 404', async () => {
    assert.strictEqual((await refused('/nowhere')).status, 404);
  });

  await check('an old version of the protocol gets 426 and the right one', async () => {
    const { status, headers } = await refused('/echo', { protocolVersion: 8 });
    assert.strictEqual(status, 426);
    assert.strictEqual(headers['sec-websocket-version'], '13');
  });

  await check('plain HTTP on the same port is answered', async () => {
    const { get } = site.startsWith('https:') ? https : http;
    const [response] = await once(get(site + '/'), 'response');
    assert.strictEqual(response.statusCode, 200);
    assert.match(response.headers['content-type'], /text\/html/);
    response.resume();
  });

  await check('a hundred connections talk at once', async () => {
    const all = await Promise.all(Array.from({ length: 100 }, () => open('/echo')));
    const answers = await Promise.all(all.map((ws, i) => ask(ws, `this is ${i}`)));
    answers.forEach((answer, i) => assert.strictEqual(answer, `this is ${i}`));
    await Promise.all(all.map((ws) => close(ws, 1000)));
  });

  report();
}

main();
