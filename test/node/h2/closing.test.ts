/** Shutting down a server with sessions of HTTP/2. */

import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { NO_ERROR } from '../../../src/node/h2/codes.js';
import type { ServeOptions } from '../../../src/node/index.js';
import { atEnd, closeFrame, deferred, frame, recording, turns, until, within } from '../support.js';
import { ca } from '../support-streams.js';
import { DATA, END_STREAM, GOAWAY, HEADERS, h2Frame, headersFrame } from './frames.js';
import { sessions } from './leftovers.js';
import { ASKED, answer, framesTo, H2Client, openSession, secure } from './support.js';

async function recorded(options: ServeOptions = {}) {
  const { log, handlers } = recording();
  return { log, server: await secure({ ...handlers, ...options }) };
}

/** Whatever of this process could keep it alive. */
const resources = () => process.getActiveResourcesInfo().filter((name) => /HTTP2|TLS|TCP|Timeout/i.test(name));

/** What closing took, far below any deadline. */
async function promptly(closing: Promise<void>): Promise<void> {
  const begun = performance.now();
  await within(closing, 'the server to be closed');
  expect(performance.now() - begun).toBeLessThan(20_000);
}

describe('close', () => {
  test('each WebSocket gets 1001 behind what was sent, the sessions GOAWAY(NO_ERROR), and nothing is left', async () => {
    const before = resources().length;
    const { log, server } = await recorded();
    const frames = await framesTo(server.port);
    for (const id of [1, 3]) {
      frames.write(headersFrame(id, ASKED));
      await frames.frame(HEADERS, id);
    }
    const session = await openSession(server.port);
    const client = await H2Client.open(session);
    for (const peer of server.connections()) peer.send('last words');
    const closing = server.close({ timeout: 60_000 });
    expect(await client.closeCode()).toEqual([1001, '']);
    expect(client.texts).toEqual(['last words']);
    const goaway = await frames.frame(GOAWAY);
    expect(goaway.payload.readUInt32BE(4)).toBe(NO_ERROR);
    expect(goaway.payload.readUInt32BE(0)).toBe(3);
    for (const id of [1, 3]) {
      await until(() => frames.of(DATA, id).length > 0);
      frames.write(h2Frame(DATA, END_STREAM, id, closeFrame(1001)));
    }
    client.write(closeFrame(1001));
    client.end();
    await promptly(closing);
    expect(log.filter(([name]) => name === 'close')).toEqual([1, 2, 3].map(() => ['close', 1001, '']));
    await until(() => frames.closed && session.destroyed);
    expect(server.stats().connections).toMatchObject({ open: 0, opening: 0 });
    await until(() => resources().length <= before).catch(() => {});
    expect(resources().length).toBeLessThanOrEqual(before);
  });

  test('with a code and a reason of its own', async () => {
    const { server } = await recorded();
    const client = await H2Client.open(await openSession(server.port));
    const closing = server.close({ code: 1012, reason: 'moved' });
    expect(await client.closeCode()).toEqual([1012, 'moved']);
    client.write(closeFrame(1012));
    client.end();
    await promptly(closing);
  });

  test('sessions without a stream end at once, whether they had any or not', async () => {
    const { server } = await recorded({ request: (_asked, response) => response.end() });
    const fresh = await openSession(server.port);
    const used = await openSession(server.port);
    const codes: number[] = [];
    for (const session of [fresh, used]) session.on('goaway', (code) => codes.push(code));
    const page = used.request({ ':path': '/' }).resume();
    await until(() => page.closed);
    await promptly(server.close({ timeout: 60_000 }));
    await until(() => fresh.destroyed && used.destroyed);
    expect(codes).toEqual([NO_ERROR, NO_ERROR]);
  });

  test('nobody waits for clients that do not read, or have not said anything', async () => {
    const { server } = await recorded();
    const silent = connectTcp(server.port, '127.0.0.1');
    const tls = connectTls({
      port: server.port,
      host: '127.0.0.1',
      servername: 'localhost',
      ca,
      ALPNProtocols: ['h2'],
    });
    for (const socket of [silent, tls]) {
      socket.on('error', () => {});
      atEnd(() => socket.destroy());
    }
    await until(() => sessions.server.length === 1);
    await promptly(server.close({ timeout: 60_000 }));
    for (const socket of [silent, tls]) socket.resume();
    await until(() => silent.closed && tls.closed);
  });

  test('a TLS handshake that is finished while closing makes no session that stays', async () => {
    const { server } = await recorded();
    const { port, release, held } = await holdingProxy(server.port);
    const tls = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca, ALPNProtocols: ['h2'] });
    tls.on('error', () => {});
    atEnd(() => tls.destroy());
    await until(() => held());
    const other = await H2Client.open(await openSession(server.port));
    const closing = server.close({ timeout: 60_000 });
    release();
    await until(() => tls.destroyed || tls.closed);
    other.write(closeFrame(1001));
    other.end();
    await promptly(closing);
  });

  test('a handshake that is pending gets 503', async () => {
    const asked = deferred<AbortSignal>();
    const { log, server } = await recorded({
      upgrade: ({ signal }) => {
        asked.resolve(signal);
        return new Promise<undefined>(() => {});
      },
    });
    const pending = answer('2.0', server.port);
    const signal = await asked.promise;
    const closing = server.close({ timeout: 60_000 });
    const client = await (await pending).finished();
    expect([client.status, signal.aborted, log]).toEqual([503, true, []]);
    await promptly(closing);
  });

  test('a request for a WebSocket that crosses the GOAWAY is not accepted', async () => {
    const { log, server } = await recorded();
    const frames = await framesTo(server.port);
    frames.write(headersFrame(1, ASKED));
    await frames.frame(HEADERS, 1);
    const closing = server.close({ timeout: 300 });
    frames.write(headersFrame(3, ASKED));
    await within(closing);
    expect(log.filter(([name]) => name === 'open')).toHaveLength(1);
    expect(frames.of(HEADERS, 3)).toEqual([]);
  });

  test('an ordinary request that is being answered is finished', async () => {
    const gate = deferred();
    const { server } = await recorded({
      request: async (_asked, response) => {
        response.write('first ');
        await gate.promise;
        response.end('last');
      },
    });
    const session = await openSession(server.port);
    const page = session.request({ ':path': '/' });
    let body = '';
    page.on('data', (chunk) => {
      body += chunk;
    });
    await until(() => body === 'first ');
    const closing = server.close({ timeout: 60_000 });
    let isClosed = false;
    closing.then(() => {
      isClosed = true;
    });
    await turns(30);
    expect([isClosed, body]).toEqual([false, 'first ']);
    gate.resolve();
    await promptly(closing);
    expect(body).toBe('first last');
  });

  test.for([100, 0])('the deadline of %d ms cuts off whatever is there', async (timeout) => {
    const { log, server } = await recorded({
      request: () => {
        // Never answered.
      },
    });
    const session = await openSession(server.port);
    const client = await H2Client.open(session);
    const page = session.request({ ':path': '/' });
    page.on('error', () => {}).resume();
    const idle = await framesTo(server.port);
    await turns();
    await promptly(server.close({ timeout }));
    await until(() => client.closed && session.destroyed && idle.closed);
    expect(log.at(-1)).toEqual(['close', 1006, '']);
    expect(log.filter(([name]) => name === 'close')).toHaveLength(1);
  });

  test('so it does with a connection whose WebSocket has closed, and whose client does not hang up', async () => {
    const { log, server } = await recorded();
    const frames = await framesTo(server.port);
    frames.write(headersFrame(1, ASKED));
    await frames.frame(HEADERS, 1);
    const closing = server.close({ timeout: 500 });
    await frames.frame(DATA, 1);
    frames.socket.pause();
    frames.write(h2Frame(DATA, END_STREAM, 1, closeFrame(1001)));
    await promptly(closing);
    expect(log.at(-1)).toEqual(['close', 1001, '']);
    frames.socket.destroy();
  });

  test('from within a handler', async () => {
    const closed = deferred<void>();
    const { server } = await recorded({
      message: () => {
        server.close({ timeout: 1000 }).then(closed.resolve);
      },
    });
    const client = await H2Client.open(await openSession(server.port));
    client.write(frame(1, 'close'));
    expect(await client.closeCode()).toEqual([1001, '']);
    client.write(closeFrame(1001));
    client.end();
    await within(closed.promise);
  });

  test('from within upgrade: 503', async () => {
    const closed = deferred<void>();
    const { server } = await recorded({
      upgrade: () => {
        server.close().then(closed.resolve);
      },
    });
    expect((await answer('2.0', server.port)).status).toBe(503);
    await within(closed.promise);
  });
});

/** Passes bytes on, but holds back what a client sends after the server's first answer. */
async function holdingProxy(port: number): Promise<{ port: number; held(): boolean; release(): void }> {
  const waiting: Buffer[] = [];
  let up: Socket | null = null;
  let answered = false;
  let open = false;
  const proxy = createServer((down) => {
    const server = connectTcp(port, '127.0.0.1');
    up = server;
    server.on('data', (chunk) => {
      answered = true;
      down.write(chunk);
    });
    down.on('data', (chunk) => {
      if (answered && !open) waiting.push(chunk);
      else server.write(chunk);
    });
    for (const socket of [down, server]) socket.on('error', () => {});
    down.on('close', () => server.destroy());
    server.on('close', () => down.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  atEnd(() => new Promise((resolve) => proxy.close(resolve)));
  return {
    port: (proxy.address() as AddressInfo).port,
    held: () => waiting.length > 0,
    release: () => {
      open = true;
      for (const chunk of waiting) up?.write(chunk);
    },
  };
}
