/**
 * hypercorn, an ASGI server that takes WebSockets over HTTP/2 (RFC 8441), with our clients. What 0.13 does otherwise than
 * others: it forgets a stream with the Close that it receives, and END_STREAM, which comes behind that, it does not expect
 * any more: it ends the session, with all that is on it. Where the client has begun the closing handshake it does not
 * end the stream itself, so that clients wait for `closeTimeout`. Therefore each closing here is the last of a session.
 */

import { describe, expect, test } from 'vitest';
import { connect, HandshakeError } from '../../src/node/index.js';
import { atEnd, noise, until, within } from '../node/support.js';
import { ca } from '../node/support-streams.js';
import { PythonProcess } from './support.js';
import { clients } from './support-clients.js';
import { certificate } from './support-fronts.js';
import { moduleMissing, titled } from './support-h2.js';

const missing = moduleMissing('hypercorn', 'python3-hypercorn');

interface Hypercorn {
  readonly url: string;
  readonly lines: readonly Record<string, unknown>[];
}

async function startHypercorn(): Promise<Hypercorn> {
  const python = new PythonProcess('h2-asgi.py', certificate('server'), certificate('server-key'));
  const { port } = await python.line('port');
  return { url: `wss://127.0.0.1:${port}`, lines: python.lines };
}

const OPTIONS = { http2: true, tls: { ca }, closeTimeout: 200 };

describe.skipIf(missing !== null)(titled('hypercorn', missing), () => {
  test.each(clients)('%s: sizes, texts, subprotocols, and our close', async (_name, open) => {
    const hypercorn = await startHypercorn();
    const client = await open(`${hypercorn.url}/chat`, { ...OPTIONS, protocols: ['other', 'chat'] });
    expect(client.protocol).toBe('chat');
    const said: (string | Buffer)[] = [];
    for (const size of [0, 1, 125, 126, 65_535, 65_536, 1024 * 1024 + 1]) {
      said.push(noise(size, size + 1), '😀'.repeat(Math.ceil(size / 4)));
    }
    for (const message of said) client.send(message);
    await until(() => client.got.length === said.length, 'the echoes');
    expect(said.filter((message, i) => !Buffer.from(message).equals(Buffer.from(client.got[i])))).toEqual([]);
    client.close(3001, 'grüße');
    expect(await within(client.ended)).toEqual([3001, 'grüße']);
    await until(() => hypercorn.lines.some(({ code }) => code !== undefined));
    const [, first] = hypercorn.lines;
    expect(first).toEqual({ path: '/chat', version: '2', scheme: 'wss', offered: ['other', 'chat'] });
  });

  test.each(clients)('%s: its close', async (_name, open) => {
    const hypercorn = await startHypercorn();
    const client = await open(hypercorn.url, OPTIONS);
    client.send('close');
    expect(await within(client.ended)).toEqual([4005, 'because']);
  });

  test('permessage-deflate, many at once, refusals, and what falls back to HTTP/1.1', async () => {
    const hypercorn = await startHypercorn();
    const open = async (path: string, options: object = {}) => {
      const got: unknown[] = [];
      const versions: string[] = [];
      const peer = await within(
        connect(hypercorn.url + path, {
          ...OPTIONS,
          ...options,
          accepted: ({ httpVersion }) => versions.push(httpVersion) && undefined,
          message: (_ws, data) => got.push(data) && undefined,
        }),
        'connect',
      );
      atEnd(() => peer.terminate());
      return { peer, got, versions };
    };
    const text = 'much of the same '.repeat(10_000);
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => open(`/${i}`, { perMessageDeflate: true })));
    for (const { peer } of all) peer.send(text);
    await until(() => all.every(({ got }) => got[0] === text), 'the echoes');
    for (const { peer, versions } of all) {
      expect(versions).toEqual(['2.0']);
      expect(peer.bytesSent).toBeLessThan(text.length / 10);
    }
    for (const [path, statusCode, body] of [
      ['/refused', 403, ''],
      ['/answered', 418, 'not you'],
    ] as const) {
      const error = await connect(hypercorn.url + path, OPTIONS).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(HandshakeError);
      expect(error).toMatchObject({ code: 'UNEXPECTED_RESPONSE', statusCode });
      expect(`${(error as HandshakeError).body}`).toBe(body);
    }
    const old = await open('/old', { http2: false });
    expect(old.versions).toEqual(['1.1']);
    all[0].peer.send('still there');
    await until(() => all[0].got.length === 2);
  });
});
