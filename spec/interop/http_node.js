// Node's fetch as the client of plain HTTP: bodies both ways, streams, conditions,
// and connections that are used again.
//
//   node spec/interop/http_node.js URL
'use strict';
const assert = require('assert');
const { check, report } = require('./check');

const [base] = process.argv.slice(2);

function post(path, body, options = {}) {
  return fetch(base + path, { method: 'POST', body, ...options });
}

// a body that comes piece by piece, so in chunks
function pieces(list) {
  return new ReadableStream({
    async start(controller) {
      for (const piece of list) {
        controller.enqueue(new TextEncoder().encode(piece));
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      controller.close();
    },
  });
}

async function main() {
  await check('a page', async () => {
    const answer = await fetch(`${base}/`);
    assert.strictEqual(answer.status, 200);
    assert.strictEqual(answer.headers.get('content-type'), 'text/html; charset=utf-8');
    assert.ok(Math.abs(Date.parse(answer.headers.get('date')) - Date.now()) < 5000);
    assert.match(await answer.text(), /EventSource/);
  });

  await check('a body with a length comes back', async () => {
    const answer = await post('/echo/a%20b', 'héllo', { headers: { 'Content-Type': 'text/x-own' } });
    assert.strictEqual(await answer.text(), 'héllo');
    assert.strictEqual(answer.headers.get('x-name'), 'a b');
    assert.strictEqual(answer.headers.get('x-type'), 'text/x-own');
  });

  await check('a body in chunks comes back', async () => {
    const answer = await post('/echo/x', pieces(['one ', 'two ', 'three']), { duplex: 'half' });
    assert.strictEqual(await answer.text(), 'one two three');
  });

  await check('bytes of all kinds come back', async () => {
    const bytes = new Uint8Array(300000).map((_, i) => i * 7);
    const answer = await post('/echo/x', bytes);
    assert.deepStrictEqual(new Uint8Array(await answer.arrayBuffer()), bytes);
  });

  await check('a form is what it was', async () => {
    const answer = await post('/echo/x', new URLSearchParams({ a: '1 &', b: 'ü' }));
    assert.strictEqual(await answer.text(), 'a=1+%26&b=%C3%BC');
    assert.match(answer.headers.get('x-type'), /^application\/x-www-form-urlencoded/);
  });

  await check('a body that is too long is 413', async () => {
    const answer = await post('/echo/x', 'x'.repeat(1000001));
    assert.strictEqual(answer.status, 413);
  });

  await check('methods: 405 with Allow, OPTIONS, HEAD', async () => {
    let answer = await fetch(`${base}/echo/x`, { method: 'DELETE' });
    assert.strictEqual(answer.status, 405);
    assert.strictEqual(answer.headers.get('allow'), 'OPTIONS, POST, PUT');
    answer = await fetch(`${base}/echo/x`, { method: 'OPTIONS' });
    assert.strictEqual(answer.status, 204);
    answer = await fetch(`${base}/`, { method: 'HEAD' });
    assert.strictEqual(answer.status, 200);
    assert.strictEqual(await answer.text(), '');
    answer = await fetch(`${base}/echo/x`, { method: 'PUT', body: 'four' });
    assert.deepStrictEqual([answer.status, await answer.json()], [201, 4]);
  });

  await check('404, 426 and 500', async () => {
    assert.strictEqual((await fetch(`${base}/nothing`)).status, 404);
    const upgrade = await fetch(`${base}/room`);
    assert.deepStrictEqual([upgrade.status, upgrade.headers.get('upgrade')], [426, 'websocket']);
    assert.strictEqual((await fetch(`${base}/bad`)).status, 500);
  });

  await check('an answer that is written piece by piece', async () => {
    const answer = await fetch(`${base}/countdown?from=20`);
    assert.strictEqual(answer.headers.get('content-length'), null);
    let reads = 0;
    let text = '';
    for await (const piece of answer.body) {
      reads += 1;
      text += Buffer.from(piece).toString();
    }
    assert.ok(reads > 5, `in ${reads} pieces`);
    assert.strictEqual(text.trim().split('\n').length, 20);
  });

  await check('an answer that is broken off ends its function', async () => {
    const control = new AbortController();
    const answer = await fetch(`${base}/countdown?from=100000`, { signal: control.signal });
    await answer.body.getReader().read();
    control.abort();
    for (let i = 0; i < 100 && (await (await fetch(`${base}/gone`)).json()) === 0; i++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.strictEqual(await (await fetch(`${base}/gone`)).json(), 1);
  });

  await check('files: types, conditions, ranges', async () => {
    const answer = await fetch(`${base}/files/some.json`);
    assert.strictEqual(answer.headers.get('content-type'), 'application/json');
    const tag = answer.headers.get('etag');
    assert.deepStrictEqual(await answer.json(), { a: [1, 2, 3] });
    const same = await fetch(`${base}/files/some.json`, { headers: { 'If-None-Match': tag } });
    assert.strictEqual(same.status, 304);
    const part = await fetch(`${base}/files/some.json`, { headers: { Range: 'bytes=0-4' } });
    assert.deepStrictEqual([part.status, await part.text()], [206, '{"a":']);
    assert.strictEqual((await fetch(`${base}/files/..%2fsecret`)).status, 404);
  });

  await check('a hundred requests go by few connections', async () => {
    const count = async () => (await fetch(`${base}/connections`)).json();
    const before = await count();
    for (let i = 0; i < 100; i++) {
      await (await post('/echo/x', `number ${i}`)).text();
    }
    const more = (await count()) - before;
    assert.ok(more <= 2, `${more} more connections`);
  });

  await check('many at once', async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => post('/echo/x', `number ${i}`)));
    const texts = await Promise.all(answers.map((answer) => answer.text()));
    texts.forEach((text, i) => assert.strictEqual(text, `number ${i}`));
  });

  report();
}

main();
