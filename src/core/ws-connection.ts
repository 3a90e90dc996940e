/**
 * The whole life of a WebSocket over HTTP/1.1 behind one face: an `H1Handshake`, and once that has succeeded a
 * `Connection`. Both can be had, for what the facade does not offer.
 */

import { Connection, type Transport } from './connection.js';
import { LocalProtocolError } from './errors.js';
import { type FrameEvent, type HandshakeEvent, NEED_DATA, PAUSED } from './events.js';
import { H1Handshake, type HandshakeOptions } from './handshake/h1.js';
import { ConnectionConfig, type ConnectionOptions } from './options.js';
import { ConnectionState, type ConnectionType } from './state.js';

/** Options of both phases. */
export interface WSConnectionOptions {
  readonly handshake?: HandshakeOptions;
  readonly connection?: ConnectionOptions | ConnectionConfig;
}

const HANDSHAKE_EVENTS: readonly string[] = ['request', 'accept', 'reject', 'reject-data'];

export class WSConnection {
  readonly type: ConnectionType;
  readonly handshake: H1Handshake;
  readonly #config: ConnectionConfig;
  #connection: Connection | null = null;

  /** @throws LocalProtocolError `INVALID_OPTION` */
  constructor(type: ConnectionType, options: WSConnectionOptions = {}) {
    const { connection = {}, handshake = {} } = options;
    this.type = type;
    this.#config = connection instanceof ConnectionConfig ? connection : new ConnectionConfig(connection);
    this.handshake = new H1Handshake(type, handshake);
  }

  /** The connection behind the handshake, or null before it is open. */
  get connection(): Connection | null {
    return this.#connection;
  }

  get state(): ConnectionState {
    return this.#connection?.state ?? this.handshake.state;
  }

  /** Takes bytes from the peer, or null for the end of its stream; false asks to stop reading. */
  receiveData(data: Uint8Array | null): boolean {
    return (this.#connection ?? this.handshake).receiveData(data);
  }

  /** The next event of whichever phase it is; throws as `H1Handshake.nextEvent` does. */
  nextEvent(): HandshakeEvent | FrameEvent | typeof NEED_DATA | typeof PAUSED {
    if (this.#connection !== null) return this.#connection.nextEvent();
    const event = this.handshake.nextEvent();
    this.#openWhenReady();
    return event;
  }

  /** The events that are there. */
  *events(): IterableIterator<HandshakeEvent | FrameEvent> {
    for (;;) {
      const event = this.nextEvent();
      if (event === NEED_DATA || event === PAUSED) return;
      yield event;
    }
  }

  /** Makes the bytes of an event; throws as `H1Handshake.send` and `Connection.send` do. */
  send(event: HandshakeEvent | FrameEvent): Uint8Array {
    if (isHandshakeEvent(event)) {
      if (this.#connection !== null) throw new LocalProtocolError('INVALID_STATE', 'the handshake is over');
      const bytes = this.handshake.send(event);
      this.#openWhenReady();
      return bytes;
    }
    if (this.#connection === null) throw new LocalProtocolError('NOT_OPEN', 'the handshake is not finished');
    return this.#connection.send(event);
  }

  /** See `Connection.takeOutput`; what the handshake writes comes from `send`. */
  takeOutput(out: Uint8Array[], maxBytes?: number): number {
    return this.#connection?.takeOutput(out, maxBytes) ?? 0;
  }

  /** See `Connection.acknowledge`. */
  acknowledge(bytes: number): void {
    this.#connection?.acknowledge(bytes);
  }

  /** See `Connection.transport`; a handshake that has failed or been rejected asks to destroy. */
  get transport(): Transport {
    if (this.#connection !== null) return this.#connection.transport;
    return this.handshake.state === ConnectionState.CLOSED ? 'destroy' : 'open';
  }

  /** See `Connection.nextDeadline`. */
  nextDeadline(): number | null {
    return (this.#connection ?? this.handshake).nextDeadline();
  }

  /** See `Connection.handleTimeout`. */
  handleTimeout(now: number): void {
    (this.#connection ?? this.handshake).handleTimeout(now);
  }

  #openWhenReady(): void {
    if (this.handshake.state !== ConnectionState.OPEN) return;
    this.#connection = new Connection(this.type, this.handshake.extensions, this.#config);
    this.#connection.receiveData(this.handshake.trailingData);
    if (this.handshake.ended) this.#connection.receiveData(null);
  }
}

function isHandshakeEvent(event: HandshakeEvent | FrameEvent): event is HandshakeEvent {
  return HANDSHAKE_EVENTS.includes(event.type);
}
