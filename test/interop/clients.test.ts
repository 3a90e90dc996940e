/** Our clients with real servers, over TCP, TLS and Unix sockets. */

import { createSecureContext } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { HandshakeError, reject, type UpgradeRequest } from '../../src/node/index.js';
import { noise, until, within } from '../node/support.js';
import { ca, clientTls, serverTls } from '../node/support-streams.js';
import { pythonMissing } from './support.js';
import { type Commanded, clients, type OpenClient, ofPython, ofWs, ourServers } from './support-clients.js';
import { secureFronts } from './support-fronts.js';

const MiB = 1024 * 1024;
const SIZES = [0, 1, 125, 126, 65_535, 65_536, MiB];

/** Everything that a client and a server can do with each other. */
async function converse(openClient: OpenClient, { url, options, closes }: Commanded): Promise<void> {
  const client = await openClient(url, { ...options, protocols: ['other', 'chat'] });
  expect(client.protocol).toBe('chat');
  let count = 0;
  const answer = async () => {
    await until(() => client.got.length > count, `message ${count}`);
    return client.got[count++];
  };
  for (const size of SIZES) {
    const bytes = noise(size, size + 1);
    client.send(bytes);
    const got = await answer();
    expect(Buffer.isBuffer(got) && got.equals(bytes), `${size} bytes`).toBe(true);
    const text = 'aé語😀'.repeat(size / 10) + 'x'.repeat(size % 10);
    client.send(text);
    expect((await answer()) === text, `text of ${size}`).toBe(true);
  }
  for (let i = 0; i < 200; i++) client.send(i % 2 === 0 ? `${i}` : noise(i, i));
  for (let i = 0; i < 200; i++) expect(await answer()).toEqual(i % 2 === 0 ? `${i}` : noise(i, i));
  client.send('fragment');
  expect(await answer()).toBe('fragmented 😀');
  client.send('ping me');
  expect(await answer()).toBe('you are');

  client.close(3001, 'grüße');
  expect((await within(client.ended))[0]).toBe(3001);
  await until(() => closes().length === 1, 'the server to be told');
  expect(closes()).toEqual([[3001, 'grüße']]);

  const closed = await openClient(url, options);
  expect(closed.protocol).toBe('');
  closed.send('close');
  expect(await within(closed.ended)).toEqual([4005, 'grüße']);
  await until(() => closes().length === 2, 'the server to be told');
  expect(closes()[1][0]).toBe(4005);

  const left = await openClient(url, options);
  left.send('terminate');
  expect((await within(left.ended))[0]).toBe(1006);

  const refused = await openClient(`${url}refused`, options).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(HandshakeError);
  expect(refused).toMatchObject({ code: 'UNEXPECTED_RESPONSE', statusCode: 403 });
}

type Servers = readonly (readonly [name: string, open: () => Promise<Commanded>])[];

const ofTheirs: Servers = [
  ['the server of ws', () => ofWs(false)],
  ['the server of ws on https', () => ofWs(true)],
];
describe.each([...ofTheirs, ...ourServers])('with %s', (_name, openServer) => {
  test.each(clients)('%s', async (_client, openClient) => {
    await converse(openClient, await openServer());
  });
});

const missing = pythonMissing();
const inPython: Servers = [
  ['', () => ofPython(false)],
  [' over TLS', () => ofPython(true)],
];
const title = missing === null ? '' : ` (skipped: ${missing})`;
describe.skipIf(missing !== null).each(inPython)(
  `with the server of python3-websockets%s${title}`,
  (_name, openServer) => {
    test.each(clients)('%s', async (_client, openClient) => {
      await converse(openClient, await openServer());
    });
  },
);

describe.each(secureFronts)('TLS with our %s', (_name, openServer) => {
  test.each(clients)('%s shows its certificate, and names whom it wants (SNI)', async (_client, openClient) => {
    const names: string[] = [];
    const seen: (string | undefined)[] = [];
    const { port } = await openServer({
      tls: {
        ...serverTls,
        ca,
        requestCert: true,
        rejectUnauthorized: false,
        SNICallback(name, done) {
          names.push(name);
          done(null, createSecureContext({ ...serverTls, ca }));
        },
      },
      upgrade({ tls }: UpgradeRequest) {
        if (!tls?.authorized) return reject(401);
        seen.push(tls.getPeerCertificate().subject.CN as string, tls.servername as string);
        return {};
      },
      message: (ws, data) => ws.send(data),
    });
    const url = `wss://localhost:${port}/`;
    const known = await openClient(url, { family: 4, tls: { ca, ...clientTls } });
    known.send('hello');
    await until(() => known.got.length === 1);
    known.close(1000, '');
    expect((await within(known.ended))[0]).toBe(1000);
    const tls = { ca, ...clientTls, servername: 'chat.example', checkServerIdentity: () => undefined };
    const named = await openClient(url, { family: 4, tls });
    named.close(1000, '');
    await within(named.ended);
    expect(names).toEqual(['localhost', 'chat.example']);
    expect(seen).toEqual(['millrace test client', 'localhost', 'millrace test client', 'chat.example']);
    const unknown = await openClient(url, { family: 4, tls: { ca } }).catch((error: unknown) => error);
    expect(unknown).toMatchObject({ code: 'UNEXPECTED_RESPONSE', statusCode: 401 });
  });

  test.each(clients)('%s without a certificate where TLS wants one', async (_client, openClient) => {
    const { url } = await openServer({ tls: { ...serverTls, ca, requestCert: true, rejectUnauthorized: true } });
    const unknown = await openClient(url, { tls: { ca } }).catch((error: unknown) => error);
    expect(unknown).toMatchObject({ code: 'CONNECTION_FAILED' });
    const known = await openClient(url, { tls: { ca, ...clientTls } });
    known.close(1000, '');
    expect((await within(known.ended))[0]).toBe(1000);
  });

  test.each(clients)('%s does not trust a stranger', async (_client, openClient) => {
    const { url } = await openServer();
    const error = await openClient(url).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'CONNECTION_FAILED', cause: { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' } });
  });
});
