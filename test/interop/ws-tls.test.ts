/** The client of `ws` over TLS; what it does over TCP is in ws.test.ts. */

import { describe, expect, test } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { reject, type ServeOptions } from '../../src/node/index.js';
import { atEnd, next, noise, until } from '../node/support.js';
import { ca } from '../node/support-streams.js';
import { secureFronts } from './support-fronts.js';

const MiB = 1024 * 1024;

/** A client, and what it receives. */
class Client {
  readonly ws: WebSocket;
  readonly got: (string | Buffer)[] = [];

  constructor(url: string, protocols: string[] = [], options: ClientOptions = {}) {
    this.ws = new WebSocket(url, protocols, { ca, perMessageDeflate: false, ...options });
    this.ws.on('message', (data, isBinary) => this.got.push(isBinary ? (data as Buffer) : `${data}`));
    atEnd(() => this.ws.terminate());
  }

  static async open(...args: ConstructorParameters<typeof Client>): Promise<Client> {
    const client = new Client(...args);
    await next(client.ws, 'open');
    return client;
  }

  async first(count: number): Promise<(string | Buffer)[]> {
    await until(() => this.got.length >= count, `${count} messages`);
    return this.got;
  }
}

const echo: ServeOptions = { message: (ws, data) => ws.send(data) };

describe.each(secureFronts)('the client of ws, our %s', (_name, open) => {
  test('text and binary of many sizes come back', async () => {
    const { url } = await open(echo);
    const client = await Client.open(url);
    const sent = [0, 1, 125, 126, 65_535, 65_536, MiB].flatMap((size) => [noise(size, size), 'é'.repeat(size / 2)]);
    for (const data of sent) client.ws.send(data);
    const got = await client.first(sent.length);
    for (const [i, data] of sent.entries()) {
      const isSame = typeof data === 'string' ? got[i] === data : data.equals(got[i] as Buffer);
      expect(isSame, `message ${i}`).toBe(true);
    }
  });

  test('fragments, with a Ping between them', async () => {
    const { url } = await open(echo);
    const client = await Client.open(url);
    const emoji = Buffer.from('😀'.repeat(50_000));
    client.ws.send(emoji.subarray(0, 3), { binary: false, fin: false });
    client.ws.send('', { fin: false });
    const answered = next(client.ws, 'pong');
    client.ws.ping('between');
    client.ws.send(emoji.subarray(3), { binary: false, fin: true });
    expect(`${(await answered)[0]}`).toBe('between');
    expect((await client.first(1))[0]).toBe('😀'.repeat(50_000));
  });

  test('our Ping is answered', async () => {
    const pongs: string[] = [];
    const { url } = await open({
      open: (ws) => ws.ping(Buffer.from('from us')),
      pong: (_ws, payload) => pongs.push(`${payload}`),
    });
    await Client.open(url);
    await until(() => pongs.length === 1);
    expect(pongs).toEqual(['from us']);
  });

  test('closes, begun by either, with code and reason', async () => {
    const closes: [number, string][] = [];
    const { url, size } = await open({
      message: (ws) => ws.close(4001, 'ours'),
      close: (_ws, code, reason) => closes.push([code, reason]),
    });
    const [one, two, three] = await Promise.all([Client.open(url), Client.open(url), Client.open(url)]);
    one.ws.close(3000, 'é'.repeat(61));
    expect((await next(one.ws, 'close'))[0]).toBe(3000);
    await until(() => size() === 2);
    const closed = next(two.ws, 'close');
    two.ws.send('close!');
    expect((await closed).map(String)).toEqual(['4001', 'ours']);
    await until(() => size() === 1);
    three.ws.terminate();
    await until(() => size() === 0);
    expect(closes.slice(0, 2)).toEqual([
      [3000, 'é'.repeat(61)],
      [4001, 'ours'],
    ]);
    expect(closes[2][0]).toBe(1006);
  });

  test('a subprotocol; and a request that is refused', async () => {
    const { url } = await open({
      upgrade: ({ path, subprotocols }) => (path === '/refused' ? reject(403) : { protocol: subprotocols[1] }),
    });
    const client = await Client.open(url, ['a', 'b']);
    expect(client.ws.protocol).toBe('b');
    const refused = new Client(`${url}refused`);
    refused.ws.on('error', () => {});
    const [, response] = await next(refused.ws, 'unexpected-response');
    expect(response).toMatchObject({ statusCode: 403 });
  });
});
