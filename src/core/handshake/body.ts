/** The body of a rejection as a client reads it (RFC 9112 §6, §7). Nothing is stored: pieces go out as they come in. */

import { RemoteProtocolError } from '../errors.js';
import { type HeaderList, RejectData } from '../events.js';
import type { ByteQueue } from './byte-queue.js';
import { valuesOf } from './fields.js';
import { splitList } from './grammar.js';
import { LineReader, parseField } from './http1.js';

/** The most bytes of a line with the size of a chunk. Its extensions mean nothing to us. */
const MAX_CHUNK_LINE = 256;
/** The most bytes of trailer fields. */
const MAX_TRAILERS = 8 * 1024;

const EMPTY = new Uint8Array(0);

/** Takes the body from the bytes that arrive. */
export interface BodyReader {
  /**
   * @param eof true when no more bytes will come than `input` has
   * @returns the next piece, the last one with `bodyFinished`, or null when more bytes are needed
   * @throws RemoteProtocolError `INVALID_BODY`
   */
  read(input: ByteQueue, eof: boolean): RejectData | null;
}

/**
 * Finds out how the body of a response is delimited (RFC 9112 §6.3).
 *
 * @param minorVersion that of HTTP/1.x
 * @returns a reader for the body, or null when there is none
 * @throws RemoteProtocolError `INVALID_BODY` when the fields contradict each other, are malformed, or name a transfer
 * coding other than chunked
 */
export function bodyReaderFor(statusCode: number, headers: HeaderList, minorVersion: number): BodyReader | null {
  if (statusCode === 204 || statusCode === 304) return null;
  const codings = valuesOf(headers, 'transfer-encoding');
  const lengths = valuesOf(headers, 'content-length');
  if (codings.length > 0) {
    // RFC 9112 §6.1: both together are the classic way to smuggle, and HTTP/1.0 knows no transfer codings.
    if (lengths.length > 0) throw invalid('both Transfer-Encoding and Content-Length');
    if (minorVersion === 0) throw invalid('Transfer-Encoding in HTTP/1.0');
    if (codings.join(',').toLowerCase() !== 'chunked') throw invalid('a transfer coding other than chunked');
    return new ChunkedBody();
  }
  if (lengths.length === 0) return new BodyUntilEof();
  // RFC 9110 §8.6: the same length may be repeated, for some intermediaries do. Different ones are an attack.
  const [first, ...others] = splitList(lengths);
  if (!/^\d{1,15}$/.test(first) || others.some((other) => other !== first)) throw invalid('Content-Length');
  const length = Number(first);
  return length === 0 ? null : new SizedBody(length);
}

class SizedBody implements BodyReader {
  #remaining: number;

  constructor(length: number) {
    this.#remaining = length;
  }

  read(input: ByteQueue): RejectData | null {
    if (input.length === 0) return null;
    const piece = input.take(this.#remaining);
    this.#remaining -= piece.length;
    return new RejectData(piece, this.#remaining === 0);
  }
}

class BodyUntilEof implements BodyReader {
  read(input: ByteQueue, eof: boolean): RejectData | null {
    if (input.length > 0) return new RejectData(input.take(input.length), false);
    return eof ? new RejectData(EMPTY, true) : null;
  }
}

/** RFC 9112 §7.1. */
class ChunkedBody implements BodyReader {
  #expecting: 'size' | 'data' | 'data-end' | 'trailer' = 'size';
  #lines = linesOf(MAX_CHUNK_LINE);
  #remaining = 0;

  read(input: ByteQueue): RejectData | null {
    for (;;) {
      if (this.#expecting === 'data') {
        if (input.length === 0) return null;
        const piece = input.take(this.#remaining);
        this.#remaining -= piece.length;
        if (this.#remaining === 0) this.#expectLine('data-end', '\r\n'.length);
        return new RejectData(piece, false);
      }
      const line = this.#lines.read(input, 'INVALID_BODY');
      if (line === null) return null;
      if (this.#expecting === 'size') {
        // No whitespace after the size, no sign, no prefix: other parsers read those in other ways.
        const match = /^([0-9a-f]{1,13})(?:[ \t]*;.*)?$/i.exec(line);
        if (match === null) throw invalid('the size of a chunk');
        this.#remaining = Number.parseInt(match[1], 16);
        if (this.#remaining > 0) this.#expecting = 'data';
        else this.#expectLine('trailer', MAX_TRAILERS);
      } else if (this.#expecting === 'data-end') {
        this.#expectLine('size', MAX_CHUNK_LINE);
      } else if (line === '') {
        return new RejectData(EMPTY, true);
      } else {
        parseField(line);
      }
    }
  }

  #expectLine(what: 'size' | 'data-end' | 'trailer', limit: number): void {
    this.#expecting = what;
    this.#lines = linesOf(limit);
  }
}

function linesOf(limit: number): LineReader {
  return new LineReader(limit, () => invalid(`a line of the chunked coding is over ${limit} bytes`));
}

function invalid(what: string): RemoteProtocolError {
  return new RemoteProtocolError('INVALID_BODY', `the body of the rejection is malformed: ${what}`);
}
