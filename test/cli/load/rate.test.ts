/** The open loop: what was due while nothing moved is counted from when it was due. */

import { expect, test } from 'vitest';
import { EchoLoad, RoomLoad } from '../../../src/cli/load/index.js';
import { type Client, Fake, type Message } from './support.js';

const STALL = 300;

/** A server that answers nothing for a while, once it has had some messages. */
function stalling(after: number) {
  const late: (() => void)[] = [];
  let count = 0;
  let isStalled = false;
  return (client: Client, message: Message): void => {
    if (++count === after) {
      isStalled = true;
      setTimeout(() => {
        isStalled = false;
        for (const send of late.splice(0)) send();
      }, STALL);
    }
    if (isStalled) late.push(() => client.send(message));
    else client.send(message);
  };
}

/** The same in the load's own process, which cannot even send meanwhile. */
function blocking(after: number) {
  let count = 0;
  return (client: Client, message: Message): void => {
    if (++count === after) {
      const end = performance.now() + STALL;
      while (performance.now() < end);
    }
    client.send(message);
  };
}

test.each([
  { what: 'a server that stalls', message: stalling },
  { what: 'a process that is blocked', message: blocking },
])('$what shows in the latencies of all messages that were due', async ({ message }) => {
  const fake = await Fake.start({ message: message(200) });
  const load = new EchoLoad({ url: fake.url }, { connections: 4, inFlight: 1, size: 20, text: true, rate: 500 });
  await load.connect();
  const { messages, elapsed, latency } = await load.run(1200);
  await load.close();
  expect(messages).toBe(fake.messages);
  expect(messages).toBeGreaterThanOrEqual(599);
  expect(messages).toBeLessThanOrEqual(elapsed / 2 + 1);
  // 150 of 600 were due during the stall, and waited for what was left of it.
  expect(latency?.percentile(99)).toBeGreaterThan(0.8 * STALL);
  expect(latency?.percentile(90)).toBeGreaterThan(0.4 * STALL);
});

test('a room at a rate counts from when a burst was due', async () => {
  let count = 0;
  const fake = await Fake.start({
    message(client, message) {
      if (++count === 100) {
        const end = performance.now() + STALL;
        while (performance.now() < end);
      }
      client.server.publish(message);
    },
  });
  const load = new RoomLoad({ url: fake.url }, { connections: 3, burst: 4, size: 20, text: true, rate: 200 });
  await load.connect();
  const { messages, latency } = await load.run(1000);
  await load.close();
  expect(messages).toBe(3 * fake.messages);
  expect(fake.messages).toBeGreaterThanOrEqual(196);
  expect(fake.messages % 4).toBe(0);
  // Only one of them speaks.
  expect(fake.clients.filter(({ index }) => index > 0).length).toBe(1);
  expect(latency?.count).toBe(messages);
  expect(latency?.percentile(99)).toBeGreaterThan(0.8 * STALL);
});

test.each([3, 1000, 20_000])('a rate of %d is kept', async (rate) => {
  const fake = await Fake.start();
  const load = new EchoLoad({ url: fake.url }, { connections: 3, inFlight: 1, size: 20, text: true, rate });
  await load.connect();
  const { messages, elapsed } = await load.run(700);
  await load.close();
  expect(messages).toBe(fake.messages);
  expect(messages).toBeGreaterThanOrEqual(Math.floor(0.699 * rate));
  expect(messages).toBeLessThanOrEqual((elapsed * rate) / 1000 + 1);
  const indices = fake.clients.map(({ index }) => index);
  expect(Math.max(...indices) - Math.min(...indices)).toBeLessThanOrEqual(1);
});
