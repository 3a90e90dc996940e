import { describe, expect, test } from 'vitest';
import { Connection } from '../../src/core/connection.js';
import { Kind } from '../../src/core/frames/kind.js';
import type { Delivery } from '../../src/core/frames/reader.js';
import { ConnectionType } from '../../src/core/state.js';
import { tiers } from '../../src/kernels/index.js';
import { encode, type Frame } from '../kernels/support.js';

const [CONT, TEXT, BIN, CLOSE, PING, PONG] = [0, 1, 2, 8, 9, 10];

function one(opcode: number, payload: string | Uint8Array, fin = true): Frame {
  return { opcode, payload: Buffer.from(payload as string), fin };
}

/** The same numbers in every run. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
}

/** What a client sends: messages of every kind and size, whole and in fragments, control frames in between. */
function conversation(seed: number): Buffer {
  const random = numbers(seed);
  const parts: Frame[] = [];
  for (let i = 0; i < 60; i++) {
    const size = random(5) === 0 ? random(5000) : random(60);
    const words = `${'wörter '.repeat(Math.ceil(size / 8))}${i}`;
    switch (random(6)) {
      case 0:
        parts.push(one(TEXT, words, false), one(PING, `${i}`), one(CONT, '€nd'));
        break;
      case 1:
        parts.push(one(PING, `ping ${i}`));
        break;
      case 2:
        parts.push(one(PONG, `pong ${i}`));
        break;
      case 3:
        parts.push(one(TEXT, words));
        break;
      default:
        parts.push(one(BIN, Buffer.alloc(size, i)));
    }
  }
  parts.push(one(CLOSE, Buffer.from([0x03, 0xe8])));
  return wire(...parts);
}

/** The bytes of a client's frames. */
function wire(...frames: Frame[]): Buffer {
  return Buffer.concat(frames.map((frame, i) => encode({ ...frame, key: Math.imul(i + 1, 0x9e3779b1) })));
}

interface Seen {
  readonly kind: Kind;
  readonly value: string | Uint8Array;
}

/** Reads what is there, up to a number of events. */
function read(connection: Connection, seen: Seen[], most: number): void {
  for (let i = 0; i < most; i++) {
    const kind = connection.poll();
    if (kind === Kind.NEED_DATA || kind === Kind.PAUSED) return;
    const isText = kind === Kind.TEXT;
    seen.push({
      kind,
      value: isText ? connection.text() : kind === Kind.BYTES ? connection.bytes() : connection.copy(),
    });
  }
}

describe.each(tiers.map((kernels) => [kernels.tier, kernels] as const))('lent memory, %s', (_, kernels) => {
  test.each<Delivery>(['messages', 'frames', 'chunks'])('is read as memory that is given, %s', (delivery) => {
    for (let seed = 1; seed <= 40; seed++) {
      const bytes = conversation(seed);
      const options = { kernels, delivery, autoPong: true };
      const random = numbers(seed + 1000);
      const given = new Connection(ConnectionType.SERVER, [], options);
      const lent = new Connection(ConnectionType.SERVER, [], options);
      const expected: Seen[] = [];
      const seen: Seen[] = [];
      const memory = Buffer.alloc(4096);
      for (let at = 0; at < bytes.length; ) {
        const size = Math.min(bytes.length - at, 1 + random(random(3) === 0 ? 4096 : 40));
        const most = random(4) === 0 ? random(3) : Number.POSITIVE_INFINITY;
        given.receiveData(Buffer.from(bytes.subarray(at, at + size)));
        read(given, expected, most);
        bytes.copy(memory, 0, at, at + size);
        lent.receiveBorrowed(memory.subarray(0, size));
        read(lent, seen, most);
        lent.keep();
        memory.fill(0xee);
        at += size;
      }
      read(given, expected, Number.POSITIVE_INFINITY);
      read(lent, seen, Number.POSITIVE_INFINITY);
      expect(expected.length).toBeGreaterThan(30);
      // Only now: what was handed out must not have changed since.
      expect(seen).toEqual(expected);
      const out = [given, lent].map((connection) => {
        const parts: Uint8Array[] = [];
        connection.takeOutput(parts);
        return Buffer.concat(parts);
      });
      expect(out[1]).toEqual(out[0]);
    }
  });

  test('texts cost no copy, and an idle connection keeps nothing', () => {
    const connection = new Connection(ConnectionType.SERVER, [], { kernels });
    const memory = wire(one(TEXT, 'one'), one(TEXT, 'two'));
    connection.receiveBorrowed(memory);
    connection.poll();
    // Unmasked where it lies, and read from there.
    memory.write('xxx', memory.indexOf('one'));
    expect(connection.text()).toBe('xxx');
    connection.poll();
    connection.poll();
    connection.keep();
    memory.fill(0);
    expect([connection.text(), connection.length, connection.bufferedBytes]).toEqual(['', 0, 0]);
  });
});
