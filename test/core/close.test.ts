import { describe, expect, test } from 'vitest';
import { CloseCode, closePayload, isSendableCode, parseClose } from '../../src/core/close.js';
import { CloseConnection } from '../../src/core/events.js';
import { expectLocalError } from './support.js';

/** RFC 6455 §7.4.1, §7.4.2 and the IANA registry, written down once more. */
function mayTravel(code: number): boolean {
  if (code >= 3000 && code <= 4999) return true;
  return [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014].includes(code);
}

describe('close codes', () => {
  test('every one of 16 bits is sendable or not, and taken or not, as the registry says', () => {
    for (let code = 0; code <= 0xffff; code++) {
      const taken = !('closeCode' in parseClose(Uint8Array.of(code >>> 8, code & 255)));
      if (isSendableCode(code) !== mayTravel(code) || taken !== mayTravel(code)) expect(code).toBe('judged otherwise');
    }
  });

  test('have names', () => {
    for (const [name, code] of Object.entries(CloseCode)) {
      expect(isSendableCode(code), name).toBe(
        !['NO_STATUS_RECEIVED', 'ABNORMAL_CLOSURE', 'TLS_HANDSHAKE'].includes(name),
      );
    }
  });

  test('are whole numbers', () => {
    for (const code of [1000.5, Number.NaN, Number.POSITIVE_INFINITY, -1000, '1000' as unknown as number]) {
      expect(isSendableCode(code)).toBe(false);
    }
  });
});

describe('close payloads', () => {
  test('come back as they were made', () => {
    for (const reason of ['', 'bye', 'ä€😀', '\ufeff', 'x'.repeat(123), '\ud83d']) {
      const expected = { code: 4321, reason: Buffer.from(reason).toString() };
      expect(parseClose(closePayload(4321, reason))).toEqual(expected);
    }
    expect(parseClose(closePayload(1005, ''))).toEqual({ code: 1005, reason: '' });
  });

  test('hold no more than a control frame can', () => {
    expectLocalError(() => closePayload(1000, `${'€'.repeat(41)}x`), 'INVALID_CLOSE_REASON');
    expect(closePayload(1000, '€'.repeat(41))).toHaveLength(125);
  });

  test('are read where they lie', () => {
    const memory = new Uint8Array([0, 0, 3, 232, 0x68, 0x69, 0xff]);
    expect(parseClose(memory.subarray(2, 6))).toEqual({ code: 1000, reason: 'hi' });
  });
});

test('the answer to a Close has its code and no reason', () => {
  expect(new CloseConnection(4000, 'why', 'peer').response()).toEqual(new CloseConnection(4000));
  expect(new CloseConnection(1005, '', 'peer').response()).toEqual(new CloseConnection());
});
