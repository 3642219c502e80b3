// WeftSocket in Node against the weft server: alone, with Node's ws as the
// WebSocket that it tries first, and over networks of all kinds.
//
//   node spec/interop/fallback_node.js URL [alone]
'use strict';
const assert = require('assert');
const http = require('http');
const net = require('net');
const NodeWebSocket = require('ws');
const { WeftSocket } = require('../../lua/weft/weft.js');
const { check, report } = require('./check');

const base = process.argv[2];
const target = new URL(base);
delete global.WebSocket; // until a check brings one

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// A socket whose messages are taken one by one.
function dial(url, protocols, options) {
  const socket = new WeftSocket(url, protocols, options);
  socket.binaryType = 'arraybuffer';
  const messages = [];
  const takers = [];
  socket.addEventListener('message', ({ data }) => {
    if (takers.length > 0) takers.shift()(data);
    else messages.push(data);
  });
  socket.take = () => new Promise((resolve) => {
    if (messages.length > 0) resolve(messages.shift());
    else takers.push(resolve);
  });
  socket.closed = new Promise((resolve) => {
    let errors = 0;
    socket.addEventListener('error', () => { errors++; });
    socket.addEventListener('close', ({ code, reason, wasClean }) => resolve([code, reason, wasClean, errors]));
  });
  socket.opened = new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve);
    socket.addEventListener('close', reject);
  });
  socket.opened.catch(() => {});
  return socket;
}

async function open(path, protocols, options) {
  const socket = dial(base + path, protocols, options);
  await socket.opened;
  return socket;
}

async function last() {
  const socket = await open('/last');
  return socket.take();
}

// A proxy of bytes: `block` refuses upgrades, `swallow` never answers them,
// `budget()` gives how many bytes a connection lasts; freeze() lets everything
// hang that goes through it now, and `down` lets nobody in.
function network(options) {
  const self = Object.assign({ down: false, connections: 0 }, options);
  const open = new Set();
  self.freeze = () => open.forEach((end) => end.removeAllListeners('data'));
  self.cut = () => open.forEach((end) => end.destroy());
  const server = net.createServer((near) => {
    self.connections++;
    if (self.down) {
      near.destroy();
      return;
    }
    let left = self.budget ? self.budget() : Infinity;
    const far = net.connect(Number(target.port), target.hostname);
    for (const [from, to] of [[near, far], [far, near]]) {
      open.add(from);
      from.on('error', () => {});
      from.on('close', () => {
        open.delete(from);
        to.destroy();
      });
      from.on('data', (data) => {
        const upgrade = from === near && /upgrade: websocket/i.test(data.toString('latin1'));
        if (upgrade && self.swallow) return;
        if (upgrade && self.block) {
          near.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
          return;
        }
        left -= data.length;
        to.write(left >= 0 ? data : data.subarray(0, data.length + left));
        if (left < 0) setImmediate(() => near.destroy());
      });
    }
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      self.url = `ws://127.0.0.1:${server.address().port}`;
      resolve(self);
    });
  });
}

// A proxy that hands an answer on when it has all of it.
function holding() {
  const server = http.createServer((request, answer) => {
    const passed = http.request({
      host: target.hostname, port: target.port, path: request.url, method: request.method,
      headers: request.headers,
    }, async (response) => {
      const parts = [];
      try {
        for await (const part of response) parts.push(part);
      } catch (error) {
        // the client has given up
      }
      if (!answer.destroyed) answer.writeHead(response.statusCode, { 'Content-Type': response.headers['content-type'] || '' });
      answer.end(Buffer.concat(parts));
    });
    passed.on('error', () => answer.destroy());
    answer.on('close', () => passed.destroy());
    request.pipe(passed);
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`ws://127.0.0.1:${server.address().port}`));
  });
}

// says n numbers and hears them back, in order and once
async function count(socket, n, pause) {
  const sending = (async () => {
    for (let i = 0; i < n; i++) {
      socket.send(`number ${i}`);
      if (pause && i % pause === 0) await sleep(5);
    }
  })();
  for (let i = 0; i < n; i++) assert.strictEqual(await socket.take(), `number ${i}`);
  await sending;
}

async function messages() {
  await check('text comes back as it went', async () => {
    const socket = await open('/echo');
    assert.strictEqual(socket.transport, 'fallback');
    assert.strictEqual(socket.url, base + '/echo');
    for (const text of ['', 'Hello', '\n', '\r\n\\n\\', 'grüß \u{1F9F5}', '\0', '\uFEFFbom', 'x'.repeat(70000)]) {
      socket.send(text);
      assert.strictEqual(await socket.take(), text);
    }
    socket.send('\uD800 alone');
    assert.strictEqual(await socket.take(), '\uFFFD alone');
    socket.close();
    assert.deepStrictEqual(await socket.closed, [1005, '', true, 0]);
  });

  await check('bytes come back as they went, of every kind and in order', async () => {
    const socket = await open('/echo');
    const all = Uint8Array.from({ length: 256 }, (_, i) => i);
    socket.send(all);
    socket.send(all.buffer);
    socket.send(new DataView(all.buffer, 10, 20));
    socket.send(new Blob([all, all]));
    socket.send('after the blob');
    socket.send(new Uint16Array([1, 2]).subarray(1));
    socket.send(new Uint8Array(0));
    assert.deepStrictEqual(new Uint8Array(await socket.take()), all);
    assert.deepStrictEqual(new Uint8Array(await socket.take()), all);
    assert.deepStrictEqual(new Uint8Array(await socket.take()), all.slice(10, 30));
    assert.strictEqual((await socket.take()).byteLength, 512);
    assert.strictEqual(await socket.take(), 'after the blob');
    assert.deepStrictEqual(new Uint8Array(await socket.take()), new Uint8Array([2, 0]));
    assert.strictEqual((await socket.take()).byteLength, 0);
    socket.binaryType = 'blob';
    socket.binaryType = 'nonsense';
    assert.strictEqual(socket.binaryType, 'blob');
    socket.send(all);
    const blob = await socket.take();
    assert.ok(blob instanceof Blob);
    assert.deepStrictEqual(new Uint8Array(await blob.arrayBuffer()), all);
    socket.close();
  });

  await check('what is sent is what it was at that time', async () => {
    const socket = await open('/echo');
    const bytes = new Uint8Array([1, 2, 3]);
    socket.send(bytes);
    bytes.fill(9);
    assert.deepStrictEqual(new Uint8Array(await socket.take()), new Uint8Array([1, 2, 3]));
    socket.close();
  });

  await check('messages longer than a POST may be go in pieces', async () => {
    const socket = await open('/echo');
    const text = 'ab\u{1F9F5}\n'.repeat(500000).slice(1); // no piece begins where a character does
    socket.send(text);
    const bytes = Uint8Array.from({ length: 3000001 }, (_, i) => i * 7);
    socket.send(bytes);
    assert.ok(socket.bufferedAmount >= 3000001);
    assert.ok(await socket.take() === text);
    assert.deepStrictEqual(new Uint8Array(await socket.take()), bytes);
    for (const character of ['\u8A9E', '\\', '\n']) { // three bytes each, and two
      socket.send(character.repeat(1000000));
      assert.ok(await socket.take() === character.repeat(1000000));
    }
    while (socket.bufferedAmount > 0) await sleep(5);
    socket.close();
  });

  await check('thousands of messages keep their order', async () => {
    const socket = await open('/echo');
    await count(socket, 5000);
    while (socket.bufferedAmount > 0) await sleep(5); // the answers may come behind the echo
    socket.close();
  });

  await check('a flood is taken at the pace of the client', async () => {
    const socket = await open('/flood');
    for (let i = 1; i <= 2000; i++) assert.strictEqual(parseInt(await socket.take(), 10), i);
    socket.close();
    assert.deepStrictEqual(await socket.closed, [1005, '', true, 0]);
  });
}

async function endings() {
  await check('the handler closes', async () => {
    const socket = dial(base + '/close');
    assert.deepStrictEqual(await socket.closed, [4001, 'because\nof that', true, 0]);
    assert.strictEqual(socket.readyState, WeftSocket.CLOSED);
    socket.send('too late');
    assert.strictEqual(socket.bufferedAmount, 8);
  });

  await check('the handler returns', async () => {
    const socket = await open('/return');
    assert.strictEqual(await socket.take(), 'bye');
    assert.deepStrictEqual(await socket.closed, [1000, '', true, 0]);
  });

  await check('the handler fails', async () => {
    const socket = await open('/error');
    socket.send('go');
    assert.deepStrictEqual(await socket.closed, [1011, '', true, 0]);
  });

  await check('the client closes, behind what it has sent', async () => {
    const socket = await open('/watched');
    socket.send('x'.repeat(1000000));
    socket.close(4321, 'grüß dich\n');
    assert.strictEqual(socket.readyState, WeftSocket.CLOSING);
    assert.deepStrictEqual((await socket.closed).slice(0, 1), [4321]);
    if (process.argv[3] !== 'alone') assert.strictEqual(await last(), '1000000 4321 grüß dich\n peer');
  });

  await check('the client closes before it is open', async () => {
    const socket = dial(base + '/echo');
    socket.close();
    assert.strictEqual(socket.readyState, WeftSocket.CLOSING);
    assert.deepStrictEqual(await socket.closed, [1006, '', false, 1]);
  });

  await check('who is refused is told so', async () => {
    assert.deepStrictEqual(await dial(base + '/echo?refuse').closed, [1006, '', false, 1]);
    assert.deepStrictEqual(await dial(base + '/nothing').closed, [1006, '', false, 1]);
    assert.deepStrictEqual(await dial('ws://127.0.0.1:9/').closed, [1006, '', false, 1]);
  });
}

async function interfaces() {
  await check('mistakes raise what a WebSocket raises', async () => {
    const named = (name) => (error) => error.name === name;
    for (const url of ['/relative', 'ftp://127.0.0.1/', base + '/#fragment', 'ws://', '']) {
      assert.throws(() => new WeftSocket(url), named('SyntaxError'), url);
    }
    for (const protocols of ['', 'a b', ['a', 'a'], ['a,b'], 'ü']) {
      assert.throws(() => new WeftSocket(base, protocols), named('SyntaxError'), String(protocols));
    }
    assert.throws(() => new WeftSocket(base, [], { transports: ['pigeon'] }), named('TypeError'));
    assert.throws(() => new WeftSocket(), named('TypeError'));
    assert.throws(() => new WeftSocket(Symbol('url')), named('TypeError'));
    assert.throws(() => new WeftSocket(base, { no: 'list' }), named('SyntaxError'));
    const socket = dial(base + '/echo', null);
    assert.throws(() => socket.send(), named('TypeError'));
    assert.throws(() => socket.send('x'), named('InvalidStateError'));
    for (const code of [0, 999, 1001, 1005, 1011, 2999, 5000]) {
      assert.throws(() => socket.close(code), named('InvalidAccessError'), String(code));
    }
    assert.throws(() => socket.close(1000, 'ü'.repeat(62)), named('SyntaxError'));
    await socket.opened;
    assert.throws(() => socket.send(Symbol('x')), named('TypeError'));
    socket.close(3000, 'ü'.repeat(61));
    assert.strictEqual((await socket.closed)[0], 3000);
    const another = await open('/echo');
    another.close();
    assert.deepStrictEqual(await another.closed, [1005, '', true, 0]);
  });

  await check('constants, handlers and attributes are there', async () => {
    assert.deepStrictEqual(['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'].map((name) => WeftSocket[name]), [0, 1, 2, 3]);
    const socket = new WeftSocket(base.replace('ws', 'http') + '/protocol', ['chat.v1', 'chat.v2']);
    assert.strictEqual(socket.CONNECTING, 0);
    assert.deepStrictEqual([socket.readyState, socket.protocol, socket.extensions, socket.onopen, socket.transport, socket.binaryType],
      [0, '', '', null, '', 'blob']);
    const seen = [];
    socket.onopen = function (event) { seen.push(['wrong', event]); };
    socket.onopen = function (event) { seen.push([this === socket, event.type, event.target === socket]); };
    socket.addEventListener('open', () => seen.push('listener'));
    const message = await new Promise((resolve) => { socket.onmessage = resolve; });
    assert.deepStrictEqual([message.type, message.data, message.origin], ['message', 'chat.v2', base]);
    assert.strictEqual(socket.protocol, 'chat.v2');
    assert.deepStrictEqual(seen, [[true, 'open', true], 'listener']);
    socket.onmessage = 'not a function';
    assert.strictEqual(socket.onmessage, null);
    await new Promise((resolve) => { socket.onclose = resolve; });
  });
}

async function tried() {
  global.WebSocket = NodeWebSocket;

  await check('a WebSocket is used where one gets through', async () => {
    const socket = await open('/protocol', ['chat.v1']);
    assert.strictEqual(socket.transport, 'websocket');
    assert.strictEqual(socket.protocol, 'chat.v1');
    assert.strictEqual(await socket.take(), 'chat.v1');
    assert.deepStrictEqual(await socket.closed, [1000, '', true, 0]);
    const echo = await open('/echo');
    echo.send(new Uint8Array([1, 2]));
    assert.deepStrictEqual(new Uint8Array(await echo.take()), new Uint8Array([1, 2]));
    echo.send('text');
    assert.strictEqual(await echo.take(), 'text');
    echo.close(4000, 'done');
    assert.strictEqual((await echo.closed)[0], 4000);
  });

  await check('where it is refused, the fallback; which is remembered', async () => {
    const way = await network({ block: true });
    const socket = dial(way.url + '/echo');
    await socket.opened;
    assert.strictEqual(socket.transport, 'fallback');
    await count(socket, 10);
    socket.close();
    const before = way.connections;
    const second = dial(way.url + '/echo');
    await second.opened;
    assert.strictEqual(second.transport, 'fallback');
    assert.ok(way.connections <= before + 3);
    second.close();
    assert.deepStrictEqual((await dial(way.url + '/echo', [], { transports: ['websocket'] }).closed).slice(0, 1), [1006]);
  });

  await check('where nothing comes back, the fallback too', async () => {
    const way = await network({ swallow: true });
    const begun = Date.now();
    const socket = dial(way.url + '/echo', [], { timeout: 300 });
    await socket.opened;
    assert.strictEqual(socket.transport, 'fallback');
    assert.ok(Date.now() - begun >= 300);
    await count(socket, 10);
    socket.close();
  });

  await check('where both fail it is over, after one error', async () => {
    assert.deepStrictEqual(await dial(base + '/nothing').closed, [1006, '', false, 1]);
  });

  delete global.WebSocket;
}

async function networks() {
  await check('connections that are cut lose and repeat nothing', async () => {
    const way = await network({ budget: () => 3000 + Math.random() * 60000 });
    const socket = dial(way.url + '/echo');
    await socket.opened;
    await count(socket, 8000, 40);
    assert.ok(way.connections > 10);
    socket.close();
    assert.strictEqual((await socket.closed)[0], 1005);
  });

  await check('what is said at once gets through where no connection lasts that long', async () => {
    const way = await network({ budget: () => 30000 });
    const socket = dial(way.url + '/echo');
    await socket.opened;
    await count(socket, 10000);
    socket.close();
    assert.strictEqual((await socket.closed)[0], 1005);
  });

  await check('a network that is back in time was never away', async () => {
    const way = await network();
    const socket = dial(way.url + '/echo');
    await socket.opened;
    socket.send('before');
    assert.strictEqual(await socket.take(), 'before');
    way.down = true;
    way.cut();
    socket.send('meanwhile');
    await sleep(1000);
    way.down = false;
    assert.strictEqual(await socket.take(), 'meanwhile');
    socket.close();
    assert.strictEqual((await socket.closed)[0], 1005);
  });

  await check('a network that stays away ends it', async () => {
    const way = await network();
    const socket = dial(way.url + '/watched');
    await socket.opened;
    socket.send('before');
    while (socket.bufferedAmount > 0) await sleep(5);
    way.down = true;
    way.cut();
    assert.deepStrictEqual(await socket.closed, [1006, '', false, 1]);
    let how;
    do { // the server notices when it writes, and waits as long as we did
      await sleep(100);
      how = await last();
    } while (!/^6 1006/.test(how));
    assert.strictEqual(how, '6 1006  eof');
  });

  await check('a network that falls silent is noticed', async () => {
    const way = await network();
    const socket = dial(way.url + '/echo');
    await socket.opened;
    socket.send('before');
    assert.strictEqual(await socket.take(), 'before');
    way.freeze();
    socket.send('while nothing moves');
    assert.strictEqual(await socket.take(), 'while nothing moves');
    socket.close();
  });

  await check('where answers are held back until they end, it polls', async () => {
    const socket = dial(await holding() + '/echo');
    await socket.opened;
    await count(socket, 200, 20);
    const bytes = Uint8Array.from({ length: 500000 }, (_, i) => i);
    socket.send(bytes);
    assert.deepStrictEqual(new Uint8Array(await socket.take()), bytes);
    socket.close(4000);
    assert.strictEqual((await socket.closed)[0], 4000);
  });
}

async function main() {
  await messages();
  await endings();
  await interfaces();
  if (process.argv[3] !== 'alone') {
    await tried();
    await networks();
  }
  report();
}

main();
