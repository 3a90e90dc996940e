/** Answers ordinary HTTP requests: the page, from memory, and the counts as JSON. */

import { readFileSync } from 'node:fs';
import type { RequestListener, ServerResponse } from 'node:http';
import type { HostCheck } from './hosts.js';
import type { Snapshot } from './stats.js';

const HTML = 'text/html; charset=utf-8';
const CSS = 'text/css; charset=utf-8';
const JS = 'text/javascript; charset=utf-8';
const SVG = 'image/svg+xml';
const JSON_TYPE = 'application/json; charset=utf-8';
const TEXT = 'text/plain; charset=utf-8';

/** Every path there is. A request can name a file only by being in this list, so no path can lead out of it. */
const FILES: readonly (readonly [path: string, file: string, type: string])[] = [
  ['/', 'index.html', HTML],
  ['/style.css', 'style.css', CSS],
  ['/forms.css', 'forms.css', CSS],
  ['/charts.css', 'charts.css', CSS],
  ['/panels.css', 'panels.css', CSS],
  ['/app.js', 'app.js', JS],
  ['/chart.js', 'chart.js', JS],
  ['/conversation.js', 'conversation.js', JS],
  ['/format.js', 'format.js', JS],
  ['/link.js', 'link.js', JS],
  ['/load-panel.js', 'load-panel.js', JS],
  ['/load-worker.js', 'load-worker.js', JS],
  ['/server-panel.js', 'server-panel.js', JS],
  ['/icon.svg', 'icon.svg', SVG],
];

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; worker-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
  // Cross-origin isolation: without it browsers round their clock to 100 µs or 1 ms, more than an echo may take.
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-resource-policy': 'same-origin',
};

interface Resource {
  readonly type: string;
  readonly body: () => Buffer;
}

/** Reads the page's files, once, and returns what answers requests with them. */
export function pageListener(hosts: HostCheck, snapshot: () => Snapshot): RequestListener {
  const resources = new Map<string, Resource>();
  for (const [path, file, type] of FILES) {
    const bytes = readFileSync(new URL(`page/${file}`, import.meta.url));
    resources.set(path, { type, body: () => bytes });
  }
  resources.set('/stats', { type: JSON_TYPE, body: () => Buffer.from(`${JSON.stringify(snapshot(), null, 2)}\n`) });

  return (request, response) => {
    const { method = '', url = '', headers } = request;
    const path = url.split('?', 1)[0];
    const resource = resources.get(path);
    if (!hosts.accepts(headers.host)) {
      say(response, 421, 'This server answers to its IP address, to localhost and to the name given with --host.');
    } else if (path === '/echo') {
      say(response, 426, 'This is a WebSocket.', { connection: 'Upgrade', upgrade: 'websocket' });
    } else if (resource === undefined) {
      say(response, 404, 'There is nothing here.');
    } else if (method !== 'GET' && method !== 'HEAD') {
      say(response, 405, 'Only GET and HEAD work here.', { allow: 'GET, HEAD' });
    } else {
      answer(response, 200, resource.type, resource.body());
    }
  };
}

function say(response: ServerResponse, status: number, text: string, headers: Record<string, string> = {}): void {
  answer(response, status, TEXT, Buffer.from(`${text}\n`), headers);
}

/** For HEAD node:http leaves the body out, and the header stays the same. */
function answer(
  response: ServerResponse,
  status: number,
  type: string,
  body: Buffer,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { ...HEADERS, ...headers, 'content-type': type, 'content-length': body.length });
  response.end(body);
}
