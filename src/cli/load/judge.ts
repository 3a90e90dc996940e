/** Says what is wrong with a reply. */

import { LoadFault } from './fault.js';
import type { Messages } from './messages.js';

/** Bytes that are shown of what differs. */
const SHOWN = 12;

/**
 * @param next the number in the ring of the message that was to come
 * @param total how many came before it on this connection
 * @param came the payload that came in its place
 * @param waiting how many were to come, this one among them
 */
export function judge(
  messages: Messages,
  next: number,
  total: number,
  came: Buffer,
  text: boolean,
  waiting: number,
): LoadFault {
  const { count, size } = messages;
  const expected = messages.payload(next);
  const where = `message ${total}`;
  if (text !== messages.text) {
    const [is, wanted] = text ? ['text', 'binary'] : ['binary', 'text'];
    return new LoadFault('CORRUPT', `${where} came as ${is} in place of ${wanted}`);
  }
  if (came.length === size) {
    for (let ahead = 1; ahead < Math.min(waiting, count); ahead++) {
      if (messages.payload((next + ahead) % count).equals(came)) {
        return new LoadFault(
          'MISSING',
          `${where} was left out or overtaken: message ${total + ahead} came in its place`,
        );
      }
    }
    for (let ago = 1; ago <= Math.min(count - waiting, total); ago++) {
      if (messages.payload((next + count - ago) % count).equals(came)) {
        return new LoadFault('UNEXPECTED', `message ${total - ago} came again, in place of ${where}`);
      }
    }
  }
  const from = firstDifference(expected, came);
  const wanted = `expected ${size} bytes${shown(expected, from)}`;
  const found = `${came.length} bytes came${shown(came, from)}`;
  return new LoadFault('CORRUPT', `${where} differs from byte ${from} on: ${wanted}, ${found}`);
}

function firstDifference(a: Buffer, b: Buffer): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return length;
}

function shown(bytes: Buffer, from: number): string {
  return from >= bytes.length ? '' : ` with ${bytes.toString('hex', from, from + SHOWN)} there`;
}
