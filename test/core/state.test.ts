import { describe, expect, test } from 'vitest';
import { ConnectionState, nextState, Transition } from '../../src/core/state.js';

const { CONNECTING, OPEN, REMOTE_CLOSING, LOCAL_CLOSING, CLOSED, REJECTING } = ConnectionState;
const { CLOSE_RECEIVED, CLOSE_SENT, FAILED } = Transition;

describe('transitions', () => {
  test.each([
    [OPEN, CLOSE_RECEIVED, REMOTE_CLOSING],
    [OPEN, CLOSE_SENT, LOCAL_CLOSING],
    [REMOTE_CLOSING, CLOSE_SENT, CLOSED],
    [LOCAL_CLOSING, CLOSE_RECEIVED, CLOSED],
    ...[OPEN, REMOTE_CLOSING, LOCAL_CLOSING].map((state) => [state, FAILED, CLOSED] as const),
    ...[CLOSE_RECEIVED, CLOSE_SENT, FAILED].map((transition) => [CLOSED, transition, CLOSED] as const),
  ] as const)('from %i by %i to %i', (state, transition, expected) => {
    expect(nextState(state, transition)).toBe(expected);
  });

  test('states of the handshake are not of an established connection', () => {
    expect(new Set([CONNECTING, OPEN, REMOTE_CLOSING, LOCAL_CLOSING, CLOSED, REJECTING]).size).toBe(6);
  });
});
