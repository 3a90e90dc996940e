/** Who has a context, for how long, and who is told when. */

import { describe, expect, test } from 'vitest';
import {
  type Codec,
  type Context,
  type Decompressor,
  defaultCodec,
} from '../../../../src/core/extensions/deflate/codec.js';
import { Contexts, Holder } from '../../../../src/core/extensions/deflate/contexts.js';
import { Deflater } from '../../../../src/core/extensions/deflate/deflater.js';
import { Inflater } from '../../../../src/core/extensions/deflate/inflater.js';
import { Traffic } from '../../../../src/core/extensions/deflate/traffic.js';
import {
  PerMessageDeflate,
  type PerMessageDeflateOptions,
} from '../../../../src/core/extensions/permessage-deflate.js';
import { BIN } from '../../../conformance/support.js';
import { ROLES, roleName, SERVER } from '../../support.js';
import { CODECS, compressing, deflated, Peer, prose, squeezed } from './support.js';

/** Contexts that do nothing but count what is done to them. */
function counting() {
  const counts = { made: 0, reset: 0, closed: 0 };
  const make = (): Decompressor => {
    counts.made++;
    return {
      limit: 0,
      inputLeft: 0,
      roomLeft: 0,
      run: () => {},
      start: () => {},
      reset: () => void counts.reset++,
      close: () => void counts.closed++,
      window: () => Buffer.alloc(0),
      prime: () => {},
    };
  };
  const codec: Codec = { compressor: make, decompressor: make };
  return { codec, counts };
}

class Owner extends Holder {
  readonly kind: 'compressors' | 'decompressors';
  readonly contexts: Contexts;
  isBusy = false;
  released = 0;

  constructor(contexts: Contexts, kind: 'compressors' | 'decompressors' = 'compressors') {
    super();
    this.contexts = contexts;
    this.kind = kind;
  }

  release(): boolean {
    if (this.isBusy) return false;
    this.released++;
    this.contexts.disown(this);
    return true;
  }
}

function contexts(limits: { maxContexts?: number; contextIdleTimeout?: number } = {}) {
  const { codec, counts } = counting();
  const made = new Contexts(codec, { level: 1, memLevel: 1, maxContexts: 2, contextIdleTimeout: 1000, ...limits });
  const told = { count: 0 };
  made.onDeadline = () => told.count++;
  return { contexts: made, counts, told, owner: (kind?: Owner['kind']) => new Owner(made, kind) };
}

describe('what goes around', () => {
  test('is as if new, and of one window each; what is too many is closed', () => {
    const { contexts: all, counts } = contexts();
    const first = all.borrowCompressor(9);
    const other = all.borrowCompressor(15);
    expect(counts.made).toBe(2);
    all.returnCompressor(first, 9);
    expect(counts.reset).toBe(1);
    expect(all.borrowCompressor(15)).not.toBe(first);
    expect(all.borrowDecompressor(9)).not.toBe(first);
    expect(all.borrowCompressor(9)).toBe(first);
    const many: Context[] = [first, other, ...Array.from({ length: 8 }, () => all.borrowCompressor(12))];
    for (const one of many) all.returnCompressor(one, 12);
    expect([counts.closed > 0, counts.closed + counts.reset]).toEqual([true, 1 + many.length]);
    expect(all.owned).toEqual({ compressors: 0, decompressors: 0 });
  });
});

test.each(['compressors', 'decompressors'] as const)('memory is given back once those who had %s are gone', (kind) => {
  let trims = 0;
  const limits = { level: 1, memLevel: 1, maxContexts: 100, contextIdleTimeout: 1000 };
  const all = new Contexts(defaultCodec(), limits, () => void trims++);
  const settings = { threshold: 0, offThreadFrom: 1e9, beyondMaxContexts: 'no-takeover' } as const;
  const data = Buffer.from(prose(6000));
  const users = Array.from({ length: 50 }, () => {
    if (kind === 'decompressors') {
      const inflater = new Inflater(all, new Traffic(), 15, true, 1e9);
      let part: Uint8Array | null | undefined = inflater.decode(deflated(data), true, 1e6, null);
      while (part !== undefined) part = inflater.more(1e6, null);
      return inflater;
    }
    const deflater = new Deflater(all, new Traffic(), 9, true, settings);
    for (let i = 0; i < 2; i++) {
      deflater.encodes(data.length, true, true);
      deflater.encode(data, true, true, null);
    }
    return deflater;
  });
  expect(all.owned[kind]).toBe(50);
  all.handleTimeout(0);
  all.handleTimeout(100);
  expect(trims).toBe(0);
  for (const user of users) user.close();
  expect(all.owned[kind]).toBe(0);
  all.handleTimeout(200);
  all.handleTimeout(300);
  expect(trims).toBe(1);
});

describe('what somebody owns', () => {
  test('is counted by kind, up to maxContexts each', () => {
    const { contexts: all, owner } = contexts();
    const owners = [owner(), owner(), owner(), owner('decompressors'), owner('decompressors'), owner('decompressors')];
    expect(owners.map((one) => all.adopt(one))).toEqual([true, true, false, true, true, false]);
    expect(all.owned).toEqual({ compressors: 2, decompressors: 2 });
    all.disown(owners[0]);
    expect(all.owned).toEqual({ compressors: 1, decompressors: 2 });
    expect(all.adopt(owners[2])).toBe(true);
    for (const i of [1, 2, 3, 4]) all.disown(owners[i]);
    expect(all.owned).toEqual({ compressors: 0, decompressors: 0 });
    expect(all.nextDeadline()).toBe(null);
  });

  test('is lost by who has not used it for long, and by nobody else', () => {
    const { contexts: all, owner } = contexts({ maxContexts: 10 });
    const [idle, used, busy] = [owner(), owner(), owner()];
    for (const one of [idle, used, busy]) all.adopt(one);
    busy.isBusy = true;
    let now = 5000;
    expect(all.nextDeadline()).not.toBe(null);
    for (let i = 0; i < 40; i++) {
      all.handleTimeout(now);
      all.used(used);
      if (now < 5000 + 700) expect(idle.released).toBe(0);
      const next = all.nextDeadline() as number;
      // It never stands still, and is never so late that a use would not be known.
      expect(next).toBeGreaterThan(now);
      expect(next - now).toBeLessThanOrEqual(1000);
      now = next;
    }
    expect([idle.released, used.released, busy.released]).toEqual([1, 0, 0]);
    busy.isBusy = false;
    for (let i = 0; i < 10 && busy.released === 0; i++) {
      all.handleTimeout(now);
      all.used(used);
      now = all.nextDeadline() as number;
    }
    expect([busy.released, used.released]).toEqual([1, 0]);
  });

  test('the one that was used longest ago is the first to be lost', () => {
    const { contexts: all, owner } = contexts({ maxContexts: 10 });
    const owners = [owner(), owner(), owner(), owner()];
    for (const one of owners) all.adopt(one);
    all.handleTimeout(0);
    // From the ends of the list and its middle.
    [2, 0, 3].forEach((index, i) => {
      all.handleTimeout(200 * (i + 1));
      all.used(owners[index]);
    });
    const order: number[] = [];
    for (let now = 700; now < 2000; now += 50) {
      all.handleTimeout(now);
      owners.forEach((one, i) => {
        if (one.released === 1 && !order.includes(i)) order.push(i);
      });
    }
    expect(order).toEqual([1, 2, 0, 3]);
    expect(all.nextDeadline()).toBe(null);
  });

  test('there is a deadline as soon as somebody has one, and the owner is told of it', () => {
    const { contexts: all, owner, told } = contexts();
    expect(all.nextDeadline()).toBe(null);
    const [one, other] = [owner(), owner()];
    all.adopt(one);
    expect(told.count).toBe(1);
    all.adopt(other);
    expect(told.count).toBe(1);
    // The time is not known yet: at once.
    expect(all.nextDeadline()).toBe(0);
    all.handleTimeout(50_000);
    expect(all.nextDeadline()).toBeGreaterThan(50_000);
    expect(one.released).toBe(0);
    all.disown(one);
    all.disown(other);
    expect(all.nextDeadline()).toBe(null);
    all.adopt(one);
    expect(told.count).toBe(2);
    expect(all.nextDeadline()).toBeLessThanOrEqual(50_000);
    // Whoever had nothing to look after for an hour has not been idle for an hour.
    all.handleTimeout(5_000_000);
    expect(one.released).toBe(0);
  });

  test('the time, told while nobody has one, is not when the next got it', () => {
    const { contexts: all, owner } = contexts();
    all.handleTimeout(0);
    const one = owner();
    all.adopt(one);
    all.handleTimeout(100_000);
    expect(one.released).toBe(0);
    all.handleTimeout(100_999);
    expect(one.released).toBe(0);
    all.handleTimeout(101_000);
    expect(one.released).toBe(1);
  });

  test('very many are given up in several calls, and each says that there is more', () => {
    const { contexts: all, owner } = contexts({ maxContexts: Number.POSITIVE_INFINITY });
    const owners = Array.from({ length: 1000 }, () => owner());
    for (const one of owners) all.adopt(one);
    all.handleTimeout(0);
    let calls = 0;
    for (; all.nextDeadline() !== null; calls++) {
      all.handleTimeout(2000);
      if (all.owned.compressors > 0) expect(all.nextDeadline()).toBeLessThanOrEqual(2000);
    }
    expect(calls).toBeGreaterThan(1);
    expect(owners.every(({ released }) => released === 1)).toBe(true);
  });

  test('for ever is for ever', () => {
    const { contexts: all, owner } = contexts({ contextIdleTimeout: Number.POSITIVE_INFINITY });
    const one = owner();
    all.adopt(one);
    expect(all.nextDeadline()).toBe(null);
    all.handleTimeout(0);
    all.handleTimeout(1e15);
    expect([one.released, all.nextDeadline()]).toEqual([0, null]);
  });
});

describe.each(
  CODECS.flatMap(([name, codec]) => ROLES.map((type) => [`${name}, ${roleName(type)}`, codec, type] as const)),
)('connections that are idle: %s', (_, codec, type) => {
  /** One whose compressor and decompressor are its own. */
  function busy(deflate: PerMessageDeflate | PerMessageDeflateOptions) {
    const one = compressing(type, deflate, {}, codec);
    const [here, there] = [new Peer(), new Peer()];
    const exchange = (sent: string, received: string): [number, number] => {
      one.connection.queueText(sent);
      const [{ payload }] = one.written();
      expect(there.decompress(payload).toString()).toBe(sent);
      const incoming = here.compress(received);
      one.receive(squeezed(BIN, incoming));
      one.connection.poll();
      expect(Buffer.from(one.connection.bytes()).toString()).toBe(received);
      return [payload.length, incoming.length];
    };
    for (let i = 0; i < 3; i++) exchange(prose(2000, i), prose(6000, i));
    return { ...one, exchange };
  }

  test('lose what is their own, and what comes afterwards may still refer to what was before', () => {
    const deflate = new PerMessageDeflate({ contextIdleTimeout: 1000 }, codec);
    const [one, other] = [busy(deflate), busy(deflate)];
    expect(deflate.stats()).toMatchObject({ compressors: 2, decompressors: 2 });
    let now = deflate.nextDeadline() as number;
    for (let i = 0; i < 20 && deflate.nextDeadline() !== null; i++) {
      deflate.handleTimeout(now);
      // This one has something to say every time.
      if (now < 3000) other.exchange(prose(1500), prose(1500));
      now = Math.max(now + 1, deflate.nextDeadline() ?? 0);
      if (now > 2500 && now < 3000) expect(deflate.stats()).toMatchObject({ compressors: 1, decompressors: 1 });
    }
    expect(deflate.stats()).toMatchObject({ compressors: 0, decompressors: 0 });
    expect(deflate.nextDeadline()).toBe(null);
    for (let i = 0; i < 4; i++) {
      // Text that the peer refers to, which was said long before.
      const [, size] = one.exchange(prose(2000, i), prose(6000, i % 3));
      expect(size).toBeLessThan(300);
      other.exchange(prose(2000, i), prose(6000, i));
    }
    expect(deflate.stats()).toMatchObject({ compressors: 2, decompressors: 2 });
    one.connection.abort();
    other.connection.receiveData(null);
    expect(other.connection.nextEvent()).toMatchObject({ type: 'close' });
    expect(deflate.stats()).toMatchObject({ compressors: 0, decompressors: 0 });
    expect(deflate.nextDeadline()).toBe(null);
  });

  test('keep it in the middle of a message', () => {
    const one = busy({ contextIdleTimeout: 1000 });
    const data = prose(1000, 77);
    one.connection.queueText(data, false);
    const incoming = deflated(data);
    one.receive(squeezed(BIN, incoming.subarray(0, 100), false));
    one.connection.poll();
    for (let now = 0; now < 10_000; now += 250) one.deflate.handleTimeout(now);
    expect(one.deflate.stats()).toMatchObject({ compressors: 1, decompressors: 1 });
    one.connection.queueText('', true);
    one.receive({ opcode: 0, payload: incoming.subarray(100) });
    expect(one.connection.nextEvent()).toMatchObject({ type: 'bytes' });
    expect(one.connection.length).toBe(1000);
    for (let now = 10_000; now < 20_000; now += 250) one.deflate.handleTimeout(now);
    expect(one.deflate.stats()).toMatchObject({ compressors: 0, decompressors: 0 });
  });

  test('need none of their own for what begins anew with every message', () => {
    const own = { serverNoContextTakeover: true, clientNoContextTakeover: true, threshold: 0 };
    const { connection, deflate, receive, written } = compressing(type, own, {}, codec);
    for (let i = 0; i < 5; i++) {
      connection.queueText(prose(9000));
      receive(squeezed(BIN, deflated(prose(9000))));
      connection.poll();
      expect(connection.length).toBe(9000);
    }
    const sizes = new Set(written().map(({ payload }) => payload.length));
    expect(sizes.size).toBe(1);
    expect(deflate.stats()).toMatchObject({ compressors: 0, decompressors: 0 });
    expect(deflate.nextDeadline()).toBe(null);
  });
});

test('a small window is put into what goes around, and no decompressor is kept for it', () => {
  const deflate = new PerMessageDeflate();
  const all = Array.from({ length: 20 }, () => ({ ...compressing(SERVER, deflate), peer: new Peer() }));
  for (let i = 0; i < 6; i++) {
    for (const { connection, receive, peer } of all) {
      receive(squeezed(BIN, peer.compress(prose(100, i % 2))));
      expect(connection.nextEvent()).toMatchObject({ type: 'bytes', data: Buffer.from(prose(100, i % 2)) });
    }
  }
  expect(deflate.stats()).toMatchObject({ decompressors: 0, messagesDecompressed: 120 });
});
