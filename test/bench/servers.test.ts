/** Each server that can be had here answers right, by the word of the load that measures it. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';
import { EchoLoad, HandshakeLoad, RoomLoad } from '../../src/cli/load/index.js';
import { Server as MillraceServer } from '../../src/node/index.js';
import { until } from '../node/support.js';
import { load, type Server } from './support.js';

const { catalogue, IDS } = await load('catalogue');
const { ServerProcess } = await load('server-process');
const { servers, absent }: { servers: Server[]; absent: { id: string; why: string }[] } = await catalogue();

const WINDOW = 60;
const hasTopics = 'publish' in MillraceServer.prototype;

interface Loading {
  connect(): Promise<void>;
  run(ms: number): Promise<{ messages: number }>;
  close(): Promise<void>;
}

describe('the catalogue', () => {
  it('has every server or says why not', () => {
    expect([...servers, ...absent].map(({ id }) => id).sort()).toEqual([...IDS].sort());
    for (const { why } of absent) expect(why).not.toBe('');
    // These need nothing that the tests have not got anyway.
    expect(servers.map(({ id }) => id)).toEqual(expect.arrayContaining(['ws', 'millrace-portable', 'net']));
  });
});

describe.each(servers)('$id', (server) => {
  let running: { port: number; cpu(): number | null; memory(): Promise<number | null>; stop(): Promise<void> };
  const isOurs = server.id.startsWith('millrace');

  async function start(options: { mode?: string; tls?: boolean; deflate?: boolean } = {}) {
    running = new ServerProcess(server, options);
    await (running as unknown as { ready(): Promise<void> }).ready();
    return {
      url: `${options.tls ? 'wss' : 'ws'}://127.0.0.1:${running.port}/`,
      tls: { rejectUnauthorized: false },
    };
  }

  async function messages(loading: Loading): Promise<number> {
    try {
      await loading.connect();
      return (await loading.run(WINDOW)).messages;
    } finally {
      await loading.close();
    }
  }

  const replies = server.ceiling ? ('any' as const) : ('echo' as const);

  afterEach(() => running.stop());

  it('echoes', async () => {
    const target = await start();
    const inFlight = 8;
    for (const size of [20, 125, 1024, 64 * 1024]) {
      for (const text of [false, true]) {
        const echo = new EchoLoad(target, { connections: 4, inFlight, size, text, replies });
        expect(await messages(echo)).toBeGreaterThan(0);
      }
    }
    const large = new EchoLoad(target, { connections: 1, inFlight: 1, size: 1024 * 1024, text: true, replies });
    expect(await messages(large)).toBeGreaterThan(0);
    expect(await messages(new HandshakeLoad(target, { connections: 4 }))).toBeGreaterThan(0);
  });

  it('echoes over TLS', async () => {
    const target = await start({ tls: true });
    for (const size of [64, 16 * 1024]) {
      const echo = new EchoLoad(target, { connections: 4, inFlight: 4, size, text: false, replies });
      expect(await messages(echo)).toBeGreaterThan(0);
    }
  });

  it.skipIf(!server.deflate)('echoes what is compressed, and compresses everything', async () => {
    const target = await start({ deflate: true });
    for (const size of [1024, 64 * 1024]) {
      const echo = new EchoLoad(target, { connections: 4, inFlight: 1, size, text: true, deflate: true });
      await echo.connect();
      const { bytes, wire } = await echo.run(WINDOW);
      await echo.close();
      expect(wire.received).toBeLessThan(0.8 * bytes);
    }
  });

  it.skipIf(isOurs && !hasTopics)('sends to a room', async () => {
    const target = await start({ mode: 'room' });
    for (const size of [20, 1024]) {
      const room = new RoomLoad(target, { connections: 8, burst: 10, size, text: size === 20 });
      expect(await messages(room)).toBeGreaterThan(0);
    }
  });

  it.skipIf(!server.deflate || (isOurs && !hasTopics))('sends to a room, compressed', async () => {
    const target = await start({ mode: 'room', deflate: true });
    const room = new RoomLoad(target, { connections: 8, burst: 10, size: 1024, text: true, deflate: true });
    expect(await messages(room)).toBeGreaterThan(0);
  });

  it('collects its garbage and is measured', async () => {
    await start();
    const bytes = await running.memory();
    expect(bytes === null || bytes > 4 * 1024 * 1024).toBe(true);
  });
});

describe('a server', () => {
  it('does not outlive a benchmark that was killed', async () => {
    const benchmark = spawn(process.execPath, ['test/bench/fixtures/start.js'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(createInterface({ input: benchmark.stdout }), 'line');
    const pid = Number(line);
    expect(isAlive(pid)).toBe(true);
    benchmark.kill('SIGKILL');
    await until(() => !isAlive(pid), 'the end of the server');
  });
});

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
