/** What `millrace bench` says before and after a run. */

import type { Latency, LoadResult } from '../load/index.js';
import { bars } from './bars.js';
import { count, digits, milliseconds, plural, seconds, size, throughput } from './format.js';
import type { BenchOptions } from './options.js';

/** How a run went, besides its result. */
export interface Circumstances {
  readonly interrupted: boolean;
  /** How much of its time the load was busy, from 0 to 1; null where it never rests, because it waits by turning. */
  readonly busy: number | null;
}

/** From here on it may well be the load that sets the pace. */
const BUSY = 0.95;
/** A rate that falls short by more was not kept. */
const KEPT = 0.99;

const CHECKED = {
  echo: 'every reply checked',
  any: 'one reply to each',
  none: 'read by the server',
} as const;

export function introduction({ url, traffic, duration }: BenchOptions, warmUp: number): string {
  const { connections, inFlight, size: bytes, text, rate, deflate } = traffic;
  const pace =
    rate === undefined ? `${plural(inFlight, 'message')} in flight on each` : `${digits(rate)} messages a second`;
  const what = `${size(bytes)} ${text ? 'text' : 'binary'}${deflate ? ' with permessage-deflate' : ''}`;
  const time = `${seconds(duration)} after ${seconds(warmUp)} of warm-up`;
  return `millrace bench ${url}\n\n  ${plural(connections, 'connection')}, ${pace}, ${what}\n  ${time}\n\n`;
}

export function summary(options: BenchOptions, result: LoadResult, circumstances: Circumstances): string {
  const { replies = 'echo', deflate } = options.traffic;
  const { messages, elapsed, sentBytes, bytes, wire, latency } = result;
  const rows: [string, string][] = [
    ['messages', `${count(messages)} in ${seconds(elapsed)}, ${CHECKED[replies]}`],
    ['rate', `${digits((messages * 1000) / elapsed)} messages a second`],
    ['payload', bothWays(sentBytes, replies === 'none' ? null : bytes, elapsed)],
  ];
  if (deflate) rows.push(['wire', bothWays(wire.sent, wire.received, elapsed)]);
  rows.push(['errors', 'none']);
  for (const note of notes(options, result, circumstances)) rows.push(['note', note]);
  const lines = rows.map(([name, value]) => `  ${name.padEnd(10)}${value}`);
  if (latency !== null && latency.count > 0) lines.push('', ...latencies(latency));
  return `${lines.join('\n')}\n`;
}

function bothWays(sent: number, received: number | null, elapsed: number): string {
  const back = received === null ? '' : `, ${throughput(received, elapsed)} received`;
  return `${throughput(sent, elapsed)} sent${back}`;
}

function notes({ traffic: { rate } }: BenchOptions, result: LoadResult, circumstances: Circumstances): string[] {
  const found: string[] = [];
  if (circumstances.interrupted) found.push('ended before its time');
  const { messages, elapsed } = result;
  if (rate === undefined) {
    const { busy } = circumstances;
    if (busy !== null && busy > BUSY) {
      found.push(`the load was busy ${Math.round(100 * busy)} % of the time: the server may be faster`);
    }
  } else if (messages / elapsed < (KEPT * rate) / 1000 && !circumstances.interrupted) {
    found.push(`the server did not keep up with ${digits(rate)} messages a second`);
  }
  return found;
}

function latencies(latency: Latency): string[] {
  const rows: [string, number][] = [
    ['min', latency.min],
    ['p50', latency.percentile(50)],
    ['p90', latency.percentile(90)],
    ['p99', latency.percentile(99)],
    ['p99.9', latency.percentile(99.9)],
    ['max', latency.max],
  ];
  const values = rows.map(([, value]) => milliseconds(value));
  const width = Math.max(...values.map(({ length }) => length));
  const table = rows.map(([name], i) => `${name.padEnd(8)}${values[i].padStart(width)}`);
  return ['  latency', ...table.map((line) => `    ${line}`), '', ...bars(latency).map((line) => `    ${line}`)];
}

/** The same as JSON; times in milliseconds, sizes in bytes. */
export function report(options: BenchOptions, result: LoadResult, { interrupted, busy }: Circumstances): object {
  const { url, traffic, duration } = options;
  const { messages, elapsed, sentBytes, bytes, wire, latency } = result;
  return {
    url,
    traffic,
    duration,
    interrupted,
    loadBusy: busy,
    messages,
    elapsed,
    rate: (messages * 1000) / elapsed,
    payload: { sent: sentBytes, received: bytes },
    wire,
    latency: latency === null ? null : latencyReport(latency),
  };
}

function latencyReport(latency: Latency): object {
  const { count, min, mean, max } = latency;
  const [p50, p90, p99, p999] = [50, 90, 99, 99.9].map((p) => latency.percentile(p));
  return { count, min, mean, p50, p90, p99, 'p99.9': p999, max };
}
