/** The calls of the handlers: which, in which order, and what comes of one that fails. */

import { describe, expect, test } from 'vitest';
import { Connection, type ConnectionOptions, ConnectionType } from '../../src/core/index.js';
import { type Handlers, Session } from '../../src/node/handlers.js';
import {
  closeFrame,
  concat,
  connectWs,
  deferred,
  FakeStream,
  frame,
  next,
  RawClient,
  recording,
  start,
  turns,
  until,
  warningsDuring,
} from './support.js';

interface Opened {
  readonly stream: FakeStream;
  readonly session: Session<string>;
  readonly gone: unknown[];
}

/** A session on a stream that is none. */
function open(
  handlers: Handlers<string>,
  { first = '', ...options }: ConnectionOptions & { first?: string } = {},
): Opened {
  const stream = new FakeStream();
  const connection = new Connection(ConnectionType.SERVER, [], { autoPong: true, autoClose: true, ...options });
  const gone: unknown[] = [];
  const init = { data: 'mine', protocol: 'chat', remoteAddress: '::1' };
  const session = new Session(stream, connection, handlers, init, (which) => gone.push(which));
  session.start(Buffer.from(first, 'latin1'));
  return { stream, session, gone };
}

function closeSent(stream: FakeStream): number | undefined {
  return stream.frames.find(({ opcode }) => opcode === 8)?.payload.readUInt16BE(0);
}

describe('what handlers are called with', () => {
  test('every kind of event, once, in order', async () => {
    const { log, handlers } = recording<string>();
    const { stream, session, gone } = open(handlers);
    stream.push(
      concat(
        frame(1, 'text ✓'),
        frame(2, 'bytes'),
        frame(9, 'are you there'),
        frame(10, 'here'),
        frame(1, 'frag', { fin: false }),
        frame(9, 'between'),
        frame(0, 'mented'),
        closeFrame(3000, 'enough'),
        frame(1, 'after the Close'),
      ),
    );
    await turns(2);
    stream.push(null);
    await turns(3);
    expect(log).toEqual([
      ['open'],
      ['message', 'text ✓'],
      ['message', Buffer.from('bytes')],
      ['ping', Buffer.from('are you there')],
      ['pong', Buffer.from('here')],
      ['ping', Buffer.from('between')],
      ['message', 'fragmented'],
      ['close', 3000, 'enough'],
    ]);
    expect(gone).toEqual([session]);
  });

  test('binary as a Buffer, an empty one too', async () => {
    const got: unknown[] = [];
    const { stream } = open({ message: (_ws, data) => got.push(data) });
    stream.push(concat(frame(2, ''), frame(2, 'x'), frame(1, '')));
    await turns(1);
    expect(got.map((data) => Buffer.isBuffer(data))).toEqual([true, true, false]);
    expect(got[2]).toBe('');
  });

  test('the payloads of Ping and Pong may be kept', async () => {
    const kept: Buffer[] = [];
    const { stream } = open({ ping: (_ws, payload) => kept.push(payload), pong: (_ws, payload) => kept.push(payload) });
    const chunk = Buffer.from(concat(frame(9, 'one'), frame(10, 'two')));
    stream.push(chunk);
    await turns(1);
    chunk.fill(0);
    expect(kept.map(String)).toEqual(['one', 'two']);
  });

  test('the same peer each time, with what upgrade gave', async () => {
    const peers = new Set<unknown>();
    const { stream, session } = open({ open: (ws) => peers.add(ws), message: (ws) => peers.add(ws) });
    stream.push(frame(1, 'x'));
    await turns(1);
    expect([...peers]).toEqual([session.peer]);
    const { data, protocol, remoteAddress } = session.peer;
    expect({ data, protocol, remoteAddress }).toEqual({ data: 'mine', protocol: 'chat', remoteAddress: '::1' });
  });

  test('`this` is the object of handlers', async () => {
    const selves: unknown[] = [];
    const handlers: Handlers<string> = {
      open() {
        selves.push(this);
      },
      message() {
        selves.push(this);
        throw new Error('for error()');
      },
      error() {
        selves.push(this);
      },
      close() {
        selves.push(this);
      },
    };
    const { stream } = open(handlers);
    stream.push(frame(1, 'x'));
    stream.push(closeFrame(1000));
    await turns(2);
    expect(selves).toEqual([handlers, handlers, handlers, handlers]);
  });

  test('none at all: pings and Closes are answered still', async () => {
    const { stream } = open({});
    stream.push(concat(frame(1, 'x'), frame(2, 'y'), frame(9, 'p'), frame(10, 'q'), closeFrame(1000)));
    await turns(2);
    expect(stream.frames.map(({ opcode }) => opcode)).toEqual([10, 8]);
  });

  test('a violation: error names it, close has the code that was sent', async () => {
    const { log, handlers } = recording<string>();
    const { stream } = open(handlers);
    stream.push(concat(frame(1, 'good'), frame(1, Buffer.from([0xff])), frame(1, 'dropped')));
    await turns(2);
    expect(log).toEqual([
      ['open'],
      ['message', 'good'],
      ['error', expect.objectContaining({ name: 'RemoteProtocolError', code: 'INVALID_UTF8' })],
      ['close', 1007, 'text is not valid UTF-8'],
    ]);
    expect(closeSent(stream)).toBe(1007);
  });
});

describe('a handler that returns a promise', () => {
  test('holds the next event until it settles', async () => {
    const gates = [deferred(), deferred(), deferred()];
    const log: string[] = [];
    const { stream } = open({
      open: async () => {
        log.push('open');
        await gates[0].promise;
        log.push('opened');
      },
      message: async (_ws, data) => {
        log.push(`${data}`);
        await gates[Number(data)].promise;
        log.push(`${data} done`);
      },
      close: () => {
        log.push('close');
      },
    });
    stream.push(concat(frame(1, '1'), frame(1, '2'), closeFrame(1000)));
    await turns(2);
    expect(log).toEqual(['open']);
    for (const gate of gates) {
      gate.resolve();
      await turns(2);
    }
    expect(log).toEqual(['open', 'opened', '1', '1 done', '2', '2 done', 'close']);
  });

  test('of its own connection, and of no other', async () => {
    const gate = deferred();
    const got: string[] = [];
    const server = await start<number>({
      upgrade: ({ target }) => ({ data: Number(target.slice(1)) }),
      message: (ws, data) => {
        got.push(`${ws.data} ${data}`);
        return ws.data === 1 ? gate.promise : undefined;
      },
    });
    const one = await connectWs(server.port, { path: '/1' });
    const two = await connectWs(server.port, { path: '/2' });
    one.send('a');
    one.send('b');
    await until(() => got.length === 1);
    two.send('a');
    two.send('b');
    await until(() => got.length === 3);
    expect(got).toEqual(['1 a', '2 a', '2 b']);
    gate.resolve();
    await until(() => got.length === 4);
    expect(got[3]).toBe('1 b');
  });

  test('any thenable counts', async () => {
    let settle = () => {};
    const log: string[] = [];
    const thenable = {
      // biome-ignore lint/suspicious/noThenProperty: a thenable is what is tested
      then(resolve: () => void) {
        settle = resolve;
      },
    };
    const { stream } = open({
      message: (_ws, data) => {
        log.push(`${data}`);
        return thenable;
      },
    });
    stream.push(concat(frame(1, 'a'), frame(1, 'b')));
    await turns(2);
    expect(log).toEqual(['a']);
    settle();
    await turns(2);
    expect(log).toEqual(['a', 'b']);
  });

  test('and closes meanwhile gets no answer to its Close before it settles', async () => {
    const gate = deferred();
    const log: string[] = [];
    const { stream, session } = open({
      message: async () => {
        session.peer.close(4001);
        await gate.promise;
        log.push('message done');
      },
      close: (_ws, code) => {
        log.push(`close ${code}`);
      },
    });
    stream.push(concat(frame(1, 'x'), closeFrame(4001)));
    await turns(3);
    expect(closeSent(stream), 'our Close leaves at the end of the turn').toBe(4001);
    expect(log).toEqual([]);
    gate.resolve();
    await turns(2);
    expect(log).toEqual(['message done', 'close 4001']);
  });
});

describe('a handler that fails', () => {
  const failing = (event: string, fail: () => unknown): Handlers<string> => ({ [event]: fail });
  const boom = () => {
    throw new Error('boom');
  };
  const later = async () => {
    await null;
    throw new Error('boom');
  };

  for (const [how, fail] of [
    ['throws', boom],
    ['rejects', later],
  ] as const) {
    for (const event of ['open', 'message', 'ping', 'pong', 'drain']) {
      test(`${event} that ${how}: error, then 1011`, async () => {
        const errors: unknown[] = [];
        const closes: number[] = [];
        const handlers = {
          ...failing(event, fail),
          error: (_ws: unknown, error: unknown) => errors.push(error),
          close: (_ws: unknown, code: number) => closes.push(code),
        };
        const { stream, session } = open(handlers, { sendHighWater: 10 });
        stream.push(concat(frame(1, 'x'), frame(9), frame(10)));
        if (event === 'drain') session.peer.send('more than ten bytes');
        await turns(4);
        expect(errors).toEqual([new Error('boom')]);
        expect(closeSent(stream)).toBe(1011);
        stream.push(closeFrame(1011));
        await turns(2);
        expect(closes).toEqual([1011]);
      });
    }

    test(`close that ${how}: error, and everything ends`, async () => {
      const errors: unknown[] = [];
      const { stream, gone } = open({ close: fail, error: (_ws, error) => errors.push(error) });
      stream.push(closeFrame(1000));
      await turns(2);
      stream.push(null);
      await turns(3);
      expect(errors).toEqual([new Error('boom')]);
      expect(gone).toHaveLength(1);
    });

    test(`error that ${how}: a warning, and nothing else`, async () => {
      const warnings = await warningsDuring(async () => {
        const { stream, gone } = open({ message: boom, error: fail });
        stream.push(frame(1, 'x'));
        await turns(3);
        expect(closeSent(stream)).toBe(1011);
        stream.push(closeFrame(1011));
        stream.push(null);
        await turns(3);
        expect(gone).toHaveLength(1);
      });
      expect(warnings.map(({ message }) => message)).toEqual(['boom']);
    });

    test(`without an error handler, message that ${how} becomes a warning`, async () => {
      const warnings = await warningsDuring(async () => {
        const { stream } = open({ message: fail });
        stream.push(frame(1, 'x'));
        await turns(3);
        expect(closeSent(stream)).toBe(1011);
      });
      expect(warnings.map(({ message }) => message)).toEqual(['boom']);
    });
  }

  test.for<[string, unknown]>([
    ['a string', 'boom'],
    ['undefined', undefined],
    ['an object without a prototype', Object.create(null)],
    ['a symbol', Symbol('boom')],
  ])('%s may be thrown: error gets an Error with the cause', async ([, thrown]) => {
    const errors: Error[] = [];
    const { stream } = open({
      message: () => {
        throw thrown;
      },
      error: (_ws, error) => errors.push(error),
    });
    stream.push(frame(1, 'x'));
    await turns(2);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toBeInstanceOf(Error);
    expect(errors[0].cause).toBe(thrown);
    expect(closeSent(stream)).toBe(1011);
  });

  test('harms no other connection', async () => {
    const server = await start({
      message: (ws, data) => {
        if (data === 'fail') throw new Error('boom');
        ws.send(data);
      },
      error: () => {},
    });
    const bad = await connectWs(server.port);
    const good = await connectWs(server.port);
    const closed = next(bad, 'close');
    bad.send('fail');
    expect((await closed)[0]).toBe(1011);
    const echoed = next(good, 'message');
    good.send('still here');
    expect(`${(await echoed)[0]}`).toBe('still here');
    expect(server.size).toBe(1);
  });

  test('messages that follow are handed out until the peer answers the Close', async () => {
    const got: unknown[] = [];
    const { stream } = open({
      message: (_ws, data) => {
        got.push(data);
        if (data === 'a') throw new Error('boom');
      },
      error: () => {},
    });
    stream.push(concat(frame(1, 'a'), frame(1, 'b'), closeFrame(1011), frame(1, 'c')));
    await turns(2);
    expect(got).toEqual(['a', 'b']);
  });
});

describe('over a socket', () => {
  test('open comes before the messages that came with the request', async () => {
    const { log, handlers } = recording();
    const server = await start(handlers);
    const client = await RawClient.open(server.port, concat(frame(1, 'early'), frame(2, 'bird')));
    await until(() => log.length === 3);
    client.write(closeFrame(1000));
    expect(await client.closeCode()).toEqual([1000, '']);
    client.socket.end();
    await until(() => server.size === 0);
    expect(log).toEqual([['open'], ['message', 'early'], ['message', Buffer.from('bird')], ['close', 1000, '']]);
  });

  test('a reset: error, then close with 1006', async () => {
    const { handlers, names, log } = recording();
    const server = await start(handlers);
    const client = await RawClient.open(server.port);
    client.socket.resetAndDestroy();
    await until(() => server.size === 0);
    expect(names()).toEqual(['open', 'error', 'close']);
    expect(log[1][1]).toMatchObject({ code: 'ECONNRESET' });
    expect(log[2]).toEqual(['close', 1006, '']);
  });
});
