/**
 * Handlers that crash in every way there is, on real sockets: `error` hears of it, or the process warns; that
 * connection is closed with 1011 and once; another one on the same server goes on as if nothing had been.
 */

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type WebSocket from 'ws';
import { type Handlers, type Peer, reject, type ServeOptions, type Server } from '../../src/node/index.js';
import {
  closeFrame,
  connectWs,
  deferred,
  frame,
  next,
  noise,
  RawClient,
  start,
  turns,
  until,
  warningsDuring,
} from './support.js';

const rejections: unknown[] = [];
const exceptions: unknown[] = [];
let listeners: [NodeJS.UnhandledRejectionListener[], NodeJS.UncaughtExceptionListener[]] = [[], []];

// Node tells of them when a turn ends, to whoever listens, and Vitest only for the whole run.
beforeEach(() => {
  listeners = [process.listeners('unhandledRejection'), process.listeners('uncaughtException')];
  process.removeAllListeners('unhandledRejection').removeAllListeners('uncaughtException');
  process.on('unhandledRejection', (reason) => rejections.push(reason));
  process.on('uncaughtException', (error) => exceptions.push(error));
});

afterEach(async () => {
  await turns(3);
  process.removeAllListeners('unhandledRejection').removeAllListeners('uncaughtException');
  for (const listener of listeners[0]) process.on('unhandledRejection', listener);
  for (const listener of listeners[1]) process.on('uncaughtException', listener);
  expect([rejections.splice(0), exceptions.splice(0)], 'unhandled rejections, uncaught exceptions').toEqual([[], []]);
});

/** Throws, whatever is asked of it. */
const touchy: object = new Proxy(
  {},
  {
    get() {
      throw new Error('touched');
    },
    has() {
      throw new Error('touched');
    },
    getPrototypeOf() {
      throw new Error('touched');
    },
    ownKeys() {
      throw new Error('touched');
    },
    getOwnPropertyDescriptor() {
      throw new Error('touched');
    },
  },
);

class TouchyError extends Error {
  override get name(): string {
    throw new Error('touched');
  }
  override get message(): string {
    throw new Error('touched');
  }
  override get stack(): string {
    throw new Error('touched');
  }
  override toString(): string {
    throw new Error('touched');
  }
}

/** What may be thrown, by name. */
const THROWN: [string, unknown][] = [
  ['an error', new Error('boom')],
  ['undefined', undefined],
  ['null', null],
  ['a string', 'boom'],
  ['a function', () => {}],
  ['an object whose getters throw', touchy],
  [
    'an object that cannot be shown',
    {
      get [Symbol.toStringTag]() {
        throw new Error('touched');
      },
    },
  ],
  ['an error whose getters throw', new TouchyError()],
  ['a frozen error', Object.freeze(new Error('boom'))],
];

/** Ways to fail. */
const WAYS: [string, (thrown: unknown) => unknown][] = [
  [
    'throws',
    (thrown) => {
      throw thrown;
    },
  ],
  ['rejects', (thrown) => Promise.reject(thrown)],
  ['rejects later', (thrown) => new Promise((_, no) => setImmediate(no, thrown))],
];

interface Case {
  readonly server: Server<string>;
  /** What became of the connection that fails. */
  readonly closes: number[];
  readonly errors: unknown[];
}

/** A server whose handlers are those given for connections to /bad, and for others an echo. */
async function serving(bad: Handlers<string>, options: ServeOptions<string> & { deaf?: boolean } = {}): Promise<Case> {
  const closes: number[] = [];
  const errors: unknown[] = [];
  const { deaf = false, ...rest } = options;
  const isBad = (ws: Peer<string>) => ws.data === '/bad';
  const handlers: Handlers<string> = {
    open: (ws) => (isBad(ws) ? bad.open?.(ws) : undefined),
    message: (ws, data, isBinary) => (isBad(ws) ? bad.message?.(ws, data, isBinary) : ws.send(data)),
    ping: (ws, payload) => (isBad(ws) ? bad.ping?.(ws, payload) : undefined),
    pong: (ws, payload) => (isBad(ws) ? bad.pong?.(ws, payload) : undefined),
    drain: (ws) => (isBad(ws) ? bad.drain?.(ws) : undefined),
    close: (ws, code, reason) => {
      if (!isBad(ws)) return;
      closes.push(code);
      return bad.close?.(ws, code, reason);
    },
    ...(deaf
      ? {}
      : {
          error: (ws, error) => {
            if (!isBad(ws)) return;
            errors.push(error);
            return bad.error?.(ws, error);
          },
        }),
  };
  const server = await start<string>({
    upgrade: ({ target }) => ({ data: target }),
    ...handlers,
    ...rest,
  });
  return { server, closes, errors };
}

/** Opens a connection that fails. */
function openBad(server: Server<string>): Promise<RawClient> {
  return RawClient.open(server.port, undefined, BAD);
}
const BAD = `GET /bad HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'}`;

let sent = 0;
/** Has something echoed to the one that behaves. */
async function undisturbed(good: WebSocket): Promise<void> {
  const echoed = next(good, 'message');
  const message = `still here ${++sent}`;
  good.send(message);
  expect(`${(await echoed)[0]}`).toBe(message);
}

/** What makes the server call a handler. */
const PROVOKE: Record<string, (client: RawClient) => void> = {
  open: () => {},
  message: (client) => client.write(frame(1, 'x')),
  ping: (client) => client.write(frame(9, 'x')),
  pong: (client) => client.write(frame(10, 'x')),
  drain: (client) => client.write(frame(1, 'drain')),
};

/** `send` past its mark, for a drain. */
const sendMuch = (ws: Peer<string>) => {
  ws.send(noise(100_000));
};

describe('a handler that', () => {
  for (const [how, fail] of WAYS) {
    for (const event of ['open', 'message', 'ping', 'pong', 'drain'] as const) {
      test(`${how}: ${event}, whatever is thrown`, async () => {
        let thrown: unknown;
        const bad = { message: event === 'drain' ? sendMuch : undefined, [event]: () => fail(thrown) };
        const { server, closes, errors } = await serving(bad as Handlers<string>);
        const good = await connectWs(server.port, { path: '/good' });
        for (const [name, what] of THROWN) {
          thrown = what;
          closes.length = 0;
          errors.length = 0;
          const client = await openBad(server);
          PROVOKE[event](client);
          expect((await client.closeCode())[0], name).toBe(1011);
          await undisturbed(good);
          client.write(closeFrame(1011));
          client.socket.end();
          await until(() => server.size === 1);
          expect(closes, name).toEqual([1011]);
          expect(errors, name).toHaveLength(1);
          // Nothing may be asked of what throws whatever is asked.
          if (what === touchy) expect((errors[0] as Error).cause === touchy, name).toBe(true);
          else if (name.includes('error')) expect(errors[0] === what, name).toBe(true);
          else expect((errors[0] as Error).cause === what, name).toBe(true);
        }
      });
    }
  }

  for (const [how, fail] of WAYS) {
    test(`${how}: close, whatever is thrown`, async () => {
      let thrown: unknown;
      const { server, closes, errors } = await serving({ close: () => fail(thrown) });
      const good = await connectWs(server.port, { path: '/good' });
      for (const [, what] of THROWN) {
        thrown = what;
        const client = await openBad(server);
        client.write(closeFrame(4000));
        expect((await client.closeCode())[0]).toBe(4000);
        client.socket.end();
        await until(() => server.size === 1);
        await undisturbed(good);
      }
      expect(closes).toEqual(THROWN.map(() => 4000));
      expect(errors).toHaveLength(THROWN.length);
    });

    test(`${how}: error, whatever is thrown: a warning each`, async () => {
      let thrown: unknown;
      const warnings = await warningsDuring(async () => {
        const bad = { message: () => fail(new Error('first')), error: () => fail(thrown) };
        const { server, closes } = await serving(bad as Handlers<string>);
        const good = await connectWs(server.port, { path: '/good' });
        for (const [name, what] of THROWN) {
          thrown = what;
          const client = await openBad(server);
          client.write(frame(1, 'x'));
          expect((await client.closeCode())[0], name).toBe(1011);
          client.write(closeFrame(1011));
          client.socket.end();
          await until(() => server.size === 1);
          await undisturbed(good);
        }
        expect(closes).toEqual(THROWN.map(() => 1011));
      });
      expect(warnings).toHaveLength(THROWN.length);
    });

    test(`${how}, without an error handler, whatever is thrown: a warning each, that can be printed`, async () => {
      let thrown: unknown;
      const warnings = await warningsDuring(async () => {
        const { server, closes } = await serving({ message: () => fail(thrown) }, { deaf: true });
        const good = await connectWs(server.port, { path: '/good' });
        for (const [name, what] of THROWN) {
          thrown = what;
          const client = await openBad(server);
          client.write(frame(1, 'x'));
          expect((await client.closeCode())[0], name).toBe(1011);
          client.write(closeFrame(1011));
          client.socket.end();
          await until(() => server.size === 1);
          await undisturbed(good);
        }
        expect(closes).toEqual(THROWN.map(() => 1011));
      });
      expect(warnings.map((warning) => `${warning.stack}`)).toHaveLength(THROWN.length);
    });

    test(`${how}: upgrade, whatever is thrown: 500, and a warning each`, async () => {
      let thrown: unknown;
      const warnings = await warningsDuring(async () => {
        const { server, closes } = await serving(
          {},
          { upgrade: ({ target }) => (target === '/bad' ? (fail(thrown) as Promise<undefined>) : { data: target }) },
        );
        const good = await connectWs(server.port, { path: '/good' });
        for (const [name, what] of THROWN) {
          thrown = what;
          const client = await RawClient.ask(server.port, BAD);
          expect(client.head, name).toMatch(/^HTTP\/1\.1 500 /);
          await undisturbed(good);
        }
        expect(closes).toEqual([]);
        expect(server.size).toBe(1);
      });
      expect(warnings.map((warning) => `${warning.stack}`)).toHaveLength(THROWN.length);
    });
  }
});

describe('upgrade that returns', () => {
  const answers: [string, () => unknown, number][] = [
    ['an object whose getters throw', () => touchy, 500],
    [
      'an acceptance whose getters throw',
      () => ({
        get data() {
          throw new Error('touched');
        },
      }),
      500,
    ],
    ['a subprotocol that was not offered', () => ({ protocol: 'mine' }), 500],
    ['a header that cannot be sent', () => ({ headers: { 'x-a': 'a\r\nb: c' } }), 500],
    ['headers that are none', () => ({ headers: [['a']] }), 500],
    ['a rejection that cannot be sent', () => reject(99), 500],
    ['a thenable that throws', () => thenable('throw'), 500],
    ['a thenable that resolves twice', () => thenable('resolve', 'resolve'), 101],
    ['a thenable that resolves, then rejects', () => thenable('resolve', 'reject'), 101],
    ['a thenable that resolves and throws', () => thenable('resolve', 'throw'), 101],
    ['a thenable that rejects, then resolves', () => thenable('reject', 'resolve'), 500],
    ['a promise with a `then` of its own', () => withThen(Promise.resolve({}), fail), 101],
  ];
  test.for(answers)('%s', async ([, answer, status]) => {
    const warnings = await warningsDuring(async () => {
      const { server } = await serving(
        {},
        { upgrade: ({ target }) => (target === '/bad' ? (answer() as undefined) : { data: target }) },
      );
      const good = await connectWs(server.port, { path: '/good' });
      const client = new RawClient(server.port);
      client.isHttp = true;
      client.write(BAD);
      await until(() => client.head !== '');
      expect(client.head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      await undisturbed(good);
    });
    expect(warnings).toHaveLength(status === 500 ? 1 : 0);
  });
});

describe('a message handler that returns', () => {
  const returned: [string, () => unknown, boolean][] = [
    ['a thenable that resolves twice', () => thenable('resolve', 'resolve'), true],
    ['a thenable that resolves, then rejects', () => thenable('resolve', 'reject'), true],
    ['a thenable that resolves and throws', () => thenable('resolve', 'throw'), true],
    ['a thenable that throws', () => thenable('throw'), false],
    ['a thenable that rejects twice', () => thenable('reject', 'reject'), false],
    ['a promise of a thenable that throws', async () => thenable('throw'), false],
    [
      'an object whose `then` cannot be had',
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: a thenable is what is tested
        get then() {
          return fail();
        },
      }),
      false,
    ],
    ['an object whose getters throw', () => touchy, false],
    ['a promise whose `then` returns nothing', () => withThen(Promise.resolve(), () => {}), true],
    ['a promise whose `then` returns no promise', () => withThen(Promise.resolve(), () => 5), true],
    ['a promise that rejects, with a `then` of its own', () => withThen(rejected(), () => {}), false],
  ];
  test.for(returned)('%s', async ([, result, isFine]) => {
    const got: unknown[] = [];
    const { server, closes, errors } = await serving({
      message: (_ws, data) => {
        got.push(data);
        return data === 'provoke' ? result() : undefined;
      },
    });
    const good = await connectWs(server.port, { path: '/good' });
    const client = await openBad(server);
    client.write(frame(1, 'provoke'), frame(1, 'next'));
    await until(() => got.length === 2, 'the message behind');
    await undisturbed(good);
    if (isFine) client.write(closeFrame(1000));
    expect((await client.closeCode())[0]).toBe(isFine ? 1000 : 1011);
    if (!isFine) client.write(closeFrame(1011));
    client.socket.end();
    await until(() => server.size === 1);
    expect(closes).toEqual([isFine ? 1000 : 1011]);
    expect(errors).toHaveLength(isFine ? 0 : 1);
  });
});

/** What a handler may do to its own connection, called by every handler in turn. */
const DEEDS: [string, (ws: Peer<string>) => void, number][] = [
  [
    'closes twice',
    (ws) => {
      ws.close(4001, 'one');
      ws.close(4002, 'two');
    },
    4001,
  ],
  [
    'closes, then sends, pings and closes again',
    (ws) => {
      ws.close(4001);
      expect([ws.send('late'), ws.send(noise(100_000)), ws.ping(), ws.isOpen]).toEqual([false, false, false, false]);
      ws.close(4002);
    },
    4001,
  ],
  ['terminates', (ws) => ws.terminate(), 1006],
  [
    'terminates twice, then sends, pings and closes',
    (ws) => {
      ws.terminate();
      ws.terminate();
      expect([ws.send('late'), ws.send(noise(100_000)), ws.ping(), ws.isOpen]).toEqual([false, false, false, false]);
      ws.close(4002);
    },
    1006,
  ],
  [
    'sends, then terminates',
    (ws) => {
      ws.send(noise(3_000_000));
      ws.terminate();
    },
    1006,
  ],
  [
    'closes, then terminates',
    (ws) => {
      ws.close(4001);
      ws.terminate();
    },
    1006,
  ],
  [
    'terminates, then throws',
    (ws) => {
      ws.terminate();
      fail();
    },
    1006,
  ],
];

describe('a handler that', () => {
  for (const event of ['open', 'message', 'ping', 'pong', 'drain'] as const) {
    test.for(DEEDS)(`%s: ${event}`, async ([what, deed, code]) => {
      let done = 0;
      const bad: Handlers<string> = {
        ...(event === 'drain' && { message: sendMuch }),
        [event]: (ws: Peer<string>) => {
          // A drain may come once more, when the connection is gone.
          if (done++ === 0) deed(ws);
        },
      };
      const { server, closes, errors } = await serving(bad);
      const good = await connectWs(server.port, { path: '/good' });
      const client = new RawClient(server.port);
      client.write(BAD);
      PROVOKE[event](client);
      await until(() => closes.length > 0 || client.frames.some(({ opcode }) => opcode === 8));
      await undisturbed(good);
      if (!client.closed && code !== 1006) {
        expect((await client.closeCode())[0]).toBe(code);
        client.write(closeFrame(code));
      }
      client.socket.end();
      await until(() => server.size === 1);
      await turns(3);
      expect(closes).toEqual([code]);
      expect(errors).toHaveLength(what.includes('throws') ? 1 : 0);
      await undisturbed(good);
    });
  }

  test('does all of it in close, and in error', async () => {
    const deeds = (ws: Peer<string>) => {
      for (const [what, deed] of DEEDS) if (!what.includes('throws')) deed(ws);
    };
    const { server, closes, errors } = await serving({ message: fail, close: deeds, error: deeds });
    const good = await connectWs(server.port, { path: '/good' });
    for (const bytes of [closeFrame(4000), frame(3), frame(1, 'x')]) {
      const client = await openBad(server);
      client.write(bytes);
      await until(() => server.size === 1);
      await undisturbed(good);
    }
    expect(closes).toEqual([4000, 1002, 1006]);
    expect(errors).toHaveLength(2);
  });
});

describe('drain', () => {
  test('that sends past the mark each time: one drain a send, none inside another, none lost', async () => {
    let depth = 0;
    let deepest = 0;
    let drains = 0;
    let fullest = 0;
    let last = false;
    const count = 30;
    // More than goes out in one write.
    const large = noise(2_500_000);
    const { server } = await serving({
      message: sendMuch,
      drain: (ws) => {
        deepest = Math.max(deepest, ++depth);
        fullest = Math.max(fullest, ws.bufferedAmount);
        last = ws.send(++drains < count ? large : 'end');
        depth--;
      },
    });
    const client = await openBad(server);
    client.write(frame(1, 'begin'));
    await until(() => client.texts().includes('end'), 'the last message');
    expect([drains, deepest, last]).toEqual([count, 1, true]);
    expect(fullest).toBeLessThanOrEqual(16 * 1024);
    expect(client.frames).toHaveLength(count + 1);
  });

  test('that throws each time: every message is handed out still, and close comes once', async () => {
    const { server, closes, errors } = await serving({ message: sendMuch, drain: fail });
    const client = await openBad(server);
    client.write(frame(1, 'a'), frame(1, 'b'), closeFrame(1000));
    expect((await client.closeCode())[0]).toBe(1011);
    client.socket.end();
    await until(() => server.size === 0);
    expect(closes).toEqual([1000]);
    expect(errors).toHaveLength(1);
  });
});

describe('server.close', () => {
  test.for(['not awaited', 'awaited'] as const)('in message, %s', async (how) => {
    let over: Promise<void> | undefined;
    const done = deferred();
    const { server, closes, errors } = await serving(
      {
        message: () => {
          over = server.close({ timeout: 100 });
          over.then(done.resolve);
          return how === 'awaited' ? over : undefined;
        },
      },
      { closeTimeout: 100 },
    );
    const good = await connectWs(server.port, { path: '/good' });
    const gone = next(good, 'close');
    const client = await openBad(server);
    client.write(frame(1, 'x'));
    expect((await gone)[0]).toBe(1001);
    expect((await client.closeCode())[0]).toBe(1001);
    client.write(closeFrame(1001));
    client.socket.end();
    await done.promise;
    await until(() => server.size === 0);
    // A handler that waits for its own connection to be gone holds its close event until it is cut off.
    expect(closes).toEqual([how === 'awaited' ? 1006 : 1001]);
    expect(errors).toEqual([]);
  });

  test.for(['open', 'ping', 'pong', 'drain', 'close', 'error'] as const)('in %s', async (event) => {
    const bad: Handlers<string> = {
      ...(event === 'error' && { message: fail }),
      ...(event === 'drain' && { message: sendMuch }),
      [event]: () => {
        server.close({ timeout: 100 });
      },
    };
    const { server, closes } = await serving(bad);
    const good = await connectWs(server.port, { path: '/good' });
    const gone = next(good, 'close');
    const client = new RawClient(server.port);
    client.write(BAD);
    if (event === 'close') client.write(closeFrame(1000));
    else (PROVOKE[event] ?? PROVOKE['message'])(client);
    expect((await gone)[0]).toBe(1001);
    await server.close();
    expect(server.size).toBe(0);
    expect(closes).toHaveLength(1);
  });
});

describe('handlers that never settle, while their clients', () => {
  const leaving: [string, (client: RawClient) => void][] = [
    ['close', (client) => client.write(closeFrame(1000))],
    ['end', (client) => client.socket.end()],
    ['reset', (client) => client.socket.resetAndDestroy()],
  ];

  async function neverSettling(event: 'open' | 'message' | 'ping' | 'close', leave: (client: RawClient) => void) {
    let called = 0;
    const never = () => {
      called++;
      return new Promise(() => {});
    };
    const { server, closes, errors } = await serving({ [event]: never });
    const good = await connectWs(server.port, { path: '/good' });
    const client = await openBad(server);
    if (event === 'close') client.write(closeFrame(1000));
    else PROVOKE[event](client);
    await until(() => called === 1);
    leave(client);
    await until(() => client.socket.writableLength === 0);
    await undisturbed(good);
    // Where another event is held, that of the close is too: it never comes.
    const codes = event === 'close' ? [1000] : [];
    expect(closes).toEqual(codes);
    expect(server.size).toBe(2);
    await server.close({ timeout: 0 });
    expect([closes, called]).toEqual([codes, 1]);
    for (const error of errors) expect(error).toMatchObject({ code: 'ECONNRESET' });
  }

  test.for(leaving)('%s: harm no other, and hold up no server', async ([, leave]) => {
    await Promise.all((['open', 'message', 'ping', 'close'] as const).map((event) => neverSettling(event, leave)));
  });
});

function fail(): never {
  throw new Error('boom');
}

function rejected(): Promise<never> {
  const promise = Promise.reject(new Error('boom'));
  promise.catch(() => {});
  return promise;
}

/** A thenable that does these things, in this order, when it is asked. */
function thenable(...steps: ('resolve' | 'reject' | 'throw')[]): PromiseLike<unknown> {
  const then = (resolve: (value: unknown) => void, reject: (reason: unknown) => void) => {
    for (const step of steps) {
      if (step === 'throw') fail();
      else if (step === 'resolve') resolve({});
      else reject(new Error('boom'));
    }
  };
  return { then } as unknown as PromiseLike<unknown>;
}

/** A promise with a `then` of its own. */
function withThen<T>(promise: Promise<T>, then: () => unknown): Promise<T> {
  return Object.defineProperty(promise, 'then', { value: then });
}
