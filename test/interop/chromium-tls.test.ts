/** The WebSocket of a real browser in pages that came over TLS; what it does over TCP is in chromium-protocol.test.ts. */

import { createHash, X509Certificate } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { reject } from '../../src/node/index.js';
import { atEnd, until } from '../node/support.js';
import { serverTls } from '../node/support-streams.js';
import { Chromium, chromiumTitle, skipChromium } from './support-chromium.js';
import { secureFronts } from './support-fronts.js';

/** Runs in the page: opens a socket, lets `use` work with it, and tells how it closed. */
const IN_PAGE = `
globalThis.withSocket = async (path, protocols, use) => {
  const socket = new WebSocket('wss://' + location.host + path, protocols);
  socket.binaryType = 'arraybuffer';
  const messages = [];
  let wake = () => {};
  socket.onmessage = ({ data }) => wake(messages.push(data));
  const next = async () => {
    while (messages.length === 0) await new Promise((resolve) => (wake = resolve));
    return messages.shift();
  };
  const closed = new Promise((resolve) => {
    socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean });
  });
  const opened = await new Promise((resolve) => {
    socket.onopen = () => resolve(true);
    socket.onerror = () => resolve(false);
  });
  const result = opened ? await use(socket, next) : null;
  return { opened, result, closed: await closed };
};
0`;

interface Outcome {
  readonly opened: boolean;
  readonly result: unknown;
  readonly closed: { readonly code: number; readonly reason: string; readonly wasClean: boolean };
}

/** What the browser is told to trust: this key, and no other. */
const key = new X509Certificate(serverTls.cert).publicKey.export({ type: 'spki', format: 'der' });
const trust = `--ignore-certificate-errors-spki-list=${createHash('sha256').update(key).digest('base64')}`;

describe.skipIf(skipChromium)(`${chromiumTitle} over TLS`, () => {
  test.each(secureFronts)('our %s', async (_name, open) => {
    const closes: [number, string][] = [];
    const { url } = await open({
      request: (_request, response) => {
        response.setHeader('content-type', 'text/html');
        response.end('<!doctype html><title>test</title><link rel="icon" href="data:,">');
      },
      upgrade: ({ path, subprotocols }) => (path === '/refused' ? reject(403) : { protocol: subprotocols[1] }),
      message: (ws, data) => {
        if (data === 'ping me') ws.ping(Buffer.from('are you there'));
        else if (data === 'terminate') ws.terminate();
        else ws.send(data);
      },
      pong: (ws, payload) => ws.close(4005, `${payload}`),
      close: (_ws, code, reason) => closes.push([code, reason]),
    });
    const browser = await Chromium.launch(trust);
    atEnd(() => browser.close());
    const page = await browser.newPage(url.replace('wss:', 'https:'));
    await page.evaluate(IN_PAGE);
    const inPage = (use: string, path = '/', protocols: string[] = []) =>
      page.evaluate<Outcome>(`withSocket('${path}', ${JSON.stringify(protocols)}, async (socket, next) => { ${use} })`);

    const echoed = await inPage(`
      const wrong = [];
      const sizes = [0, 1, 125, 126, 65535, 65536, 1048576];
      const bytesOf = (size) => Uint8Array.from({ length: size }, (_, i) => i * 131 + (i >> 8));
      const textOf = (size) => '🌾€ü.'.repeat(size / 10) + 'x'.repeat(size % 10);
      for (const size of sizes) {
        socket.send(textOf(size));
        socket.send(bytesOf(size));
      }
      for (const size of sizes) {
        if ((await next()) !== textOf(size)) wrong.push('text ' + size);
        const echo = new Uint8Array(await next());
        const bytes = bytesOf(size);
        if (echo.length !== size || echo.some((byte, i) => byte !== bytes[i])) wrong.push('bytes ' + size);
      }
      socket.close(3001, 'grüße');
      return wrong;`);
    expect(echoed).toEqual({ opened: true, result: [], closed: { code: 3001, reason: '', wasClean: true } });
    await until(() => closes.length === 1, 'the server to be told');
    expect(closes).toEqual([[3001, 'grüße']]);

    const pinged = await inPage("socket.send('ping me');");
    expect(pinged.closed).toEqual({ code: 4005, reason: 'are you there', wasClean: true });

    const chosen = await inPage('socket.close(); return socket.protocol;', '/', ['a', 'b']);
    expect(chosen.result).toBe('b');

    const refused = await inPage('socket.close();', '/refused');
    expect(refused).toMatchObject({ opened: false, closed: { code: 1006, wasClean: false } });

    const left = await inPage("socket.send('terminate')");
    expect(left.closed).toEqual({ code: 1006, reason: '', wasClean: false });
  });
});
