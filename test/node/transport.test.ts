/** Streams that a user brings, which may keep what they are given longer than they say. */

import { createServer } from 'node:http';
import { duplexPair } from 'node:stream';
import { expect, test } from 'vitest';
import { attach, type Peer } from '../../src/node/index.js';
import { atEnd, decodeAll, request, turns, until } from './support.js';

test('a reader in this process may keep what it was given: no memory of it is used again', async () => {
  const http = createServer();
  const peers: Peer[] = [];
  const server = attach(http, { open: (ws) => void peers.push(ws) });
  atEnd(() => server.close({ timeout: 0 }));
  const [end, other] = duplexPair();
  const chunks: Buffer[] = [];
  end.on('data', (chunk: Buffer) => void chunks.push(chunk));
  http.emit('connection', other);
  end.write(request());
  await until(() => peers.length > 0 && chunks.length > 0, 'the connection to be open');
  chunks.length = 0;
  const sent: string[] = [];
  for (let i = 0; i < 100; i++) {
    for (const size of [10, 3000]) {
      sent.push(`${i} `.repeat(size));
      peers[0].send(sent.at(-1) as string);
    }
    await turns(2);
  }
  const texts = decodeAll(Buffer.concat(chunks)).map(({ payload }) => payload.toString());
  expect(texts.length).toBe(sent.length);
  expect(texts.every((text, i) => text === sent[i])).toBe(true);
});
