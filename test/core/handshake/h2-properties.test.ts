/** H2Handshake on whatever comes: no list of strings is too strange for it, and what it writes it reads back the same. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LocalProtocolError, RemoteProtocolError } from '../../../src/core/errors.js';
import {
  AcceptConnection,
  type HandshakeEvent,
  type HeaderList,
  RejectConnection,
  RejectData,
  Request,
} from '../../../src/core/events.js';
import { PerMessageDeflate } from '../../../src/core/extensions/permessage-deflate.js';
import { H2Handshake, type H2Output } from '../../../src/core/handshake/h2.js';
import {
  type Arrival,
  arrive,
  CLIENT,
  CLOSED,
  connectBlock,
  extension,
  h2Asked,
  h2Client,
  h2Server,
  latin1,
  OPEN,
  responseBlock,
  strangeText,
  text,
} from './vocabulary.js';

const RUNS = { numRuns: 2000 };

// What comes.

const names = [
  ':method',
  ':protocol',
  ':scheme',
  ':path',
  ':authority',
  ':status',
  'sec-websocket-version',
  'sec-websocket-protocol',
  'sec-websocket-extensions',
  'content-length',
  'connection',
  'te',
  'cookie',
  'host',
  'X-Upper',
];
const values = [
  'CONNECT',
  'websocket',
  'https',
  '/',
  'a:1',
  '200',
  '103',
  '403',
  '304',
  '13',
  'chat',
  'permessage-deflate; client_max_window_bits',
  '0',
  '3',
  'trailers',
];
const field = fc.tuple(
  fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...names) }, { weight: 1, arbitrary: strangeText }),
  fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...values) }, { weight: 1, arbitrary: strangeText }),
);
const anyBlock = fc.array(field, { maxLength: 8 });
/** One that is right, but for a field that is put in, and one that is put in the place of another. */
const nearly = fc
  .tuple(
    fc.constantFrom(
      connectBlock(),
      connectBlock({ 'sec-websocket-protocol': 'chat', 'sec-websocket-extensions': 'permessage-deflate' }),
      ...['200', '103', '403'].map((status) => responseBlock(status)),
      responseBlock('403', { 'content-length': '3' }),
      responseBlock('200', { 'sec-websocket-protocol': 'chat' }),
    ),
    fc.array(fc.tuple(fc.nat(10), fc.nat(1), field), { maxLength: 2 }),
  )
  .map(([base, edits]) => {
    const headers = [...base];
    for (const [at, drop, pair] of edits) headers.splice(at % (headers.length + 1), drop, pair);
    return headers as HeaderList;
  });
const headers: fc.Arbitrary<HeaderList> = fc.oneof(
  { weight: 1, arbitrary: anyBlock },
  { weight: 4, arbitrary: nearly },
);
const arrivals: fc.Arbitrary<Arrival[]> = fc
  .tuple(
    fc.array(fc.oneof({ weight: 3, arbitrary: headers }, { weight: 1, arbitrary: fc.constantFrom('abc', 'x', '') }), {
      maxLength: 4,
    }),
    fc.oneof(
      fc.constant([]),
      fc.constant([null]),
      headers.map((last) => [{ last }]),
    ),
  )
  .map(([parts, end]) => [...parts, ...end]);

/** What comes of arrivals; nothing but what may be thrown is. @param reads after which of them events are read */
function outcome(handshake: H2Handshake, all: readonly Arrival[], reads: (at: number) => boolean) {
  const seen: unknown[] = [];
  let body = '';
  let error: RemoteProtocolError | null = null;
  for (const [at, arrival] of all.entries()) {
    try {
      arrive(handshake, arrival);
    } catch (thrown) {
      // A block too many: it depends on what was read of those before, and changes nothing.
      expect(thrown).toBeInstanceOf(LocalProtocolError);
      expect(thrown).toMatchObject({ code: 'INVALID_STATE' });
    }
    if (!reads(at) && at < all.length - 1) continue;
    try {
      for (const event of handshake.events()) {
        if (event.type === 'reject-data') body += `${text(event.data)}${event.bodyFinished ? '.' : ''}`;
        else seen.push(JSON.stringify(event));
      }
    } catch (thrown) {
      if (!(thrown instanceof RemoteProtocolError)) throw thrown;
      error ??= thrown;
      expect(thrown).toBe(error);
    }
  }
  // How much of a body there is before it turns out to be too long or too short depends on what was read when.
  return {
    seen,
    body: error === null ? body : '',
    error,
    state: handshake.state,
    trailing: text(handshake.trailingData),
  };
}

test('whatever comes gives events or a RemoteProtocolError, the same whenever it is read, and every hint can be sent', () => {
  const outcomes = new Map<string, number>();
  const asking = new Request({ host: 'a', target: '/', subprotocols: ['chat'] });
  fc.assert(
    fc.property(fc.boolean(), arrivals, fc.array(fc.boolean()), (isServer, all, reads) => {
      const options = { extensions: [new PerMessageDeflate()], maxHeaderFields: 12 };
      const make = () => (isServer ? h2Server(options) : h2Client(options, asking));
      const handshake = make();
      const first = outcome(handshake, all, () => true);
      expect(outcome(make(), all, (at) => reads[at] ?? false)).toEqual(first);
      const what = first.error?.code ?? `${handshake.state}`;
      outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
      if (first.error === null) return;
      if (!isServer) {
        expect(first.error.eventHint).toBeNull();
        expect(handshake.state).toBe(CLOSED);
        return;
      }
      // Whatever was in the request, the hint is one that any client reads.
      const hint = first.error.eventHint as RejectConnection;
      const sent = handshake.send(hint);
      expect(sent).toMatchObject({ endStream: true });
      const near = h2Client();
      near.receiveHeaders(sent.headers as HeaderList, true);
      expect([...near.events()]).toMatchObject([{ type: 'reject', statusCode: hint.statusCode, hasBody: false }]);
    }),
    RUNS,
  );
  // That there was something to see.
  for (const what of [
    'INVALID_HEADER',
    'INVALID_PSEUDO_HEADER',
    'UNEXPECTED_DATA',
    'UNEXPECTED_EOF',
    `${OPEN}`,
    `${CLOSED}`,
  ]) {
    expect(outcomes.get(what) ?? 0, what).toBeGreaterThan(RUNS.numRuns / 200);
  }
});

// What goes from one end to the other.

const token = fc.string({ unit: fc.constantFrom(..."!#$%&'*+-.^_`|~09azAZ"), minLength: 1, maxLength: 8 });
const target = fc
  .string({ unit: fc.constantFrom(...'/?&=%20aZ~!"<>[]{}|\\^`;:@'), maxLength: 20 })
  .map((rest) => `/${rest}`);
const host = fc.oneof(
  fc.tuple(fc.domain(), fc.option(fc.nat(65_535))).map(([name, port]) => (port === null ? name : `${name}:${port}`)),
  fc.ipV4(),
  fc.ipV6().map((address) => `[${address}]:443`),
);
const OWN =
  /^(?:sec-websocket-.*|host|connection|upgrade|keep-alive|proxy-connection|transfer-encoding|te|cookie|content-length)$/i;
const value = fc
  .string({ unit: fc.constantFrom(...'aZ09 \t,;="\x80\xff'), maxLength: 10 })
  .map((raw) => raw.replace(/^[ \t]+|[ \t]+$/g, ''));
const extraHeaders = fc.array(
  fc.tuple(
    token.filter((name) => !OWN.test(name)),
    value,
  ),
  { maxLength: 5 },
);
const requests = fc.record({
  host,
  target,
  subprotocols: fc.uniqueArray(token, { maxLength: 4 }),
  extraHeaders,
});
const lower = (fields: HeaderList): HeaderList => fields.map(([name, of]) => [name.toLowerCase(), of]);

/** Puts on the stream what was sent, its data in pieces, and reads after each. */
function deliver(to: H2Handshake, output: H2Output, sizes: readonly number[] = []): HandshakeEvent[] {
  const events: HandshakeEvent[] = [];
  const read = () => events.push(...to.events());
  if (output.headers !== null) to.receiveHeaders(output.headers, output.endStream);
  let at = 0;
  for (const size of [...sizes, Number.POSITIVE_INFINITY]) {
    if (at >= output.data.length) break;
    to.receiveData(output.data.slice(at, at + size));
    at += size;
    read();
  }
  if (output.endStream && output.headers === null) to.receiveData(null);
  read();
  return events;
}

test('a request is read as it was sent', () => {
  fc.assert(
    fc.property(requests, fc.boolean(), (init, http) => {
      const extensions = [extension('x-a'), new PerMessageDeflate()];
      const near = new H2Handshake(CLIENT, { scheme: http ? 'http' : 'https', extensions });
      const output = near.send(new Request(init));
      const [received, ...more] = deliver(h2Server(), output);
      expect(more).toEqual([]);
      expect(received).toEqual(
        new Request({
          ...init,
          extraHeaders: lower(init.extraHeaders),
          extensions: [
            { name: 'x-a', params: [] },
            { name: 'permessage-deflate', params: [{ name: 'client_max_window_bits', value: null }] },
          ],
        }),
      );
      for (const [name] of output.headers ?? []) expect(name).toBe(name.toLowerCase());
    }),
    RUNS,
  );
});

test('an acceptance is read as it was sent', () => {
  fc.assert(
    fc.property(requests, extraHeaders, fc.nat(4), fc.boolean(), (init, extra, choice, deflate) => {
      const extensions = deflate ? [new PerMessageDeflate()] : [];
      const near = h2Client({ extensions }, new Request(init));
      const far = h2Server({ extensions });
      deliver(far, new H2Handshake(CLIENT, { extensions }).send(new Request(init)));
      const subprotocol = init.subprotocols[choice] ?? null;
      const [received] = deliver(near, far.send(new AcceptConnection({ subprotocol, extraHeaders: extra })));
      expect(received).toMatchObject({ type: 'accept', subprotocol });
      expect((received as AcceptConnection).extraHeaders).toEqual(lower(extra));
      for (const end of [near, far]) {
        expect(end).toMatchObject({ state: OPEN, subprotocol });
        expect(end.extensions).toHaveLength(deflate ? 1 : 0);
      }
    }),
    RUNS,
  );
});

test('a rejection is read as it was sent, its body sent and received in any pieces', () => {
  const bodies = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 5 });
  const status = fc.integer({ min: 300, max: 599 }).filter((code) => code !== 304);
  fc.assert(
    fc.property(status, extraHeaders, fc.option(bodies), fc.boolean(), fc.array(fc.nat(30)), (...args) => {
      const [statusCode, extra, pieces, announced, sizes] = args;
      const near = h2Client();
      const far = h2Asked();
      const all = Buffer.concat(pieces ?? []);
      const fields: HeaderList = announced ? [...extra, ['content-length', String(all.length)]] : extra;
      const reject = new RejectConnection({ statusCode, headers: fields, hasBody: pieces !== null });
      const events = deliver(near, far.send(reject));
      expect(events).toEqual([new RejectConnection({ ...reject, headers: lower(fields) })]);
      for (const [at, piece] of (pieces ?? []).entries()) {
        const finished = at === (pieces ?? []).length - 1;
        events.push(...deliver(near, far.send(new RejectData(piece, finished)), sizes));
      }
      const data = events.slice(1) as RejectData[];
      expect(Buffer.compare(Buffer.concat(data.map((piece) => piece.data)), all)).toBe(0);
      expect(data.filter(({ bodyFinished }) => bodyFinished)).toEqual(pieces === null ? [] : data.slice(-1));
      expect([near.state, far.state]).toEqual([CLOSED, CLOSED]);
      expect(near.ended).toBe(true);
    }),
    RUNS,
  );
});

test('nothing that either side is given to send can become anything else', () => {
  const inits = fc.record({
    host: strangeText,
    target: strangeText.map((rest) => `/${rest}`),
    subprotocols: fc.uniqueArray(strangeText, { maxLength: 3 }),
    extraHeaders: fc.array(fc.tuple(strangeText, strangeText), { maxLength: 3 }),
  });
  let sent = 0;
  fc.assert(
    fc.property(inits, fc.integer({ min: 290, max: 610 }), (init, statusCode) => {
      const attempts: [H2Handshake, H2Handshake, HandshakeEvent][] = [
        [new H2Handshake(CLIENT), h2Server(), new Request(init)],
        [h2Asked(), h2Client(), new AcceptConnection({ extraHeaders: init.extraHeaders })],
        [h2Asked(), h2Client(), new RejectConnection({ statusCode, headers: init.extraHeaders })],
      ];
      for (const [from, to, event] of attempts) {
        let output: H2Output;
        try {
          output = from.send(event);
        } catch (error) {
          expect(error).toBeInstanceOf(LocalProtocolError);
          continue;
        }
        sent++;
        const [received, ...more] = deliver(to, output);
        expect(more).toEqual([]);
        const extra = lower(init.extraHeaders);
        if (event.type === 'reject') expect(received).toEqual(new RejectConnection({ statusCode, headers: extra }));
        else expect(received).toEqual({ ...event, extraHeaders: extra });
      }
    }),
    RUNS,
  );
  expect(sent).toBeGreaterThan(RUNS.numRuns / 4);
});

test('data of any kind behind an acceptance is kept', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 6 }), fc.nat(6), (chunks, readAt) => {
      const near = h2Client();
      near.receiveHeaders(responseBlock());
      for (const [at, chunk] of chunks.entries()) {
        if (at === readAt) near.nextEvent();
        near.receiveData(chunk.slice());
      }
      for (const _event of near.events());
      expect(text(near.trailingData)).toBe(text(Buffer.concat(chunks)));
      expect(near.receiveData(latin1(''))).toBe(true);
    }),
    RUNS,
  );
});
