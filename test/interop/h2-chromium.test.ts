/** The WebSocket of a real browser over HTTP/2 (RFC 8441), on the session that its page came on. */

import { afterEach, describe, expect, test } from 'vitest';
import { type Peer, reject, type ServeOptions } from '../../src/node/index.js';
import { until } from '../node/support.js';
import { type Chromium, chromiumTitle, type Page, skipChromium } from './support-chromium.js';
import { type H2Front, secureH2Fronts } from './support-h2.js';
import { inPage, launch, openPage, pages } from './support-h2-chromium.js';

const MIB = 1024 * 1024;

interface Setting {
  readonly front: H2Front;
  readonly browser: Chromium;
  readonly page: Page;
  /** Codes and reasons with which WebSockets ended. */
  readonly closes: [number, string][];
}

describe.skipIf(skipChromium)(`${chromiumTitle} over HTTP/2`, () => {
  let front: H2Front;

  async function setUp(options: ServeOptions = {}, [, open] = secureH2Fronts[0]): Promise<Setting> {
    const closes: [number, string][] = [];
    front = await open({
      request: pages,
      message: (ws, data) => ws.send(data),
      close: (_ws, code, reason) => closes.push([code, reason]),
      ...options,
    });
    const browser = await launch();
    const page = await openPage(browser, front.port);
    expect(await page.evaluate('document.title'), 'the page came').toBe('2.0');
    return { front, browser, page, closes };
  }

  // No test here is one if the browser has fallen back to HTTP/1.1.
  afterEach(() => {
    expect(front.seen.length).toBeGreaterThan(0);
    for (const { httpVersion, protocol } of front.seen) {
      expect({ httpVersion, protocol }).toEqual({ httpVersion: '2.0', protocol: 'websocket' });
    }
  });

  test.each(secureH2Fronts)(
    'our %s: texts and bytes from none to several MiB, one after the other and at once',
    async (...kind) => {
      const { page, closes } = await setUp({}, kind);
      const { result, closed } = await inPage(
        page,
        `
      const wrong = [];
      const sizes = [0, 1, 125, 126, 65535, 65536, ${MIB}, ${3 * MIB + 7}];
      for (const size of sizes) {
        socket.send(textOf(size));
        if ((await next()) !== textOf(size)) wrong.push('text ' + size);
        socket.send(bytesOf(size));
        if (!sameBytes(await next(), size)) wrong.push('bytes ' + size);
      }
      for (const size of sizes) {
        socket.send(textOf(size));
        socket.send(bytesOf(size));
      }
      for (const size of sizes) {
        if ((await next()) !== textOf(size)) wrong.push('text at once ' + size);
        if (!sameBytes(await next(), size)) wrong.push('bytes at once ' + size);
      }
      socket.close(3001, 'grüße');
      return wrong;`,
      );
      expect(result).toEqual([]);
      expect(closed).toEqual({ code: 3001, reason: '', wasClean: true });
      await until(() => closes.length === 1, 'the server to be told');
      expect(closes).toEqual([[3001, 'grüße']]);
    },
  );

  test('permessage-deflate is agreed on, and used both ways', async () => {
    const peers: Peer[] = [];
    const { page } = await setUp({ perMessageDeflate: true, open: (ws) => peers.push(ws) });
    const { result } = await inPage<string[]>(
      page,
      `
      const text = 'much of the same. '.repeat(10000);
      socket.send(text);
      const same = (await next()) === text;
      socket.close();
      return [socket.extensions, same];`,
    );
    expect(result).toEqual([expect.stringContaining('permessage-deflate'), true]);
    const { bytesReceived, bytesSent } = peers[0];
    expect(bytesReceived).toBeGreaterThan(0);
    expect(bytesReceived).toBeLessThan(18_000);
    expect(bytesSent).toBeGreaterThan(0);
    expect(bytesSent).toBeLessThan(18_000);
  });

  test('closing, with all kinds of codes and reasons, and none; pings; subprotocols', async () => {
    const { page, closes } = await setUp({
      upgrade: ({ subprotocols }) => ({ protocol: subprotocols[1] }),
      message: (ws, data) => {
        if (data === 'ping') ws.ping(Buffer.from('are you there'));
        else if (data === 'terminate') ws.terminate();
        else ws.close(...(JSON.parse(`${data}`) as [number, string]));
      },
      pong: (ws, payload) => ws.close(4005, `${payload}`),
    });
    const codes: [number, string][] = [
      [1000, 'done'],
      [1011, ''],
      [3000, 'x'.repeat(123)],
      [4999, 'grüße'],
    ];
    for (const [code, reason] of codes) {
      const { closed } = await inPage(page, `socket.send('${JSON.stringify([code, reason])}')`);
      expect(closed).toEqual({ code, reason, wasClean: true });
    }
    const pinged = await inPage(page, "socket.send('ping')");
    expect(pinged.closed).toEqual({ code: 4005, reason: 'are you there', wasClean: true });
    await until(() => closes.length === 5);
    expect(closes.map(([code]) => code)).toEqual([1000, 1011, 3000, 4999, 4005]);

    const cut = await inPage(page, "socket.send('terminate')");
    expect(cut.closed).toEqual({ code: 1006, reason: '', wasClean: false });
    const without = await inPage(page, 'socket.close()');
    expect(without.closed).toEqual({ code: 1005, reason: '', wasClean: true });
    const chosen = await inPage(page, 'socket.close(4000); return socket.protocol;', '/', ['a', 'b']);
    expect(chosen.result).toBe('b');
    await until(() => closes.length === 8);
    expect(closes.slice(5).map(([code]) => code)).toEqual([1006, 1005, 4000]);
    expect(front.connections()).toBe(1);
  });

  test('a refusal is an error and 1006, and the session goes on', async () => {
    const upgrade: ServeOptions['upgrade'] = ({ path }) => (path === '/refused' ? reject(403, 'not you') : undefined);
    const { page } = await setUp({ upgrade });
    const refused = await inPage(page, '', '/refused');
    expect(refused).toEqual({
      opened: false,
      result: null,
      closed: { code: 1006, reason: '', wasClean: false },
      events: ['error', 'close'],
    });
    expect(page.faults.join()).toContain('403');
    const other = await inPage(page, "socket.send('x'); const said = await next(); socket.close(); return said;");
    expect(other.result).toBe('x');
    expect(front.connections()).toBe(1);
  });

  test.each(secureH2Fronts)(
    'our %s: tabs share one session, and its closing gives each WebSocket 1001',
    async (...kind) => {
      let echoes = 0;
      const { page, browser, closes } = await setUp({ message: (ws, data) => ws.send(data) && echoes++ }, kind);
      const tabs = [page, await openPage(browser, front.port), await openPage(browser, front.port)];
      const ends = Promise.all(
        tabs.map((tab, i) =>
          tab.evaluate<
            unknown[]
          >(`Promise.all(Array.from({ length: 10 }, (_, j) => withSocket('/', [], async (socket, next) => {
          socket.send('${i} ' + j);
          return next();
        }))).then((all) => all.map(({ result, closed }) => [result, closed.code, closed.wasClean]))`),
        ),
      );
      await until(() => echoes === 30, 'the echoes');
      expect(front.size()).toBe(30);
      expect(front.connections()).toBe(1);
      await front.close();
      expect(await ends).toEqual(tabs.map((_, i) => Array.from({ length: 10 }, (_, j) => [`${i} ${j}`, 1001, true])));
      expect(closes).toEqual(Array(30).fill([1001, '']));
    },
  );

  test('a tab that is closed ends its WebSockets, and no others; so does one that goes elsewhere', async () => {
    const { page, browser, closes } = await setUp();
    const opening = (tab: Page) =>
      tab.evaluate(`new Promise((resolve, fail) => {
        globalThis.socket = new WebSocket(wsUrl('/'));
        socket.onopen = () => resolve(0);
        socket.onerror = fail;
      })`);
    const closing = await openPage(browser, front.port);
    const leaving = await openPage(browser, front.port);
    for (const tab of [page, closing, leaving]) await opening(tab);
    expect(front.size()).toBe(3);
    await closing.close();
    await until(() => front.size() === 2, 'the WebSocket of a tab that was closed to end');
    await leaving.goto(`https://127.0.0.1:${front.port}/elsewhere`);
    await until(() => front.size() === 1, 'the WebSocket of a page that was left to end');
    // Over HTTP/2 Chromium has no Close for this (over HTTP/1.1 it is one with 1001): it resets the stream, with CANCEL.
    expect(closes.map(([code]) => code)).toEqual([1006, 1006]);
    expect(await page.evaluate('socket.readyState')).toBe(1);
    expect(front.connections()).toBe(1);
  });

  test('a server that pauses holds the page and not its neighbours; when it resumes, bufferedAmount falls', async () => {
    let paused: Peer | null = null;
    let received = 0;
    const { page } = await setUp({
      upgrade: ({ path }) => ({ data: path }),
      open: (ws) => {
        if (ws.data !== '/paused') return;
        ws.pause();
        paused = ws;
      },
      message: (ws, data) => {
        if (ws.data === '/paused') received += data.length;
        else if (data === 'resume') paused?.resume();
        else ws.send(data);
      },
    });
    const { result, closed } = await inPage<{ same: boolean; held: number; left: number }>(
      page,
      `
      for (let i = 0; i < 32; i++) socket.send(new Uint8Array(${MIB / 4}));
      const { result } = await withSocket('/other', [], async (other, heard) => {
        for (let i = 0; i < 50; i++) {
          other.send('still there');
          await heard();
        }
        other.send(bytesOf(${MIB}));
        const same = sameBytes(await heard(), ${MIB});
        const held = socket.bufferedAmount;
        other.send('resume');
        while (socket.bufferedAmount > 0) await new Promise((resolve) => setTimeout(resolve, 1));
        other.close();
        return { same, held, left: socket.bufferedAmount };
      });
      socket.close();
      return result;`,
      '/paused',
    );
    expect(result).toMatchObject({ same: true, left: 0 });
    // The rest fits the window of the stream and what the browser keeps on its way there.
    expect(result.held).toBeGreaterThan(5 * MIB);
    expect(closed).toMatchObject({ code: 1005, wasClean: true });
    await until(() => received === 8 * MIB);
  });

  test('WebSocketStream: chunks both ways, held by a reader that does not read, and its closing', async () => {
    let held: Peer | null = null;
    const { page, closes } = await setUp({
      message: (ws, data) => {
        if (data !== 'more') {
          ws.send(data);
          return;
        }
        for (let i = 0; i < 48; i++) ws.send(Buffer.alloc(MIB / 4, i));
        held = ws;
      },
    });
    const told = await page.evaluate<unknown>(`(async () => {
      if (!('WebSocketStream' in globalThis)) return 'none';
      const stream = new WebSocketStream(wsUrl('/'), { protocols: [] });
      const { readable, writable } = await stream.opened;
      const reader = readable.getReader();
      const writer = writable.getWriter();
      await writer.write('grüße');
      const text = (await reader.read()).value;
      await writer.write(bytesOf(${3 * MIB}));
      const same = sameBytes((await reader.read()).value, ${3 * MIB});
      await writer.write('more');
      globalThis.rest = async () => {
        let wrong = 0;
        for (let i = 0; i < 48; i++) {
          const chunk = new Uint8Array((await reader.read()).value);
          if (chunk.length !== ${MIB / 4} || chunk[0] !== i || chunk.at(-1) !== i) wrong++;
        }
        stream.close({ closeCode: 4001, reason: 'enough' });
        const { closeCode, reason } = await stream.closed;
        return { wrong, closeCode, reason };
      };
      return { text, same };
    })()`);
    expect(told).toEqual({ text: 'grüße', same: true });
    await until(() => held !== null);
    // A neighbour's bytes pass, and those of this one stay with us but for the window of its stream, 6 MiB.
    const other = await inPage(
      page,
      `
      socket.send(bytesOf(${MIB}));
      const same = sameBytes(await next(), ${MIB});
      socket.close();
      return same;`,
    );
    expect(other.result).toBe(true);
    expect((held as unknown as Peer).bufferedAmount).toBeGreaterThan(4 * MIB);
    expect(await page.evaluate('rest()')).toEqual({ wrong: 0, closeCode: 4001, reason: '' });
    await until(() => closes.length === 2);
    expect(closes).toEqual([
      [1005, ''],
      [4001, 'enough'],
    ]);
  });
});
