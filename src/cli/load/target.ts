/** What a load is aimed at. */

import { isIP } from 'node:net';
import { unescape as percentDecode } from 'node:querystring';
import type { HeaderList } from '../../core/index.js';

/** Where the server is, and how to ask it for a WebSocket. */
export interface LoadTarget {
  /** ws: or wss:. */
  readonly url: string | URL;
  /** Further header fields of the request. */
  readonly headers?: Readonly<Record<string, string>> | HeaderList;
  /** The subprotocols to offer. */
  readonly protocols?: readonly string[];
  readonly tls?: {
    /** Certificates in PEM to trust in place of the usual ones. */
    readonly ca?: string | Buffer | readonly (string | Buffer)[];
    /** False takes any certificate. */
    readonly rejectUnauthorized?: boolean;
  };
  /** Milliseconds without a sign of life after which a server is taken to be stuck, 10,000 by default. */
  readonly timeout?: number;
}

/** A target that was read. */
export interface Endpoint {
  readonly secure: boolean;
  readonly hostname: string;
  readonly port: number;
  /** As the Host field has it. */
  readonly host: string;
  /** Path and query. */
  readonly path: string;
  readonly headers: HeaderList;
  readonly protocols: readonly string[];
  readonly tls: NonNullable<LoadTarget['tls']>;
  /** The name in the certificate; '' for an address, which has none to send. */
  readonly servername: string;
  readonly timeout: number;
}

/** @throws TypeError for what is no URL of a WebSocket */
export function endpointOf({ url, headers = {}, protocols = [], tls = {}, timeout = 10_000 }: LoadTarget): Endpoint {
  const parsed = parse(url);
  const secure = parsed.protocol === 'wss:';
  const hostname = parsed.hostname.replace(/^\[|\]$/g, '');
  const fields: [string, string][] = isList(headers)
    ? headers.map(([name, value]) => [name, value])
    : Object.entries(headers);
  const { username, password } = parsed;
  if (username !== '' || password !== '') {
    const credentials = Buffer.from(`${percentDecode(username)}:${percentDecode(password)}`);
    fields.push(['Authorization', `Basic ${credentials.toString('base64')}`]);
  }
  return {
    secure,
    hostname,
    port: parsed.port === '' ? (secure ? 443 : 80) : Number(parsed.port),
    host: parsed.host,
    path: parsed.pathname + parsed.search,
    headers: fields,
    protocols,
    tls,
    servername: isIP(hostname) === 0 ? hostname : '',
    timeout,
  };
}

function parse(url: string | URL): URL {
  const parsed = URL.canParse(String(url)) ? new URL(url) : null;
  if (parsed === null || (parsed.protocol !== 'ws:' && parsed.protocol !== 'wss:') || parsed.hostname === '') {
    throw new TypeError(`a URL of a WebSocket begins with ws:// or wss://, not "${url}"`);
  }
  return parsed;
}

function isList(headers: NonNullable<LoadTarget['headers']>): headers is HeaderList {
  return Array.isArray(headers);
}
