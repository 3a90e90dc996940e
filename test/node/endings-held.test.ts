/** What is still owed, or still held, when a connection ends: nothing may be told after `close`, and `close` must come. */

import { expect, test } from 'vitest';
import { deferred, frame, RawClient, recording, start, turns, until } from './support.js';

/** A Blob whose reading ends when the test says so. */
class SlowBlob extends Blob {
  readonly read = deferred();
  override async arrayBuffer(): Promise<ArrayBuffer> {
    await this.read.promise;
    return super.arrayBuffer();
  }
}

test('a connection that is paused after its stream has closed is still told its end', async () => {
  const { log, handlers, names } = recording();
  const work = deferred();
  const server = await start({
    ...handlers,
    async message(ws) {
      log.push(['message']);
      await work.promise;
      ws.pause();
    },
  });
  const client = await RawClient.open(server.port);
  const [ws] = server.connections();
  client.write(frame(1, 'x'));
  await until(() => names().includes('message'));
  ws.terminate();
  // The close of a stream takes a few turns.
  await turns();
  work.resolve();
  await until(() => server.size === 0, 'the connection to be gone');
  expect(names()).toEqual(['open', 'message', 'close']);
});

test('no drain follows the close event, when a Blob is read only then', async () => {
  const { handlers, names } = recording();
  const server = await start(handlers);
  await RawClient.open(server.port);
  const [ws] = server.connections();
  const blob = new SlowBlob([Buffer.alloc(200_000)]);
  expect(ws.send(blob)).toBe(false);
  ws.terminate();
  await until(() => server.size === 0);
  blob.read.resolve();
  await turns();
  expect(names()).toEqual(['open', 'drain', 'close']);
});

test('no error follows the close event, when a Blob fails only then', async () => {
  const { handlers, names } = recording();
  const server = await start(handlers);
  await RawClient.open(server.port);
  const [ws] = server.connections();
  const blob = new SlowBlob(['x']);
  ws.send(blob);
  ws.terminate();
  await until(() => server.size === 0);
  blob.read.reject(new Error('unreadable'));
  await turns();
  expect(names()).toEqual(['open', 'close']);
});
