/** The command line of `millrace bench`. Nothing here loads the kernels: help and complaints have to work without. */

import { readFileSync } from 'node:fs';
import type { ParseArgsConfig } from 'node:util';
import { messageOf, UserError } from '../errors.js';
import type { EchoTraffic } from '../load/echo.js';
import type { LoadTarget } from '../load/target.js';

export const BENCH_OPTIONS = {
  connections: { type: 'string', short: 'c' },
  'in-flight': { type: 'string', short: 'i' },
  size: { type: 'string', short: 's' },
  text: { type: 'boolean' },
  rate: { type: 'string' },
  duration: { type: 'string', short: 'd' },
  replies: { type: 'string' },
  deflate: { type: 'boolean' },
  insecure: { type: 'boolean' },
  ca: { type: 'string' },
  header: { type: 'string', multiple: true },
  protocol: { type: 'string', multiple: true },
  json: { type: 'boolean' },
} as const satisfies NonNullable<ParseArgsConfig['options']>;

/** What was given, by name. */
interface Given {
  readonly connections?: string | undefined;
  readonly 'in-flight'?: string | undefined;
  readonly size?: string | undefined;
  readonly text?: boolean | undefined;
  readonly rate?: string | undefined;
  readonly duration?: string | undefined;
  readonly replies?: string | undefined;
  readonly deflate?: boolean | undefined;
  readonly insecure?: boolean | undefined;
  readonly ca?: string | undefined;
  readonly header?: string[] | undefined;
  readonly protocol?: string[] | undefined;
  readonly json?: boolean | undefined;
}

export interface BenchOptions {
  readonly url: string;
  readonly target: LoadTarget;
  readonly traffic: EchoTraffic;
  /** Milliseconds. */
  readonly duration: number;
  readonly json: boolean;
}

const REPLIES = ['echo', 'any', 'none'] as const;

/** All messages that are held at a time, in bytes; each is held twice. */
const MOST_HELD = 512 * 1024 * 1024;
const MOST_CONNECTIONS = 65_535;
const LONGEST = 24 * 60 * 60 * 1000;

/** @throws UserError with exit code 2 */
export function benchOptions(given: Given, positionals: readonly string[]): BenchOptions {
  const url = urlOf(positionals);
  const { text = false, deflate = false, json = false } = given;
  const rate = given.rate === undefined ? undefined : rateOf(given.rate);
  if (rate !== undefined && given['in-flight'] !== undefined) {
    throw wrong('--in-flight has no meaning with --rate: messages go out when they are due');
  }
  const replies = REPLIES.find((name) => name === (given.replies ?? 'echo'));
  if (replies === undefined) throw wrong(`--replies is echo, any or none, not "${given.replies}"`);
  const inFlight = wholeOf('--in-flight', given['in-flight'] ?? '1', 1, 1_000_000);
  const size = sizeOf(given.size ?? '64');
  if ((inFlight + 1) * size > MOST_HELD) throw wrong('so many messages in flight of that size do not fit into memory');
  const connections = wholeOf('--connections', given.connections ?? '64', 1, MOST_CONNECTIONS);
  const traffic = { connections, inFlight, size, text, deflate, replies, ...(rate !== undefined && { rate }) };
  const tls = {
    ...(given.insecure && { rejectUnauthorized: false }),
    ...(given.ca !== undefined && { ca: fileOf(given.ca) }),
  };
  const headers = (given.header ?? []).map(headerOf);
  return {
    url,
    target: { url, headers, protocols: given.protocol ?? [], tls },
    traffic,
    duration: durationOf(given.duration ?? '10'),
    json,
  };
}

function urlOf([url, ...others]: readonly string[]): string {
  if (url === undefined) throw wrong('bench needs the URL of a server: ws://… or wss://…');
  if (others.length > 0) throw wrong(`bench takes one URL; "${others[0]}" is another`);
  if (!/^wss?:\/\//i.test(url) || !URL.canParse(url)) {
    throw wrong(`the URL of a server begins with ws:// or wss://, not "${url}"`);
  }
  return url;
}

function wholeOf(name: string, text: string, least: number, most: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) {
    throw wrong(`${name} must be a whole number from ${least} to ${most}, not "${text}"`);
  }
  return value;
}

const SIZE_UNITS: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 * 1024 };

function sizeOf(text: string): number {
  const match = /^(\d{1,9})([km]?)(?:i?b)?$/i.exec(text);
  if (match === null) throw wrong(`--size must be bytes, such as 64, 16k or 1m, not "${text}"`);
  return Number(match[1]) * SIZE_UNITS[match[2].toLowerCase()];
}

function rateOf(text: string): number {
  const match = /^(\d{1,9}(?:\.\d{1,6})?)(k?)$/i.exec(text);
  const rate = match === null ? 0 : Number(match[1]) * (match[2] === '' ? 1 : 1000);
  if (!(rate > 0)) throw wrong(`--rate must be messages a second, such as 500 or 20k, not "${text}"`);
  return rate;
}

const TIME_UNITS: Readonly<Record<string, number>> = { ms: 1, '': 1000, s: 1000, m: 60_000 };

function durationOf(text: string): number {
  const match = /^(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|)$/i.exec(text);
  const duration = match === null ? 0 : Number(match[1]) * TIME_UNITS[match[2].toLowerCase()];
  if (!(duration > 0 && duration <= LONGEST)) {
    throw wrong(`--duration must be a time up to a day, such as 500ms, 10s or 2m, not "${text}"`);
  }
  return duration;
}

function headerOf(field: string): [string, string] {
  const colon = field.indexOf(':');
  if (colon < 1) throw wrong(`--header must be 'Name: value', not "${field}"`);
  return [field.slice(0, colon).trim(), field.slice(colon + 1).trim()];
}

function fileOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw wrong(`--ca: ${messageOf(error)}`);
  }
}

function wrong(message: string): UserError {
  return new UserError(message, 2);
}
