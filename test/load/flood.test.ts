/**
 * A sender that is faster than the handler: its bytes wait in its own process and in the sockets, not in the server.
 * The server's memory is told by itself, the sender's progress by the sender; both are processes of their own.
 */

import { expect, test } from 'vitest';
import { Child, poll, socketBuffers } from './support/processes.js';

const KiB = 1024;
const MiB = 1024 * KiB;
/** The default of `receiveHighWater`. */
const HIGH_WATER = 64 * KiB;
/** The most that is read at once. */
const CHUNK = 64 * KiB;
/** How long a sender that makes no progress must have made none to count as held. */
const HELD_MS = 1000;

const TEXT = 1;
const BINARY = 2;

interface Sender {
  readonly bytesWritten: number;
  readonly bytesDone: number;
  readonly refused: number;
  readonly isHeld: boolean;
  readonly stillFor: number;
}

interface Receiver {
  readonly handled: number;
  readonly firstWrong: string | null;
  readonly bytesRead: number;
}

/**
 * V8 leaves up to 32 MiB of buffers that nobody refers to uncollected: a bare socket that does nothing with 512 MiB that
 * it reads in chunks of 64 KiB makes RSS grow by 40. Small messages make enough small garbage to be collected earlier; for
 * large ones the server collects each time that so much has come, and what grows then is what is in use.
 */
const GARBAGE = 8 * MiB;

test.for([
  ['1 GiB of binary messages of 1 KiB', BINARY, KiB, 1024 * KiB, undefined],
  ['128 MiB of text messages of 1 KiB', TEXT, KiB, 128 * KiB, undefined],
  ['512 MiB of binary messages of 64 KiB', BINARY, 64 * KiB, 8 * KiB, GARBAGE],
] as const)('%s to a slow async handler: memory stays, TCP holds the sender', async (row) => {
  const [, kind, size, count, garbageLimit] = row;
  const [server, client] = await Promise.all([Child.start('flood-server.js'), Child.start('flood-client.js')]);
  const opened = await client.ask<number>('open', await server.ask('port'));
  const header = size < 0x1_0000 ? 8 : 14;
  const frameSize = header + size;
  const stallAt = Math.floor(count / 4);

  await server.ask('expect', { size, count, stallAt, garbageLimit });
  await client.ask('flood', { kind, size, count });

  await server.ask('stalled');
  const held = await poll(
    'the sender to be held',
    () => client.ask<Sender>('state'),
    ({ stillFor }) => stillFor > HELD_MS,
  );
  const stalled = await server.ask<Receiver>('state');
  expect(stalled.handled).toBe(stallAt);
  expect(held.isHeld, 'write returned false, and no drain came').toBe(true);
  expect(held.bytesDone).toBeLessThan(count * frameSize);
  const inServer = stalled.bytesRead - opened - stallAt * frameSize;
  expect(inServer, 'bytes read and not handled').toBeLessThanOrEqual(HIGH_WATER + CHUNK);
  const underWay = held.bytesWritten - opened - stallAt * frameSize;
  expect(underWay, 'bytes sent and not handled').toBeLessThan(socketBuffers() + HIGH_WATER + 2 * CHUNK);

  await server.ask('release');
  await server.ask('finished');
  const { handled, firstWrong } = await server.ask<Receiver>('state');
  expect(firstWrong, 'every message once, whole and in order').toBeNull();
  expect(handled).toBe(count);
  const { bytesDone } = await client.ask<Sender>('state');
  expect(bytesDone).toBe(count * frameSize);
  const { grown, samples } = await server.ask<{ grown: number; samples: number }>('memory');
  console.log(
    `RSS grew by ${(grown / MiB).toFixed(1)} MiB (${samples} samples); held with ${inServer} B in the server, ` +
      `${(underWay / MiB).toFixed(1)} MiB under way`,
  );
  expect(samples).toBeGreaterThan(100);
  expect(grown).toBeLessThan(32 * MiB);
});
