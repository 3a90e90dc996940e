/**
 * Header blocks of HTTP/1.1: reading one as its bytes arrive, and writing one. The reader is as strict as RFC 9112
 * allows, because wherever two parsers on one path disagree about where a line or a message ends, a request can be
 * smuggled past one of them.
 */

import { Buffer } from 'node:buffer';
import { RemoteProtocolError } from '../errors.js';
import type { HeaderList } from '../events.js';
import type { HandshakeLimits } from '../limits.js';
import type { ByteQueue } from './byte-queue.js';
import { isToken, trimOws } from './grammar.js';

const HTAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SP = 0x20;
const DEL = 0x7f;

/** Reads lines that end in CRLF, no more bytes of them in total than a limit, and scans no byte twice. */
export class LineReader {
  #remaining: number;
  #scanned = 0;
  readonly #overflow: () => RemoteProtocolError;

  /**
   * @param limit the most bytes that all lines may have together, line ends included
   * @param overflow makes the error for the byte beyond
   */
  constructor(limit: number, overflow: () => RemoteProtocolError) {
    this.#remaining = limit;
    this.#overflow = overflow;
  }

  /**
   * Takes one line from `input`.
   *
   * @param code the code of the error for a byte that may not stand in the line
   * @returns the line as latin1 without its end, or null when it is not there as a whole
   * @throws RemoteProtocolError at the first byte that is wrong or one too many, without waiting for the rest
   */
  read(input: ByteQueue, code: string): string | null {
    const bytes = input.peek();
    for (let i = this.#scanned; i < bytes.length; i++) {
      if (i >= this.#remaining) throw this.#overflow();
      const byte = bytes[i];
      const afterCr = i > 0 && bytes[i - 1] === CR;
      // A line ends in CRLF and nothing else. RFC 9112 §2.2 lets a recipient take a bare LF for a line end; a proxy
      // that does not, and forwards the "line" whole, would then disagree with us about which fields there are.
      if (byte === LF) {
        if (!afterCr) throw new RemoteProtocolError(code, 'a line feed without a carriage return before it');
        this.#scanned = 0;
        this.#remaining -= i + 1;
        input.skip(i + 1);
        return Buffer.from(bytes.buffer, bytes.byteOffset, i - 1).toString('latin1');
      }
      if (afterCr) throw new RemoteProtocolError(code, 'a carriage return without a line feed after it');
      // RFC 9110 §5.5. In a start line this also tells a TLS client on a plain port at its first byte.
      if ((byte < SP && byte !== HTAB && byte !== CR) || byte === DEL) {
        throw new RemoteProtocolError(code, `a control character, 0x${byte.toString(16).padStart(2, '0')}`);
      }
    }
    this.#scanned = bytes.length;
    return null;
  }
}

/**
 * Reads one `name: value` line (RFC 9112 §5).
 *
 * @throws RemoteProtocolError `INVALID_HEADER`
 */
export function parseField(line: string): readonly [name: string, value: string] {
  // RFC 9112 §5.2: obsolete line folding. Left alone, its first line could pass a filter that the whole would not.
  if (line.startsWith(' ') || line.startsWith('\t')) {
    throw new RemoteProtocolError('INVALID_HEADER', 'a header line starts with whitespace');
  }
  const colon = line.indexOf(':');
  const name = line.slice(0, Math.max(colon, 0));
  // RFC 9112 §5.1: whitespace before the colon makes a different field of it for some parsers. It is no token either.
  if (!isToken(name)) throw new RemoteProtocolError('INVALID_HEADER', 'a header line does not start with a field name');
  return [name, trimOws(line.slice(colon + 1))];
}

/** A header block: its start line as parsed, and its fields. */
export interface Head<Start> {
  readonly start: Start;
  readonly headers: HeaderList;
}

/** Reads header blocks that share the limits of one handshake, so that 1xx responses cannot go on for ever. */
export class HeadReader<Start> {
  readonly #lines: LineReader;
  readonly #maxFields: number;
  readonly #parseStart: (line: string) => Start;
  #emptyLines: number;
  #start: Start | null = null;
  #headers: (readonly [string, string])[] = [];
  #fields = 0;

  /**
   * @param parseStart takes a start line, which is judged as soon as it is there: an HTTP/0.9 request has no more
   * @param emptyLines how many empty lines to skip before the first start line
   */
  constructor(limits: HandshakeLimits, parseStart: (line: string) => Start, emptyLines = 0) {
    const { maxHeaderSize } = limits;
    this.#lines = new LineReader(
      maxHeaderSize,
      () =>
        new RemoteProtocolError('HEADERS_TOO_LARGE', `the header block is over maxHeaderSize, ${maxHeaderSize} bytes`),
    );
    this.#maxFields = limits.maxHeaderFields;
    this.#parseStart = parseStart;
    this.#emptyLines = emptyLines;
  }

  /**
   * Takes a header block from `input`; what follows it stays there.
   *
   * @returns the block, or null when it is not there as a whole
   * @throws RemoteProtocolError `INVALID_START_LINE`, `INVALID_HEADER`, `HEADERS_TOO_LARGE`, `TOO_MANY_HEADERS`, or
   * what `parseStart` throws
   */
  read(input: ByteQueue): Head<Start> | null {
    for (;;) {
      const line = this.#lines.read(input, this.#start === null ? 'INVALID_START_LINE' : 'INVALID_HEADER');
      if (line === null) return null;
      if (this.#start === null) {
        if (line === '' && this.#emptyLines-- > 0) continue;
        this.#start = this.#parseStart(line);
      } else if (line === '') {
        const head = { start: this.#start, headers: this.#headers };
        this.#start = null;
        this.#headers = [];
        return head;
      } else {
        checkFieldCount(++this.#fields, this.#maxFields);
        this.#headers.push(parseField(line));
      }
    }
  }
}

/** @throws RemoteProtocolError `TOO_MANY_HEADERS` when `count` is above `maxHeaderFields` */
export function checkFieldCount(count: number, maxHeaderFields: number): void {
  if (count > maxHeaderFields) {
    throw new RemoteProtocolError('TOO_MANY_HEADERS', `more than maxHeaderFields, ${maxHeaderFields} header fields`);
  }
}

/** The bytes of a header block. All parts must have been checked: nothing is escaped here. */
export function writeHead(startLine: string, headers: HeaderList): Uint8Array {
  const fields = headers.map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${startLine}\r\n${fields.join('')}\r\n`, 'latin1');
}
