/** Reads frames where a comparison of bytes does not do, and answers Pings. */

import {
  type CloseConnection,
  Connection,
  ConnectionType,
  type Delivery,
  type Extension,
  Kind,
} from '../../core/index.js';
import { LoadFault } from './fault.js';
import { headerSize } from './frames.js';

/** Takes a piece of a message; it is gone afterwards. */
export type TakePiece = (piece: Uint8Array, text: boolean, messageFinished: boolean) => void;

export class Parser {
  pongs = 0;
  readonly #connection: Connection;
  readonly #answer: (frame: Uint8Array) => void;
  readonly #output: Uint8Array[] = [];
  /** Bytes that were read, and those of them that are known to be of frames that are over: never more than are. */
  #read = 0;
  #accounted = 0;
  #isBetween = true;

  /**
   * @param answer writes Pongs
   * @param limit the largest message
   */
  constructor(
    extensions: readonly Extension[],
    answer: (frame: Uint8Array) => void,
    limit: number,
    delivery: Delivery = 'frames',
  ) {
    this.#answer = answer;
    this.#connection = new Connection(ConnectionType.CLIENT, extensions, {
      delivery,
      autoPong: true,
      maxMessageSize: limit,
      maxFrameSize: Number.POSITIVE_INFINITY,
      maxFragments: Number.POSITIVE_INFINITY,
    });
  }

  /** Whether the last byte that was read ended a message, and this is certain. */
  get isBetween(): boolean {
    return this.#isBetween && this.#read === this.#accounted;
  }

  /** @throws LoadFault for a Close and for what is no WebSocket protocol; whatever `take` throws */
  read(memory: Buffer, length: number, take: TakePiece): void {
    const connection = this.#connection;
    this.#read += length;
    connection.receiveBorrowed(memory.subarray(0, length));
    for (;;) {
      const kind = connection.poll();
      if (kind === Kind.NEED_DATA) break;
      if (kind === Kind.TEXT || kind === Kind.BYTES) {
        const finished = connection.messageFinished;
        if (connection.frameFinished) this.#account(connection.length);
        this.#isBetween = finished;
        take(connection.bytes(), kind === Kind.TEXT, finished);
      } else if (kind === Kind.CLOSE) {
        throw faultOf(connection.event() as CloseConnection);
      } else {
        this.#account(connection.length);
        if (kind === Kind.PONG) this.pongs++;
        else this.#flush();
      }
    }
    connection.keep();
  }

  #account(length: number): void {
    this.#accounted += headerSize(length, false) + length;
  }

  #flush(): void {
    const count = this.#connection.takeOutput(this.#output);
    if (count === 0) return;
    // Its memory is used again as soon as it is acknowledged.
    this.#answer(Buffer.concat(this.#output));
    this.#output.length = 0;
    this.#connection.acknowledge(count);
  }
}

function faultOf({ code, reason, origin, error }: CloseConnection): LoadFault {
  if (origin === 'violation') {
    const name = error === null ? '' : ` (${error.code})`;
    return new LoadFault('CORRUPT', `what came breaks the protocol: ${reason}${name}`);
  }
  const said = code === 1005 ? 'without a code' : `with ${code}`;
  return new LoadFault('CLOSED', `the server sent a Close ${said}${reason === '' ? '' : ` (${reason})`}`);
}
