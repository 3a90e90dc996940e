/** What can be done with topics, and what is refused. */

import { describe, expect, test } from 'vitest';
import { connect, type Peer, type ServeOptions } from '../../../src/node/index.js';
import { atEnd, closeFrame, frame, RawClient, start, turns, until } from '../support.js';
import { codeOf, hub, received, receivedBy } from './support.js';

describe('subscribe and unsubscribe', () => {
  test('tell whether they have changed anything', async () => {
    const { peers, server } = await hub(2);
    const [ws, other] = peers;
    expect([ws.subscribe('a'), ws.subscribe('b'), ws.subscribe('a'), other.subscribe('a')]).toEqual([
      true,
      true,
      false,
      true,
    ]);
    expect([ws.topics, other.topics, [...server.topics()]]).toEqual([['a', 'b'], ['a'], ['a', 'b']]);
    expect([ws.isSubscribed('a'), ws.isSubscribed('c'), other.isSubscribed('b')]).toEqual([true, false, false]);
    expect(['a', 'b', 'c'].map((topic) => server.subscriberCount(topic))).toEqual([2, 1, 0]);
    expect(server.stats().topics).toEqual({ topics: 2, subscriptions: 3, published: 0 });
    expect([ws.unsubscribe('a'), ws.unsubscribe('a'), ws.unsubscribe('never')]).toEqual([true, false, false]);
    expect([ws.topics, ws.isSubscribed('a'), server.subscriberCount('a')]).toEqual([['b'], false, 1]);
    expect([other.unsubscribe('a'), ws.unsubscribe('b'), [...server.topics()]]).toEqual([true, true, []]);
    expect(server.stats().topics).toEqual({ topics: 0, subscriptions: 0, published: 0 });
  });

  test('any string is a topic, and nothing else is', async () => {
    const { peers, clients, server } = await hub(1);
    const names = ['', ' ', '\0', '\ud800', 'grüße/😀', '__proto__', 'constructor', 'x'.repeat(100_000)];
    for (const name of names) {
      expect(peers[0].subscribe(name)).toBe(true);
      expect(server.publish(name, name.slice(0, 20))).toBe(1);
    }
    expect(peers[0].topics).toEqual(names);
    // Across topics any order would do.
    expect((await received(clients[0], names.length)).sort()).toEqual(
      names.map((name) => Buffer.from(name.slice(0, 20)).toString()).sort(),
    );
    for (const wrong of [undefined, null, 1, {}, Symbol('x'), ['a']] as unknown as string[]) {
      expect(codeOf(() => peers[0].subscribe(wrong))).toBe('INVALID_TOPIC');
      expect(codeOf(() => peers[0].publish(wrong, 'x'))).toBe('INVALID_TOPIC');
      expect(codeOf(() => server.publish(wrong, 'x'))).toBe('INVALID_TOPIC');
      expect([peers[0].unsubscribe(wrong), peers[0].isSubscribed(wrong), server.subscriberCount(wrong)]).toEqual([
        false,
        false,
        0,
      ]);
    }
    expect(server.stats().topics).toMatchObject({ topics: names.length, published: names.length });
  });

  test('a subscriber gets what is published from then on, until it unsubscribes, within one turn too', async () => {
    const { peers, clients, server } = await hub(2);
    const [ws, other] = peers;
    other.subscribe('t');
    server.publish('t', '0');
    ws.subscribe('t');
    server.publish('t', '1');
    ws.unsubscribe('t');
    server.publish('t', '2');
    ws.subscribe('t');
    server.publish('t', '3');
    ws.unsubscribe('t');
    ws.subscribe('t');
    server.publish('t', '4');
    expect(await receivedBy({ peers, clients })).toEqual([
      ['1', '3', '4'],
      ['0', '1', '2', '3', '4'],
    ]);
  });

  test('a topic that ends and begins anew within a turn', async () => {
    const { peers, clients, server } = await hub(1);
    const [ws] = peers;
    for (let i = 0; i < 5; i++) {
      ws.subscribe('t');
      ws.subscribe('u');
      expect(server.publish('t', `${i}`)).toBe(1);
      ws.unsubscribe('t');
      expect(server.publish('t', 'nobody')).toBe(0);
    }
    expect(await receivedBy({ peers, clients })).toEqual([['0', '1', '2', '3', '4']]);
  });

  test('are not for clients', async () => {
    const { server } = await hub(0);
    const client = await connect(`ws://127.0.0.1:${server.port}/`);
    atEnd(() => client.terminate());
    expect(codeOf(() => client.subscribe('a'))).toBe('NO_TOPICS');
    expect(codeOf(() => client.publish('a', 'x'))).toBe('NO_TOPICS');
    expect([client.unsubscribe('a'), client.isSubscribed('a'), client.topics]).toEqual([false, false, []]);
  });

  test('a connection that is closing does not subscribe, and gets nothing more', async () => {
    const { peers, clients, server, log } = await hub(3);
    for (const ws of peers) ws.subscribe('t');
    peers[0].close();
    peers[1].terminate();
    expect(peers.slice(0, 2).map((ws) => ws.subscribe('u'))).toEqual([false, false]);
    server.publish('t', 'x');
    expect(await received(clients[2], 1)).toEqual(['x']);
    clients[0].write(closeFrame(1000));
    await until(() => log.filter(([name]) => name === 'close').length === 2);
    expect(peers.map((ws) => ws.subscribe('u'))).toEqual([false, false, true]);
    expect(peers.map(({ topics }) => topics)).toEqual([[], [], ['t', 'u']]);
    expect(await received(clients[0], 0)).toEqual([]);
    // What a connection that is gone publishes is published all the same.
    expect([peers[0].publish('t', 'y'), peers[1].publish('t', 'z')]).toEqual([1, 1]);
    expect(await received(clients[2], 3)).toEqual(['x', 'y', 'z']);
  });
});

describe('publish', () => {
  test('tells for how many it is, and goes to them alone', async () => {
    const { peers, clients, server } = await hub(4);
    expect(server.publish('t', 'nobody')).toBe(0);
    for (const ws of peers.slice(0, 3)) ws.subscribe('t');
    expect([server.publish('t', 'all'), peers[0].publish('t', 'not 0'), peers[3].publish('t', 'from 3')]).toEqual([
      3, 2, 3,
    ]);
    expect(server.stats().topics.published).toBe(3);
    expect(await receivedBy({ peers, clients })).toEqual([
      ['all', 'from 3'],
      ['all', 'not 0', 'from 3'],
      ['all', 'not 0', 'from 3'],
      [],
    ]);
  });

  test('except one, several, others, nobody, and everybody', async () => {
    const { peers, clients, server } = await hub(4);
    const [a, b, c, d] = peers;
    for (const ws of [a, b, c]) ws.subscribe('t');
    function* generated() {
      yield b;
      yield c;
    }
    const counts = [
      server.publish('t', 'not a', { except: a }),
      server.publish('t', 'not a b', { except: [a, b] }),
      server.publish('t', 'not a b, as a set', { except: new Set([a, b]) }),
      server.publish('t', 'a', { except: generated() }),
      server.publish('t', 'all but who has not subscribed', { except: d }),
      server.publish('t', 'not b, twice', { except: [b, b, d] }),
      server.publish('t', 'nobody', { except: peers }),
      server.publish('t', 'all', { except: [] }),
      a.publish('t', 'c', { except: b }),
      a.publish('t', 'b c', { except: a }),
      a.publish('t', 'nobody', { except: [b, c] }),
    ];
    expect(counts).toEqual([2, 1, 1, 1, 3, 2, 0, 3, 1, 2, 0]);
    expect(server.stats().topics.published).toBe(9);
    const all = 'all but who has not subscribed';
    expect(await receivedBy({ peers, clients })).toEqual([
      ['a', all, 'not b, twice', 'all'],
      ['not a', all, 'all', 'b c'],
      ['not a', 'not a b', 'not a b, as a set', all, 'not b, twice', 'all', 'c', 'b c'],
      [],
    ]);
  });

  test('except a connection of another server, which has a topic of that name', async () => {
    const [one, other] = [await hub(1), await hub(1)];
    for (const { peers } of [one, other]) peers[0].subscribe('t');
    expect(one.server.publish('t', 'x', { except: other.peers[0] })).toBe(1);
    expect(one.server.publish('t', 'y', { except: [...one.peers, ...other.peers] })).toBe(0);
    expect(other.server.publish('t', 'z')).toBe(1);
    expect([await receivedBy(one), await receivedBy(other)]).toEqual([[['x']], [['z']]]);
  });

  test('except what is no connection is refused, and nobody gets it', async () => {
    const { peers, clients, server } = await hub(1);
    peers[0].subscribe('t');
    for (const except of [{}, [{}], 'peer', 5, true, null, [null], [peers[0], undefined], Symbol('x')]) {
      const options = { except } as unknown as { except: Peer };
      expect(
        codeOf(() => server.publish('t', 'x', options)),
        String(except),
      ).toBe('INVALID_CONNECTION');
      expect(codeOf(() => peers[0].publish('t', 'x', options))).toBe('INVALID_CONNECTION');
    }
    expect(server.stats().topics.published).toBe(0);
    expect(await receivedBy({ peers, clients })).toEqual([[]]);
  });

  test('a string as text, memory as binary, and bytes as text where they are to be', async () => {
    const { peers, clients, server } = await hub(1);
    peers[0].subscribe('t');
    const { buffer } = Uint8Array.from(Buffer.from('-grüße-'));
    const shared = new Uint8Array(new SharedArrayBuffer(3));
    shared.set(Buffer.from('abc'));
    server.publish('t', 'grüße');
    server.publish('t', 'grüße', { binary: false });
    server.publish('t', Buffer.from('grüße'));
    server.publish('t', buffer);
    server.publish('t', new DataView(buffer, 1, 4));
    server.publish('t', new Uint16Array(Uint8Array.from(Buffer.from('abcd')).buffer));
    server.publish('t', shared);
    server.publish('t', shared.buffer);
    server.publish('t', Buffer.from('grüße'), { binary: false });
    server.publish('t', shared, { binary: false });
    server.publish('t', '');
    server.publish('t', new Uint8Array(0));
    server.publish('t', new Uint8Array(0), { binary: false });
    server.publish('t', 'half \ud800');
    await received(clients[0], 14);
    expect(clients[0].frames.map(({ opcode, payload }) => [opcode, `${payload}`])).toEqual([
      [1, 'grüße'],
      [1, 'grüße'],
      [2, 'grüße'],
      [2, '-grüße-'],
      [2, 'grü'],
      [2, 'abcd'],
      [2, 'abc'],
      [2, 'abc'],
      [1, 'grüße'],
      [1, 'abc'],
      [1, ''],
      [2, ''],
      [1, ''],
      [1, 'half \ufffd'],
    ]);
  });

  test('what is no message is refused, and nobody gets it', async () => {
    const { peers, clients, server } = await hub(1);
    peers[0].subscribe('t');
    for (const wrong of [undefined, null, 5, {}, [1], new Blob(['x']), () => {}] as unknown as string[]) {
      expect(codeOf(() => server.publish('t', wrong))).toBe('INVALID_PAYLOAD');
      expect(codeOf(() => peers[0].publish('nobody', wrong))).toBe('INVALID_PAYLOAD');
    }
    expect(codeOf(() => server.publish('t', 'text', { binary: true }))).toBe('INVALID_PAYLOAD');
    expect(codeOf(() => server.publish('t', Uint8Array.of(0xff), { binary: false }))).toBe('INVALID_UTF8');
    expect(codeOf(() => server.publish('t', Buffer.from('ü').subarray(0, 1), { binary: false }))).toBe('INVALID_UTF8');
    expect(server.stats().topics.published).toBe(0);
    expect(await receivedBy({ peers, clients })).toEqual([[]]);
  });

  test('bytes may change afterwards, large ones too', async () => {
    const { peers, clients, server } = await hub(2);
    for (const ws of peers) ws.subscribe('t');
    for (const size of [10, 20_000, 200_000]) {
      const data = Buffer.alloc(size, 'a');
      server.publish('t', data);
      data.fill('x');
    }
    const all = await receivedBy({ peers, clients });
    for (const found of all) expect(found.map((text) => text.length)).toEqual([10, 20_000, 200_000]);
    for (const found of all) expect(found.join('')).toMatch(/^a*$/);
  });

  test('from timers, promises, ticks and immediates', async () => {
    const { peers, clients, server } = await hub(1);
    peers[0].subscribe('t');
    await new Promise<void>((resolve) => {
      setTimeout(() => {
        server.publish('t', 'timer');
        resolve();
      }, 1);
    });
    await Promise.resolve().then(() => server.publish('t', 'promise'));
    process.nextTick(() => server.publish('t', 'tick'));
    await received(clients[0], 3);
    setImmediate(() => {
      server.publish('t', 'immediate');
      queueMicrotask(() => server.publish('t', 'microtask'));
    });
    expect(await received(clients[0], 5)).toEqual(['timer', 'promise', 'tick', 'immediate', 'microtask']);
  });

  test('before anybody is there, and when the server is closed', async () => {
    const { server, peers } = await hub(1);
    peers[0].subscribe('t');
    expect(server.publish('u', 'x')).toBe(0);
    await server.close({ timeout: 0 });
    expect([server.publish('t', 'x'), server.subscriberCount('t'), [...server.topics()]]).toEqual([0, 0, []]);
    expect(peers[0].publish('t', 'x')).toBe(0);
  });

  test('while the topics are listed', async () => {
    const { server, peers, clients } = await hub(1);
    for (const topic of ['a', 'b', 'c']) peers[0].subscribe(topic);
    for (const topic of server.topics()) {
      server.publish(topic, topic);
      if (topic === 'a') peers[0].unsubscribe('b');
    }
    expect((await received(clients[0], 2)).sort()).toEqual(['a', 'c']);
  });
});

describe('in every handler', () => {
  test('subscribe, publish and unsubscribe', async () => {
    const calls: [string, number | boolean][] = [];
    const note = (name: string) => (ws: Peer) => {
      ws.subscribe(`${name} of itself`);
      calls.push([name, ws.publish('t', name)]);
      ws.unsubscribe(`${name} of itself`);
    };
    let listener: Peer | null = null;
    const options: ServeOptions = {
      sendHighWater: 1000,
      open(ws) {
        if (listener === null) {
          listener = ws;
          ws.subscribe('t');
        } else {
          note('open')(ws);
        }
      },
      message(ws, data) {
        note('message')(ws);
        if (data === 'drain') ws.send('x'.repeat(2000));
        if (data === 'throw') throw new Error('as asked');
      },
      ping: note('ping'),
      pong: note('pong'),
      drain: note('drain'),
      error: note('error'),
      close: note('close'),
    };
    const server = await start(options);
    const client = await RawClient.open(server.port);
    await until(() => listener !== null);
    const other = await RawClient.open(server.port);
    other.write(frame(1, 'x'), frame(9), frame(10), frame(1, 'drain'));
    await other.frameAt(1);
    await until(() => calls.some(([name]) => name === 'drain'));
    other.write(frame(1, 'throw'));
    expect(await other.closeCode()).toEqual([1011, '']);
    other.write(closeFrame(1011));
    other.socket.end();
    await until(() => server.size === 1);
    const names = ['open', 'message', 'ping', 'pong', 'message', 'drain', 'message', 'error', 'close'];
    expect(calls).toEqual(names.map((name) => [name, 1]));
    expect(await received(client, names.length)).toEqual(names);
    expect(server.stats().topics).toEqual({ topics: 1, subscriptions: 1, published: names.length });
  });

  test('subscribe in an `open` that takes its time, which holds the messages and not what is published', async () => {
    let go: (() => void) | null = null;
    const { server, clients } = await hub(1, {
      async open(ws) {
        await new Promise<void>((resolve) => {
          go = resolve;
        });
        ws.subscribe('t');
      },
    });
    expect(server.publish('t', 'too early')).toBe(0);
    (go as unknown as () => void)();
    await turns(2);
    expect(server.publish('t', 'x')).toBe(1);
    expect(await received(clients[0], 1)).toEqual(['x']);
  });
});
