import { describe, expect, test } from 'vitest';
import { closePayload, isSendableCode } from '../../src/core/close.js';
import { RemoteProtocolError } from '../../src/core/errors.js';
import * as violations from '../../src/core/violations.js';
import { ScanStatus } from '../../src/kernels/index.js';

const statuses = Object.values(ScanStatus).filter((status): status is ScanStatus => Number(status) >= 16);
const { headerViolation, MAX_FRAME_SIZE, MAX_MESSAGE_SIZE, violationError } = violations;

const named = Object.entries(violations).filter(
  (entry): entry is [string, violations.Violation] => typeof entry[1] === 'object' && 'closeCode' in entry[1],
);
const all = [...named.map(([, one]) => one), ...statuses.map((status) => headerViolation(status, MAX_FRAME_SIZE))];

describe('violations', () => {
  test('each can be told to the peer', () => {
    expect(all.length).toBeGreaterThan(15);
    for (const { code, closeCode, message } of all) {
      expect(code).toMatch(/^[A-Z0-9_]+$/);
      expect(isSendableCode(closeCode)).toBe(true);
      expect(closePayload(closeCode, message).length).toBeLessThanOrEqual(125);
    }
  });

  test('are known by the names they are exported under', () => {
    for (const [name, { code }] of named) expect(code).toBe(name);
  });

  test('of a header have the name that the scan gives them, but for a limit', () => {
    expect(statuses).toHaveLength(9);
    for (const status of statuses) {
      if (status === ScanStatus.FRAME_TOO_LARGE) continue;
      expect(headerViolation(status, MAX_FRAME_SIZE).code).toBe(ScanStatus[status]);
    }
    expect(headerViolation(ScanStatus.FRAME_TOO_LARGE, MAX_MESSAGE_SIZE)).toBe(MAX_MESSAGE_SIZE);
  });

  test('become errors', () => {
    const error = violationError(MAX_FRAME_SIZE);
    expect(error).toBeInstanceOf(RemoteProtocolError);
    expect([error.code, error.name, error.eventHint]).toEqual(['MAX_FRAME_SIZE', 'RemoteProtocolError', null]);
    expect(error.message).toBe(MAX_FRAME_SIZE.message);
  });
});
