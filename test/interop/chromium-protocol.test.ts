/** The protocol between `serve()` and the WebSocket of a real browser. */

import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Peer, reject, type ServeOptions, type Server, serve } from '../../src/node/index.js';
import { until } from '../cli/support.js';
import { Chromium, chromiumTitle, type Page, skipChromium } from './support-chromium.js';

const MIB = 1024 * 1024;

/** Runs in the page: opens a socket, lets `use` work with it, and tells how it closed. */
const IN_PAGE = `
async function withSocket(path, protocols, use) {
  const socket = new WebSocket(path.replace(/^/, location.origin.replace('http', 'ws')), protocols);
  socket.binaryType = 'arraybuffer';
  const closed = new Promise((resolve) => {
    socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean });
  });
  const opened = new Promise((resolve) => {
    socket.onopen = () => resolve(true);
    socket.onerror = () => resolve(false);
  });
  const messages = [];
  let wake = () => {};
  socket.onmessage = ({ data }) => {
    messages.push(data);
    wake();
  };
  const next = async () => {
    while (messages.length === 0) await new Promise((resolve) => (wake = resolve));
    return messages.shift();
  };
  const result = (await opened) ? await use(socket, next) : null;
  return { result, opened: await opened, closed: await closed };
}
/** Text of so many bytes in UTF-8, of characters of four, three, two and one. */
function textOf(bytes) {
  const unit = '🌾€ü.';
  const text = unit.repeat(Math.floor(bytes / 10));
  return text + 'x'.repeat(bytes % 10);
}
function bytesOf(length) {
  return Uint8Array.from({ length }, (_, i) => (i * 131 + (i >> 8)) & 255);
}
async function digest(data) {
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
  const hash = await crypto.subtle.digest('SHA-256', bytes);
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
`;

interface Closed {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

interface Outcome<T> {
  readonly result: T;
  readonly opened: boolean;
  readonly closed: Closed;
}

describe.skipIf(skipChromium)(chromiumTitle, () => {
  let browser: Chromium;
  let server: Server;
  let page: Page;
  /** The handlers of the test that runs. */
  let handlers: ServeOptions = {};
  const closes: Omit<Closed, 'wasClean'>[] = [];

  beforeAll(async () => {
    server = await serve({
      hostname: '127.0.0.1',
      maxMessageSize: 2 * MIB,
      request: (_request, response) => {
        response.setHeader('content-type', 'text/html');
        response.end('<!doctype html><title>test</title><link rel="icon" href="data:,">');
      },
      upgrade: (request) => handlers.upgrade?.(request),
      open: (ws) => handlers.open?.(ws),
      message: (ws, data, isBinary) =>
        handlers.message === undefined ? ws.send(data) : handlers.message(ws, data, isBinary),
      close: (_ws, code, reason) => closes.push({ code, reason }),
    });
    browser = await Chromium.launch();
    page = await browser.newPage(`http://127.0.0.1:${server.port}/`);
    await page.evaluate(`${IN_PAGE} Object.assign(globalThis, { withSocket, textOf, bytesOf, digest }), 0`);
  });
  afterEach(() => {
    handlers = {};
    closes.length = 0;
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close({ timeout: 1000 });
  });

  function inPage<T>(use: string, { path = '/', protocols = '[]' } = {}): Promise<Outcome<T>> {
    return page.evaluate<Outcome<T>>(`withSocket('${path}', ${protocols}, async (socket, next) => { ${use} })`);
  }

  describe('messages', () => {
    const sizes = [0, 1, 125, 126, 127, 65535, 65536, 65537, MIB];

    test.each(sizes)('text of %i bytes, both ways', async (size) => {
      const seen: (string | Buffer)[] = [];
      handlers = { message: (ws, data) => [seen.push(data), ws.send(data)] };
      const { result } = await inPage<{ same: boolean; digest: string }>(`
        const text = textOf(${size});
        socket.send(text);
        const same = (await next()) === text;
        socket.close(1000);
        return { same, digest: await digest(text) };`);
      expect(result.same).toBe(true);
      expect(seen.map((data) => typeof data)).toEqual(['string']);
      expect(Buffer.byteLength(seen[0])).toBe(size);
      expect(createHash('sha256').update(seen[0]).digest('hex')).toBe(result.digest);
    });

    test.each(sizes)('binary of %i bytes, both ways', async (size) => {
      const seen: { isText: boolean; length: number; digest: string }[] = [];
      handlers = {
        message: (ws, data) => {
          const hash = createHash('sha256').update(data).digest('hex');
          seen.push({ isText: typeof data === 'string', length: data.length, digest: hash });
          ws.send(data);
        },
      };
      const { result } = await inPage<{ sent: string; echo: string }>(`
        const bytes = bytesOf(${size});
        socket.send(bytes);
        const echo = await next();
        socket.close(1000);
        return { sent: await digest(bytes), echo: await digest(echo) };`);
      expect(result.echo).toBe(result.sent);
      expect(seen).toEqual([{ isText: false, length: size, digest: result.sent }]);
    });

    test('as Blobs', async () => {
      const { result } = await inPage<string>(`
        socket.binaryType = 'blob';
        socket.send(new Blob(['blob ', new Uint8Array([0xe2, 0x82, 0xac])]));
        const echo = await next();
        socket.close(1000);
        return echo instanceof Blob ? echo.text() : 'no Blob';`);
      expect(result).toBe('blob €');
    });

    test('a thousand at once, in order', async () => {
      const { result } = await inPage<number[]>(`
        for (let i = 0; i < 1000; i++) socket.send(i % 2 ? String(i) : textOf(i) + i);
        const numbers = [];
        for (let i = 0; i < 1000; i++) numbers.push(Number(/[0-9]+$/.exec(await next())[0]));
        socket.close(1000);
        return numbers;`);
      expect(result).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    });

    test('on 32 connections at once', async () => {
      const all = await page.evaluate<Outcome<boolean>[]>(`Promise.all(Array.from({ length: 32 }, (_, i) =>
        withSocket('/', [], async (socket, next) => {
          const text = textOf(1000 * i) + i;
          for (let n = 0; n < 20; n++) socket.send(text);
          let right = true;
          for (let n = 0; n < 20; n++) right &&= (await next()) === text;
          socket.close(1000);
          return right;
        })))`);
      expect(all.map(({ result }) => result)).toEqual(Array(32).fill(true));
    });

    test('before the browser has said anything', async () => {
      handlers = { open: (ws) => ws.send('first') };
      const { result } = await inPage<string>('const data = await next(); socket.close(); return data;');
      expect(result).toBe('first');
    });
  });

  describe('the opening handshake', () => {
    test('a subprotocol is agreed on', async () => {
      let offered: readonly string[] = [];
      handlers = {
        upgrade: ({ subprotocols }) => {
          offered = subprotocols;
          return { protocol: 'chat.v2' };
        },
      };
      const { result } = await inPage<string>('socket.close(); return socket.protocol;', {
        protocols: "['chat.v1', 'chat.v2']",
      });
      expect(offered).toEqual(['chat.v1', 'chat.v2']);
      expect(result).toBe('chat.v2');
    });

    test('none is fine when none was offered', async () => {
      const { result } = await inPage<string>('socket.close(); return socket.protocol;');
      expect(result).toBe('');
    });

    test('a browser that offered some and got none gives up', async () => {
      const outcome = await inPage('socket.close();', { protocols: "['chat.v1']" });
      expect(outcome).toMatchObject({ opened: false, closed: { code: 1006, wasClean: false } });
      await until('the server notices', () => closes.length > 0);
    });

    test.each([400, 401, 403, 404, 500, 503])('a rejection with %i fails the connection', async (status) => {
      handlers = { upgrade: () => reject(status, 'no') };
      const outcome = await inPage('socket.close();');
      expect(outcome).toMatchObject({ opened: false, closed: { code: 1006, reason: '', wasClean: false } });
      expect(closes).toEqual([]);
    });

    test('path and query arrive, and Origin is the page’s', async () => {
      let asked: unknown;
      handlers = {
        upgrade: ({ target, headers: { origin } }) => {
          asked = { target, origin };
        },
      };
      await inPage('socket.close();', { path: '/room/ü?x=1&y=%20' });
      expect(asked).toEqual({ target: '/room/%C3%BC?x=1&y=%20', origin: `http://127.0.0.1:${server.port}` });
    });
  });

  describe('the closing handshake', () => {
    const longest = 'ü'.repeat(61);

    test.each([
      { args: '1000', code: 1000, reason: '' },
      { args: "1000, 'done'", code: 1000, reason: 'done' },
      { args: "3000, 'grüße 🌾'", code: 3000, reason: 'grüße 🌾' },
      { args: `4999, '${longest}'`, code: 4999, reason: longest },
      { args: '', code: 1005, reason: '' },
    ])('from the browser: close($args)', async ({ args, code, reason }) => {
      const { closed } = await inPage(`socket.close(${args});`);
      // The answer repeats the code only: a reason tells nobody anything who gave it.
      expect(closed).toEqual({ code, reason: '', wasClean: true });
      await until('the server is told', () => closes.length > 0);
      expect(closes).toEqual([{ code, reason }]);
    });

    test.each([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 4000, 4999])(
      'from the server: %i',
      async (code) => {
        handlers = { open: (ws) => ws.close(code, longest) };
        const { closed } = await inPage('');
        expect(closed).toEqual({ code, reason: longest, wasClean: true });
        await until('the server is told', () => closes.length > 0);
        expect(closes).toEqual([{ code, reason: longest }]);
      },
    );

    test('messages sent before the close arrive before it', async () => {
      handlers = {
        open: (ws: Peer) => {
          for (let i = 0; i < 100; i++) ws.send(`${i}`);
          ws.close(4000);
        },
      };
      const { result, closed } = await inPage<string[]>(`
        const all = [];
        for (let i = 0; i < 100; i++) all.push(await next());
        return all;`);
      expect(result).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`));
      expect(closed).toEqual({ code: 4000, reason: '', wasClean: true });
    });

    test('without one: terminate', async () => {
      handlers = { open: (ws) => ws.terminate() };
      const { closed } = await inPage('');
      expect(closed).toEqual({ code: 1006, reason: '', wasClean: false });
      await until('the server is told', () => closes.length > 0);
      expect(closes).toMatchObject([{ code: 1006 }]);
    });

    test('a message over the limit is answered with 1009', async () => {
      const { closed } = await inPage(`socket.send(new Uint8Array(${2 * MIB + 1}));`);
      expect(closed).toMatchObject({ code: 1009, wasClean: true });
      await until('the server is told', () => closes.length > 0);
      expect(closes).toMatchObject([{ code: 1009 }]);
    });

    test('a handler that throws closes with 1011, and nobody else', async () => {
      handlers = {
        message: (ws, data) => {
          if (data === 'throw') throw new Error('thrown by the test');
          ws.send(data);
        },
      };
      const warnings: Error[] = [];
      const onWarning = (warning: Error) => warnings.push(warning);
      process.on('warning', onWarning);
      try {
        const { result } = await inPage<Closed>(`
          const { closed } = await withSocket('/', [], async (bad) => bad.send('throw'));
          socket.send('still here');
          await next();
          socket.close(1000);
          return closed;`);
        expect(result).toMatchObject({ code: 1011, wasClean: true });
        expect(warnings.map(({ message }) => message)).toEqual(['thrown by the test']);
      } finally {
        process.off('warning', onWarning);
      }
    });

    // A page that is left for another may be kept, connection and all, to go back to.
    test('the tab is closed', async () => {
      const elsewhere = await browser.newPage(`http://127.0.0.1:${server.port}/`);
      let opened = 0;
      handlers = { open: () => opened++ };
      await elsewhere.evaluate(`{ globalThis.kept = new WebSocket(location.origin.replace('http', 'ws')); }`);
      await until('it is open', () => opened === 1);
      await elsewhere.close();
      await until('the server is told', () => closes.length > 0);
      expect(closes).toMatchObject([{ code: 1001 }]);
    });
  });
});
