/** What is handed out of memory that is only lent must stay as it is when the memory is used again. */

import { expect, test } from 'vitest';
import { Connection, ConnectionType, Kind } from '../../src/core/index.js';

/** A masked frame with a key of zeros. */
function frame(opcode: number, payload: string): Buffer {
  return Buffer.concat([
    Buffer.from([0x80 | opcode, 0x80 | payload.length, 0, 0, 0, 0]),
    Buffer.from(payload, 'latin1'),
  ]);
}

/** Reads an event of lent memory, with something done before its bytes are asked for. */
function bytesOf(connection: Connection, chunk: Buffer, kind: Kind, before = () => {}): string {
  const lent = Buffer.from(chunk);
  connection.receiveBorrowed(lent);
  expect(connection.poll()).toBe(kind);
  before();
  const bytes = connection.bytes();
  connection.keep();
  lent.fill('!');
  return Buffer.from(bytes).toString('latin1');
}

test.each(['messages', 'frames', 'chunks'] as const)('a whole text, as %s', (delivery) => {
  const connection = new Connection(ConnectionType.SERVER, [], { delivery });
  expect(bytesOf(connection, frame(1, 'hello'), Kind.TEXT)).toBe('hello');
});

test('pieces of a text, as chunks', () => {
  const connection = new Connection(ConnectionType.SERVER, [], { delivery: 'chunks' });
  const whole = frame(1, 'hello, world');
  expect(bytesOf(connection, whole.subarray(0, 11), Kind.TEXT)).toBe('hello');
  expect(bytesOf(connection, whole.subarray(11), Kind.TEXT)).toBe(', world');
});

test('the event at the cursor of a connection that is given up', () => {
  const connection = new Connection(ConnectionType.SERVER);
  expect(bytesOf(connection, frame(2, 'hello'), Kind.BYTES, () => connection.abort())).toBe('hello');
});

test('a Close', () => {
  const connection = new Connection(ConnectionType.SERVER);
  expect(bytesOf(connection, frame(8, '\x03\xe8bye'), Kind.CLOSE)).toBe('\x03\xe8bye');
});
