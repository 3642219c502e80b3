// Chromium's EventSource: ids, retries, names, and a room that it shares with
// WebSockets; the example of it; and a folder of pages, served by weft serve.
//
//   node spec/interop/http_chromium.js URL EXAMPLE_URL DRAW_URL SCREENSHOT_FOLDER
'use strict';
const assert = require('assert');
const { execSync } = require('child_process');
const path = require('path');
const { chromium } = require('playwright-core');
const { check, report } = require('./check');

const [base, example, draw, folder] = process.argv.slice(2);

function browserPath() {
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  return execSync(names.map((name) => `command -v ${name}`).join(' || ')).toString().trim();
}

async function post(text) {
  const answer = await fetch(`${base}/say`, { method: 'POST', body: text });
  return answer.json();
}

// A page of examples/draw whose ink has that hue.
async function sheet(browser, hue, complaints) {
  const page = await browser.newPage({ viewport: { width: 800, height: 500 } });
  page.setDefaultTimeout(15000);
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.addInitScript((turn) => { Math.random = () => turn; }, hue / 360);
  await page.goto(draw);
  await page.locator('#state', { hasText: 'the others see it' }).waitFor();
  return page;
}

async function stroke(page, y) {
  await page.mouse.move(100, y);
  await page.mouse.down();
  await page.mouse.move(700, y, { steps: 5 });
  await page.mouse.up();
}

// the colour of a place of the window, once there is any
function ink(page, x, y) {
  return page.waitForFunction(([x, y]) => {
    const paper = document.querySelector('canvas');
    const [across, down] = [x / innerWidth * paper.width, y / innerHeight * paper.height];
    const [...colour] = paper.getContext('2d').getImageData(across, down, 1, 1).data;
    return colour[3] > 0 && colour;
  }, [x, y]).then((handle) => handle.jsonValue());
}

async function drawing(browser) {
  const complaints = [];
  let red;
  let cyan;

  await check('two pages of a folder open the same sheet', async () => {
    red = await sheet(browser, 0, complaints);
    cyan = await sheet(browser, 180, complaints);
  });

  await check('what is drawn on one is seen on the other, in the colour of who drew', async () => {
    await stroke(red, 150);
    assert.deepStrictEqual(await ink(cyan, 400, 150), [173, 31, 31, 255]);
    await stroke(cyan, 300);
    assert.deepStrictEqual(await ink(red, 400, 300), [31, 173, 173, 255]);
    await red.screenshot({ path: path.join(folder, 'draw-red.png') });
    await cyan.screenshot({ path: path.join(folder, 'draw-cyan.png') });
  });

  await check('no sheet complained', async () => {
    assert.deepStrictEqual(complaints, []);
  });
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

  await drawing(browser);
  await browser.close();
  report();
}

main();
