/** Opens a WebSocket on a bare socket, and says what was answered where that fails. */

import { STATUS_CODES } from 'node:http';
import {
  ConnectionState,
  ConnectionType,
  type Extension,
  H1Handshake,
  type RejectConnection,
  Request,
  type SupportedExtension,
} from '../../core/index.js';
import { messageOf } from '../errors.js';
import { LoadFault } from './fault.js';
import type { Endpoint } from './target.js';
import { Wire, type WireOwner } from './wire.js';

/** A WebSocket that is open. Its wire still belongs to the opening: set an owner before anything else can happen. */
export interface Opened {
  readonly wire: Wire;
  readonly extensions: readonly Extension[];
  /** What came with the answer. */
  readonly trailing: Buffer;
}

/** The most of a refusal that is quoted. */
const QUOTED = 200;

/** Rejects with a LoadFault `HANDSHAKE`, or the reason of the signal. */
export function open(
  endpoint: Endpoint,
  extensions: readonly SupportedExtension[] = [],
  signal: AbortSignal | null = null,
): Promise<Opened> {
  return new Promise((resolve, reject) => new Opening(endpoint, extensions, signal, resolve, reject));
}

class Opening implements WireOwner {
  readonly #handshake: H1Handshake;
  readonly #wire: Wire;
  readonly #resolve: (opened: Opened) => void;
  readonly #reject: (reason: unknown) => void;
  readonly #signal: AbortSignal | null;
  readonly #timer: NodeJS.Timeout;
  readonly #onAbort = (): void => this.#fail(this.#signal?.reason);
  #refusal: RejectConnection | null = null;
  #body = '';
  #first = '';

  constructor(
    endpoint: Endpoint,
    extensions: readonly SupportedExtension[],
    signal: AbortSignal | null,
    resolve: (opened: Opened) => void,
    reject: (reason: unknown) => void,
  ) {
    this.#resolve = resolve;
    this.#reject = reject;
    this.#signal = signal;
    this.#handshake = new H1Handshake(ConnectionType.CLIENT, { extensions });
    const { host, path: target, protocols: subprotocols, headers: extraHeaders, timeout } = endpoint;
    const request = this.#handshake.send(new Request({ host, target, subprotocols, extraHeaders }));
    this.#wire = new Wire(endpoint, this);
    this.#wire.write(request);
    signal?.addEventListener('abort', this.#onAbort);
    this.#timer = setTimeout(() => this.#late(timeout), timeout);
  }

  onBytes(memory: Buffer, length: number): void {
    const bytes = Buffer.from(memory.subarray(0, length));
    if (this.#first === '') this.#first = bytes.toString('latin1', 0, QUOTED);
    this.#handshake.receiveData(bytes);
    this.#read();
  }

  onEnd(error: Error | null): void {
    if (this.#refusal !== null) this.#refused();
    else if (error !== null) this.#fail(new LoadFault('HANDSHAKE', describe(error), { cause: error }));
    else {
      this.#handshake.receiveData(null);
      this.#read();
    }
  }

  #read(): void {
    try {
      for (const event of this.#handshake.events()) {
        if (event.type === 'accept') {
          this.#accepted();
          return;
        }
        if (event.type === 'reject') this.#refusal = event;
        else if (event.type === 'reject-data') this.#body += Buffer.from(event.data).toString('latin1', 0, QUOTED);
      }
    } catch (error) {
      const quoted = this.#first === '' ? '' : `; it answered ${JSON.stringify(this.#first)}`;
      this.#fail(new LoadFault('HANDSHAKE', `${messageOf(error)}${quoted}`, { cause: error }));
      return;
    }
    if (this.#refusal !== null && this.#handshake.state === ConnectionState.CLOSED) this.#refused();
  }

  #accepted(): void {
    this.#settle();
    const { extensions, trailingData } = this.#handshake;
    this.#resolve({ wire: this.#wire, extensions, trailing: Buffer.from(trailingData) });
  }

  #refused(): void {
    const { statusCode } = this.#refusal as RejectConnection;
    const status = `${statusCode} ${STATUS_CODES[statusCode] ?? ''}`.trimEnd();
    const body = this.#body.trim().slice(0, QUOTED);
    const quoted = body === '' ? '' : `: ${JSON.stringify(body)}`;
    this.#fail(new LoadFault('HANDSHAKE', `the server answered ${status} in place of 101${quoted}`));
  }

  #late(timeout: number): void {
    if (this.#refusal !== null) this.#refused();
    else this.#fail(new LoadFault('HANDSHAKE', `the server has not answered within ${timeout} ms`));
  }

  #fail(reason: unknown): void {
    this.#settle();
    this.#wire.destroy();
    this.#reject(reason);
  }

  #settle(): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#wire.owner = NOBODY;
  }
}

const NOBODY: WireOwner = { onBytes() {}, onEnd() {} };

/** What the system says. That every address of a name failed is an AggregateError, which has no message of its own. */
function describe(error: Error): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return error.message === '' ? ((error as NodeJS.ErrnoException).code ?? error.name) : error.message;
}
