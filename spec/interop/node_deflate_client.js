// Node's ws as a compressing client of the weft server.
//
//   node spec/interop/node_deflate_client.js URL WINDOWS
//
// WINDOWS is what deflate_server.lua was started with.
'use strict';
const assert = require('assert');
const WebSocket = require('ws');
const { check, report } = require('./check');

const [base, windows] = process.argv.slice(2);
const sliding = windows !== 'shared';
const most = { shared: 15, sliding: 12 }[windows] || Number(windows); // bits of its windows
const sizes = [0, 1, 125, 126, 127, 511, 512, 65535, 65536, 1024 * 1024];

const longest = sizes.at(-1);

// what does not compress, the same each time
const noises = Buffer.alloc(longest);
for (let i = 0, x = 1; i < longest; i++) {
  x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
  noises[i] = x >>> 24;
}

// and what compresses well
let proses = '';
for (let i = 0; proses.length < longest; i++) {
  proses += `{"id":${i},"name":"member ${(i * 7919) % 1000}","tags":["blue","${i % 17}"]},`;
}

function noise(size) {
  return noises.subarray(0, size);
}

function prose(size) {
  return proses.slice(0, size);
}

// noise that comes again at the distance
function echoes(distance, size) {
  const once = noise(distance);
  return Buffer.concat(Array(Math.ceil(size / distance)).fill(once)).subarray(0, size);
}

function once(emitter, name) {
  return new Promise((resolve, reject) => {
    emitter.once(name, (...args) => resolve(args));
    if (name !== 'error') emitter.once('error', reject);
  });
}

// a connection, with the answer to its offer, which ws does not tell whole
async function open(path, options) {
  const ws = new WebSocket(base + path, [], {
    perMessageDeflate: options === true ? true : { threshold: 0, ...options },
    maxPayload: 4 * 1024 * 1024,
  });
  ws.once('upgrade', ({ headers }) => { ws.answer = headers['sec-websocket-extensions']; });
  await once(ws, 'open');
  return ws;
}

async function close(ws) {
  const closed = once(ws, 'close');
  ws.close(1000);
  assert.strictEqual((await closed)[0], 1000);
}

// that the message, or its fragments, come back as they are
async function ask(ws, message, fragments = [message]) {
  const answer = once(ws, 'message');
  const binary = Buffer.isBuffer(message);
  fragments.forEach((fragment, i) => {
    ws.send(fragment, { binary, fin: i === fragments.length - 1 });
  });
  const [data, isBinary] = await answer;
  assert.strictEqual(isBinary, binary || ws.url.endsWith('/chunks'));
  assert.ok(data.equals(Buffer.from(message)), `${message.length} bytes differ`);
}

function cut(message, size) {
  const pieces = [];
  for (let at = 0; at < message.length; at += size) pieces.push(message.slice(at, at + size));
  return pieces;
}

// what the server has agreed on, as an object
function agreed(ws) {
  const [name, ...parameters] = ws.answer.split('; ');
  assert.strictEqual(name, 'permessage-deflate');
  return Object.fromEntries(parameters.map((parameter) => {
    const [key, value] = parameter.split('=');
    return [key, value === undefined ? true : Number(value)];
  }));
}

// that the answer is one to what the client has asked for
function verify(ws, options) {
  const got = agreed(ws);
  const asked = options === true ? {} : options;
  assert.strictEqual(!!got.server_no_context_takeover, !sliding || !!asked.serverNoContextTakeover);
  assert.strictEqual(got.server_max_window_bits || 15, Math.min(most, asked.serverMaxWindowBits || 15));
  if (asked.clientNoContextTakeover || !sliding) assert.ok(got.client_no_context_takeover);
  const limit = asked.clientMaxWindowBits === false ? 15 : most;
  assert.ok((got.client_max_window_bits || 15) <= limit, ws.answer);
}

async function talk(path, options) {
  const ws = await open(path, options);
  verify(ws, options);
  for (const size of sizes) {
    await ask(ws, prose(size));
    await ask(ws, noise(size));
  }
  await ask(ws, '');
  await ask(ws, '');
  for (const distance of [200, 250, 251, 256, 500, 4000, 5000, 32000, 33000]) {
    await ask(ws, echoes(distance, 100000));
  }
  await ask(ws, prose(100000), cut(prose(100000), 997));
  await ask(ws, noise(100000), ['', ...cut(noise(100000), 9973), '']);
  await ask(ws, '', ['', '', '']);
  await close(ws);
}

async function main() {
  const offers = [
    ['what ws offers by itself', true],
    ['no takeover of the server\'s', { serverNoContextTakeover: true }],
    ['no takeover of the client\'s', { clientNoContextTakeover: true }],
    ['no takeover', { serverNoContextTakeover: true, clientNoContextTakeover: true }],
    ['no word of the client\'s window', { clientMaxWindowBits: false }],
  ];
  for (let bits = 8; bits <= 15; bits++) {
    offers.push([`the server's window of ${bits} bits`, { serverMaxWindowBits: bits }]);
    offers.push([`the client's window of ${bits} bits`, { clientMaxWindowBits: bits }]);
    offers.push([`windows of ${bits} bits without takeover`, {
      serverMaxWindowBits: bits,
      clientMaxWindowBits: bits,
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
    }]);
  }
  for (const [name, options] of offers) {
    await check(`${name}: messages of every size come back`, () => talk('/echo', options));
  }
  for (const path of ['/fragments', '/chunks', '/mixed']) {
    await check(`${path.slice(1)}: messages of every size come back`, () => talk(path, {}));
  }

  await check('both ends tell the same of what was agreed on', async () => {
    const ws = await open('/extensions', {});
    const answer = once(ws, 'message');
    ws.send('well?');
    assert.strictEqual((await answer)[0].toString(), ws.answer);
    await close(ws);
  });

  await check('a client that offers nothing gets nothing', async () => {
    const ws = new WebSocket(base + '/echo', [], { perMessageDeflate: false });
    await once(ws, 'open');
    assert.strictEqual(ws.extensions, '');
    for (const size of sizes) await ask(ws, prose(size));
    await close(ws);
  });

  await check('a message of 100000 bytes is a tenth of that on the wire, both ways', async () => {
    const ws = await open('/echo', {});
    await ask(ws, 'here');
    const { bytesRead, bytesWritten } = ws._socket;
    await ask(ws, prose(100000));
    assert.ok(ws._socket.bytesRead - bytesRead < (most > 9 ? 20000 : 40000));
    assert.ok(ws._socket.bytesWritten - bytesWritten < (most > 9 ? 20000 : 40000));
    await close(ws);
  });

  await check(`the second of two like messages is ${sliding ? '' : 'not '}smaller`, async () => {
    const ws = await open('/echo', {});
    const read = [];
    for (let i = 0; i < 3; i++) {
      const { bytesRead } = ws._socket;
      await ask(ws, prose(200).padEnd(600, noise(400).toString('hex')));
      read.push(ws._socket.bytesRead - bytesRead);
    }
    const least = most > 10 ? 50 : read[0];
    if (sliding) assert.ok(read[1] <= least && read[2] <= least, `${read}`);
    else assert.deepStrictEqual([read[1], read[2]], [read[0], read[0]]);
    await close(ws);
  });

  await check('a thousand messages sent at once come back in order', async () => {
    const ws = await open('/echo', {});
    const messages = Array.from({ length: 1000 }, (_, i) => `${i} ${prose(i * 3)}`);
    const got = [];
    const done = new Promise((resolve) => ws.on('message', (data) => {
      got.push(data.toString());
      if (got.length === messages.length) resolve();
    }));
    messages.forEach((message, i) => ws.send(message, { compress: i % 3 > 0 }));
    await done;
    assert.deepStrictEqual(got, messages);
    await close(ws);
  });

  await check('a ping between compressed fragments is answered, the message comes back', async () => {
    const ws = await open('/echo', {});
    const pong = once(ws, 'pong');
    const answer = once(ws, 'message');
    ws.send(prose(1000), { fin: false });
    ws.ping('between');
    ws.send(prose(2000), { fin: true });
    assert.strictEqual((await pong)[0].toString(), 'between');
    assert.strictEqual((await answer)[0].toString(), prose(1000) + prose(2000));
    await close(ws);
  });

  await check('text that is not UTF-8 once inflated is refused with 1007', async () => {
    const ws = await open('/echo', {});
    const closed = once(ws, 'close');
    ws.send(Buffer.concat([Buffer.alloc(2000, 'a'), Buffer.from([0xff])]), { binary: false });
    assert.strictEqual((await closed)[0], 1007);
  });

  await check('a message past max_message once inflated is refused with 1009', async () => {
    for (const pieces of [1, 5]) {
      const ws = await open('/echo', {});
      const closed = once(ws, 'close');
      for (let i = 1; i <= pieces; i++) {
        ws.send(Buffer.alloc(10 * 1024 * 1024 / pieces), { fin: i === pieces });
      }
      assert.strictEqual((await closed)[0], 1009);
    }
  });

  await check('a hundred connections talk at once', async () => {
    const all = await Promise.all(Array.from({ length: 100 }, () => open('/echo', {})));
    for (let turn = 0; turn < 3; turn++) {
      await Promise.all(all.map((ws, i) => ask(ws, `${i} ${turn} ${prose(1000 + i)}`)));
    }
    await Promise.all(all.map((ws) => close(ws)));
  });

  report();
}

main();
