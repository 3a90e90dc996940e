import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RejectData } from '../../../src/core/events.js';
import { bodyReaderFor } from '../../../src/core/handshake/body.js';
import { CLOSED, client, eventOf, expectRemoteError, latin1, play, REJECTING, text } from './vocabulary.js';

test('how a body is delimited (RFC 9112 §6.3)', () => {
  const name = (status: number, headers: [string, string][], minor = 1) =>
    bodyReaderFor(status, headers, minor)?.constructor.name ?? null;
  expect(name(200, [])).toBe('BodyUntilEof');
  expect(name(204, [])).toBeNull();
  expect(name(304, [['content-length', '5']])).toBeNull();
  expect(name(400, [['content-length', '5']])).toBe('SizedBody');
  expect(name(400, [['Content-Length', '00']])).toBeNull();
  expect(name(400, [['transfer-encoding', 'chunked']])).toBe('ChunkedBody');
  for (const length of ['', '-1', '1.0', '1,', '1,2', '0x1', '1'.repeat(16)]) {
    expectRemoteError(() => name(400, [['content-length', length]]), 'INVALID_BODY');
  }
});

describe('pieces leave as they arrive', () => {
  test.each([
    ['by length', 'Content-Length: 1000', 'ab'],
    ['chunked', 'Transfer-Encoding: chunked', '3e8\r\nab'],
    ['until EOF', 'X: y', 'ab'],
  ])('%s', (_name, field, start) => {
    const handshake = client();
    handshake.receiveData(latin1(`HTTP/1.1 403 \r\n${field}\r\n\r\n${start}`));
    expect(eventOf(handshake).type).toBe('reject');
    for (const sent of ['ab', 'cd', 'ef']) {
      expect(handshake.state).toBe(REJECTING);
      if (sent !== 'ab') handshake.receiveData(latin1(sent));
      const piece = eventOf(handshake);
      if (!(piece instanceof RejectData)) throw new Error('no piece');
      expect(text(piece.data)).toBe(sent);
      expect(piece.bodyFinished).toBe(false);
    }
  });
});

test('any body in any chunks, cut anywhere', () => {
  const chunk = fc.uint8Array({ minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(fc.array(chunk), fc.array(fc.nat(40)), (chunks, lengths) => {
      const coded = chunks.map((bytes) => `${bytes.length.toString(16)}\r\n${text(bytes)}\r\n`).join('');
      const input = `HTTP/1.1 500 \r\nTransfer-Encoding: chunked\r\n\r\n${coded}0\r\n\r\nrest`;
      const pieces: string[] = [];
      let at = 0;
      for (const length of lengths) {
        pieces.push(input.slice(at, at + length));
        at += length;
      }
      const outcome = play(client(), [...pieces, input.slice(at)]);
      expect(outcome.events[1]).toBe(`body: ${chunks.map(text).join('')}`);
      expect(outcome).toMatchObject({ error: null, state: CLOSED, trailing: '' });
    }),
  );
});

test('trailers are bounded', () => {
  const trailers = `HTTP/1.1 400 \r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${'a: b\r\n'.repeat(1400)}`;
  expect(play(client(), [trailers]).error).toBe('INVALID_BODY');
});
