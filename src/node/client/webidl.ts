/** Conversions of arguments (Web IDL §3.2), and the checks that the standard's classes share. */

import { types } from 'node:util';
import { CloseCode, LocalProtocolError } from '../../core/index.js';

/** [Clamp] unsigned short. */
export function clampedShort(value: unknown): number {
  // Only unary plus is ToNumber: `Number` takes a BigInt, which Web IDL does not.
  const number = Math.min(Math.max(+(value as number) || 0, 0), 0xffff);
  const floor = Math.floor(number);
  const rest = number - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/** [EnforceRange] unsigned short. */
export function enforcedShort(value: unknown, name: string): number {
  const number = Math.trunc(+(value as number));
  if (!(number >= 0 && number <= 0xffff)) throw new TypeError(`${name} is not a number from 0 to 65535`);
  return number + 0;
}

/**
 * The code of a Close that is to be sent (WHATWG WebSockets §3.1, "close the WebSocket").
 *
 * @returns 1005 for none
 * @throws DOMException `InvalidAccessError` for a code other than 1000 and 3000 to 4999, `SyntaxError` for a reason of
 *   more than 123 bytes
 */
export function closeCodeToSend(code: number | null, reason: string): number {
  if (code !== null && code !== CloseCode.NORMAL_CLOSURE && !(code >= 3000 && code <= 4999)) {
    throw new DOMException(`the close code is 1000 or from 3000 to 4999, not ${code}`, 'InvalidAccessError');
  }
  const length = Buffer.byteLength(reason);
  if (length > 123) throw new DOMException(`a close reason has 123 bytes at most, not ${length}`, 'SyntaxError');
  return code ?? (reason === '' ? CloseCode.NO_STATUS_RECEIVED : CloseCode.NORMAL_CLOSURE);
}

/**
 * The bytes of a BufferSource as they are, or null for what is none.
 *
 * @throws TypeError for shared memory, which another thread could change
 */
export function bufferSource(value: unknown): Uint8Array | null {
  if (types.isUint8Array(value)) return unshared(value.buffer) && value;
  if (ArrayBuffer.isView(value)) {
    return unshared(value.buffer) && new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  return types.isAnyArrayBuffer(value) && unshared(value) ? new Uint8Array(value) : null;
}

function unshared(buffer: ArrayBufferLike): true {
  if (types.isSharedArrayBuffer(buffer)) throw new TypeError('shared memory cannot be sent');
  return true;
}

/** DOMString or sequence<DOMString>, as a sequence. */
export function stringsOf(value: string | Iterable<string>): string[] {
  return typeof value === 'object' ? Array.from(value, (each) => `${each}`) : [`${value}`];
}

const SYNTAX_ERRORS: readonly string[] = ['INVALID_URL', 'INVALID_HOST', 'INVALID_SUBPROTOCOL'];

/** Runs a constructor's work, with the exceptions that the standard wants for a bad URL and bad subprotocols. */
export function withSyntaxErrors<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof LocalProtocolError) || !SYNTAX_ERRORS.includes(error.code)) throw error;
    throw new DOMException(error.message, { name: 'SyntaxError', cause: error });
  }
}

/** Members of a class as Web IDL has them: they can be enumerated. */
export function makeEnumerable(prototype: object, names: readonly string[]): void {
  for (const name of names) Object.defineProperty(prototype, name, { enumerable: true });
}
