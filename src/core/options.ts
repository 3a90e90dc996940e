/** The options of a connection: checked once, then never changed. */

import { type Kernels, kernels } from '../kernels/index.js';
import { LocalProtocolError } from './errors.js';
import type { Delivery } from './frames/reader.js';
import { type ConnectionLimits, DEFAULT_LIMITS } from './limits.js';
import { type MaskingKeySource, randomMaskingKeys } from './masking.js';

/**
 * What becomes of a message that would pass `sendHardLimit`: `'refuse'` throws it back in a `SendLimitError`,
 * `'drop'` forgets it (but refuses a fragment, without which the rest would be another message), `'close'` forgets it
 * and closes the connection with 1013.
 */
export type OverflowPolicy = 'refuse' | 'drop' | 'close';

/** How a connection behaves; every field has a default. */
export interface ConnectionOptions extends Partial<ConnectionLimits> {
  /** Whole messages (the default), a frame at a time, or pieces as they arrive. */
  readonly delivery?: Delivery;
  /** Answer each Ping by itself. Off by default, as in wsproto. */
  readonly autoPong?: boolean;
  /** Answer the peer's Close by itself. Off by default, as in wsproto. */
  readonly autoClose?: boolean;
  readonly overflow?: OverflowPolicy;
  /** A client's source of masking keys; random ones by default. */
  readonly maskingKeys?: MaskingKeySource;
  /** The kernels to use; those of `millrace/kernels` by default. */
  readonly kernels?: Kernels;
  /** Bytes that followed the opening handshake, as if given to `receiveData` first. */
  readonly trailingData?: Uint8Array;
}

/** Options with every default filled in. One may be shared by any number of connections. */
export class ConnectionConfig implements ConnectionLimits {
  readonly maxMessageSize: number;
  readonly maxFrameSize: number;
  readonly maxFragments: number;
  readonly receiveHighWater: number;
  readonly sendHighWater: number;
  readonly sendLowWater: number;
  readonly sendHardLimit: number;
  readonly closeTimeout: number;
  readonly pingInterval: number;
  readonly pingTimeout: number;
  readonly delivery: Delivery;
  readonly autoPong: boolean;
  readonly autoClose: boolean;
  readonly overflow: OverflowPolicy;
  readonly maskingKeys: MaskingKeySource;
  readonly kernels: Kernels;

  /** @throws LocalProtocolError `INVALID_OPTION` naming the option */
  constructor(options: Omit<ConnectionOptions, 'trailingData'> = {}) {
    this.maxMessageSize = limit(options, 'maxMessageSize');
    this.maxFrameSize = limit(options, 'maxFrameSize', this.maxMessageSize);
    this.maxFragments = limit(options, 'maxFragments');
    if (this.maxFragments < 1) fail('maxFragments', 'must be at least 1');
    this.receiveHighWater = limit(options, 'receiveHighWater');
    this.sendHighWater = limit(options, 'sendHighWater');
    this.sendLowWater = limit(options, 'sendLowWater', Math.min(DEFAULT_LIMITS.sendLowWater, this.sendHighWater));
    this.sendHardLimit = limit(options, 'sendHardLimit');
    this.closeTimeout = limit(options, 'closeTimeout');
    this.pingInterval = limit(options, 'pingInterval');
    // Zero would ping without end; whoever means "never" says Infinity.
    if (this.pingInterval === 0) fail('pingInterval', 'must be above 0');
    this.pingTimeout = limit(options, 'pingTimeout');
    if (this.sendLowWater > this.sendHighWater) fail('sendLowWater', 'must not be above sendHighWater');
    this.delivery = oneOf(options, 'delivery', ['messages', 'frames', 'chunks']);
    this.overflow = oneOf(options, 'overflow', ['refuse', 'drop', 'close']);
    this.autoPong = options.autoPong ?? false;
    this.autoClose = options.autoClose ?? false;
    this.maskingKeys = options.maskingKeys ?? randomMaskingKeys;
    this.kernels = options.kernels ?? kernels;
    Object.freeze(this);
  }
}

function fail(name: string, message: string): never {
  throw new LocalProtocolError('INVALID_OPTION', `${name} ${message}`);
}

function limit<Name extends keyof ConnectionLimits>(
  options: ConnectionOptions,
  name: Name,
  fallback: number = DEFAULT_LIMITS[name],
): number {
  const value = options[name] ?? fallback;
  if (typeof value !== 'number' || !(value >= 0)) fail(name, 'must be a number from 0 to Infinity');
  return value;
}

function oneOf<Name extends 'delivery' | 'overflow'>(
  options: ConnectionOptions,
  name: Name,
  choices: readonly NonNullable<ConnectionOptions[Name]>[],
): NonNullable<ConnectionOptions[Name]> {
  const value = options[name] ?? choices[0];
  if (!choices.includes(value)) fail(name, `must be one of ${choices.join(', ')}`);
  return value;
}
