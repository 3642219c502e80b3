// WeftSocket where the server, the network and the page are at their worst.
//
//   node spec/interop/fallback_hostile.js URL
'use strict';
const assert = require('assert');
const http = require('http');
const hooks = {}; // what a page's window would be told
global.addEventListener = (type, hook) => { (hooks[type] = hooks[type] || new Set()).add(hook); };
global.removeEventListener = (type, hook) => { hooks[type].delete(hook); };
const { WeftSocket } = require('../../lua/weft/weft.js');
const { check, report } = require('./check');

const base = process.argv[2];
const target = new URL(base);
delete global.WebSocket;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function within(ms, promise) {
  return Promise.race([promise, sleep(ms).then(() => { throw new Error(`not within ${ms} ms`); })]);
}

async function open(url) {
  const socket = new WeftSocket(url);
  socket.binaryType = 'arraybuffer';
  const messages = [];
  const takers = [];
  socket.addEventListener('message', ({ data }) => {
    if (takers.length > 0) takers.shift()(data);
    else messages.push(data);
  });
  socket.take = () => within(8000, new Promise((resolve) => {
    if (messages.length > 0) resolve(messages.shift());
    else takers.push(resolve);
  }));
  socket.closed = new Promise((resolve) => { socket.addEventListener('close', resolve); });
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve);
    socket.addEventListener('close', reject);
  });
  return socket;
}

// A network whose portal answers everything itself while `shut`: 200, and a page.
function portal() {
  const self = { shut: false, answered: 0 };
  const passing = new Set();
  self.cut = () => passing.forEach((answer) => answer.destroy());
  self.close = () => {
    self.shut = true;
    self.cut();
  };
  const server = http.createServer((request, answer) => {
    if (self.shut) {
      self.answered++;
      request.resume();
      answer.writeHead(200, { 'Content-Type': 'text/html' });
      answer.end('<h1>Welcome to our hotel</h1>');
      return;
    }
    passing.add(answer);
    answer.on('close', () => passing.delete(answer));
    const passed = http.request({
      host: target.hostname, port: target.port, path: request.url, method: request.method, headers: request.headers,
    }, (response) => {
      answer.writeHead(response.statusCode, response.headers);
      response.on('error', () => answer.destroy());
      response.pipe(answer);
    });
    passed.on('error', () => answer.destroy());
    answer.on('close', () => passed.destroy());
    request.pipe(passed);
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      self.url = `ws://127.0.0.1:${server.address().port}`;
      resolve(self);
    });
  });
}

// Runs it with a fetch that notes what it is asked for.
async function noting(run) {
  const real = global.fetch;
  const asked = [];
  global.fetch = (url, options) => {
    asked.push(Object.assign({ url: String(url) }, options));
    return real(url, options);
  };
  try {
    await run(asked);
  } finally {
    global.fetch = real;
  }
}

async function main() {
  await check('who answers with more than was asked does not wait for ever', async () => {
    const socket = await open(base + '/amplify');
    for (let i = 0; i < 400; i++) socket.send('x'.repeat(1000));
    for (let i = 0; i < 400; i++) assert.strictEqual((await socket.take()).length, 50000);
    socket.close();
    assert.strictEqual((await socket.closed).code, 1005);
  });

  await check('a page of a portal is no answer', async () => {
    const way = await portal();
    const socket = await open(way.url + '/echo');
    socket.send('before');
    assert.strictEqual(await socket.take(), 'before');
    way.close();
    socket.send('while it is shut');
    await sleep(1500);
    assert.ok(socket.bufferedAmount > 0, 'the portal was believed');
    assert.ok(way.answered < 30, `${way.answered} requests`);
    way.shut = false;
    assert.strictEqual(await socket.take(), 'while it is shut');
    socket.close();
    assert.strictEqual((await socket.closed).code, 1005);
  });

  await check('a portal that stays ends it', async () => {
    const way = await portal();
    const socket = await open(way.url + '/echo');
    way.close();
    assert.strictEqual((await within(8000, socket.closed)).code, 1006);
    assert.ok(way.answered < 60, `${way.answered} requests`);
  });

  await check('a handler may take its time, and connections be cut meanwhile', async () => {
    const way = await portal();
    const socket = await open(way.url + '/slow');
    const cutting = setInterval(way.cut, 2000); // the server's grace is 3 seconds
    for (let i = 0; i < 10; i++) socket.send('x'.repeat(100000));
    await sleep(6000);
    for (let i = 0; i < 10; i++) assert.strictEqual(await socket.take(), '100000');
    clearInterval(cutting);
    socket.close();
    assert.strictEqual((await socket.closed).code, 1005);
  });

  await check('a code is clamped, not cut off', async () => {
    const socket = await open(base + '/echo');
    for (const code of [65536 + 1000, 65536 + 3000, -62536, Infinity, -1, 4999.6, 999.4, NaN, 'x', null]) {
      assert.throws(() => socket.close(code), { name: 'InvalidAccessError' }, String(code));
    }
    socket.close('3000.4');
    assert.strictEqual((await socket.closed).code, 3000);
  });

  await check('a page that is left says so, and no more than a browser lets it', async () => {
    await noting(async (asked) => {
      for (const [text, keepalive] of [['short', true], ['\u8A9E'.repeat(30000), false]]) {
        const socket = await open(base + '/watched');
        socket.send(text);
        hooks.pagehide.forEach((hook) => hook({ persisted: false }));
        const { body, keepalive: kept } = asked[asked.length - 1];
        assert.ok(body.endsWith('\nc1001\n') && body.includes(text));
        assert.strictEqual(Boolean(kept), keepalive);
        assert.strictEqual(hooks.pagehide.size, 0);
        let how;
        const expected = `${Buffer.byteLength(text)} 1001  peer`;
        for (let i = 0; i < 50 && how !== expected; i++) {
          const last = await open(base + '/last');
          how = await last.take();
        }
        assert.strictEqual(how, expected);
      }
    });
  });

  await check('the first way has its time, whichever it is', async () => {
    const silent = http.createServer(() => {});
    await new Promise((resolve) => silent.listen(0, '127.0.0.1', resolve));
    let tried = 0;
    global.WebSocket = class { constructor() { tried++; throw new Error('not here'); } };
    const socket = new WeftSocket(`ws://127.0.0.1:${silent.address().port}/`, [], { transports: ['fallback', 'websocket'], timeout: 100 });
    const closed = new Promise((resolve) => { socket.onclose = resolve; });
    const { code } = await within(3000, closed).finally(() => { delete global.WebSocket; });
    assert.deepStrictEqual([code, tried], [1006, 1]);
    silent.closeAllConnections();
  });

  await check('it may be closed wherever it is, and is closed once', async () => {
    const at = {
      open: (socket) => { socket.onopen = () => socket.close(4000); },
      message: (socket) => {
        socket.onopen = () => socket.send('x');
        socket.onmessage = () => socket.close(4000);
      },
      twice: (socket) => {
        socket.onopen = () => {
          socket.close(4000);
          socket.close(4001);
          socket.send('too late');
        };
      },
      'behind a Blob': (socket) => {
        socket.onopen = () => {
          socket.send(new Blob(['x'.repeat(100000)]));
          socket.close(4000);
        };
      },
    };
    for (const [name, prepare] of Object.entries(at)) {
      const socket = new WeftSocket(base + '/echo');
      const seen = [];
      for (const type of ['open', 'error', 'close']) {
        socket.addEventListener(type, () => seen.push([type, socket.readyState]));
      }
      prepare(socket);
      const { code, wasClean } = await within(5000, new Promise((resolve) => { socket.addEventListener('close', resolve); }));
      assert.deepStrictEqual([name, code, wasClean], [name, 4000, true]);
      await sleep(20);
      assert.deepStrictEqual(seen, [['open', name === 'open' || name === 'twice' || name === 'behind a Blob' ? seen[0][1] : 1], ['close', 3]]);
      assert.strictEqual(hooks.pagehide.size, 0);
    }
  });

  await check('nothing of it is left once it has closed', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    await sleep(100);
    const before = timers();
    for (const path of ['/close', '/return']) {
      const socket = new WeftSocket(base + path);
      await new Promise((resolve) => { socket.onclose = resolve; });
    }
    const refused = new WeftSocket(base + '/nothing');
    await new Promise((resolve) => { refused.onclose = resolve; });
    await sleep(10);
    assert.ok(timers() <= before, `${timers()} timers, ${before} before`);
  });

  report();
}

main();
