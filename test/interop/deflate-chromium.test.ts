/** permessage-deflate with the WebSocket of a real browser. */

import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Endpoint, type EndpointOptions } from '../../src/node/index.js';
import { until } from '../cli/support.js';
import { Chromium, chromiumTitle, type Page, skipChromium } from './support-chromium.js';
import { combinations, fieldOf, MiB, nameOf, SIZES } from './support-deflate.js';
import { RSV1, Tap } from './support-tap.js';

/** Runs in the page. */
const IN_PAGE = `
async function withSocket(url, use) {
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  const closed = new Promise((resolve) => {
    socket.onclose = ({ code, wasClean }) => resolve({ code, wasClean });
  });
  await new Promise((resolve) => {
    socket.onopen = resolve;
    socket.onerror = resolve;
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
  const result = await use(socket, next);
  socket.close(1000);
  return { result, closed: await closed };
}
function noise(size, seed = 1) {
  const words = new Uint32Array(Math.ceil(size / 4));
  let x = seed * 0x9e3779b1 | 1;
  for (let i = 0; i < words.length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    words[i] = x;
  }
  return new Uint8Array(words.buffer, 0, size);
}
function hex(size, seed) {
  return Array.from(noise(size / 2, seed), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
function textOf(size) {
  const unit = '🌾€ü. and on, ';
  return unit.repeat(Math.floor(size / 19)) + 'x'.repeat(size % 19);
}
const hexes = new Map();
function cachedHex(size, seed) {
  const key = size + ' ' + seed;
  if (!hexes.has(key)) hexes.set(key, hex(size, seed));
  return hexes.get(key);
}
/** As in support-deflate.ts. */
function probes(...allBits) {
  const first = cachedHex(100, 1);
  const all = [first, first, first, '', new TextEncoder().encode(first)];
  for (const bits of new Set(allBits)) {
    const size = 2 ** bits;
    all.push(cachedHex(Math.max(100, size - 400), bits), first, cachedHex(size, bits + 16), first);
  }
  return all;
}
function same(one, other) {
  if (typeof one === 'string' || typeof other === 'string') return one === other;
  const [a, b] = [new Uint8Array(one), new Uint8Array(other)];
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
/** Sends all at once; the indexes of those that did not come back. */
async function echo(url, sent) {
  return withSocket(url, async (socket, next) => {
    for (const data of sent) socket.send(data);
    const wrong = [];
    for (const [i, data] of sent.entries()) if (!same(await next(), data)) wrong.push(i);
    return { wrong, extensions: socket.extensions };
  });
}
Object.assign(globalThis, { withSocket, noise, hex, textOf, probes, same, echo });
`;

const LIMITS = { sendHardLimit: 64 * MiB } as const;

interface Echoes {
  readonly result: { readonly wrong: readonly number[]; readonly extensions: string };
  readonly closed: { readonly code: number; readonly wasClean: boolean };
}

const CLEAN = { code: 1000, wasClean: true };

describe.skipIf(skipChromium)(chromiumTitle, () => {
  let browser: Chromium;
  let page: Page;
  let http: HttpServer;
  let port: number;
  const endpoints = new Map<string, Endpoint>();
  const taps: Tap[] = [];

  beforeAll(async () => {
    http = createServer((_request, response) => {
      response.setHeader('content-type', 'text/html');
      response.end('<!doctype html><title>test</title><link rel="icon" href="data:,">');
    });
    http.on('upgrade', (request, socket, head) => endpoints.get(request.url ?? '')?.accept(request, socket, head));
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    ({ port } = http.address() as AddressInfo);
    browser = await Chromium.launch();
    page = await browser.newPage(`http://127.0.0.1:${port}/`);
    await page.evaluate(`${IN_PAGE}; 0`);
  });
  afterEach(async () => {
    for (const endpoint of endpoints.values()) await endpoint.close({ timeout: 0 });
    endpoints.clear();
    for (const tap of taps.splice(0)) await tap.close();
  });
  afterAll(async () => {
    await browser?.close();
    http?.closeAllConnections();
    http?.close();
  });

  /** An endpoint at a path of its own. */
  function serveAt(path: string, options: EndpointOptions): Endpoint {
    const endpoint = new Endpoint({ ...LIMITS, message: (ws, data) => ws.send(data), ...options });
    endpoints.set(path, endpoint);
    return endpoint;
  }

  async function tapped(path: string): Promise<{ tap: Tap; url: string }> {
    const tap = await Tap.to(port);
    taps.push(tap);
    return { tap, url: `ws://127.0.0.1:${tap.port}${path}` };
  }

  test('all combinations: windows as agreed, and taken over or not', async () => {
    const all = combinations(9, 8);
    const deflate = { threshold: 0, windowBits: 15 } as const;
    for (const [i, each] of all.entries()) serveAt(`/${i}`, { perMessageDeflate: { ...deflate, ...each } });
    const { tap, url } = await tapped('/');
    const results = await page.evaluate<Echoes[]>(`(async () => {
      const results = [];
      for (const [i, bits] of ${JSON.stringify(all.map((each) => [each.serverMaxWindowBits, each.clientMaxWindowBits]))}.entries()) {
        results.push(await echo('${url}' + i, probes(...bits)));
      }
      return results;
    })()`);
    for (const [i, combination] of all.entries()) {
      const { serverNoContextTakeover, clientNoContextTakeover } = combination;
      const name = nameOf(combination);
      const agreed = fieldOf(combination).replace(/; \w+=15/g, '');
      expect(results[i], name).toEqual({ result: { wrong: [], extensions: agreed }, closed: CLEAN });
      expect(tap.tookOver('fromServer', i), name).toBe(!serverNoContextTakeover);
      expect(tap.tookOver('fromClient', i), name).toBe(!clientNoContextTakeover);
    }
  });

  test('what we do by default is agreed to', async () => {
    const endpoint = serveAt('/default', { perMessageDeflate: true });
    const { result } = await page.evaluate<Echoes>(
      `echo('ws://127.0.0.1:${port}/default', [textOf(100), textOf(5000), textOf(5000), textOf(100_000), textOf(100_000)])`,
    );
    expect(result).toEqual({ wrong: [], extensions: 'permessage-deflate' });
    expect(endpoint.stats().perMessageDeflate).toMatchObject({ messagesCompressed: 4, messagesDecompressed: 5 });
  });

  test('without the option nothing is', async () => {
    serveAt('/off', {});
    const { result } = await page.evaluate<Echoes>(`echo('ws://127.0.0.1:${port}/off', [textOf(5000)])`);
    expect(result).toEqual({ wrong: [], extensions: '' });
  });

  test('all sizes', async () => {
    const endpoint = serveAt('/sizes', { perMessageDeflate: { threshold: 0 } });
    const { tap, url } = await tapped('/sizes');
    const outcome = await page.evaluate<Echoes>(
      `echo('${url}', ${JSON.stringify(SIZES)}.flatMap((size) =>
        [textOf(size), noise(size, size + 1), new TextEncoder().encode(textOf(size))])
        .concat([textOf(${16 * MiB}), noise(${16 * MiB})]))`,
    );
    expect(outcome).toEqual({ result: { wrong: [], extensions: 'permessage-deflate' }, closed: CLEAN });
    const frames = tap.messages('fromClient');
    expect(frames).toHaveLength(SIZES.length * 3 + 2);
    expect(endpoint.stats().perMessageDeflate?.messagesDecompressed).toBe(
      frames.filter(({ rsv }) => rsv === RSV1).length,
    );
    expect(frames.filter(({ rsv }) => rsv === RSV1).length).toBeGreaterThan(SIZES.length * 2);
  });

  test('does it send an empty payload with RSV1? No: an empty message is a byte', async () => {
    serveAt('/empty', { perMessageDeflate: { threshold: 0 } });
    const { tap, url } = await tapped('/empty');
    const { result } = await page.evaluate<Echoes>(
      `echo('${url}', ['', '', 'x', '', new Uint8Array(0), new Uint8Array(0)])`,
    );
    expect(result.wrong).toEqual([]);
    const frames = tap.data('fromClient').map(({ rsv, length, start }) => [rsv, length, start.toString('hex')]);
    expect(frames).toEqual(['00', '00', 'aa0000', '00', '00', '00'].map((hex) => [RSV1, hex.length / 2, hex]));
  });

  test('pieces of ours, Pings in between, and the end behind them', async () => {
    const pongs: string[] = [];
    const endpoint = serveAt('/large', {
      perMessageDeflate: true,
      pong: (_ws, payload) => pongs.push(`${payload}`),
      message: (ws) => {
        const large = 'all of it, again and again; '.repeat(200_000);
        for (let i = 0; i < 3; i++) {
          ws.send(`${i}${large}`);
          ws.ping(Buffer.from(`${i}`));
        }
        ws.close(4000);
      },
    });
    const { result, closed } = await page.evaluate<{ result: string[]; closed: object }>(
      `withSocket('ws://127.0.0.1:${port}/large', async (socket, next) => {
        socket.send('go');
        const all = [];
        for (let i = 0; i < 3; i++) all.push(await next());
        return all.map((text) => text.slice(0, 10) + text.length);
      })`,
    );
    expect(result).toEqual([0, 1, 2].map((i) => `${i}all of it${28 * 200_000 + 1}`));
    expect(closed).toEqual({ code: 4000, wasClean: true });
    expect(pongs.length).toBeGreaterThan(0);
    await until('everything is given back', () => {
      const { compressors, decompressors } = endpoint.stats().perMessageDeflate ?? {};
      return compressors === 0 && decompressors === 0;
    });
  });
});
