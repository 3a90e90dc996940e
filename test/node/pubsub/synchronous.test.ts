/** Streams that hand on what is written to them within the write: whoever reads there may write, and be answered, at once. */

import { createServer } from 'node:http';
import { duplexPair } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { attach, broadcast, type Peer } from '../../../src/node/index.js';
import { atEnd, decode, frame, request, turns, until } from '../support.js';

type OnMessage = (ws: Peer, text: string) => void;

interface Client {
  readonly got: string[];
  /** What to do, once, within the write that brings the next message. */
  onNext: (() => void) | null;
  send(text: string): void;
}

/** Connections without a socket, of an attachment whose messages are handled by `onMessage`. */
async function pairs(count: number, onMessage: OnMessage) {
  const http = createServer();
  const peers: Peer[] = [];
  const clients: Client[] = [];
  const server = attach(http, {
    open: (ws) => {
      peers.push(ws);
      ws.subscribe('t');
    },
    message: (ws, data) => onMessage(ws, String(data)),
  });
  atEnd(() => server.close({ timeout: 0 }));
  for (let i = 0; i < count; i++) {
    const [end, other] = duplexPair();
    const client: Client = { got: [], onNext: null, send: (text) => void end.write(frame(1, text)) };
    clients.push(client);
    let rest = Buffer.alloc(0);
    let isOpen = false;
    end.on('data', (chunk: Buffer) => {
      if (!isOpen) {
        isOpen = true;
        return;
      }
      rest = Buffer.concat([rest, chunk]);
      for (let found = decode(rest); found !== null; found = decode(rest)) {
        rest = rest.subarray(found.size);
        if (found.frame.opcode !== 1) continue;
        client.got.push(found.frame.payload.toString());
        const { onNext } = client;
        client.onNext = null;
        onNext?.();
      }
    });
    http.emit('connection', other);
    end.write(request());
    await until(() => peers.length > i, 'the connection to be open');
  }
  await turns();
  return { server, peers, clients };
}

test('what one connection is sent goes to no other that is written to meanwhile', async () => {
  const { peers, clients } = await pairs(2, (ws, text) => void ws.send(`answer to ${text}`));
  clients[0].onNext = () => clients[1].send('news');
  peers[0].send('for the first alone');
  await until(() => clients[1].got.length > 0, 'the answer');
  await turns();
  expect(clients.map(({ got }) => got)).toEqual([['for the first alone'], ['answer to news']]);
});

describe('while others are still to be given what was published', () => {
  const ANSWERS: readonly (readonly [name: string, answer: (peers: Peer[], text: string) => void])[] = [
    ['more is published', (peers, text) => void peers[1].publish('t', text, { except: [] })],
    ['all are sent something else', (peers, text) => void broadcast(peers.slice(0, 1).concat(peers.slice(2)), text)],
  ];
  test.each(ANSWERS)('%s', async (_name, answer) => {
    const { server, peers, clients } = await pairs(3, (_ws, text) => answer(peers, text));
    clients[0].onNext = () => clients[1].send('second');
    server.publish('t', 'first');
    await until(() => clients[2].got.length > 1, 'both');
    await turns();
    expect(clients.map(({ got }) => got)).toEqual([['first', 'second'], ['first'], ['first', 'second']]);
  });
});
