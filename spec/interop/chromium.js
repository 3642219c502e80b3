// A real browser as the peer: two pages chat through the demo's server, and a
// page's own WebSocket talks to the weft server of the other peers, plain and
// over TLS with a certificate that nobody has to trust; and to two of
// deflate_server.lua, whose windows are shared and sliding.
//
//   node spec/interop/chromium.js CHAT_URL SCREENSHOT_FOLDER SHARED_URL SLIDING_URL SERVER_URL...
'use strict';
const assert = require('assert');
const { execSync } = require('child_process');
const path = require('path');
const { chromium } = require('playwright-core');
const { check, report } = require('./check');

const [chat, folder, shared, sliding, ...servers] = process.argv.slice(2);

function browserPath() {
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  return execSync(names.map((name) => `command -v ${name}`).join(' || ')).toString().trim();
}

// what the page complained of; a page of ours complains of nothing (the icon
// that every browser asks for is not the page's wish)
function listen(page, complaints) {
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => {
    const icon = message.location().url.endsWith('/favicon.ico');
    if (message.type() === 'error' && !icon) complaints.push(message.text());
  });
}

async function join(browser, name, complaints) {
  const context = await browser.newContext({ viewport: { width: 800, height: 600 } });
  const page = await context.newPage();
  page.setDefaultTimeout(15000);
  listen(page, complaints);
  await page.goto(chat);
  await page.locator('#status', { hasText: 'connected' }).waitFor();
  await page.locator('#name').fill(name);
  await page.locator('#name').press('Enter');
  await page.locator('#members', { hasText: name }).waitFor();
  return page;
}

async function say(page, text) {
  await page.locator('#text').fill(text);
  await page.locator('#text').press('Enter');
}

function message(page, text) {
  return page.locator('#messages li', { hasText: text });
}

function shot(page, name) {
  return page.screenshot({ path: path.join(folder, `${name}.png`) });
}

async function chatting(browser) {
  const complaints = [];
  let ana;
  let bob;

  await check('two pages connect to the chat', async () => {
    ana = await join(browser, 'Ana', complaints);
    bob = await join(browser, 'Bob', complaints);
  });

  await check('what Ana says appears on both pages, once, under her name', async () => {
    await say(ana, 'Hello from the first page');
    for (const page of [ana, bob]) {
      const line = message(page, 'Hello from the first page');
      await line.waitFor();
      assert.strictEqual(await line.count(), 1);
      assert.match(await line.textContent(), /Ana/);
    }
  });

  await check('what Bob answers appears on both pages, under his name', async () => {
    await say(bob, 'And hello from the second: grüß dich \u{1F9F5}');
    for (const page of [ana, bob]) {
      const line = message(page, 'grüß dich \u{1F9F5}');
      await line.waitFor();
      assert.match(await line.textContent(), /Bob/);
    }
  });

  await check('markup in a message stays text', async () => {
    await say(ana, '<b id="injected">bold</b>');
    await message(bob, '<b id="injected">bold</b>').waitFor();
    assert.strictEqual(await bob.locator('#injected').count(), 0);
  });

  await check('both pages list both members', async () => {
    for (const page of [ana, bob]) {
      for (const name of ['Ana', 'Bob']) {
        await page.locator('#members', { hasText: name }).waitFor();
      }
    }
  });

  await check('forty messages keep their order on the other page', async () => {
    for (let i = 1; i <= 40; i++) await say(ana, `line ${i}.`);
    await message(bob, 'line 40.').waitFor();
    const lines = (await bob.locator('#messages li').allTextContents())
      .map((text) => text.match(/line (\d+)\./))
      .filter(Boolean)
      .map((found) => Number(found[1]));
    assert.deepStrictEqual(lines, Array.from({ length: 40 }, (_, i) => i + 1));
  });

  await check('the screenshots are taken', async () => {
    await shot(ana, 'chat-ana');
    await shot(bob, 'chat-bob');
  });

  await check('a page that leaves is no longer listed', async () => {
    await bob.context().close();
    await ana.waitForFunction(
      () => !document.querySelector('#members').textContent.includes('Bob'));
    await say(ana, 'Alone again');
    await message(ana, 'Alone again').waitFor();
    await shot(ana, 'chat-alone');
  });

  await check('no page complained', async () => {
    assert.deepStrictEqual(complaints, []);
  });
}

// Runs in the page: opens a socket, does as told, and tells what it saw.
function inPage(page, url, protocols, steps) {
  return page.evaluate(async ([url, protocols, steps]) => {
    const ws = new WebSocket(url, protocols);
    ws.binaryType = 'arraybuffer';
    const seen = { opened: false, errors: 0, messages: [] };
    const closed = new Promise((resolve) => { ws.onclose = resolve; });
    ws.onopen = () => {
      seen.opened = true;
      seen.protocol = ws.protocol;
      seen.extensions = ws.extensions;
      for (const { text, bytes, close } of steps) {
        if (text !== undefined) ws.send('w'.repeat(text));
        if (bytes !== undefined) ws.send(Uint8Array.from({ length: bytes }, (_, i) => i * 7));
        if (close) ws.close(...close);
      }
    };
    ws.onerror = () => { seen.errors++; };
    ws.onmessage = ({ data }) => {
      const text = typeof data === 'string';
      const right = text ? /^w*$/.test(data)
        : new Uint8Array(data).every((value, i) => value === ((i * 7) & 255));
      seen.messages.push({ kind: text ? 'text' : 'binary',
        size: text ? data.length : data.byteLength, right, data: text ? data.slice(0, 20) : '' });
      const expected = steps.filter((step) => !step.close).length;
      if (expected > 0 && seen.messages.length === expected) ws.close(4003, 'enough');
    };
    const end = await closed;
    return { ...seen, code: end.code, reason: end.reason, clean: end.wasClean };
  }, [url, protocols, steps]);
}

async function talking(browser, server) {
  const over = server.split(':')[0];
  const context = await browser.newContext();
  const page = await context.newPage();
  const sizes = [0, 1, 125, 126, 127, 65535, 65536, 1024 * 1024];

  await check(`${over}: a page is served by the server that the sockets go to`, async () => {
    const response = await page.goto(server.replace('ws', 'http') + '/');
    assert.strictEqual(response.status(), 200);
  });

  for (const [kind, step] of [['text', 'text'], ['binary', 'bytes']]) {
    await check(`${over}: ${kind} of every size comes back to the page`, async () => {
      const seen = await inPage(page, server + '/echo', [], sizes.map((size) => ({ [step]: size })));
      assert.deepStrictEqual(seen.messages.map((m) => m.size), sizes);
      assert.ok(seen.messages.every((m) => m.right && m.kind === kind));
      assert.deepStrictEqual([seen.code, seen.clean], [4003, true]);
    });
  }

  await check(`${over}: fragments arrive as one message`, async () => {
    const seen = await inPage(page, server + '/fragments', [], [{ text: 100000 }]);
    assert.deepStrictEqual(seen.messages.map((m) => [m.size, m.right]), [[100000, true]]);
  });

  await check(`${over}: the browser answers weft's ping`, async () => {
    const seen = await inPage(page, server + '/ping', [], []);
    assert.strictEqual(seen.messages[0].data, 'answered');
    assert.deepStrictEqual([seen.code, seen.clean], [1000, true]);
  });

  await check(`${over}: weft's close code and reason arrive`, async () => {
    const seen = await inPage(page, server + '/close/4002', [], []);
    assert.deepStrictEqual([seen.code, seen.reason, seen.clean], [4002, 'because', true]);
  });

  await check(`${over}: the subprotocol is the server's favourite`, async () => {
    const seen = await inPage(page, server + '/echo', ['chat.v1', 'chat.v2'], [{ close: [1000, ''] }]);
    assert.strictEqual(seen.protocol, 'chat.v2');
  });

  await check(`${over}: a refusal by upgrade is an error in the page`, async () => {
    const seen = await inPage(page, server + '/secret', [], []);
    assert.deepStrictEqual([seen.opened, seen.errors, seen.code], [false, 1, 1006]);
  });

  await check(`${over}: a page of another origin is refused`, async () => {
    const foreign = await context.newPage();
    await foreign.goto(chat);
    const seen = await inPage(foreign, server + '/echo', [], []);
    assert.deepStrictEqual([seen.opened, seen.errors, seen.code], [false, 1, 1006]);
  });
}

async function compressing(browser, server, windows, extensions) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const sizes = [0, 1, 125, 126, 127, 511, 512, 65535, 65536, 1024 * 1024, 0, 0, 65536];
  await page.goto(server.replace('ws', 'http') + '/');

  for (const path of ['/echo', '/fragments', '/chunks', '/mixed']) {
    for (const [kind, step] of [['text', 'text'], ['binary', 'bytes']]) {
      await check(`${windows} windows, ${path.slice(1)}: ${kind} of every size comes back`, async () => {
        const seen = await inPage(page, server + path, [], sizes.map((size) => ({ [step]: size })));
        assert.strictEqual(seen.extensions, extensions);
        assert.deepStrictEqual(seen.messages.map((m) => m.size), sizes);
        if (path !== '/chunks') assert.ok(seen.messages.every((m) => m.right && m.kind === kind));
        assert.deepStrictEqual([seen.code, seen.clean], [4003, true]);
      });
    }
  }

  await check(`${windows} windows: what does not compress comes back`, async () => {
    const same = await page.evaluate(async (url) => {
      const ws = new WebSocket(url);
      ws.binaryType = 'arraybuffer';
      await new Promise((resolve) => { ws.onopen = resolve; });
      const noise = crypto.getRandomValues(new Uint8Array(50000));
      const same = [];
      for (let turn = 0; turn < 5; turn++) {
        ws.send(noise);
        const { data } = await new Promise((resolve) => { ws.onmessage = resolve; });
        const got = new Uint8Array(data);
        same.push(got.length === noise.length && got.every((value, i) => value === noise[i]));
      }
      ws.close();
      return same;
    }, server + '/echo');
    assert.deepStrictEqual(same, [true, true, true, true, true]);
  });
}

async function main() {
  const browser = await chromium.launch({
    executablePath: browserPath(),
    headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
      '--ignore-certificate-errors'],
  });
  console.log(`Chromium ${browser.version()}`);
  await chatting(browser);
  for (const server of servers) await talking(browser, server);
  await compressing(browser, shared, 'shared',
    'permessage-deflate; server_no_context_takeover; client_no_context_takeover');
  await compressing(browser, sliding, 'sliding',
    'permessage-deflate; server_max_window_bits=12; client_max_window_bits=12');
  await browser.close();
  report();
}

main().catch((error) => {
  console.log(`FAILED  ${error.stack || error}`);
  process.exit(1);
});
