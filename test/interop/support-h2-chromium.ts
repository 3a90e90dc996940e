/** Pages that came over HTTP/2 and open WebSockets to where they came from. */

import { createHash, X509Certificate } from 'node:crypto';
import type { RequestListener } from 'node:http';
import { atEnd } from '../node/support.js';
import { serverTls } from '../node/support-streams.js';
import { Chromium, type Page } from './support-chromium.js';

/** Runs in the page: opens a socket, lets `use` work with it, and tells how it closed. */
const IN_PAGE = `
globalThis.textOf = (size) => '🌾€ü.'.repeat(size / 10) + 'x'.repeat(size % 10);
globalThis.bytesOf = (size) => Uint8Array.from({ length: size }, (_, i) => i * 131 + (i >> 8));
globalThis.sameBytes = (data, size) => {
  const bytes = new Uint8Array(data);
  return bytes.length === size && bytesOf(size).every((byte, i) => byte === bytes[i]);
};
globalThis.wsUrl = (path) => 'wss://' + location.host + path;
globalThis.withSocket = async (path, protocols, use) => {
  const socket = new WebSocket(wsUrl(path), protocols);
  socket.binaryType = 'arraybuffer';
  const events = [];
  const messages = [];
  let wake = () => {};
  socket.onmessage = ({ data }) => wake(messages.push(data));
  const next = async () => {
    while (messages.length === 0) await new Promise((resolve) => (wake = resolve));
    return messages.shift();
  };
  const closed = new Promise((resolve) => {
    socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean }, events.push('close'));
  });
  const opened = await new Promise((resolve) => {
    socket.onopen = () => resolve(true, events.push('open'));
    socket.onerror = () => resolve(false, events.push('error'));
  });
  const result = opened ? await use(socket, next) : null;
  return { opened, result, closed: await closed, events };
};
0`;

/** What became of a socket. */
export interface Outcome<T = unknown> {
  readonly opened: boolean;
  readonly result: T;
  readonly closed: { readonly code: number; readonly reason: string; readonly wasClean: boolean };
  readonly events: readonly string[];
}

/** What the browser is told to trust: this key, and no other. */
const key = new X509Certificate(serverTls.cert).publicKey.export({ type: 'spki', format: 'der' });
const trust = `--ignore-certificate-errors-spki-list=${createHash('sha256').update(key).digest('base64')}`;

/** A browser, which ends with the test. Pages that were left are gone in it, not kept for the way back. */
export async function launch(): Promise<Chromium> {
  const browser = await Chromium.launch(trust, '--disable-features=BackForwardCache');
  atEnd(() => browser.close());
  return browser;
}

/** The version of HTTP that each page was asked for in goes into its title. */
export const pages: RequestListener = ({ httpVersion }, response) => {
  response.setHeader('content-type', 'text/html');
  response.end(`<!doctype html><title>${httpVersion}</title><link rel="icon" href="data:,">`);
};

/** A page of a server's, ready for `inPage`. */
export async function openPage(browser: Chromium, port: number): Promise<Page> {
  const page = await browser.newPage(`https://127.0.0.1:${port}/`);
  await page.evaluate(IN_PAGE);
  return page;
}

/** Opens a socket in the page, and runs `use` there, the body of a function of `socket` and `next`. */
export function inPage<T>(page: Page, use: string, path = '/', protocols: string[] = []): Promise<Outcome<T>> {
  return page.evaluate(`withSocket('${path}', ${JSON.stringify(protocols)}, async (socket, next) => { ${use} })`);
}
