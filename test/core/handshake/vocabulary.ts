/** What handshake tests are told in: raw requests and responses, ways to cut them up, and what came of them. */

import fc from 'fast-check';
import { expect } from 'vitest';
import { LocalProtocolError, RemoteProtocolError } from '../../../src/core/errors.js';
import { type HandshakeEvent, type HeaderList, NEED_DATA, Request } from '../../../src/core/events.js';
import type { Extension, ExtensionParameter, SupportedExtension } from '../../../src/core/extensions/extension.js';
import { H1Handshake, type HandshakeOptions } from '../../../src/core/handshake/h1.js';
import { H2Handshake, type H2HandshakeOptions } from '../../../src/core/handshake/h2.js';
import type { Handshake } from '../../../src/core/handshake/handshake.js';
import { ConnectionState, ConnectionType } from '../../../src/core/state.js';

export const { CLIENT, SERVER } = ConnectionType;
export const { CONNECTING, OPEN, REJECTING, CLOSED } = ConnectionState;

/** The key and its answer in RFC 6455 §1.3. */
export const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
export const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

export const latin1 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));
export const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

/** Fields to change in a message: null removes one, an array repeats it. */
export type Changes = Readonly<Record<string, string | readonly string[] | null>>;

function fieldLines(defaults: Changes, changes: Changes): string[] {
  const fields = Object.entries({ ...defaults, ...changes });
  return fields.flatMap(([name, value]) => [value ?? []].flat().map((one) => `${name}: ${one}`));
}

/** A request that a server accepts, but for `changes` and `startLine`. */
export function rawRequest(changes: Changes = {}, startLine = 'GET /chat HTTP/1.1', after = ''): string {
  const defaults = {
    Host: 'example.com',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': KEY,
    'Sec-WebSocket-Version': '13',
  };
  return [startLine, ...fieldLines(defaults, changes), '', after].join('\r\n');
}

/** A response that a client accepts, but for `changes` and `startLine`. */
export function rawResponse(changes: Changes = {}, startLine = 'HTTP/1.1 101 Switching Protocols', after = ''): string {
  const defaults = { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Accept': ACCEPT };
  return [startLine, ...fieldLines(defaults, changes), '', after].join('\r\n');
}

export function server(options: HandshakeOptions = {}): H1Handshake {
  return new H1Handshake(SERVER, options);
}

/** A client that has sent `request`, with the key of the RFC. */
export function client(options: HandshakeOptions = {}, request = new Request({ host: 'example.com', target: '/' })) {
  const handshake = new H1Handshake(CLIENT, { randomBytes: () => Buffer.from(KEY, 'base64'), ...options });
  handshake.send(request);
  return handshake;
}

/** A server that has received a request. */
export function asked(changes: Changes = {}, options: HandshakeOptions = {}): H1Handshake {
  const handshake = server(options);
  handshake.receiveData(latin1(rawRequest(changes)));
  expect(handshake.nextEvent()).toBeInstanceOf(Request);
  return handshake;
}

/** An extension that agrees to anything, and says what it agreed to. */
export function extension(name: string, over: Partial<SupportedExtension> & { rsv?: number } = {}): SupportedExtension {
  const instance = (): Extension => ({
    name,
    rsv: over.rsv ?? 0,
    decode: (data) => data,
    encode: (payload) => ({ payload, rsv: 0 }),
  });
  return {
    name,
    offers: () => [[]],
    accept: (params: readonly ExtensionParameter[]) => ({ params, extension: instance() }),
    finalize: instance,
    ...over,
  };
}

/** What came of a handshake: everything about it that must not depend on how its bytes were cut. */
export interface Outcome {
  readonly events: readonly unknown[];
  readonly error: string | null;
  readonly status: number | null;
  readonly state: ConnectionState;
  readonly trailing: string;
}

/** Feeds `chunks` (null for EOF), reading all events after each; pieces of a body are joined. */
export function play(handshake: H1Handshake, chunks: readonly (string | null)[]): Outcome {
  const steps = chunks.map((chunk) => () => {
    handshake.receiveData(chunk === null ? null : latin1(chunk));
  });
  return follow(handshake, steps);
}

/** Takes the steps, reading all events after each. */
function follow(handshake: Handshake, steps: readonly (() => void)[]): Outcome {
  const events: unknown[] = [];
  let body: string | null = null;
  let error: RemoteProtocolError | null = null;
  for (const step of steps) {
    step();
    try {
      for (const event of handshake.events()) {
        if (event.type !== 'reject-data') events.push(event);
        else {
          body = (body ?? '') + text(event.data);
          if (event.bodyFinished) events.push(`body: ${body}`);
        }
      }
    } catch (thrown) {
      if (!(thrown instanceof RemoteProtocolError)) throw thrown;
      if (error !== null) expect(thrown, 'the same error every time').toBe(error);
      error = thrown;
    }
  }
  if (error !== null) expect(() => handshake.nextEvent()).toThrow(error);
  return {
    events: plain(events),
    error: error?.code ?? null,
    status: error?.eventHint?.statusCode ?? null,
    state: handshake.state,
    trailing: text(handshake.trailingData),
  };
}

/** Events as plain data, so that two runs can be compared; an extension is its name. */
function plain(events: readonly unknown[]): unknown[] {
  return JSON.parse(JSON.stringify(events)) as unknown[];
}

/** Every way to cut `input` in two, and the cut into single bytes. */
export function* cuts(input: string): Generator<string[]> {
  for (let at = 1; at < input.length; at++) yield [input.slice(0, at), input.slice(at)];
  yield [...input];
}

/** The outcome of `input`, which must be the same however it is cut. */
export function outcomeOf(make: () => H1Handshake, input: string, eof = false): Outcome {
  const end = eof ? [null] : [];
  const whole = play(make(), [input, ...end]);
  for (const cut of cuts(input)) {
    expect(play(make(), [...cut, ...end]), `cut into ${cut.length}, the first of ${cut[0].length}`).toEqual(whole);
  }
  return whole;
}

// HTTP/2: header blocks, and what else arrives on a stream.

/** A header block: pseudo-headers, then fields. */
function block(defaults: Changes, changes: Changes): HeaderList {
  const entries = Object.entries({ ...defaults, ...changes });
  const list = entries.flatMap(([name, value]) => [value ?? []].flat().map((one) => [name, one] as const));
  return [...list.filter(([name]) => name.startsWith(':')), ...list.filter(([name]) => !name.startsWith(':'))];
}

/** A request that a server accepts, but for `changes`. */
export function connectBlock(changes: Changes = {}): HeaderList {
  const defaults = {
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'https',
    ':path': '/chat',
    ':authority': 'example.com',
    'sec-websocket-version': '13',
  };
  return block(defaults, changes);
}

/** A response, by default one that a client accepts. */
export function responseBlock(status = '200', changes: Changes = {}): HeaderList {
  return block({ ':status': status }, changes);
}

export function h2Server(options: H2HandshakeOptions = {}): H2Handshake {
  return new H2Handshake(SERVER, options);
}

/** A client that has sent `request`. */
export function h2Client(
  options: H2HandshakeOptions = {},
  request = new Request({ host: 'example.com', target: '/' }),
) {
  const handshake = new H2Handshake(CLIENT, options);
  handshake.send(request);
  return handshake;
}

/** A server that has received a request. */
export function h2Asked(changes: Changes = {}, options: H2HandshakeOptions = {}): H2Handshake {
  const handshake = h2Server(options);
  handshake.receiveHeaders(connectBlock(changes));
  expect(handshake.nextEvent()).toBeInstanceOf(Request);
  return handshake;
}

/** A header block, one with END_STREAM, the bytes of DATA, or null for END_STREAM by itself. */
export type Arrival = HeaderList | { readonly last: HeaderList } | string | null;

export function arrive(handshake: H2Handshake, arrival: Arrival): void {
  if (arrival === null) handshake.receiveData(null);
  else if (typeof arrival === 'string') handshake.receiveData(latin1(arrival));
  else if ('last' in arrival) handshake.receiveHeaders(arrival.last, true);
  else handshake.receiveHeaders(arrival);
}

/** The outcome of what arrives, which must be the same whenever events are read and however the data is cut. */
export function h2OutcomeOf(make: () => H2Handshake, ...arrivals: readonly Arrival[]): Outcome {
  const run = (parts: readonly Arrival[], groups: (steps: (() => void)[]) => (() => void)[]) => {
    const handshake = make();
    return follow(handshake, groups(parts.map((part) => () => arrive(handshake, part))));
  };
  const bytes = arrivals.flatMap((arrival): Arrival[] => (typeof arrival === 'string' ? [...arrival] : [arrival]));
  const outcome = run(arrivals, (steps) => steps);
  expect(
    run(bytes, (steps) => steps),
    'data byte by byte',
  ).toEqual(outcome);
  const atOnce = run(arrivals, (steps) => [
    () => {
      for (const step of steps) step();
    },
  ]);
  expect(atOnce, 'read when all has arrived').toEqual(outcome);
  return outcome;
}

/** The first event, which must be there. */
export function eventOf(handshake: Handshake): HandshakeEvent {
  const event = handshake.nextEvent();
  if (event === NEED_DATA) throw new Error('no event');
  return event;
}

export function expectRemoteError(run: () => unknown, code: string): RemoteProtocolError {
  return expectError(run, RemoteProtocolError, code);
}

export function expectLocalError(run: () => unknown, code: string): LocalProtocolError {
  return expectError(run, LocalProtocolError, code);
}

function expectError<T extends Error & { code: string }>(
  run: () => unknown,
  type: new (code: string, message: string) => T,
  code: string,
): T {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(type);
    expect((error as T).code).toBe(code);
    return error as T;
  }
  throw new Error(`nothing was thrown, expected ${code}`);
}

const nasty = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({ unit: fc.constantFrom(...'a/ \t\r\n:,;#"\0\u010a\u010d\x7f\xe9\u{1f600}'), maxLength: 8 }),
  fc.string({ unit: 'grapheme-ascii', maxLength: 12 }),
);
const mild = fc.string({ unit: fc.constantFrom(...'ab-1'), minLength: 1, maxLength: 5 });

/** Any string at all, often one that would break out of its place, often enough a harmless one. */
export const strangeText = fc.oneof({ weight: 3, arbitrary: mild }, { weight: 1, arbitrary: nasty });
