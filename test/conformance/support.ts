/**
 * What the conformance cases are told in: frames built and read by rules written here again from RFC 6455 §5.2, and
 * a way to run a case on every tier, in both roles, and with its bytes cut at every place.
 */

import { describe, expect, test } from 'vitest';
import { Connection } from '../../src/core/connection.js';
import { type FrameEvent, NEED_DATA } from '../../src/core/events.js';
import type { Extension } from '../../src/core/extensions/extension.js';
import type { ConnectionOptions } from '../../src/core/options.js';
import { ConnectionState, ConnectionType } from '../../src/core/state.js';
import { type Kernels, tiers } from '../../src/kernels/index.js';

export const { OPEN, REMOTE_CLOSING, LOCAL_CLOSING, CLOSED } = ConnectionState;

export const [CONT, TEXT, BIN, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10];

export type Role = 'server' | 'client';
export const ROLES: readonly Role[] = ['server', 'client'];

/** A frame, right or wrong. */
export interface FrameSpec {
  readonly opcode: number;
  readonly payload?: string | Uint8Array;
  readonly fin?: boolean;
  /** RSV bits where they stand in the first byte: 0x40, 0x20, 0x10. */
  readonly rsv?: number;
  /** What the sender's role demands, where left out. */
  readonly mask?: boolean;
  /** The bits that the header has for the length; the fewest that do, where left out. */
  readonly lengthForm?: 7 | 16 | 64;
  /** What the header says in place of the payload's length. */
  readonly claim?: bigint;
}

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
export const hex = (digits: string): Uint8Array => Uint8Array.from(Buffer.from(digits.replaceAll(' ', ''), 'hex'));
export const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

const KEY = [0x37, 0xfa, 0x21, 0x3d];

/** The bytes of a frame (RFC 6455 §5.2). */
export function frame(spec: FrameSpec): Uint8Array {
  const { opcode, fin = true, rsv = 0, mask = false } = spec;
  const payload = typeof spec.payload === 'string' ? utf8(spec.payload) : (spec.payload ?? new Uint8Array(0));
  const length = spec.claim ?? BigInt(payload.length);
  const form = spec.lengthForm ?? (length < 126n ? 7 : length < 65536n ? 16 : 64);
  const masked = mask ? 0x80 : 0;
  const header = [(fin ? 0x80 : 0) | rsv | opcode];
  if (form === 7) header.push(masked | Number(length));
  else {
    header.push(masked | (form === 16 ? 126 : 127));
    for (let shift = BigInt(form - 8); shift >= 0n; shift -= 8n) header.push(Number((length >> shift) & 0xffn));
  }
  if (mask) header.push(...KEY);
  const bytes = new Uint8Array(header.length + payload.length);
  bytes.set(header);
  for (let i = 0; i < payload.length; i++) bytes[header.length + i] = payload[i] ^ (mask ? KEY[i % 4] : 0);
  return bytes;
}

export const text = (payload: string | Uint8Array, fin = true): FrameSpec => ({ opcode: TEXT, payload, fin });
export const binary = (payload: string | Uint8Array, fin = true): FrameSpec => ({ opcode: BIN, payload, fin });
export const cont = (payload: string | Uint8Array, fin = true): FrameSpec => ({ opcode: CONT, payload, fin });
export const ping = (payload: string | Uint8Array = ''): FrameSpec => ({ opcode: PING, payload });
export const pong = (payload: string | Uint8Array = ''): FrameSpec => ({ opcode: PONG, payload });

/** A Close; without a code an empty one. */
export function close(code?: number, reason: string | Uint8Array = ''): FrameSpec {
  if (code === undefined) return { opcode: CLOSE };
  const tail = typeof reason === 'string' ? utf8(reason) : reason;
  return { opcode: CLOSE, payload: Uint8Array.of(code >>> 8, code & 0xff, ...tail) };
}

/** A frame as it was found on the wire. */
export interface Parsed {
  readonly fin: boolean;
  readonly rsv: number;
  readonly opcode: number;
  readonly masked: boolean;
  readonly key: number;
  readonly payload: Uint8Array;
}

/** Reads whole frames, one byte after the other as RFC 6455 §5.2 has it; throws where bytes are left over. */
export function parseFrames(bytes: Uint8Array): Parsed[] {
  const frames: Parsed[] = [];
  let at = 0;
  const take = (count: number): Uint8Array => {
    if (at + count > bytes.length) throw new Error(`a frame ends early, at ${at} of ${bytes.length}`);
    at += count;
    return bytes.slice(at - count, at);
  };
  const number = (count: number): number => take(count).reduce((value, byte) => value * 256 + byte, 0);
  while (at < bytes.length) {
    const [first, second] = take(2);
    const form = second & 0x7f;
    const length = form < 126 ? form : number(form === 126 ? 2 : 8);
    if (form > 125 && length < (form === 126 ? 126 : 65536)) throw new Error(`length ${length} is not minimal`);
    const masked = (second & 0x80) !== 0;
    const key = masked ? take(4) : new Uint8Array(4);
    const payload = take(length).map((byte, i) => byte ^ key[i % 4]);
    const keyNumber = Buffer.from(key).readInt32LE();
    frames.push({ fin: first >= 0x80, rsv: first & 0x70, opcode: first & 15, masked, key: keyNumber, payload });
  }
  return frames;
}

/** What a case expects of an event, as plain data. */
export type Seen =
  | readonly ['text' | 'bytes' | 'ping' | 'pong', string]
  | readonly ['close', number, string | null, string, string | null];

export const got = {
  text: (data: string): Seen => ['text', data],
  /** Bytes in Latin-1. */
  bytes: (data: string | Uint8Array): Seen => ['bytes', typeof data === 'string' ? data : latin1(data)],
  ping: (payload = ''): Seen => ['ping', payload],
  pong: (payload = ''): Seen => ['pong', payload],
  close: (code: number, reason = ''): Seen => ['close', code, reason, 'peer', null],
  eof: (): Seen => ['close', 1006, '', 'eof', null],
  /** The words of a violation are checked against what was sent, not against a case. */
  violation: (code: number, error: string): Seen => ['close', code, null, 'violation', error],
} as const;

/** A frame sent: its opcode and payload in Latin-1; of a Close the code, -1 for none. */
export type Sent = readonly [opcode: number, payload: string | number];

export interface Case {
  readonly name: string;
  /** Both, where left out. */
  readonly roles?: readonly Role[];
  readonly options?: ConnectionOptions;
  readonly extensions?: () => readonly Extension[];
  /** Sent before the input comes. */
  readonly before?: readonly FrameEvent[];
  readonly input: readonly (FrameSpec | Uint8Array)[];
  /** Whether the stream ends after the input. */
  readonly eof?: boolean;
  readonly events: readonly Seen[];
  readonly sent?: readonly Sent[];
  /** OPEN, where left out. */
  readonly state?: ConnectionState;
  readonly transport?: Connection['transport'] | Readonly<Record<Role, Connection['transport']>>;
  /** How many bytes of the input, given one by one, lead to the last event; not checked where left out. */
  readonly decidedAt?: Readonly<Record<Role, number>>;
}

/** The rest of a case that ends in a violation. */
export function refused(code: number, error: string, before: readonly Seen[] = []) {
  return {
    events: [...before, got.violation(code, error)],
    sent: [[CLOSE, code]] as readonly Sent[],
    state: CLOSED,
    transport: 'destroy',
  } as const;
}

/** The transport once both Closes were exchanged. */
export const AFTER_CLOSE = { server: 'half-close', client: 'await-peer-close' } as const;

export const TYPES = { server: ConnectionType.SERVER, client: ConnectionType.CLIENT } as const;

/** The bytes of a case's input, as the peer of `role` sends them. */
export function bytesFor(role: Role, input: readonly (FrameSpec | Uint8Array)[]): Uint8Array {
  const mask = role === 'server';
  return Uint8Array.from(
    Buffer.concat(input.map((part) => (part instanceof Uint8Array ? part : frame({ mask, ...part })))),
  );
}

interface Outcome {
  events: Seen[];
  sent: Sent[];
  state: ConnectionState;
  transport: Connection['transport'];
}

function seen(event: FrameEvent): Seen {
  switch (event.type) {
    case 'text':
      return ['text', event.data];
    case 'bytes':
      return ['bytes', latin1(event.data)];
    case 'close':
      return ['close', event.code, event.reason, event.origin, event.error?.code ?? null];
    default:
      return [event.type, latin1(event.payload)];
  }
}

/** Everything that is to be written, and that it was. */
export function drain(connection: Connection): Uint8Array {
  const out: Uint8Array[] = [];
  const size = connection.takeOutput(out);
  const bytes = Uint8Array.from(Buffer.concat(out));
  if (bytes.length !== size) throw new Error(`takeOutput gave ${bytes.length} bytes and says ${size}`);
  connection.acknowledge(size);
  return bytes;
}

/** Feeds `chunks`, reading all events after each, and tells what came of it and at which chunk it was decided. */
function run(one: Case, role: Role, kernels: Kernels, chunks: readonly Uint8Array[], eofFirst: boolean) {
  const connection = new Connection(TYPES[role], one.extensions?.(), { kernels, ...one.options });
  const sent: Uint8Array[] = [];
  for (const event of one.before ?? []) sent.push(connection.send(event));
  const events: Seen[] = [];
  let decided = 0;
  const read = (count: number): void => {
    for (const event of connection.events()) {
      events.push(seen(event));
      decided = count;
      if (event.type === 'close' && event.error !== null && event.error.message !== event.reason) {
        throw new Error('the reason and the error say different things');
      }
    }
    sent.push(drain(connection));
  };
  chunks.forEach((chunk, i) => {
    connection.receiveData(chunk);
    if (eofFirst && i === chunks.length - 1) connection.receiveData(null);
    read(i + 1);
  });
  if (one.eof && !eofFirst) {
    connection.receiveData(null);
    read(chunks.length + 1);
  }
  if (connection.nextEvent() !== NEED_DATA) throw new Error('an event after the last one');
  if (connection.bufferedBytes !== 0) throw new Error(`${connection.bufferedBytes} bytes are left unread`);
  const frames = parseFrames(Buffer.concat(sent));
  const outcome: Outcome = {
    events: events.map((event, i) => check(event, one.events[i], frames)),
    sent: frames.map(({ opcode, payload, masked, rsv, fin }) => {
      if (masked !== (role === 'client') || rsv !== 0 || !fin) throw new Error('a frame of ours is wrong');
      if (opcode !== CLOSE) return [opcode, latin1(payload)] as const;
      return [opcode, payload.length === 0 ? -1 : payload[0] * 256 + payload[1]] as const;
    }),
    state: connection.state,
    transport: connection.transport,
  };
  return { outcome, decided };
}

/** Blanks the reason of a violation, once it is what the peer was told. */
function check(event: Seen, expected: Seen | undefined, frames: readonly Parsed[]): Seen {
  if (event[0] !== 'close' || expected?.[2] !== null) return event;
  const told = frames.filter(({ opcode }) => opcode === CLOSE).at(-1);
  if (told !== undefined && event[3] === 'violation' && expected[1] === event[1] && told.payload.length > 2) {
    const code = told.payload[0] * 256 + told.payload[1];
    if (code === event[1] && latin1(told.payload.subarray(2)) !== event[2]) throw new Error('the peer was told else');
  }
  return [event[0], event[1], null, event[3], event[4]];
}

/** Above this many bytes an input is not cut everywhere but near its edges, where the headers are. */
const CUT_ALL = 600;

/** Places to cut at: all of them, or those near the middle and within and near the headers that begin at `edges`. */
export function cuts(length: number, edges: readonly number[] = []): number[] {
  if (length <= CUT_ALL) return Array.from({ length: Math.max(0, length - 1) }, (_, i) => i + 1);
  const near = edges.length <= 8 ? edges : [...edges.slice(0, 3), ...edges.slice(-4)];
  const around = [length >> 1, ...near].flatMap((edge) => Array.from({ length: 19 }, (_, i) => edge + i - 3));
  return [...new Set(around)].filter((at) => at > 0 && at < length);
}

/** Pieces of `size` bytes, each in memory of its own. */
export function pieces(bytes: Uint8Array, size: number): Uint8Array[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.slice(i * size, (i + 1) * size));
}

/** Runs one case in one role on one tier, in every way to cut its input. */
export function runCase(one: Case, role: Role, kernels: Kernels): void {
  const parts = one.input.map((part) => bytesFor(role, [part]));
  const bytes = bytesFor(role, one.input);
  const { transport = 'open' } = one;
  const expected: Outcome = {
    events: [...one.events],
    sent: [...(one.sent ?? [])],
    state: one.state ?? OPEN,
    transport: typeof transport === 'string' ? transport : transport[role],
  };
  const wanted = JSON.stringify(expected);
  const compare = (outcome: Outcome, how: string): void => {
    // Two strings are compared faster than two trees; only where they differ does the difference matter.
    if (JSON.stringify(outcome) !== wanted) expect(outcome, how).toEqual(expected);
  };
  const attempt = (chunks: readonly Uint8Array[], how: string, eofFirst = false): number => {
    const { outcome, decided } = run(one, role, kernels, chunks, eofFirst);
    compare(outcome, how);
    return decided;
  };
  attempt([bytes.slice()], 'whole');
  if (one.eof) attempt([bytes.slice()], 'whole, the end already known', true);
  let end = 0;
  const edges = [0, ...parts.map(({ length }) => (end += length))];
  for (const at of cuts(bytes.length, edges)) attempt([bytes.slice(0, at), bytes.slice(at)], `cut at ${at}`);
  for (const size of bytes.length <= 5000 ? [1, 7] : [997]) {
    const decided = attempt(pieces(bytes, size), `in pieces of ${size}`);
    if (size === 1 && one.decidedAt !== undefined) expect(decided, 'decided at byte').toBe(one.decidedAt[role]);
  }
}

/** Registers every case on every tier and in every role it is for. */
export function conform(title: string, cases: readonly Case[]): void {
  describe.each(tiers.map((kernels) => [kernels.tier, kernels] as const))(`${title} (%s)`, (_, kernels) => {
    for (const one of cases) {
      for (const role of one.roles ?? ROLES) test(`${role}: ${one.name}`, () => runCase(one, role, kernels));
    }
  });
}
