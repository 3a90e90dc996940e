/** RFC 6455 §10.4: limits, each at its edge and one over, by its name; and what refused input costs. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { Connection } from '../../src/core/connection.js';
import { tiers } from '../../src/kernels/index.js';
import {
  binary,
  bytesFor,
  type Case,
  close,
  conform,
  cont,
  drain,
  type FrameSpec,
  got,
  ping,
  REMOTE_CLOSING,
  ROLES,
  refused,
  TYPES,
  text,
} from './support.js';

const x = (count: number): string => 'x'.repeat(count);
const claiming = (claim: bigint): FrameSpec => ({ opcode: 2, claim, payload: 'abc' });
const { POSITIVE_INFINITY } = Number;

conform(
  'maxFrameSize',
  [0, 1, 125, 126, 200, 65535, 65536].flatMap((maxFrameSize): Case[] => {
    const options = { maxFrameSize, maxMessageSize: POSITIVE_INFINITY };
    const over = refused(1009, 'MAX_FRAME_SIZE');
    const header = maxFrameSize < 125 ? 2 : maxFrameSize < 65535 ? 4 : 10;
    return [
      {
        name: `${maxFrameSize}, at it`,
        options,
        input: [text(x(maxFrameSize)), binary(x(maxFrameSize), false), cont(x(maxFrameSize))],
        events: [got.text(x(maxFrameSize)), got.bytes(x(2 * maxFrameSize))],
      },
      { name: `${maxFrameSize}, one over`, options, input: [text(x(maxFrameSize + 1))], ...over },
      {
        name: `${maxFrameSize}, one over is known from the header`,
        options,
        input: [{ opcode: 2, claim: BigInt(maxFrameSize + 1) }],
        ...over,
        ...(maxFrameSize < 125 ? {} : { decidedAt: { server: header, client: header } }),
      },
      {
        name: `${maxFrameSize}, one over in a continuation`,
        options,
        input: [text('', false), cont(x(maxFrameSize + 1))],
        ...over,
      },
    ];
  }),
);

conform(
  'maxMessageSize',
  [0, 1, 10, 125, 126, 1000].flatMap((maxMessageSize): Case[] => {
    const options = { maxMessageSize, maxFrameSize: POSITIVE_INFINITY };
    const over = refused(1009, 'MAX_MESSAGE_SIZE');
    return [
      {
        name: `${maxMessageSize}, at it`,
        options,
        input: [text(x(maxMessageSize))],
        events: [got.text(x(maxMessageSize))],
      },
      {
        name: `${maxMessageSize}, at it in fragments`,
        options,
        input: [binary('', false), cont(x(maxMessageSize), false), cont('', false), cont('')],
        events: [got.bytes(x(maxMessageSize))],
      },
      { name: `${maxMessageSize}, one over`, options, input: [text(x(maxMessageSize + 1))], ...over },
      {
        name: `${maxMessageSize}, one over in the last fragment`,
        options,
        input: [binary(x(maxMessageSize), false), cont('x')],
        ...over,
      },
      {
        name: `${maxMessageSize}, one over in a fragment whose payload never comes`,
        options,
        input: [binary(x(maxMessageSize), false), { opcode: 0, claim: 1n, fin: false }],
        ...over,
      },
      {
        name: `${maxMessageSize} counts each message anew`,
        options,
        input: [1, 2, 3].flatMap(() => [binary('', false), cont(x(maxMessageSize))]),
        events: [1, 2, 3].map(() => got.bytes(x(maxMessageSize))),
      },
    ];
  }),
);

conform('limits on messages leave control frames alone', [
  {
    name: 'maxMessageSize',
    options: { maxMessageSize: 4 },
    input: [ping(x(125)), close(1000, x(123))],
    events: [got.ping(x(125)), got.close(1000, x(123))],
    state: REMOTE_CLOSING,
  },
  { name: 'maxFrameSize', options: { maxFrameSize: 4 }, input: [ping(x(125))], events: [got.ping(x(125))] },
]);

conform('the default, 16 MiB', [
  { name: 'one over', input: [claiming(2n ** 24n + 1n)], ...refused(1009, 'MAX_MESSAGE_SIZE') },
  { name: '2^40', input: [claiming(2n ** 40n)], ...refused(1009, 'MAX_MESSAGE_SIZE') },
  { name: 'at it', input: [claiming(2n ** 24n)], events: [] },
]);

conform(
  'maxFragments',
  [1, 2, 5].flatMap((maxFragments): Case[] => {
    const options = { maxFragments };
    const over = refused(1008, 'MAX_FRAGMENTS');
    const fragments = (count: number, payload: string): FrameSpec[] =>
      Array.from({ length: count }, (_, i) => (i === 0 ? text(payload, count === 1) : cont(payload, i === count - 1)));
    return [
      {
        name: `${maxFragments}, at it`,
        options,
        input: fragments(maxFragments, 'a'),
        events: [got.text('a'.repeat(maxFragments))],
      },
      { name: `${maxFragments}, one over`, options, input: fragments(maxFragments + 1, 'a'), ...over },
      { name: `${maxFragments}, one over, all empty`, options, input: fragments(maxFragments + 1, ''), ...over },
      {
        name: `${maxFragments} does not count control frames, and counts each message anew`,
        options,
        input: [1, 2, 3].flatMap(() => fragments(maxFragments, 'b').flatMap((one) => [ping('x'), one])),
        events: [1, 2, 3].flatMap(() => [
          ...Array(maxFragments).fill(got.ping('x')),
          got.text('b'.repeat(maxFragments)),
        ]),
      },
    ];
  }),
);

conform('Infinity', [
  {
    name: 'for everything',
    options: { maxFrameSize: POSITIVE_INFINITY, maxMessageSize: POSITIVE_INFINITY, maxFragments: POSITIVE_INFINITY },
    input: [text('a', false), ...Array.from({ length: 60 }, () => cont('', false)), cont('b')],
    events: [got.text('ab')],
  },
]);

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;
/** Twice, for the first leaves the memory of buffers to be swept behind its back. */
function collect(): void {
  gc();
  gc();
}

/** Bytes of array buffers that stay behind after `run`. */
function retained(run: () => unknown): number {
  collect();
  const before = process.memoryUsage().arrayBuffers;
  const kept = run();
  collect();
  const after = process.memoryUsage().arrayBuffers;
  expect(kept).toBeDefined();
  return after - before;
}

const MiB = 1024 * 1024;

describe.each(tiers.map((kernels) => [kernels.tier, kernels] as const))(
  'what hostile input costs (%s)',
  (_, kernels) => {
    test.each(ROLES)('%s: headers that claim gigabytes', (role) => {
      const limits = { maxFrameSize: POSITIVE_INFINITY, maxMessageSize: POSITIVE_INFINITY };
      for (const delivery of ['messages', 'frames', 'chunks'] as const) {
        const cost = retained(() =>
          Array.from({ length: 50 }, () => {
            const connection = new Connection(TYPES[role], [], { kernels, delivery, ...limits });
            // Only pieces that nobody puts together may go on beyond 2 GiB.
            connection.receiveData(bytesFor(role, [claiming(delivery === 'chunks' ? 2n ** 40n : 2n ** 31n - 1n)]));
            for (const event of connection.events()) expect(event).toMatchObject({ frameFinished: false });
            expect(connection.wantsData).toBe(true);
            return connection;
          }),
        );
        expect(cost).toBeLessThan(MiB / 4);
      }
    });

    test.each(ROLES)('%s: 64 MiB after a violation are dropped', (role) => {
      const connection = new Connection(TYPES[role], [], { kernels, autoPong: true });
      connection.receiveData(bytesFor(role, [{ opcode: 3 }]));
      expect(connection.nextEvent()).toMatchObject({ type: 'close', origin: 'violation' });
      drain(connection);
      const flood = bytesFor(role, Array(1000).fill(ping(x(60))));
      const cost = retained(() => {
        for (let given = 0; given < 64 * MiB; given += flood.length) {
          expect(connection.receiveData(flood.slice())).toBe(false);
          expect([connection.bufferedBytes, connection.wantsData, connection.hasOutput]).toEqual([0, false, false]);
          expect(connection.poll()).toBe(0);
        }
        return connection;
      });
      expect(cost).toBeLessThan(MiB);
    });

    test.each(ROLES)('%s: a flood of Pings costs one Pong', (role) => {
      const connection = new Connection(TYPES[role], [], { kernels, autoPong: true });
      for (let i = 0; i < 200; i++) {
        connection.receiveData(bytesFor(role, Array(20).fill(ping(x(100)))));
        for (const event of connection.events()) expect(event.type).toBe('ping');
        connection.takeOutput([], 0);
        expect(connection.queuedBytes).toBeLessThan(220);
      }
    });

    test.each(ROLES)('%s: what waits at most doubles, and nothing of it stays once it is read', (role) => {
      const connection = new Connection(TYPES[role], [], { kernels });
      const part = bytesFor(role, [cont(x(1000), false)]);
      connection.receiveData(bytesFor(role, [text('', false)]));
      const cost = retained(() => {
        for (let i = 0; i < 1500; i++) {
          connection.receiveData(part.slice());
          expect(connection.poll()).toBe(0);
        }
        return connection;
      });
      expect(cost).toBeLessThan(2 * 1_500_000);
      const rest = retained(() => {
        connection.receiveData(bytesFor(role, [cont('')]));
        expect(connection.nextEvent()).toMatchObject({ type: 'text' });
        expect(connection.poll()).toBe(0);
        return connection;
      });
      expect(rest).toBeLessThan(-1_500_000 + MiB / 2);
    });

    test.each(ROLES)('%s: an idle connection keeps nothing of what it has read', (role) => {
      const cost = retained(() =>
        Array.from({ length: 300 }, () => {
          const connection = new Connection(TYPES[role], [], { kernels, autoPong: true });
          const bytes = bytesFor(role, [text(x(20_000)), ping('a'), text(x(20_000)), text('cut')]);
          for (const chunk of [bytes.slice(0, 20_001), bytes.slice(20_001, -9), bytes.slice(-9)]) {
            connection.receiveData(chunk);
            for (const _event of connection.events());
          }
          drain(connection);
          return connection;
        }),
      );
      expect(cost).toBeLessThan(MiB);
    });
  },
);
