/** Every wrong server is caught, whatever the load. */

import { expect, test } from 'vitest';
import { EchoLoad, type FaultCode, RoomLoad } from '../../../src/cli/load/index.js';
import { behaviourOf, FAULTS, roomOf } from './faults.js';
import { type Client, Fake, faultOf, type Message } from './support.js';

const LONG = 20_000;

async function echoFault(fake: Fake, traffic: { inFlight: number; size: number; text: boolean; deflate?: boolean }) {
  const load = new EchoLoad({ url: fake.url, timeout: 500 }, { connections: 3, ...traffic });
  await load.connect();
  const fault = await faultOf(load.run(LONG));
  await load.close();
  return fault;
}

for (const fault of FAULTS) {
  const { name, codes, says, alone } = fault;

  test.each([
    { inFlight: 6, size: 64, text: true },
    { inFlight: 6, size: 40, text: false },
    { inFlight: 4, size: 70_000, text: true },
  ])(`an echo that ${name}: $inFlight in flight, $size bytes, text $text`, async ({ inFlight, size, text }) => {
    // Noise is no UTF-8: what breaks first is the protocol.
    const found = await echoFault(await Fake.start(behaviourOf(fault)), { inFlight, size, text });
    expect(codes).toContain(found.code);
    if (text || name !== 'changes the kind') expect(found.message).toMatch(says);
    expect(found.message).toMatch(/^connection [012]: /);
    expect(found.connection).not.toBeNull();
  });

  test(`an echo that ${name}: one in flight`, async () => {
    const found = await echoFault(await Fake.start(behaviourOf(fault)), { inFlight: 1, size: 64, text: true });
    expect(alone ?? codes).toContain(found.code);
  });

  test(`an echo with permessage-deflate that ${name}`, async () => {
    const traffic = { inFlight: 6, size: 200, text: true, deflate: true };
    const found = await echoFault(await Fake.start(behaviourOf(fault, true)), traffic);
    expect(codes).toContain(found.code);
    expect(found.message).toMatch(says);
  });

  test(`a room that ${name}`, async () => {
    const fake = await Fake.start(roomOf(fault));
    const load = new RoomLoad({ url: fake.url, timeout: 500 }, { connections: 4, burst: 6, size: 64, text: true });
    await load.connect();
    const found = await faultOf(load.run(LONG));
    await load.close();
    expect(codes).toContain(found.code);
    expect(found.message).toMatch(says);
    expect(found.connection).toBe(3);
  });
}

test.each<{ size: number }>([{ size: 64 }, { size: 0 }])(
  'an echo of $size bytes too many is caught',
  async ({ size }) => {
    const fake = await Fake.start({
      message(client, message, index) {
        client.send(message);
        if (index === 20) client.send(message);
      },
    });
    const found = await echoFault(fake, { inFlight: 1, size, text: false });
    expect(found.code).toBe<FaultCode>('UNEXPECTED');
  },
);

test('two connections that get the replies of each other are caught', async () => {
  let first: { client: Client; message: Message } | null = null;
  const fake = await Fake.start({
    message(client, message, index) {
      if (index !== 20) {
        client.send(message);
      } else if (first === null) {
        first = { client, message };
      } else {
        first.client.send(message);
        client.send(first.message);
      }
    },
  });
  const load = new EchoLoad({ url: fake.url }, { connections: 2, inFlight: 1, size: 64, text: true });
  await load.connect();
  expect((await faultOf(load.run(500))).code).toBe('CORRUPT');
  await load.close();
});

test('the reply of another connection is caught', async () => {
  const fake = await Fake.start({
    message(client, message, index) {
      const { clients } = client.server;
      const other = clients[(clients.indexOf(client) + 1) % clients.length];
      (index === 20 ? other : client).send(message);
    },
  });
  const found = await echoFault(fake, { inFlight: 4, size: 64, text: false });
  expect(['CORRUPT', 'UNEXPECTED', 'MISSING']).toContain(found.code);
});

test.each([
  { what: 'a message', bytes: Buffer.from('\x81\x05hello', 'latin1'), code: 'UNEXPECTED' },
  { what: 'half a message', bytes: Buffer.from('\x81\x05he', 'latin1'), code: 'TIMEOUT' },
  { what: 'a Close', bytes: Buffer.from('\x88\x02\x03\xe8', 'latin1'), code: 'CLOSED' },
  { what: 'what is no frame', bytes: Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), code: 'CORRUPT' },
])('$what with the answer to the handshake is a fault', async ({ bytes, code }) => {
  const fake = await Fake.start({ open: (client) => client.write(bytes) });
  const load = new EchoLoad({ url: fake.url, timeout: 500 }, { connections: 2, inFlight: 1, size: 64, text: true });
  const found = await faultOf(load.connect().then(() => load.run(LONG)));
  await load.close();
  // What is sent with the answer may come before the first message goes out or after it.
  expect([code, 'CORRUPT']).toContain(found.code);
});

test('what comes between two runs is a fault of the second', async () => {
  const fake = await Fake.start();
  const load = new EchoLoad({ url: fake.url }, { connections: 2, inFlight: 1, size: 64, text: true });
  await load.connect();
  await load.run(20);
  fake.clients[0].write(Buffer.from('\x81\x05hello', 'latin1'));
  const ended = new Promise((resolve) => fake.clients[0].socket.once('close', resolve));
  await ended;
  expect((await faultOf(load.run(LONG))).code).toBe('UNEXPECTED');
  await load.close();
});
