/** One message to many connections, without a topic. */

import { FrameLog, LocalProtocolError, PreparedMessage, type SharedEncoder } from '../../core/index.js';
import type { Link } from '../link.js';
import { iterable, linkOf, Peer } from '../peer.js';
import { type BroadcastOptions, type Message, messageOf, type Publishable } from './message.js';

/**
 * Sends a message to each of the connections, as `send` does to one, but frames it once for all of them, and compresses
 * it once for all with the same agreement. Bytes are copied, and may change afterwards. Those that are closing are left
 * out; where a message would pass `sendHardLimit` the policy of that connection decides, and with `'refuse'` its `error`
 * handler is given a SendLimitError.
 *
 * @param connections those of one server or of several, or those of clients
 * @returns how many connections it was sent to
 * @throws LocalProtocolError `INVALID_PAYLOAD`, `INVALID_UTF8`, and `INVALID_CONNECTION` for what is no connection
 */
export function broadcast(connections: Iterable<Peer>, data: Publishable, options: BroadcastOptions = {}): number {
  const message = messageOf(data, options);
  const links: Link[] = [];
  for (const peer of iterable(connections)) {
    if (!(peer instanceof Peer)) throw new LocalProtocolError('INVALID_CONNECTION', 'not a connection');
    const link = linkOf(peer);
    if (link.canSend) links.push(link);
  }
  const frames = new Frames(message);
  try {
    for (const link of links) frames.sendTo(link);
  } finally {
    frames.clear();
  }
  return links.length;
}

/** A message in the form that each kind of connection needs. */
class Frames {
  readonly #message: Message;
  readonly #size: number;
  readonly #logs = new Map<SharedEncoder | null, FrameLog>();
  #prepared: PreparedMessage | null = null;

  constructor(message: Message) {
    this.#message = message;
    this.#size = Buffer.byteLength(message.data);
  }

  sendTo(link: Link): void {
    const { data, isText, compress } = this.#message;
    const encoder = link.connection.sharedEncoder;
    if (encoder === undefined || (compress && encoder?.takesLong(this.#size))) {
      this.#prepared ??= new PreparedMessage(data, { binary: !isText, compress });
      link.sendPrepared(this.#prepared);
      return;
    }
    let log = this.#logs.get(encoder);
    if (log === undefined) {
      log = new FrameLog(encoder);
      log.write(data, isText, compress);
      this.#logs.set(encoder, log);
    }
    link.published?.deliver();
    link.sendFrames(log.frames());
  }

  clear(): void {
    for (const log of this.#logs.values()) log.clear();
  }
}
