/** How WebSockets over HTTP/2 end at the client: what each of the three kinds is told. */

import { describe, expect, test } from 'vitest';
import { WebSocket } from '../../../src/node/client/websocket.js';
import { WebSocketError } from '../../../src/node/client/websocket-error.js';
import { WebSocketStream } from '../../../src/node/client/websocket-stream.js';
import { DATA, END_STREAM, type FramePeer, goawayFrame, h2Frame, RST_STREAM, rstFrame } from '../h2/frames.js';
import { deferred, type Log, recording, turns, until, within } from '../support.js';
import { frameServer, okFrame, onRequests, overH2, secureUrl } from './http2-support.js';
import { open, serverClose, serverFrame } from './support.js';

/** What the server does with the stream of a WebSocket that is open. */
type Ending = (peer: FramePeer, stream: number) => void;

const ENDINGS: readonly [
  name: string,
  ending: Ending,
  code: number,
  wasClean: boolean,
  /** The code of the error that the handlers get, if any; of those of the WHATWG's classes. */
  errors: readonly [handlers: string | null, classes: string | null],
][] = [
  [
    'a Close and END_STREAM',
    (peer, id) => peer.write(h2Frame(DATA, END_STREAM, id, serverClose(4000, 'bye'))),
    4000,
    true,
    [null, null],
  ],
  [
    'a Close without a code, and END_STREAM',
    (peer, id) => peer.write(h2Frame(DATA, END_STREAM, id, serverFrame(8))),
    1005,
    true,
    [null, null],
  ],
  ['END_STREAM alone', (peer, id) => peer.write(h2Frame(DATA, END_STREAM, id)), 1006, false, [null, 'UNEXPECTED_EOF']],
  ['RST_STREAM(CANCEL)', (peer, id) => peer.write(rstFrame(id, 8)), 1006, false, [null, 'UNEXPECTED_EOF']],
  ['RST_STREAM(NO_ERROR)', (peer, id) => peer.write(rstFrame(id, 0)), 1006, false, [null, 'UNEXPECTED_EOF']],
  [
    'RST_STREAM(INTERNAL_ERROR)',
    (peer, id) => peer.write(rstFrame(id, 2)),
    1006,
    false,
    ['ERR_HTTP2_STREAM_ERROR', 'ERR_HTTP2_STREAM_ERROR'],
  ],
  [
    'GOAWAY with an error',
    (peer, id) => peer.write(goawayFrame(id, 2)),
    1006,
    false,
    ['ERR_HTTP2_SESSION_ERROR', 'ERR_HTTP2_SESSION_ERROR'],
  ],
  ['the end of the connection', (peer) => peer.socket.destroy(), 1006, false, [null, 'UNEXPECTED_EOF']],
  [
    'a violation',
    (peer, id) => {
      peer.write(h2Frame(DATA, 0, id, serverFrame(3)));
      endWith(peer, id);
    },
    1006,
    false,
    ['BAD_OPCODE', 'BAD_OPCODE'],
  ],
];

/** Ends the stream when the client has done so. */
function endWith(peer: FramePeer, id: number): void {
  const before = peer.onFrame;
  peer.onFrame = (received) => {
    if (received.stream === id && received.type === DATA && (received.flags & END_STREAM) !== 0) {
      peer.write(h2Frame(DATA, END_STREAM, id));
    }
    return before(received);
  };
}

/** A server that accepts all, and tells of each stream. */
async function accepting() {
  const streams: number[] = [];
  const made = deferred<FramePeer>();
  const port = await frameServer((peer) => {
    onRequests(peer, (stream) => {
      streams.push(stream);
      peer.write(okFrame(stream));
    });
    made.resolve(peer);
  });
  return { url: secureUrl(port), streams, peer: made.promise };
}

const close = (log: Log) => log.find(([name]) => name === 'close');

describe.for(ENDINGS)('%s', ([name, ending, code, wasClean, [ofHandlers, ofClasses]]) => {
  test('connect', async () => {
    const { url, peer } = await accepting();
    const { log, handlers } = recording();
    await open(url, { ...overH2, ...handlers });
    ending(await peer, 1);
    await until(() => close(log) !== undefined);
    expect(close(log)?.[1]).toBe(name === 'a violation' ? 1002 : code);
    const errors = log.filter(([event]) => event === 'error').map(([, error]) => (error as { code?: string }).code);
    if (ofHandlers === null) expect(errors).toEqual([]);
    else if (name === 'a violation') expect(errors).toHaveLength(1);
    else expect(errors).toEqual([ofHandlers]);
    expect(log.at(-1)?.[0]).toBe('close');
  });

  test('WebSocket', async () => {
    const { url, peer } = await accepting();
    const events: unknown[] = [];
    const socket = new WebSocket(url, [], overH2);
    const opened = deferred();
    socket.onopen = () => opened.resolve();
    socket.onerror = ({ error }) => events.push((error as { code?: string }).code);
    socket.onclose = (event) => events.push([event.wasClean, event.code, socket.readyState]);
    await within(opened.promise);
    ending(await peer, 1);
    await until(() => socket.readyState === 3);
    await turns();
    expect(events.at(-1)).toEqual([wasClean, code, 3]);
    if (ofClasses === null) expect(events).toHaveLength(1);
    else if (name === 'a violation') expect(events).toHaveLength(2);
    else expect(events[0]).toBe(ofClasses);
  });

  test('WebSocketStream', async () => {
    const { url, peer } = await accepting();
    const stream = new WebSocketStream(url, overH2);
    const { readable } = await within(stream.opened);
    const reader = readable.getReader();
    const read = reader.read().then(
      (result) => result,
      (error: unknown) => error,
    );
    ending(await peer, 1);
    if (wasClean) {
      expect(await within(stream.closed)).toMatchObject({ closeCode: code });
      expect(await within(read)).toEqual({ done: true, value: undefined });
    } else {
      const why = await within(
        stream.closed.then(
          () => null,
          (error: unknown) => error,
        ),
      );
      expect(why).toBeInstanceOf(WebSocketError);
      expect(why).toMatchObject({ closeCode: code });
      expect(await within(read)).toBe(why);
      if (name !== 'a violation') expect((why as { cause?: { code?: string } }).cause?.code).toBe(ofClasses);
    }
  });

  test('disturbs no other of the session that lives', async () => {
    const { url, peer, streams } = await accepting();
    const { log, handlers } = recording();
    const other = recording();
    await open(url, { ...overH2, ...handlers });
    await open(url, { ...overH2, ...other.handlers });
    const server = await peer;
    expect(streams).toEqual([1, 3]);
    ending(server, 1);
    await until(() => close(log) !== undefined);
    if (/GOAWAY|connection/.test(name)) {
      await until(() => close(other.log) !== undefined);
      return;
    }
    server.write(h2Frame(DATA, 0, 3, serverFrame(1, 'still here')));
    await until(() => other.log.length === 2);
    expect(other.log).toEqual([['open'], ['message', 'still here']]);
  });
});

describe('RST_STREAM(NO_ERROR), with something yet to be read', () => {
  test('a write that waits fails, and those that follow, though nobody reads', async () => {
    const { url, peer } = await accepting();
    const stream = new WebSocketStream(url, overH2);
    const { writable } = await within(stream.opened);
    const server = await peer;
    for (let i = 0; i < 3; i++) {
      server.write(h2Frame(DATA, 0, 1, serverFrame(1, 'x')));
      await turns(20);
    }
    const writer = writable.getWriter();
    writer.closed.catch(() => {});
    stream.closed.catch(() => {});
    const write = writer.write(new Uint8Array(1_000_000)).catch((error: unknown) => error);
    await server.frame(DATA, 1);
    server.write(rstFrame(1, 0));
    expect(await within(write)).toBeInstanceOf(WebSocketError);
    await expect(within(writer.write('more'))).rejects.toBeInstanceOf(WebSocketError);
    stream.close();
  });
});

describe('GOAWAY(NO_ERROR)', () => {
  test('each WebSocket closes with 1001, and may still receive', async () => {
    const { url, peer } = await accepting();
    const logs = [recording(), recording()];
    for (const { handlers } of logs) await open(url, { ...overH2, ...handlers });
    const server = await peer;
    server.write(goawayFrame(3, 0));
    await until(() => server.of(DATA, 1).length > 0 && server.of(DATA, 3).length > 0);
    for (const id of [1, 3]) {
      server.write(h2Frame(DATA, 0, id, serverFrame(1, 'last words')));
      server.write(h2Frame(DATA, END_STREAM, id, serverClose(1001)));
    }
    for (const { log } of logs) {
      await until(() => log.length === 3);
      expect(log).toEqual([['open'], ['message', 'last words'], ['close', 1001, '']]);
    }
    await until(() => server.closed);
  });

  test('right behind the answer', async () => {
    const port = await frameServer((peer) =>
      onRequests(peer, (stream) => {
        peer.write(okFrame(stream), goawayFrame(stream, 0));
        endWith(peer, stream);
        peer.onFrame = ((before) => (received) => {
          if (received.type === DATA && received.payload.length > 0) {
            peer.write(h2Frame(DATA, END_STREAM, stream, serverClose(1001)));
          }
          return before(received);
        })(peer.onFrame);
      }),
    );
    const { log, handlers } = recording();
    await open(secureUrl(port), { ...overH2, ...handlers });
    await until(() => close(log) !== undefined);
    expect(log).toEqual([['open'], ['close', 1001, '']]);
  });
});

describe('what the client does', () => {
  test('terminate: RST_STREAM(CANCEL), without END_STREAM', async () => {
    const { url, peer } = await accepting();
    const { log, handlers } = recording();
    const ws = await open(url, { ...overH2, ...handlers });
    const server = await peer;
    ws.terminate();
    expect(await server.reset(1)).toBe(8);
    expect(server.of(DATA, 1)).toEqual([]);
    await until(() => log.length === 2);
    expect(log).toEqual([['open'], ['close', 1006, '']]);
  });

  test('close: a Close, masked, then END_STREAM when the server has ended, and no reset', async () => {
    const { url, peer } = await accepting();
    const { log, handlers } = recording();
    const ws = await open(url, { ...overH2, ...handlers });
    const server = await peer;
    ws.close(4000, 'enough');
    const { payload } = await server.frame(DATA, 1);
    expect([payload[0], payload[1] & 0x80]).toEqual([0x88, 0x80]);
    await turns();
    expect(server.of(DATA, 1)).toHaveLength(1);
    server.write(h2Frame(DATA, END_STREAM, 1, serverClose(4000)));
    await until(() => server.of(DATA, 1).length === 2);
    expect(server.of(DATA, 1)[1].flags & END_STREAM).toBe(END_STREAM);
    await until(() => log.length === 2);
    expect([log.at(-1), server.of(RST_STREAM, 1)]).toEqual([['close', 4000, ''], []]);
  });

  test('a server that answers the Close and does not end its stream: reset after closeTimeout, and not clean', async () => {
    const { url, peer } = await accepting();
    const ended = deferred<unknown[]>();
    const socket = new WebSocket(url, [], { ...overH2, closeTimeout: 100 });
    socket.onopen = () => socket.close(3000);
    socket.onclose = ({ wasClean, code }) => ended.resolve([wasClean, code]);
    const server = await peer;
    await server.frame(DATA, 1);
    server.write(h2Frame(DATA, 0, 1, serverClose(3000)));
    expect(await server.reset(1)).toBe(8);
    expect(await within(ended.promise)).toEqual([false, 3000]);
  });

  test('a server that does not answer the Close', async () => {
    const { url, peer } = await accepting();
    const { log, handlers } = recording();
    const ws = await open(url, { ...overH2, ...handlers, closeTimeout: 100 });
    ws.close();
    expect(await (await peer).reset(1)).toBe(8);
    await until(() => close(log) !== undefined);
    expect(log).toMatchObject([['open'], ['error', { code: 'CLOSE_TIMEOUT' }], ['close', 1006, expect.any(String)]]);
  });

  test('a silent server is pinged, and then given up', async () => {
    const { url, peer } = await accepting();
    const { log, handlers } = recording();
    await open(url, { ...overH2, ...handlers, pingInterval: 100, pingTimeout: 100, closeTimeout: 100 });
    await until(() => close(log) !== undefined);
    expect(log).toMatchObject([['open'], ['error', { code: 'PING_TIMEOUT' }], ['close', 1006, expect.any(String)]]);
    const server = await peer;
    expect(server.of(DATA, 1)[0].payload[0]).toBe(0x89);
    await server.frame(RST_STREAM, 1);
  });

  test('the frames of others pass it by', async () => {
    const { url, peer } = await accepting();
    const { log, handlers } = recording();
    const ws = await open(url, { ...overH2, ...handlers });
    const server = await peer;
    server.write(h2Frame(0xfa, 0, 1, Buffer.from('unknown')), h2Frame(0x2, 0, 1, Buffer.alloc(5)));
    server.write(h2Frame(DATA, 0, 1, serverFrame(1, 'known')));
    await until(() => log.length === 2);
    expect(ws.isOpen).toBe(true);
  });
});
