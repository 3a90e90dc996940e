import { once } from 'node:events';
import { connect, createServer, type Server, Socket } from 'node:net';
import { type Duplex, PassThrough } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { HandleTransport, transportFor } from '../../src/node/handle.js';
import { StreamTransport, type Transport, type TransportOwner } from '../../src/node/transport.js';
import { until } from './support.js';

const servers: Server[] = [];
const sockets: Duplex[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

/** Both ends of a TCP connection, and the server that accepted it. */
async function pair(pauseOnConnect = false): Promise<{ server: Server; accepted: Socket; client: Socket }> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect }).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  const client = connect((server.address() as { port: number }).port, '127.0.0.1');
  const [accepted] = (await once(server, 'connection')) as [Socket];
  sockets.push(client, accepted);
  return { server, accepted, client };
}

/** An owner that writes down what it is told. */
class Owner implements TransportOwner {
  readonly chunks: Buffer[] = [];
  readonly errors: Error[] = [];
  readonly written: (Error | null | undefined)[] = [];
  ended = 0;
  closed = 0;
  onData(chunk: Buffer): void {
    this.chunks.push(chunk);
  }
  onSharedData(chunk: Buffer): void {
    this.chunks.push(Buffer.from(chunk));
  }
  onEnd(): void {
    this.ended++;
  }

  onUnwritable(): void {}
  onGoingAway(): void {}
  onError(error: Error): void {
    this.errors.push(error);
  }
  onClose(): void {
    this.closed++;
  }
  onWritten(error?: Error | null): void {
    this.written.push(error);
  }
  get text(): string {
    return `${Buffer.concat(this.chunks)}`;
  }
}

/** A transport that has started, and its owner. */
function starting(stream: Duplex): { transport: Transport; owner: Owner } {
  const owner = new Owner();
  const transport = transportFor(stream, owner);
  transport.start();
  sockets.push({ destroy: () => transport.destroy() } as Duplex);
  return { transport, owner };
}

/** More than the system takes for a peer that does not read. */
const LARGE = 32 * 1024 * 1024;

function connections(server: Server): Promise<number> {
  return new Promise((resolve) => server.getConnections((_, found) => resolve(found)));
}

describe('the handle of an accepted socket', () => {
  test('reads', async () => {
    const { accepted, client } = await pair();
    const { transport, owner } = starting(accepted);
    expect(transport).toBeInstanceOf(HandleTransport);
    for (const text of ['one', 'two', 'three']) {
      const before = owner.chunks.length;
      client.write(text);
      await until(() => owner.chunks.length > before);
    }
    expect(owner.chunks.map(String)).toEqual(['one', 'two', 'three']);
  });

  test('writes one part and several, taken at once', async () => {
    const { accepted, client } = await pair();
    const { transport, owner } = starting(accepted);
    let got = '';
    client.on('data', (chunk) => {
      got += chunk;
    });
    expect(transport.write([Buffer.from('one,')])).toBe(true);
    expect(transport.write([Buffer.from('two,'), Buffer.from('three')])).toBe(true);
    await until(() => got === 'one,two,three');
    expect(owner.written).toEqual([]);
  });

  test.each([1, 3])('a write of %i parts that the system does not take at once is told when it is', async (parts) => {
    const { accepted, client } = await pair();
    const { transport, owner } = starting(accepted);
    client.pause();
    // Nothing but the transport holds the memory: a collection must not take it.
    const write = () =>
      transport.write(Array.from({ length: parts }, (_, i) => Buffer.alloc(Math.ceil(LARGE / parts), i + 1)));
    expect(write()).toBe(false);
    for (let i = 0; i < 50; i++) Buffer.alloc(4 * 1024 * 1024, 0xff);
    expect(owner.written).toEqual([]);
    const counts = [0, 0, 0, 0];
    client.on('data', (chunk: Buffer) => {
      for (let i = 0; i < chunk.length; i += 4096) counts[chunk[i]] += 1;
      if (chunk.includes(0xff)) throw new Error('memory was used again');
    });
    client.resume();
    await until(() => owner.written.length === 1, 'the write');
    expect(owner.written).toEqual([null]);
    // And on it goes, with a request of its own.
    expect(transport.write([Buffer.from('x')])).toBe(true);
  });

  test('pauses and resumes', async () => {
    const { accepted, client } = await pair();
    const { transport, owner } = starting(accepted);
    transport.pause();
    const sent = 8 * 1024 * 1024;
    expect(client.write(Buffer.alloc(sent))).toBe(false);
    // A round trip of another connection: whatever could have come has come.
    const other = await pair();
    other.client.write('x');
    await once(other.accepted, 'data');
    expect(owner.chunks).toEqual([]);
    client.end();
    transport.resume();
    await until(() => owner.ended === 1);
    expect(Buffer.concat(owner.chunks).length).toBe(sent);
  });

  test('tells its end, and is counted by its server until it is closed', async () => {
    const { server, accepted, client } = await pair();
    const { transport, owner } = starting(accepted);
    expect(await connections(server)).toBe(1);
    client.write('last');
    client.end();
    await until(() => owner.ended === 1);
    expect(owner.text).toBe('last');
    expect(await connections(server)).toBe(1);
    transport.write([Buffer.from('answer')]);
    const answered = once(client, 'data');
    transport.end();
    expect(`${(await answered)[0]}`).toBe('answer');
    await until(() => owner.closed === 1);
    expect(owner.errors).toEqual([]);
    expect(await connections(server)).toBe(0);
  });

  test('ends first, and reads on to the end of the other side', async () => {
    const { accepted, client } = await pair();
    const { transport, owner } = starting(accepted);
    client.allowHalfOpen = true;
    transport.end();
    client.resume();
    await once(client, 'end');
    client.end('after your end');
    await until(() => owner.closed === 1);
    expect([owner.text, owner.ended, owner.errors]).toEqual(['after your end', 1, []]);
  });

  test('ends behind a write that waits', async () => {
    const { accepted, client } = await pair();
    const { transport, owner } = starting(accepted);
    client.pause();
    expect(transport.write([Buffer.alloc(LARGE)])).toBe(false);
    transport.end();
    let got = 0;
    client.on('data', (chunk) => {
      got += chunk.length;
    });
    client.resume();
    await once(client, 'end');
    expect(got).toBe(LARGE);
    await until(() => owner.closed === 1);
    expect(owner.written).toEqual([null]);
  });

  test('is cut off, with a write that waits', async () => {
    const { server, accepted, client } = await pair();
    const { transport, owner } = starting(accepted);
    client.pause().on('error', () => {});
    expect(transport.write([Buffer.alloc(LARGE)])).toBe(false);
    transport.destroy();
    expect(transport.destroyed).toBe(true);
    await until(() => owner.closed === 1 && owner.written.length === 1);
    expect(owner.written[0]).toBeInstanceOf(Error);
    expect(owner.errors).toEqual([]);
    expect(await connections(server)).toBe(0);
  });

  test('is cut off before it starts', async () => {
    const { accepted } = await pair();
    const owner = new Owner();
    const transport = transportFor(accepted, owner);
    transport.destroy();
    transport.start();
    await until(() => owner.closed === 1);
  });

  test('fails as sockets do when it reads', async () => {
    const { server, accepted, client } = await pair();
    const { transport, owner } = starting(accepted);
    client.resetAndDestroy();
    await until(() => owner.closed === 1);
    expect(owner.errors).toMatchObject([{ code: 'ECONNRESET', syscall: 'read' }]);
    expect(transport.destroyed).toBe(true);
    expect(await connections(server)).toBe(0);
  });

  test('fails as sockets do when it writes', async () => {
    const { accepted, client } = await pair(true);
    const { transport, owner } = starting(accepted);
    transport.pause();
    client.resetAndDestroy();
    await once(client, 'close');
    // The first may still be taken.
    for (let i = 0; i < 10 && !transport.destroyed; i++) transport.write([Buffer.from('nobody is there')]);
    await until(() => owner.closed === 1);
    expect(owner.errors).toMatchObject([{ syscall: 'write' }]);
  });

  test('many at once each get their own', async () => {
    const pairs = await Promise.all(Array.from({ length: 20 }, () => pair()));
    const all = pairs.map(({ accepted }) => starting(accepted));
    for (let round = 0; round < 5; round++) for (const [i, { client }] of pairs.entries()) client.write(`${i};`);
    await until(() => all.every(({ owner }, i) => owner.text === `${i};`.repeat(5)));
  });
});

describe('what stays a stream', () => {
  async function expectStream(stream: Duplex, send: (text: string) => void): Promise<void> {
    const { transport, owner } = starting(stream);
    expect(transport).toBeInstanceOf(StreamTransport);
    send('hello');
    await until(() => owner.text.endsWith('hello'));
  }

  test('a stream that is no socket', async () => {
    const stream = new PassThrough();
    await expectStream(stream, (text) => stream.write(text));
  });

  test('a socket that no server has accepted', async () => {
    const { accepted, client } = await pair();
    await expectStream(client, (text) => accepted.write(text));
  });

  test('a socket of a class of its own', async () => {
    const { accepted, client } = await pair();
    Object.defineProperty(accepted, 'constructor', { value: class extends Socket {} });
    await expectStream(accepted, (text) => client.write(text));
  });

  test('a socket with something written and not sent', async () => {
    const { accepted, client } = await pair();
    accepted.cork();
    accepted.write('later');
    await expectStream(accepted, (text) => client.write(text));
  });

  test('a socket of which a write has failed', async () => {
    // Not read from, so that it is the write that finds out.
    const { accepted, client } = await pair(true);
    client.resetAndDestroy();
    await once(client, 'close');
    const failed = once(accepted, 'error');
    accepted.write('nobody is there');
    expect(accepted.errored).not.toBeNull();
    expect(starting(accepted).transport).toBeInstanceOf(StreamTransport);
    expect((await failed)[0]).toMatchObject({ syscall: 'write' });
  });

  test('a socket with something received and not read', async () => {
    const { accepted, client } = await pair();
    accepted.unshift(Buffer.from('early, '));
    await expectStream(accepted, (text) => client.write(text));
  });

  test('a socket whose handle lacks what is needed', async () => {
    const { accepted, client } = await pair();
    Object.assign((accepted as unknown as { _handle: object })._handle, { useUserBuffer: undefined });
    await expectStream(accepted, (text) => client.write(text));
  });
});
