/** How long the handlers of messages take. */

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Handlers } from '../../src/node/handlers.js';
import { deferred, frame, RawClient, start, turns, until } from './support.js';

/** Works for so many milliseconds. */
function work(milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end; );
}

/** What is counted once `count` handlers are done. */
async function measured(message: NonNullable<Handlers['message']>, count: number) {
  const server = await start({ measureHandlers: true, message, error() {} });
  const client = await RawClient.open(server.port);
  client.write(...Array.from({ length: count }, (_, i) => frame(1, `${i}`)));
  await until(() => (server.stats().handlers?.count ?? 0) >= count);
  await turns();
  const { handlers } = server.stats();
  if (handlers === null) throw new Error('nothing is measured');
  expect(handlers.count).toBe(count);
  expect(handlers.max).toBeLessThanOrEqual(handlers.total);
  return handlers;
}

describe('measureHandlers', () => {
  test('handlers that return', async () => {
    const { total, max } = await measured((_ws, data) => work(data === '1' ? 20 : 5), 3);
    expect(max).toBeGreaterThanOrEqual(20);
    expect(total).toBeGreaterThanOrEqual(30);
  });

  test('handlers whose promise settles: until it does', async () => {
    const { total, max } = await measured(async (_ws, data) => {
      // A timer may come a millisecond early.
      await sleep(data === '1' ? 31 : 11);
    }, 3);
    expect(max).toBeGreaterThanOrEqual(30);
    expect(total).toBeGreaterThanOrEqual(50);
  });

  test('handlers that throw, once each', async () => {
    const { max } = await measured(() => {
      work(10);
      throw new Error('as asked');
    }, 3);
    expect(max).toBeGreaterThanOrEqual(10);
  });

  test('handlers that reject, once each', async () => {
    const { max } = await measured(async () => {
      await sleep(11);
      throw new Error('as asked');
    }, 3);
    expect(max).toBeGreaterThanOrEqual(10);
  });

  test('what only looks like a promise', async () => {
    // biome-ignore lint/suspicious/noThenProperty: what becomes of one is tested
    await measured(() => ({ then: (done: () => void) => setImmediate(done) }), 3);
    await measured(() => {
      return Object.defineProperty({}, 'then', {
        get() {
          throw new Error('as asked');
        },
      });
    }, 1);
  });

  test('a handler that is not done yet is not counted', async () => {
    const gate = deferred();
    const server = await start({ measureHandlers: true, message: () => gate.promise });
    const client = await RawClient.open(server.port);
    client.write(frame(1, 'x'));
    await until(() => server.stats().messagesReceived === 1);
    await turns();
    expect(server.stats().handlers).toEqual({ count: 0, total: 0, max: 0 });
    gate.resolve();
    await until(() => server.stats().handlers?.count === 1);
  });

  test('all connections together; no other handlers', async () => {
    const server = await start({ measureHandlers: true, open() {}, message() {}, ping() {}, close() {} });
    const clients = await Promise.all([1, 2, 3].map(() => RawClient.open(server.port)));
    for (const client of clients) client.write(frame(9), frame(1, 'a'), frame(2, 'b'), frame(8));
    for (const client of clients) await client.closeCode();
    expect(server.stats().handlers?.count).toBe(6);
  });

  test('off: null', async () => {
    const got: unknown[] = [];
    const server = await start({ message: (_ws, data) => got.push(data) });
    const client = await RawClient.open(server.port);
    expect(server.stats().handlers).toBeNull();
    client.write(frame(1, 'x'));
    await until(() => got.length === 1);
    expect(server.stats().handlers).toBeNull();
  });
});
