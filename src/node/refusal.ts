/** How a request for a WebSocket is refused: an ordinary HTTP response, and the end of the connection. */

import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { HeaderList } from '../core/index.js';
import { cutOff } from './h2/transport.js';
import { type Timed, wheel } from './wheel.js';

/** How long a client may take to close after it was refused, in milliseconds. */
const LINGER = 2000;

/** Of how many clients that is waited for; of more, those that had the longest are cut off. */
const MOST = 1000;

/** In the order in which they were refused. */
const lingering = new Set<Refusal>();

/** A response without a body, for a request that no handshake has looked at. */
export function refusalOf(statusCode: number, headers: HeaderList = []): Uint8Array {
  // RFC 9110 §7.8: whoever sends Upgrade, as a 426 must, names it in Connection.
  const fields: HeaderList =
    statusCode === 426
      ? [...headers, ['Upgrade', 'websocket'], ['Connection', 'close, Upgrade']]
      : [...headers, ['Connection', 'close']];
  const lines = [...fields, ['Content-Length', '0']].map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`HTTP/1.1 ${statusCode} ${STATUS_CODES[statusCode]}\r\n${lines.join('')}\r\n`, 'latin1');
}

/**
 * The last words to a client. What it still sends is read and forgotten, for a while: a stream closed with input
 * unread may be reset before the client sees the answer (RFC 9112 §9.6).
 */
export class Refusal implements Timed {
  bucket: number | null = null;
  readonly #stream: Duplex;

  /**
   * @param answer writes it, and ends the stream
   * @param closed called once, when the stream is closed
   */
  constructor(stream: Duplex, answer: () => void, closed: (refusal: Refusal) => void) {
    this.#stream = stream;
    stream.on('error', ignore);
    stream.on('close', () => {
      wheel.set(this, null);
      lingering.delete(this);
      closed(this);
    });
    answer();
    stream.resume();
    wheel.set(this, wheel.now() + LINGER);
    lingering.add(this);
    const [first] = lingering;
    if (lingering.size > MOST) first.cutOff();
  }

  onDeadline(): void {
    this.cutOff();
  }

  cutOff(): void {
    // The close event comes later; until then it must not be the first again.
    lingering.delete(this);
    // What could not all be sent must not look as if it was.
    if (this.#stream.writableFinished) this.#stream.destroy();
    else cutOff(this.#stream);
  }
}

/** Its `close` follows, and says all there is to say. */
export function ignore(): void {}
