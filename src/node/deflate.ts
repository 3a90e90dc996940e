/** permessage-deflate as servers and clients are asked for it, and its share of the time. */

import { ConnectionType, LocalProtocolError, PerMessageDeflate, type PerMessageDeflateOptions } from '../core/index.js';
import { type Timed, wheel } from './wheel.js';

/** Whether, and how, messages are compressed. */
export interface DeflateOption {
  /**
   * Compresses messages where the other side agrees (permessage-deflate, RFC 7692): `true`, or how. Off by default: it
   * costs CPU and memory, and a secret that is compressed together with what an attacker chooses can be guessed by the
   * size of the result. A `PerMessageDeflate` may be shared by several servers or clients, with its limits and counts.
   */
  readonly perMessageDeflate?: boolean | PerMessageDeflateOptions | PerMessageDeflate;
}

/** Tells a configuration the time, while it wants to know. */
class Timekeeper implements Timed {
  bucket: number | null = null;
  readonly #deflate: PerMessageDeflate;

  constructor(deflate: PerMessageDeflate) {
    this.#deflate = deflate;
    deflate.onDeadline = () => wheel.set(this, wheel.now());
    if (deflate.nextDeadline() !== null) deflate.onDeadline();
  }

  onDeadline(now: number): void {
    this.#deflate.handleTimeout(now);
    wheel.set(this, this.#deflate.nextDeadline());
  }
}

/** Clients that ask for the same share what goes around; servers count on their own. */
const ofClients = new WeakMap<PerMessageDeflateOptions, PerMessageDeflate>();
const byDefault: PerMessageDeflateOptions = Object.freeze({});

/**
 * What a handshake of that type is to offer or agree to, or null for nothing.
 *
 * @throws LocalProtocolError `INVALID_OPTION`
 */
export function deflateFor(
  type: ConnectionType,
  { perMessageDeflate: option = false }: DeflateOption,
): PerMessageDeflate | null {
  if (option === false) return null;
  if (option !== true && (typeof option !== 'object' || option === null)) {
    throw new LocalProtocolError('INVALID_OPTION', 'perMessageDeflate must be true, false or an object');
  }
  const deflate = type === ConnectionType.SERVER ? forServer(option) : forClient(option);
  const { serverMaxWindowBits, clientMaxWindowBits } = deflate.parameters;
  const [name, bits] =
    type === ConnectionType.SERVER
      ? ['serverMaxWindowBits', serverMaxWindowBits]
      : ['clientMaxWindowBits', clientMaxWindowBits];
  if (bits < 9) {
    throw new LocalProtocolError('INVALID_OPTION', `perMessageDeflate: ${name} must be at least 9 on this side`);
  }
  if (deflate.onDeadline === null) new Timekeeper(deflate);
  return deflate;
}

function forServer(option: true | PerMessageDeflateOptions | PerMessageDeflate): PerMessageDeflate {
  if (option instanceof PerMessageDeflate) return option;
  return new PerMessageDeflate(option === true ? byDefault : option);
}

function forClient(option: true | PerMessageDeflateOptions | PerMessageDeflate): PerMessageDeflate {
  if (option instanceof PerMessageDeflate) return option;
  const options = option === true ? byDefault : option;
  let deflate = ofClients.get(options);
  if (deflate === undefined) {
    deflate = new PerMessageDeflate(options);
    ofClients.set(options, deflate);
  }
  return deflate;
}
