// A browser that gets no WebSocket: two pages of examples/fallback chat over event
// streams and POST. The server refuses every WebSocket; between the two is a proxy
// that can cut what goes through it, as networks do.
//
//   node spec/interop/fallback_chromium.js CHAT_URL SCREENSHOT_FOLDER
'use strict';
const assert = require('assert');
const { execSync } = require('child_process');
const net = require('net');
const path = require('path');
const { chromium } = require('playwright-core');
const { check, report } = require('./check');

const [chat, folder] = process.argv.slice(2);

function browserPath() {
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  return execSync(names.map((name) => `command -v ${name}`).join(' || ')).toString().trim();
}

// a proxy to the server: cut() ends all that goes through it, in mid-air;
// down = true lets nothing in meanwhile; requests counts what is asked, by method
function network() {
  const open = new Set();
  const self = { down: false, requests: [], cut: () => open.forEach((end) => end.destroy()) };
  const server = net.createServer((near) => {
    if (self.down) {
      near.destroy();
      return;
    }
    const far = net.connect(Number(new URL(chat).port), new URL(chat).hostname);
    for (const [from, to] of [[near, far], [far, near]]) {
      open.add(from);
      from.on('error', () => {});
      from.on('close', () => {
        open.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
    near.on('data', (data) => {
      const line = /^(GET|POST|OPTIONS) \S+/.exec(data.toString('latin1'));
      if (line) self.requests.push(line[0] + (/\r\nupgrade: websocket/i.test(data) ? ' upgrade' : ''));
    });
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      self.url = `http://127.0.0.1:${server.address().port}/`;
      resolve(self);
    });
  });
}

async function join(browser, url, name, complaints) {
  const context = await browser.newContext({ viewport: { width: 800, height: 600 } });
  const page = await context.newPage();
  page.setDefaultTimeout(15000);
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.goto(url);
  await page.locator('#name').fill(name);
  await page.locator('#name').press('Enter');
  await page.locator('#members', { hasText: name }).waitFor();
  return page;
}

async function say(page, text) {
  await page.locator('#text').fill(text);
  await page.locator('#text').press('Enter');
}

const message = (page, text) => page.locator('#messages li', { hasText: text });
const status = (page) => page.locator('#status').textContent();

async function numbers(page) {
  return (await page.locator('#messages li').allTextContents())
    .map((text) => text.match(/line (\d+)\./))
    .filter(Boolean)
    .map((found) => Number(found[1]));
}

const upTo = (n) => Array.from({ length: n }, (_, i) => i + 1);

async function chatting(browser) {
  const complaints = [];
  const way = await network();
  let ana;
  let bob;

  await check('two pages connect, without a WebSocket', async () => {
    ana = await join(browser, way.url, 'Ana', complaints);
    bob = await join(browser, way.url, 'Bob', complaints);
    for (const page of [ana, bob]) assert.match(await status(page), /event stream down, POST up/);
    assert.ok(way.requests.some((line) => line.endsWith('upgrade')), 'none was tried');
  });

  await check('what one says appears on both pages, once, under its name', async () => {
    await say(ana, 'Hello from the first page');
    await message(bob, 'Hello from the first page').waitFor();
    await say(bob, 'And hello from the second: grüß dich \u{1F9F5} \\n');
    for (const page of [ana, bob]) {
      await message(page, 'grüß dich \u{1F9F5} \\n').waitFor();
      assert.strictEqual(await message(page, 'Hello from the first page').count(), 1);
      assert.match(await message(page, 'Hello from the first page').textContent(), /^Ana/);
      assert.match(await message(page, 'grüß dich').textContent(), /^Bob/);
    }
  });

  await check('markup in a message stays text', async () => {
    await say(ana, '<b id="injected">bold</b>');
    await message(bob, '<b id="injected">bold</b>').waitFor();
    assert.strictEqual(await bob.locator('#injected').count(), 0);
  });

  await check('what is said while connections break arrives in order, once', async () => {
    for (let i = 1; i <= 40; i++) {
      await say(ana, `line ${i}.`);
      if (i % 10 === 5) way.cut();
    }
    for (const page of [ana, bob]) {
      await message(page, 'line 40.').waitFor();
      assert.deepStrictEqual(await numbers(page), upTo(40));
    }
  });

  await check('what is said while there is no network arrives when it is back', async () => {
    way.down = true;
    way.cut();
    await say(ana, 'line 41.');
    await say(bob, 'line 42.');
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.strictEqual((await numbers(ana)).length, 40);
    way.down = false;
    for (const page of [ana, bob]) {
      await message(page, 'line 41.').waitFor();
      await message(page, 'line 42.').waitFor();
      assert.deepStrictEqual((await numbers(page)).sort((a, b) => a - b), upTo(42));
      assert.match(await status(page), /^connected/); // and no page was told
    }
  });

  await check('the screenshots are taken', async () => {
    await ana.screenshot({ path: path.join(folder, 'fallback-ana.png') });
    await bob.screenshot({ path: path.join(folder, 'fallback-bob.png') });
  });

  await check('a second socket of a page does not try a WebSocket again', async () => {
    way.requests.length = 0;
    const transport = await ana.evaluate(() => new Promise((resolve) => {
      const socket = new WeftSocket('/chat');
      socket.onopen = () => {
        resolve(socket.transport);
        socket.close(4000);
      };
      socket.onclose = () => resolve('closed');
    }));
    assert.strictEqual(transport, 'fallback');
    assert.ok(!way.requests.some((line) => line.endsWith('upgrade')));
  });

  await check('a page that leaves is gone at once', async () => {
    await bob.goto('about:blank');
    await ana.waitForFunction(
      () => !document.querySelector('#members').textContent.includes('Bob'), null, { timeout: 3000 });
  });

  await check('no page complained', async () => {
    assert.deepStrictEqual(complaints, []);
  });
}

async function main() {
  const browser = await chromium.launch({
    executablePath: browserPath(),
    headless: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  await chatting(browser);
  await browser.close();
  report();
}

main().catch((error) => {
  console.log(`FAILED  ${error.stack || error}`);
  process.exit(1);
});
