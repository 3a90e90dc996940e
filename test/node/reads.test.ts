import { once } from 'node:events';
import { connect, createServer, type Server, Socket } from 'node:net';
import { type Duplex, PassThrough } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { startReading } from '../../src/node/reads.js';
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

/** Starts to read, and gives back the chunks as they come. */
function reading(stream: Duplex): { stream: Duplex; chunks: Buffer[] } {
  const chunks: Buffer[] = [];
  const next = startReading(stream, (chunk) => chunks.push(chunk));
  sockets.push(next);
  return { stream: next, chunks };
}

describe('an accepted socket', () => {
  test('goes on as another one, and its chunks have memory of their own', async () => {
    const { accepted, client } = await pair();
    const { stream, chunks } = reading(accepted);
    expect(stream).not.toBe(accepted);
    for (const text of ['one', 'two', 'three']) {
      const before = chunks.length;
      client.write(text);
      await until(() => chunks.length > before);
    }
    expect(chunks.map(String)).toEqual(['one', 'two', 'three']);
  });

  test('writes, pauses and resumes', async () => {
    const { accepted, client } = await pair();
    const { stream, chunks } = reading(accepted);
    stream.write('hello');
    expect(String((await once(client, 'data'))[0])).toBe('hello');
    stream.pause();
    const sent = 8 * 1024 * 1024;
    expect(client.write(Buffer.alloc(sent))).toBe(false);
    // A round trip of another connection: whatever could have come has come.
    const other = await pair();
    other.client.write('x');
    await once(other.accepted, 'data');
    expect(chunks).toEqual([]);
    client.end();
    stream.resume();
    await once(stream, 'end');
    expect(Buffer.concat(chunks).length).toBe(sent);
  });

  test('tells its end, and is counted by its server until it is closed', async () => {
    const { server, accepted, client } = await pair();
    const { stream } = reading(accepted);
    const count = () => new Promise<number>((resolve) => server.getConnections((_, found) => resolve(found)));
    expect(await count()).toBe(1);
    client.end();
    await once(stream, 'end');
    expect(await count()).toBe(1);
    stream.end();
    await once(stream, 'close');
    expect(await count()).toBe(0);
  });

  test('fails as sockets do', async () => {
    const { accepted, client } = await pair();
    const { stream } = reading(accepted);
    client.resetAndDestroy();
    const [error] = await once(stream, 'error');
    expect(error).toMatchObject({ code: 'ECONNRESET' });
  });
});

describe('what is read by data events', () => {
  async function expectOrdinary(stream: Duplex, send: (text: string) => void): Promise<void> {
    const read = reading(stream);
    expect(read.stream).toBe(stream);
    send('hello');
    await until(() => String(Buffer.concat(read.chunks)).endsWith('hello'));
  }

  test('a stream that is no socket', async () => {
    const stream = new PassThrough();
    await expectOrdinary(stream, (text) => stream.write(text));
  });

  test('a socket that no server has accepted', async () => {
    const { accepted, client } = await pair();
    await expectOrdinary(client, (text) => accepted.write(text));
  });

  test('a socket of a class of its own', async () => {
    const { accepted, client } = await pair();
    Object.defineProperty(accepted, 'constructor', { value: class extends Socket {} });
    await expectOrdinary(accepted, (text) => client.write(text));
  });

  test('a socket with something written and not sent', async () => {
    const { accepted, client } = await pair();
    accepted.cork();
    accepted.write('later');
    await expectOrdinary(accepted, (text) => client.write(text));
  });

  test('a socket of which a write has failed', async () => {
    // Not read from, so that it is the write that finds out.
    const { accepted, client } = await pair(true);
    client.resetAndDestroy();
    await once(client, 'close');
    const failed = once(accepted, 'error');
    accepted.write('nobody is there');
    expect(accepted.errored).not.toBeNull();
    expect(reading(accepted).stream).toBe(accepted);
    expect((await failed)[0]).toMatchObject({ syscall: 'write' });
  });

  test('a socket with something received and not read', async () => {
    const { accepted, client } = await pair();
    accepted.unshift(Buffer.from('early, '));
    await expectOrdinary(accepted, (text) => client.write(text));
  });

  test('a socket whose handle lacks what is needed', async () => {
    const { accepted, client } = await pair();
    Object.assign((accepted as unknown as { _handle: object })._handle, { useUserBuffer: undefined });
    await expectOrdinary(accepted, (text) => client.write(text));
  });
});
