/** Where a client connects to: URLs as the constructor of the WHATWG's WebSocket takes them. */

import { LocalProtocolError } from '../../core/index.js';

/** A URL taken apart. */
export interface Target {
  /** With the scheme ws: or wss:. */
  readonly url: URL;
  /** Whether TLS is spoken. */
  readonly secure: boolean;
  /** A name or an address; one of IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
}

const WEBSOCKET_SCHEMES: Readonly<Record<string, string>> = {
  'ws:': 'ws:',
  'wss:': 'wss:',
  'http:': 'ws:',
  'https:': 'wss:',
};

/**
 * Reads a URL; http: and https: stand for ws: and wss:.
 *
 * @throws LocalProtocolError `INVALID_URL` for what is no absolute URL, has another scheme or a fragment
 */
export function parseTarget(input: string | URL): Target {
  const text = String(input);
  if (!URL.canParse(text)) fail(`not an absolute URL: ${JSON.stringify(text)}`);
  const url = new URL(text);
  const scheme = WEBSOCKET_SCHEMES[url.protocol];
  if (scheme === undefined) fail(`the scheme of a WebSocket's URL is ws: or wss:, not ${url.protocol}`);
  // An empty fragment does not show in `hash`.
  if (url.hash !== '' || url.href.endsWith('#')) fail("a WebSocket's URL has no fragment");
  url.protocol = scheme;
  const secure = scheme === 'wss:';
  const { hostname } = url;
  const host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  return { url, secure, host, port: url.port === '' ? (secure ? 443 : 80) : Number(url.port) };
}

function fail(message: string): never {
  throw new LocalProtocolError('INVALID_URL', message);
}
