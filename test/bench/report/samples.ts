/** Reports to test with: as large as is asked for, and the same for the same seed. */

import type { Metric, Report, Result, Server, Workload } from '../../../bench/report/index.js';

/** mulberry32: small, and the same everywhere. */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const SERVERS: (Server & { speed: number })[] = [
  {
    id: 'ws',
    name: 'ws + bufferutil + utf-8-validate',
    version: '8.23.0',
    runtime: 'Node.js 20.20.0',
    note: 'a room is a loop of send; compression: threshold 0, else its defaults',
    speed: 1,
  },
  {
    id: 'millrace-native',
    name: 'millrace, native kernels',
    version: '0.1.0',
    runtime: 'Node.js 20.20.0',
    ours: true,
    speed: 9,
  },
  {
    id: 'millrace-portable',
    name: 'millrace, portable kernels',
    version: '0.1.0',
    runtime: 'Node.js 20.20.0',
    ours: true,
    speed: 7.5,
  },
  { id: 'uws', name: 'uWebSockets.js', version: '20.30.0', runtime: 'Node.js 20.20.0', speed: 8.8 },
  { id: 'bun', name: 'Bun.serve', version: '1.3.2', runtime: 'Bun 1.3.2', speed: 8 },
  { id: 'websocket', name: 'websocket', version: '1.0.35', runtime: 'Node.js 20.20.0', speed: 0.5 },
  { id: 'faye', name: 'faye-websocket', version: '0.11.4', runtime: 'Node.js 20.20.0', speed: 0.6 },
  { id: 'python-websockets', name: 'websockets (Python)', version: '10.4', runtime: 'CPython 3.11.2', speed: 0.2 },
  { id: 'python-wsproto', name: 'wsproto (Python)', version: '1.2.0', runtime: 'CPython 3.11.2', speed: 0.13 },
  {
    id: 'net',
    name: 'bare node:net, prepared answers',
    version: '20.20.0',
    runtime: 'Node.js 20.20.0',
    ceiling: true,
    speed: 12,
  },
  { id: 'deno', name: 'Deno.upgradeWebSocket', version: '2.5.6', runtime: 'Deno 2.5.6', speed: 1.02 },
  { id: 'undici', name: 'another one', version: '1.0.0', runtime: 'Node.js 20.20.0', speed: 1 },
];

const SIZES = [20, 64, 125, 1024, 16384, 65536, 1048576];
const CPU: Metric = { id: 'cpu', name: 'server CPU a message', unit: 'µs', better: 'lower', main: true };
const RATE: Metric = { id: 'rate', name: 'messages a second', unit: '/s', better: 'higher' };
/** Nothing says which direction is good. */
const BUSY: Metric = { id: 'busy', name: 'server busy', unit: '%' };
const LATENCY: Metric[] = [
  { id: 'p50', name: 'latency, median', unit: 'ms', better: 'lower' },
  { id: 'p99', name: 'latency, 99 %', unit: 'ms', better: 'lower', main: true },
  { id: 'p999', name: 'latency, 99.9 %', unit: 'ms', better: 'lower' },
  BUSY,
];

export interface Sample {
  readonly seed?: number;
  readonly servers?: number;
  readonly rounds?: number;
  /** No more workloads than so many. */
  readonly workloads?: number;
}

export function sampleReport({ seed = 1, servers = 10, rounds = 5, workloads = 60 }: Sample = {}): Report {
  const next = random(seed);
  const taking = SERVERS.slice(0, servers);
  const around = (value: number) =>
    Array.from({ length: rounds }, () => value * (1 + 0.06 * (next() - 0.5)) * (next() < 0.1 ? 1.15 : 1));
  const size = (bytes: number) =>
    bytes < 1024 ? `${bytes} B` : bytes < 1048576 ? `${bytes / 1024} KiB` : `${bytes / 1048576} MiB`;

  /** What each server does, given what the baseline takes and how much of the work is the server's own. */
  function results(metrics: Metric[], base: number, share: number, failing = 0.02): Result[] {
    return taking.map(({ id, speed }) => {
      if (next() < failing && id !== 'ws')
        return { server: id, failed: 'MISSING: connection 3 waited 10 s for message 214' };
      const factor = 1 - share + share / speed;
      const own = factor * (0.95 + 0.1 * next());
      const values = metrics.map((metric, i): [string, number[]] => [
        metric.id,
        around(
          metric === BUSY
            ? 96
            : metric.better === 'higher'
              ? 1e6 / (base * own)
              : base * own * (metric.unit === 'ms' ? 2.6 ** i : 1),
        ),
      ]);
      return { server: id, values: Object.fromEntries(values) };
    });
  }

  const all: Workload[] = [];
  for (const [connections, inFlight] of [
    [1, 1],
    [64, 1],
    [64, 8],
    [64, 16],
    [1000, 1],
  ] as const) {
    for (const text of [false, true]) {
      for (const bytes of SIZES) {
        if (text && connections !== 64) continue;
        const [kind, many] = [text ? 'text' : 'binary', connections === 1 ? 'connection' : 'connections'];
        all.push({
          id: `echo-${bytes}B-${connections}c-${inFlight}f-${kind}`,
          group: 'echo',
          title: `${size(bytes)} ${kind}, ${connections} ${many}, ${inFlight} in flight`,
          parameters: { size: bytes, text, connections, inFlight },
          metrics: [CPU, RATE],
          results: results([CPU, RATE], 8 + bytes / 1300, (inFlight > 1 ? 0.95 : 0.35) / (1 + bytes / 20_000)),
        });
      }
    }
  }
  const one = (group: string, title: string, metrics: Metric[], base: number, share: number, parameters = {}) =>
    all.push({
      id: `${group}-${all.length}`,
      group,
      title,
      parameters,
      metrics,
      results: results(metrics, base, share),
    });
  const delivery: Metric = { ...CPU, name: 'server CPU a delivery' };
  one('fanout', '32 clients, bursts of 50 messages of 20 B', [delivery, RATE], 3.1, 0.9, {
    clients: 32,
    burst: 50,
    size: 20,
  });
  one('fanout', '1,000 clients, one message of 20 B at a time', [delivery, RATE], 4.4, 0.4, {
    clients: 1000,
    burst: 1,
    size: 20,
  });
  one('fanout', '32 clients, bursts of 50 messages of 1 KiB, deflate', [delivery, RATE], 61, 0.9, {
    clients: 32,
    burst: 50,
    size: 1024,
    deflate: true,
  });
  for (const rate of [5000, 20000]) {
    one(
      'latency',
      `64 B binary, 64 connections, ${rate.toLocaleString('en')} messages a second at fixed times`,
      LATENCY,
      0.2 + rate / 50000,
      0.5,
      {
        size: 64,
        rate,
      },
    );
  }
  one('tls', '64 B binary, 64 connections, 16 in flight', [CPU, RATE], 9, 0.7, {
    size: 64,
    text: false,
    connections: 64,
    inFlight: 16,
  });
  one('tls', '16 KiB binary, 64 connections, 1 in flight', [CPU, RATE], 41, 0.2, {
    size: 16384,
    text: false,
    connections: 64,
    inFlight: 1,
  });
  for (const bytes of [100, 1024, 65536]) {
    one('deflate', `${size(bytes)} of JSON, 64 connections, 1 in flight`, [CPU, RATE], 90 + bytes / 60, 0.8, {
      size: bytes,
      connections: 64,
      inFlight: 1,
    });
  }
  one(
    'handshake',
    'connections opened and closed in order, 64 at a time, TLS',
    [
      { id: 'cpu', name: 'server CPU a handshake', unit: 'µs', better: 'lower', main: true },
      { id: 'rate', name: 'handshakes a second', unit: '/s', better: 'higher' },
    ],
    92,
    0.3,
    { connections: 64 },
  );
  one(
    'memory',
    '1,000 idle connections',
    [{ id: 'rss', name: 'resident memory a connection', unit: 'B', better: 'lower', main: true }],
    9100,
    0.5,
    { connections: 1000 },
  );

  return {
    format: 1,
    command: 'npm run bench:peers',
    started: '2025-11-23T11:52:07.000Z',
    seconds: 1500,
    quick: false,
    rounds,
    machine: { cpu: 'AMD EPYC 7B13', cores: 2, memory: 8 * 1024 ** 3, os: 'linux 6.1', arch: 'x64', pinned: true },
    baseline: 'ws',
    servers: taking.map(({ speed: _, ...server }) => server),
    absent: [{ id: 'python-picows', name: 'picows (Python)', why: 'Debian has no package of it' }],
    workloads: all.slice(Math.max(all.length - workloads, 0)),
  };
}

/** A report of one workload with one metric, of which less is better. */
export function small(values: Record<string, (number | null)[] | string>, changes: Partial<Report> = {}): Report {
  const ids = Object.keys(values);
  return {
    ...sampleReport({ workloads: 0 }),
    rounds: 3,
    baseline: 'base',
    absent: [],
    servers: ids.map((id) => ({ id, name: id, ours: id.startsWith('ours'), ceiling: id === 'net' })),
    workloads: [
      {
        id: 'one',
        group: 'echo',
        title: 'one',
        parameters: {},
        metrics: [{ id: 'cpu', name: 'server CPU a message', unit: 'µs', better: 'lower', main: true }],
        results: ids.map((server) => {
          const given = values[server];
          return typeof given === 'string' ? { server, failed: given } : { server, values: { cpu: given ?? [] } };
        }),
      },
    ],
    ...changes,
  };
}
