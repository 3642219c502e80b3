// Chromium's EventSource: ids, retries, names, and a room that it shares with
// WebSockets; and the example of it.
//
//   node spec/interop/http_chromium.js URL EXAMPLE_URL SCREENSHOT_FOLDER
'use strict';
const assert = require('assert');
const { execSync } = require('child_process');
const path = require('path');
const { chromium } = require('playwright-core');
const { check, report } = require('./check');

const [base, example, folder] = process.argv.slice(2);

function browserPath() {
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  return execSync(names.map((name) => `command -v ${name}`).join(' || ')).toString().trim();
}

async function post(text) {
  const answer = await fetch(`${base}/say`, { method: 'POST', body: text });
  return answer.json();
}

async function main() {
  const browser = await chromium.launch({
    executablePath: browserPath(), args: ['--no-sandbox', '--no-proxy-server'],
  });
  const page = await browser.newPage({ viewport: { width: 800, height: 600 } });
  page.setDefaultTimeout(15000);
  const seen = (count) => page.waitForFunction((n) => seen.length >= n && seen, count)
    .then((handle) => handle.jsonValue());

  await check('events have lines, names and ids; the next stream goes on behind the last', async () => {
    await page.goto(`${base}/`);
    assert.deepStrictEqual(await seen(6), [
      'open', 'message 1: "one\\ntwo\\nthree: é"', 'tick 2: tock', 'again', 'open', 'message 3: "and again"',
    ]);
  });

  await check('a room reaches event streams and WebSockets alike', async () => {
    await page.evaluate(() => new Promise((resolve) => {
      window.socket = new WebSocket(`ws://${location.host}/room`);
      socket.binaryType = 'arraybuffer';
      socket.onmessage = (event) => note(`socket: ${typeof event.data === 'string'
        ? event.data : new Uint8Array(event.data).join()}`);
      socket.onopen = resolve;
    }));
    assert.strictEqual(await post('to all'), 2);
    await seen(8);
    await page.evaluate(() => socket.send(new Uint8Array([0, 255, 7])));
    const all = await seen(10);
    assert.deepStrictEqual(all.slice(6).sort(), [
      'binary: AP8H', 'message 3: "to all"', 'socket: 0,255,7', 'socket: to all',
    ]);
    await page.screenshot({ path: path.join(folder, 'events.png') });
  });

  await check('a page that leaves leaves its room', async () => {
    await page.goto('about:blank');
    for (let i = 0; i < 100 && (await post('anybody?')) > 0; i++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.strictEqual(await post('anybody?'), 0);
  });

  await check('the example ticks by both ways', async () => {
    await page.goto(example);
    await page.waitForFunction(() => /^\d\d:\d\d:\d\d$/.test(events.textContent)
      && events.textContent === messages.textContent);
    await page.screenshot({ path: path.join(folder, 'clock.png') });
  });

  await browser.close();
  report();
}

main();
