// WeftSocket: the interface of the browser's WebSocket, for places where none
// gets through. It tries a WebSocket, and where that fails before it is open, an
// event stream one way and POST the other, to a server with weft.fallback at the
// same path. It needs nothing but fetch: browsers, and Node 18 or later.
//
//   <script src="/chat?weft.js"></script>
//   const socket = new WeftSocket('/chat');
//
// The stream is read by fetch, not by EventSource: what goes over the network is
// the same, but fetch says with which status a request failed (a session that is
// gone is not one that is out of reach), can be aborted when it falls silent, and
// is there outside browsers. Where something on the way holds streams back until
// they end, it asks again and again instead.
(function () {
  'use strict';

  const root = typeof self === 'undefined' ? global : self;
  const STATES = { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 };
  const TYPE = 'application/x-weft';
  const BATCH = 131072;       // characters of a POST, of three bytes at most, unless
  const SHORT = 1024;         // the least that a failed POST is cut down to
  const TEXT_PIECE = 65536;   // one record has more: characters before they are escaped
  const BYTES_PIECE = 196608; // bytes of one: a multiple of 3
  const WEIGHT = 64;          // what an event counts besides its text
  const FIRST = 4000;         // milliseconds for the first bytes of a stream
  const CLOSING = 10000;      // milliseconds for the server to answer a close
  const REMEMBERED = 600000;  // milliseconds without another try of WebSocket

  // ---- records: see docs/fallback.md

  const ESCAPES = { '\\': '\\\\', '\n': '\\n', '\r': '\\r' };
  const MEANINGS = { '\\\\': '\\', '\\n': '\n', '\\r': '\r' };
  const escape = (text) => text.replace(/[\\\n\r]/g, (c) => ESCAPES[c]);
  const unescape = (line) => line.replace(/\\[\\nr]/g, (pair) => MEANINGS[pair]);

  function toBase64(bytes) {
    let text = '';
    for (let at = 0; at < bytes.length; at += 32768) {
      text += String.fromCharCode.apply(null, bytes.subarray(at, at + 32768));
    }
    return btoa(text);
  }

  function fromBase64(line) {
    const text = atob(line);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return bytes;
  }

  const utf8Length = (text) => new TextEncoder().encode(text).length;

  // a message as lines; long ones in pieces, none of which ends inside a character
  function textLines(text) {
    const lines = [];
    let at = 0;
    while (text.length - at > TEXT_PIECE) {
      let end = at + TEXT_PIECE;
      const last = text.charCodeAt(end - 1);
      if (last >= 0xD800 && last <= 0xDBFF) end--;
      lines.push('T' + escape(text.slice(at, end)));
      at = end;
    }
    lines.push('t' + escape(text.slice(at)));
    return lines;
  }

  function bytesLines(bytes) {
    const lines = [];
    let at = 0;
    for (; bytes.length - at > BYTES_PIECE; at += BYTES_PIECE) {
      lines.push('B' + toBase64(bytes.subarray(at, at + BYTES_PIECE)));
    }
    lines.push('b' + toBase64(bytes.subarray(at)));
    return lines;
  }

  function closeLine(code, reason) {
    if (code === undefined) return 'c';
    return 'c' + code + (reason ? ' ' + escape(reason) : '');
  }

  // ---- small things

  const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const settled = (promise) => promise.then(() => {}, () => {});

  class LaterCloseEvent extends Event { // where there is no CloseEvent: Node before 23
    constructor(type, how) {
      super(type);
      this.code = how.code;
      this.reason = how.reason;
      this.wasClean = how.wasClean;
    }
  }

  const Close = typeof CloseEvent === 'undefined' ? LaterCloseEvent : CloseEvent;

  function fault(name, words) {
    return new DOMException('WeftSocket: ' + words, name);
  }

  // With whom WebSocket has failed lately: for the tab, or as long as we run.
  const memory = {};

  function remember(host) {
    memory[host] = Date.now();
    try {
      sessionStorage.setItem('weft ' + host, String(memory[host]));
    } catch (error) {
      // not in a browser, or it keeps nothing
    }
  }

  function hasFailed(host) {
    let when = memory[host];
    try {
      when = Number(sessionStorage.getItem('weft ' + host)) || when;
    } catch (error) {
      // the same
    }
    return when !== undefined && Date.now() - when < REMEMBERED;
  }

  // ---- a WebSocket as the way

  // A way tells its link: opened(protocol, extensions), arrived(data),
  // ended(code, reason, wasClean), and refused() when it never opened.
  class Native {
    constructor(link, timeout) {
      this.link = link;
      this.socket = null;
      this.timer = setTimeout(() => this.giveUp(), timeout);
      try {
        this.socket = new root.WebSocket(link.url.socket, link.protocols);
      } catch (error) { // what is not allowed here
        clearTimeout(this.timer);
        this.timer = setTimeout(() => this.giveUp(), 0);
        return;
      }
      this.listen(this.socket);
    }

    listen(socket) {
      let opened = false;
      socket.binaryType = this.link.binaryType;
      socket.onopen = () => {
        opened = true;
        clearTimeout(this.timer);
        this.link.opened(socket.protocol, socket.extensions);
      };
      socket.onmessage = (event) => this.link.arrived(event.data);
      socket.onerror = () => { // the close says it too, but in some Nodes, before it is open
        if (!opened) this.giveUp();
      };
      socket.onclose = (event) => {
        if (!opened) this.giveUp();
        else this.link.ended(event.code, event.reason, event.wasClean);
      };
    }

    giveUp() {
      this.drop();
      this.link.refused();
    }

    drop() {
      clearTimeout(this.timer);
      if (!this.socket) return;
      this.socket.onopen = this.socket.onmessage = this.socket.onclose = null;
      this.socket.onerror = () => {}; // where nobody listens it may end the process
      this.socket.close();
    }

    get bufferedAmount() {
      return this.socket ? this.socket.bufferedAmount : 0;
    }

    set binaryType(type) {
      if (this.socket) this.socket.binaryType = type;
    }

    send(data) {
      this.socket.send(data);
    }

    close(code, reason) {
      if (code === undefined) this.socket.close();
      else this.socket.close(code, reason);
    }
  }

  // ---- an event stream and POST as the way

  const OVER = [400, 403, 404, 405, 409, 410, 413, 415]; // trying again is no use

  class Fallback {
    constructor(link, timeout) {
      this.link = link;
      this.over = false;
      this.url = null;         // of the session
      this.seen = 0;           // the last event
      this.weight = 0;         // what the events so far weigh
      this.told = 0;           // the same of those that the server knows we have seen
      this.entries = [];       // what is to be sent
      this.lines = [];         // the same as records, until the server has them
      this.first = 1;          // the number of the first of these
      this.limit = BATCH;      // of a POST: less where long ones do not get through
      this.bufferedAmount = 0;
      this.posting = false;    // records
      this.telling = false;    // what we have seen
      this.polling = false;
      this.answered = false;   // the stream, when it was last asked for
      this.heard = 0;          // when something came by it
      this.down = null;        // what aborts the stream
      this.up = new Set();     // and POSTs
      this.hide = (event) => this.leave(event);
      this.timer = setTimeout(() => this.abortPosts(), timeout);
      this.open();
    }

    // "?weft=..." after what the URL asks for anyway
    address(what) {
      const url = this.link.url.page;
      return url + (url.indexOf('?') < 0 ? '?' : '&') + what;
    }

    // Of a server's processes one has the session. A request that meets another is
    // told so on a connection that then ends; the next may meet the right one, and
    // stays with it.
    async ask(url, more) {
      for (let tries = 1; ; tries++) {
        const response = await fetch(url, Object.assign({ cache: 'no-store', credentials: 'include' }, more));
        if (response.status !== 421 || tries > 100 || this.over) return response;
        await settled(response.text());
        if (tries > 10) await sleep(tries);
      }
    }

    post(url, body, more) {
      return this.ask(url, Object.assign({ method: 'POST', body, headers: { 'Content-Type': TYPE } }, more));
    }

    // The same, until something aborts it.
    async postUntil(url, body, take) {
      const abort = new AbortController();
      this.up.add(abort);
      try {
        return await take(await this.post(url, body, { signal: abort.signal }));
      } finally {
        this.up.delete(abort);
      }
    }

    abortPosts() {
      this.up.forEach((abort) => abort.abort());
    }

    async open() {
      const offer = this.link.protocols.map(encodeURIComponent).join(',');
      const url = this.address('weft=open&weft.v=1' + (offer ? '&weft.protocols=' + offer : ''));
      try {
        const opened = await this.postUntil(url, '', (response) => response.ok && response.json());
        if (!opened || opened.weft !== 1) throw new Error('refused');
        this.begin(opened);
      } catch (error) {
        if (this.over) return;
        this.drop();
        this.link.refused();
      }
    }

    begin(opened) {
      if (this.over) return;
      clearTimeout(this.timer);
      this.url = this.address('weft=' + encodeURIComponent(opened.id));
      this.ping = opened.ping * 1000;
      this.grace = opened.grace * 1000;
      this.window = opened.window;
      if (root.addEventListener) root.addEventListener('pagehide', this.hide);
      this.link.opened(opened.protocol, '');
      this.follow();
      this.flush();
    }

    // It is over, for a reason that the server did not tell.
    lose() {
      this.end(1006, '', false);
    }

    end(code, reason, wasClean) {
      if (this.over) return;
      this.drop();
      this.link.ended(code, reason, wasClean);
    }

    drop() {
      this.over = true;
      clearTimeout(this.timer);
      if (root.removeEventListener) root.removeEventListener('pagehide', this.hide);
      if (this.down) this.down.abort();
      this.abortPosts();
    }

    // -- down

    // One stream after the other. Comes back at once from one that did its work,
    // else after a growing delay, and gives up when there was none for too long.
    async follow() {
      let broken = 0;
      let delay = 0;
      while (!this.over) {
        const begun = Date.now();
        const before = this.seen;
        const polling = this.polling;
        this.answered = false;
        try {
          await this.stream();
        } catch (error) { // out of reach, or cut off, and what is being posted may be as well
          this.abortPosts();
        }
        if (this.answered) broken = 0;
        const worked = this.answered && (polling || Date.now() - begun > 2000);
        if (worked || this.seen > before || this.polling !== polling) {
          delay = 0;
          continue;
        }
        if (!this.answered) broken = broken || Date.now();
        if (broken && Date.now() - broken > this.grace) return this.lose();
        delay = Math.min(delay * 2 || 200, 3000);
        await sleep(delay * (0.5 + Math.random() / 2));
      }
    }

    // Reads one stream to its end.
    async stream() {
      const abort = this.down = new AbortController();
      let timer;
      const within = (ms, late) => {
        clearTimeout(timer);
        timer = setTimeout(() => {
          if (late) late();
          abort.abort();
        }, ms);
      };
      const silence = this.ping * 2 + 5000;
      if (this.polling) within(silence);
      else within(FIRST, () => { this.polling = true; });
      try {
        const response = await this.ask(
          this.url + '&weft.after=' + this.seen + (this.polling ? '&weft.poll' : ''),
          { signal: abort.signal, headers: { Accept: 'text/event-stream' } });
        if (OVER.indexOf(response.status) >= 0) this.lose();
        const type = response.headers.get('Content-Type') || '';
        if (!response.ok || !type.startsWith('text/event-stream')) return; // a portal's page, perhaps
        this.answered = true;
        await this.read(response.body.getReader(), () => {
          this.heard = Date.now();
          within(silence);
        });
      } finally {
        clearTimeout(timer);
        abort.abort();
      }
    }

    async read(reader, arrived) {
      const decoder = new TextDecoder();
      let text = '';
      let id = 0;
      for (;;) {
        const { done, value } = await reader.read();
        if (done || this.over) return;
        arrived();
        const more = decoder.decode(value, { stream: true });
        text += more;
        if (more.indexOf('\n') < 0) continue; // a long line is looked through once
        const lines = text.split('\n');
        text = lines.pop();
        for (const line of lines) {
          if (line.startsWith('id: ')) id = Number(line.slice(4));
          else if (line.startsWith('data: ')) await this.take(id, line.slice(6));
          if (this.over) return;
        }
      }
    }

    // Each event on its own: who waits for one message, then sets a handler for
    // what comes next, does so before it comes.
    async take(id, record) {
      if (id <= this.seen) return;
      if (id !== this.seen + 1) throw new Error('an event is missing');
      this.seen = id;
      this.weight += record.length + WEIGHT;
      if (record[0] === 'c') {
        const code = Number(record.slice(1, 5));
        this.acknowledge();
        await sleep(0);
        this.end(code, unescape(record.slice(6)), code !== 1006);
        return;
      }
      this.link.arrived(record[0] === 't' ? unescape(record.slice(1)) : fromBase64(record.slice(1)));
      this.tell();
    }

    // Says how far it has seen, when that is due. Not with the records: those wait
    // for a handler, which may be waiting for just this.
    async tell() {
      if (this.telling) return;
      this.telling = true;
      while (!this.over && this.weight - this.told > this.window / 4) {
        const weight = this.weight;
        if (await this.insist(() => this.body([]))) this.told = Math.max(this.told, weight);
      }
      this.telling = false;
    }

    // The last word to the server, which may then forget the session.
    acknowledge() {
      settled(this.post(this.url, this.body([]), { keepalive: true }));
    }

    // -- up

    send(data, size) {
      this.bufferedAmount += size;
      this.entries.push({ data, size });
      this.flush();
    }

    close(code, reason) {
      this.entries.push({ line: closeLine(code, reason), size: 0 });
      this.flush();
    }

    // Posts what there is, one batch after the other.
    async flush() {
      if (this.posting || !this.url) return;
      this.posting = true;
      await null; // what is sent in one go goes in one
      while (!this.over) {
        try {
          await this.prepare();
        } catch (error) { // a Blob that cannot be read
          this.lose();
        }
        if (this.over) break;
        if (this.lines.length > 0) await this.deliver();
        else if (this.entries.length === 0) break; // else some came while it was preparing
      }
      this.posting = false;
    }

    // Makes records of entries, enough for a batch.
    async prepare() {
      let size = this.lines.reduce((sum, { line }) => sum + line.length, 0);
      while (this.entries.length > 0 && size < BATCH) {
        const entry = this.entries[0];
        let data = entry.data;
        if (typeof data === 'object' && !(data instanceof Uint8Array)) { // a Blob
          data = new Uint8Array(await new Response(data).arrayBuffer());
        }
        this.entries.shift();
        size += this.record(entry, data);
      }
    }

    record(entry, data) {
      const lines = entry.line ? [entry.line]
        : typeof data === 'string' ? textLines(data) : bytesLines(data);
      lines.forEach((line, i) => {
        this.lines.push({ line, size: i + 1 === lines.length ? entry.size : 0 });
      });
      return lines.reduce((sum, line) => sum + line.length, 0);
    }

    batch() {
      let size = 0;
      let count = 0;
      while (count < this.lines.length && (count === 0 || size + this.lines[count].line.length <= this.limit)) {
        size += this.lines[count++].line.length;
      }
      return this.lines.slice(0, count);
    }

    // A POST of records, or of none: it also says how far this has seen.
    body(batch) {
      return this.first + ' ' + this.seen + '\n' + batch.map(({ line }) => line + '\n').join('');
    }

    async deliver() {
      const weight = this.weight;
      let batch;
      const attempt = () => {
        batch = this.batch();
        return this.body(batch);
      };
      if (!await this.insist(attempt)) return;
      this.limit = Math.min(BATCH, this.limit * 2);
      this.told = Math.max(this.told, weight);
      this.first += batch.length;
      this.lines.splice(0, batch.length);
      for (const { size } of batch) this.bufferedAmount -= size;
      if (batch.some(({ line }) => line[0] === 'c')) {
        this.timer = setTimeout(() => this.lose(), CLOSING);
      }
    }

    // Posts until the server has it, which it says by 204; it knows what it has had
    // before. Each attempt is asked for its body, which after a failure is to be
    // shorter: where connections do not last, a long one might never get through.
    async insist(attempt) {
      let broken = 0;
      let delay = 0;
      while (!this.over) {
        let status = 0;
        try {
          status = await this.postUntil(this.url, attempt(), (response) => response.status);
        } catch (error) {
          // out of reach, or cut off
        }
        if (status === 204) return true;
        this.limit = Math.max(this.limit / 2, SHORT);
        // cut off, or given up by a gateway, but not out of reach
        if ((status === 0 || status === 504) && broken < this.heard) broken = 0;
        broken = broken || Date.now();
        if (OVER.indexOf(status) >= 0 || Date.now() - broken > this.grace) {
          this.lose();
          return false;
        }
        delay = Math.min(delay * 2 || 200, 3000);
        await sleep(delay * (0.5 + Math.random() / 2));
      }
      return false;
    }

    // The page goes, and what is still to be said goes after it.
    leave(event) {
      if (event.persisted || this.over) return;
      for (const entry of this.entries.splice(0)) {
        if (entry.line || typeof entry.data === 'string' || entry.data instanceof Uint8Array) {
          this.record(entry, entry.data);
        } else {
          break; // a Blob cannot be read any more, and nothing may overtake it
        }
      }
      const body = this.body(this.lines) + closeLine(1001) + '\n';
      settled(this.post(this.url, body, { keepalive: utf8Length(body) < 60000 }));
      this.drop();
    }
  }

  // ---- the link between a WeftSocket and its way

  class Link {
    constructor(socket, url, protocols, options) {
      this.socket = socket;
      this.url = url;
      this.protocols = protocols;
      this.options = options;
      this.state = STATES.CONNECTING;
      this.protocol = this.extensions = '';
      this.binaryType = 'blob';
      this.discarded = 0; // bytes that were sent too late
      this.handlers = {};
      this.way = null;
      this.left = options.transports.filter((name) => this.isPossible(name));
      this.tried = [];
      this.next();
    }

    isPossible(name) {
      if (name === 'fallback') return typeof fetch !== 'undefined';
      return typeof root.WebSocket !== 'undefined'
        && !(this.options.transports.indexOf('fallback') >= 0 && hasFailed(this.url.host));
    }

    next() {
      const name = this.left.shift();
      if (name === undefined) {
        setTimeout(() => this.finish(1006, '', false), 0);
        return;
      }
      this.tried.push(name);
      this.way = new (name === 'fallback' ? Fallback : Native)(
        this, this.left.length > 0 ? this.options.timeout : 2147483647);
    }

    refused() {
      if (this.state === STATES.CONNECTING) this.next();
      else this.ended(1006, '', false);
    }

    opened(protocol, extensions) {
      if (this.state !== STATES.CONNECTING) return;
      if (this.tried.length > 1) remember(this.url.host);
      this.state = STATES.OPEN;
      this.protocol = protocol;
      this.extensions = extensions;
      this.socket.dispatchEvent(new Event('open'));
    }

    arrived(data) {
      if (this.state !== STATES.OPEN) return;
      if (data instanceof Uint8Array) {
        data = this.binaryType === 'blob' ? new Blob([data]) : data.buffer;
      }
      this.socket.dispatchEvent(new MessageEvent('message', { data, origin: this.url.origin }));
    }

    ended(code, reason, wasClean) {
      if (this.state !== STATES.CLOSED) this.finish(code, reason, wasClean);
    }

    finish(code, reason, wasClean) {
      if (this.state === STATES.CLOSED) return;
      this.state = STATES.CLOSED;
      if (code === 1006) this.socket.dispatchEvent(new Event('error'));
      this.socket.dispatchEvent(new Close('close', { code, reason, wasClean }));
    }

    send(data) {
      const size = typeof data === 'string' ? utf8Length(data) : data.byteLength === undefined
        ? data.size : data.byteLength;
      if (this.state === STATES.OPEN) this.way.send(data, size);
      else this.discarded += size;
    }

    close(code, reason) {
      if (this.state >= STATES.CLOSING) return;
      const opening = this.state === STATES.CONNECTING;
      this.state = STATES.CLOSING;
      if (!opening) {
        this.way.close(code, reason);
        return;
      }
      this.left = [];
      if (this.way) this.way.drop();
      setTimeout(() => this.finish(1006, '', false), 0);
    }
  }

  // ---- what is given to its constructor

  function parseUrl(given) {
    const base = typeof document !== 'undefined' ? document.baseURI
      : typeof location !== 'undefined' ? location.href : undefined;
    let url;
    try {
      url = new URL(given, base);
    } catch (error) {
      throw fault('SyntaxError', 'this is no URL: ' + given);
    }
    const found = /^(ws|http)(s?):$/.exec(url.protocol);
    if (!found) throw fault('SyntaxError', 'the URL begins with ws, wss, http or https');
    if (url.hash !== '' || url.href.endsWith('#')) throw fault('SyntaxError', 'the URL has a fragment');
    const rest = url.href.slice(url.protocol.length);
    return {
      socket: 'ws' + found[2] + ':' + rest,
      page: 'http' + found[2] + ':' + rest,
      origin: 'ws' + found[2] + '://' + url.host,
      host: url.host,
    };
  }

  function parseProtocols(given) {
    const list = given === undefined || given === null ? [] // null: for who has options
      : typeof given === 'object' && given[Symbol.iterator] ? Array.from(given, (protocol) => `${protocol}`)
      : [`${given}`];
    list.forEach((protocol, i) => {
      if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(protocol) || list.indexOf(protocol) !== i) {
        throw fault('SyntaxError', 'the subprotocol ' + protocol + ' is no token, or there twice');
      }
    });
    return list;
  }

  function parseOptions(given) {
    const options = Object.assign({ transports: ['websocket', 'fallback'], timeout: 3000 }, given);
    for (const name of options.transports) {
      if (name !== 'websocket' && name !== 'fallback') throw new TypeError('WeftSocket: unknown transport ' + name);
    }
    return options;
  }

  // What is sent: a string, a Blob, or a copy of bytes, which the caller may change.
  function parseData(data) {
    if (typeof Blob !== 'undefined' && data instanceof Blob) return data;
    if (ArrayBuffer.isView(data)) {
      return new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
    }
    if (Object.prototype.toString.call(data) === '[object ArrayBuffer]') return new Uint8Array(data).slice();
    return `${data}`; // raises for a symbol
  }

  function expect(given, call) {
    if (given.length === 0) throw new TypeError('WeftSocket: ' + call + ' expects an argument');
  }

  const inside = new WeakMap(); // a WeftSocket's link

  // new WeftSocket(url [, protocols [, options]]): as WebSocket, but the URL may
  // be relative, and of http or https. options: `transports`, which to try in
  // which order (['websocket', 'fallback']), and `timeout`, milliseconds for one
  // to open that is not the last (3000).
  class WeftSocket extends EventTarget {
    constructor(url, protocols, options) {
      super();
      expect(arguments, 'the constructor');
      inside.set(this, new Link(this, parseUrl(`${url}`), parseProtocols(protocols), parseOptions(options)));
    }

    get url() { return inside.get(this).url.socket; }
    get readyState() { return inside.get(this).state; }
    get protocol() { return inside.get(this).protocol; }
    get extensions() { return inside.get(this).extensions; }

    // What it has come to: 'websocket', 'fallback', or '' as long as it is not open.
    get transport() {
      const link = inside.get(this);
      return link.state === STATES.CONNECTING ? '' : link.tried[link.tried.length - 1] || '';
    }

    get bufferedAmount() {
      const link = inside.get(this);
      return link.discarded + (link.way ? link.way.bufferedAmount : 0);
    }

    get binaryType() { return inside.get(this).binaryType; }
    set binaryType(type) {
      if (type !== 'blob' && type !== 'arraybuffer') return; // as an enumeration does
      const link = inside.get(this);
      link.binaryType = type;
      if (link.way) link.way.binaryType = type;
    }

    send(data) {
      expect(arguments, 'send');
      const link = inside.get(this);
      if (link.state === STATES.CONNECTING) throw fault('InvalidStateError', 'it is not open yet');
      link.send(parseData(data));
    }

    close(code, reason) {
      if (code !== undefined) {
        code = Math.round(Number(code)); // as [Clamp] does; far ones are refused either way
        if (!(code === 1000 || code >= 3000 && code <= 4999)) {
          throw fault('InvalidAccessError', 'the code is 1000 or from 3000 to 4999');
        }
      }
      reason = reason === undefined ? '' : `${reason}`;
      if (utf8Length(reason) > 123) throw fault('SyntaxError', 'the reason is longer than 123 bytes');
      inside.get(this).close(code === undefined && reason !== '' ? 1000 : code, reason);
    }
  }

  for (const name of Object.keys(STATES)) {
    const constant = { value: STATES[name], enumerable: true };
    Object.defineProperty(WeftSocket, name, constant);
    Object.defineProperty(WeftSocket.prototype, name, constant);
  }

  for (const type of ['open', 'message', 'error', 'close']) {
    Object.defineProperty(WeftSocket.prototype, 'on' + type, {
      configurable: true,
      enumerable: true,
      get() {
        return inside.get(this).handlers[type] || null;
      },
      set(handler) {
        const handlers = inside.get(this).handlers;
        if (!(type in handlers)) {
          this.addEventListener(type, (event) => {
            if (handlers[type]) handlers[type].call(this, event);
          });
        }
        handlers[type] = typeof handler === 'function' ? handler : null;
      },
    });
  }

  if (typeof module === 'object' && module.exports) module.exports = { WeftSocket };
  else root.WeftSocket = WeftSocket;
})();
