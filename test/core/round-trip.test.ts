/** Two connections against each other, and one against any bytes at all. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Connection } from '../../src/core/connection.js';
import { BytesMessage, CloseConnection, type FrameEvent, Ping, Pong, TextMessage } from '../../src/core/events.js';
import type { ConnectionOptions } from '../../src/core/options.js';
import type { ConnectionType } from '../../src/core/state.js';
import { type Kernels, tiers } from '../../src/kernels/index.js';
import { frame } from '../conformance/support.js';
import { CLIENT, kept, ROLES, roleName, SERVER } from './support.js';

const size = fc.oneof(
  fc.nat(20),
  fc.integer({ min: 120, max: 130 }),
  fc.nat(300),
  fc.integer({ min: 8000, max: 70_000 }),
);
const bytes = fc.tuple(size, fc.nat(255)).map(([length, seed]) => Uint8Array.from({ length }, (_, i) => i * 7 + seed));
const string = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  fc.tuple(size, fc.constantFrom('x', 'é', '€', '😀')).map(([length, unit]) => unit.repeat(length >> 1)),
);
const control = fc.uint8Array({ maxLength: 125 });

/** A message as the pieces it is sent in, or a control frame. */
const sending = fc.oneof(
  fc.record({ kind: fc.constant('text' as const), pieces: fc.array(string, { minLength: 1, maxLength: 4 }) }),
  fc.record({ kind: fc.constant('bytes' as const), pieces: fc.array(bytes, { minLength: 1, maxLength: 4 }) }),
  fc.record({ kind: fc.constantFrom('ping' as const, 'pong' as const), payload: control }),
);

const cut = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 100, max: 5000 }), fc.constant(1e9));
const cuts = fc.array(fc.record({ take: cut, acknowledge: fc.nat(6000), turns: fc.nat(3) }), {
  minLength: 1,
  maxLength: 40,
});

const plain = (event: FrameEvent): unknown[] => [
  event.type,
  event.type === 'text' ? event.data : 'data' in event ? Buffer.from(event.data).toString('latin1') : null,
  'payload' in event ? Buffer.from(event.payload).toString('latin1') : null,
  event.type === 'close' ? [event.code, event.reason, event.origin, event.error?.code] : null,
];

const wellFormed = (text: string): string => Buffer.from(text).toString();

describe.each(ROLES.map((type) => [roleName(type), type] as const))('what a %s sends', (_, type) => {
  test('arrives as it was, however it is taken and acknowledged', () => {
    fc.assert(
      fc.property(fc.array(sending, { maxLength: 25 }), cuts, fc.constantFrom(...tiers), (messages, steps, kernels) => {
        const options = { sendHardLimit: Number.POSITIVE_INFINITY, kernels };
        const here = new Connection(type, [], options);
        const there = new Connection(type === SERVER ? CLIENT : SERVER, [], options);
        const events: FrameEvent[] = messages.flatMap((message): FrameEvent[] => {
          if ('payload' in message)
            return [message.kind === 'ping' ? new Ping(message.payload) : new Pong(message.payload)];
          const last = message.pieces.length - 1;
          if (message.kind === 'text') return message.pieces.map((data, i) => new TextMessage(data, i === last));
          return message.pieces.map((data, i) => new BytesMessage(data, i === last));
        });
        events.push(new CloseConnection(4321, 'the end'));
        const expected = messages.map((message) => {
          if (message.kind === 'text') return plain(new TextMessage(wellFormed(message.pieces.join(''))));
          if (message.kind === 'bytes') return plain(new BytesMessage(Buffer.concat(message.pieces)));
          return plain(message.kind === 'ping' ? new Ping(message.payload) : new Pong(message.payload));
        });
        expected.push(plain(new CloseConnection(4321, 'the end', 'peer')));

        const arrived: unknown[][] = [];
        let taken = 0;
        let queued = 0;
        for (let i = 0; queued < events.length || here.hasOutput; i++) {
          const { take, acknowledge, turns } = steps[i % steps.length];
          for (let j = 0; j <= turns && queued < events.length; j++) here.queue(events[queued++]);
          const before = here.queuedBytes;
          const out: Uint8Array[] = [];
          taken += here.takeOutput(out, take);
          for (const view of out) there.receiveData(Uint8Array.from(view));
          const acknowledged = Math.min(taken, acknowledge);
          here.acknowledge(acknowledged);
          taken -= acknowledged;
          if (here.queuedBytes !== before - acknowledged) throw new Error('queuedBytes is not true');
          for (const event of there.events()) arrived.push(plain(event));
        }
        here.acknowledge(taken);
        expect([here.queuedBytes, here.needsDrain]).toEqual([0, false]);

        const isPong = (event: unknown[]): boolean => event[0] === 'pong';
        expect(arrived.filter((event) => !isPong(event))).toEqual(expected.filter((event) => !isPong(event)));
        // Of Pongs the newest of those that wait is sent, in order, and the last in any case.
        const [pongsSent, pongsArrived] = [expected.filter(isPong), arrived.filter(isPong)];
        let from = 0;
        for (const pong of pongsArrived) {
          from = 1 + pongsSent.findIndex((one, i) => i >= from && one[2] === pong[2]);
          expect(from).toBeGreaterThan(0);
        }
        expect(pongsArrived.at(-1)).toEqual(pongsSent.at(-1));
      }),
      { numRuns: 120 },
    );
  });
});

/** Frames that are mostly right, so that the wrong one comes late. */
const anyFrame = fc
  .record({
    opcode: fc.constantFrom(0, 0, 1, 1, 1, 2, 2, 8, 9, 10, 3),
    fin: fc.constantFrom(true, true, false),
    rsv: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0x40, 0x10),
    payload: fc.oneof(fc.uint8Array({ maxLength: 140 }), fc.string({ unit: 'binary', maxLength: 40 })),
    wrongMask: fc.constantFrom(false, false, false, false, false, false, false, true),
    lengthForm: fc.constantFrom(undefined, undefined, undefined, undefined, undefined, 16 as const, 64 as const),
  })
  .map(({ lengthForm, ...rest }) => ({ ...rest, ...(lengthForm === undefined ? {} : { lengthForm }) }));

const positions = fc.array(fc.nat(400), { maxLength: 12 });
const options: fc.Arbitrary<ConnectionOptions> = fc.record({
  delivery: fc.constantFrom('messages', 'frames', 'chunks'),
  autoPong: fc.boolean(),
  autoClose: fc.boolean(),
  maxMessageSize: fc.constantFrom(150, 1e6),
  maxFragments: fc.constantFrom(2, 1000),
});

/** What came of `input`, cut at `at`; pieces of one message are joined, for those depend on the cuts. */
function outcome(type: ConnectionType, kernels: Kernels, config: ConnectionOptions, input: Uint8Array, at: number[]) {
  const connection = new Connection(type, [], { ...config, kernels });
  const found: unknown[][] = [];
  let open = '';
  const places = [0, ...[...new Set(at)].filter((one) => one < input.length).sort((a, b) => a - b), input.length];
  for (let i = 1; i < places.length; i++) {
    connection.receiveData(input.slice(places[i - 1], places[i]));
    for (const event of connection.events()) {
      if (event.type !== 'text' && event.type !== 'bytes') {
        found.push(plain(event));
        continue;
      }
      kept(event);
      const data = typeof event.data === 'string' ? event.data : Buffer.from(event.data).toString('latin1');
      open += data;
      if (!event.messageFinished) continue;
      found.push([event.type, open]);
      open = '';
    }
  }
  const { state, transport, wantsData, queuedBytes } = connection;
  return { found, state, transport, wantsData, queuedBytes };
}

describe.each(ROLES.map((type) => [roleName(type), type] as const))('any bytes given to a %s', (_, type) => {
  test('give the same events however they are cut, on every tier', () => {
    fc.assert(
      fc.property(
        fc.array(anyFrame, { maxLength: 12 }),
        options,
        positions,
        positions,
        (frames, config, first, second) => {
          const parts = frames.map(({ wrongMask, ...one }) => frame({ ...one, mask: (type === SERVER) !== wrongMask }));
          const input = Uint8Array.from(Buffer.concat(parts));
          const whole = outcome(type, tiers[0], config, input, []);
          const bytewise = Array.from({ length: input.length }, (_, i) => i);
          for (const kernels of tiers) {
            for (const at of [first, second, [...first, ...second], bytewise]) {
              const other = outcome(type, kernels, config, input, at);
              if (JSON.stringify(other) !== JSON.stringify(whole)) expect(other).toEqual(whole);
            }
          }
        },
      ),
      { numRuns: 250 },
    );
  });
});
