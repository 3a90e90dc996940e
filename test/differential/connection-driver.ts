/** Leads a connection through a session and notes everything that its owner can see. */

import { Connection } from '../../src/core/connection.js';
import {
  BytesMessage,
  CloseConnection,
  type FrameEvent,
  NEED_DATA,
  PAUSED,
  Ping,
  Pong,
  TextMessage,
} from '../../src/core/events.js';
import { BYTES, TEXT } from '../../src/core/frames/kind.js';
import { ConnectionType } from '../../src/core/state.js';
import type { Kernels } from '../../src/kernels/index.js';
import { outcome } from './alike.js';
import { extension } from './extensions.js';
import { place } from './memory.js';
import { outgoing, type Reading, type Session, type Step } from './sessions.js';

/** Keys that are the same in every run, and not all of one sign. */
function keys(): () => number {
  let key = 0x1234_5678;
  return () => {
    key = (Math.imul(key, 0x41c6_4e6d) + 0x3039) | 0;
    return key;
  };
}

/** An event as plain data, its bytes copied before they can change. */
function plain(event: FrameEvent | typeof NEED_DATA | typeof PAUSED): unknown {
  if (event === NEED_DATA || event === PAUSED) return String(event);
  switch (event.type) {
    case 'text':
      return [event.type, event.data, event.frameFinished, event.messageFinished];
    case 'bytes':
      return [event.type, Uint8Array.from(event.data), event.frameFinished, event.messageFinished];
    case 'close':
      return [event.type, event.code, event.reason, event.origin, event.error?.name, event.error?.code];
    default:
      return [event.type, Uint8Array.from(event.payload)];
  }
}

function status(connection: Connection): unknown[] {
  const { state, transport, wantsData, bufferedBytes, queuedBytes, needsDrain, hasOutput, canSend } = connection;
  return [state, transport, wantsData, bufferedBytes, queuedBytes, needsDrain, hasOutput, canSend];
}

class Owner {
  readonly seen: unknown[] = [];
  readonly #connection: Connection;
  #now = 0;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  note(...what: unknown[]): void {
    this.seen.push(what, status(this.#connection));
  }

  /** Reads at most so many events, and one sentinel. */
  read(most: number): void {
    for (let i = 0; i < most; i++) {
      const event = this.#connection.nextEvent();
      this.note(plain(event));
      if (event === NEED_DATA || event === PAUSED) return;
    }
  }

  takeOutput(most: number): void {
    const out: Uint8Array[] = [];
    const size = this.#connection.takeOutput(out, most);
    this.note(size, Uint8Array.from(Buffer.concat(out)));
    this.#connection.acknowledge(size);
  }

  #queue(event: FrameEvent): void {
    this.note(outcome(() => this.#connection.queue(event)));
  }

  do({ what, amount }: Step): void {
    const connection = this.#connection;
    const { text, bytes } = outgoing(amount);
    const finished = amount % 3 !== 0;
    switch (what) {
      case 'read all':
        this.read(Number.POSITIVE_INFINITY);
        break;
      case 'read some':
        this.read(amount % 4);
        break;
      case 'use the cursor': {
        const kind = connection.poll();
        const { length, frameFinished, messageFinished } = connection;
        const data = kind === TEXT ? connection.text() : kind === BYTES ? connection.copy() : null;
        this.note(kind, data, kind === TEXT || kind === BYTES ? [length, frameFinished, messageFinished] : null);
        break;
      }
      case 'pause':
        connection.pause();
        break;
      case 'resume':
        connection.resume();
        break;
      case 'send text':
        this.#queue(new TextMessage(text, finished));
        break;
      case 'send bytes':
        this.#queue(new BytesMessage(bytes, finished));
        break;
      case 'send ping':
        this.#queue(new Ping(bytes.subarray(0, 130)));
        break;
      case 'send pong':
        this.#queue(new Pong(bytes.subarray(0, 130)));
        break;
      case 'send close':
        this.#queue(new CloseConnection(amount % 2 === 0 ? 1000 : 990 + (amount % 30), text.slice(0, 130)));
        break;
      case 'take output':
        this.takeOutput(amount);
        break;
      case 'tell the time':
        this.#now += amount * 10;
        connection.handleTimeout(this.#now);
        this.note(connection.nextDeadline());
        break;
      case 'end of stream':
        this.note(connection.receiveData(null));
        break;
      case 'abort':
        connection.abort();
        break;
    }
  }
}

function make(kernels: Kernels, { isServer }: Session['wire'], options: object, list: Session['extensions'] = []) {
  const type = isServer ? ConnectionType.SERVER : ConnectionType.CLIENT;
  const extensions = list.map(({ kind, rsv }) => extension(kind, rsv));
  return new Connection(type, extensions, { ...options, kernels, maskingKeys: keys() });
}

/** The ends of the chunks of `size` bytes. A cut beyond them counts from the start again, so that none is lost. */
function ends(size: number, cuts: readonly number[]): number[] {
  const inside = cuts.map((cut) => cut % size).filter((cut) => cut > 0);
  return [...new Set([...inside, size])].sort((a, b) => a - b);
}

/** Everything that the owner sees, step by step, and what became of the memory of the chunks. */
export function live(kernels: Kernels, session: Session): unknown {
  const { wire, cuts, placement, options, limits, extensions, steps } = session;
  const connection = make(kernels, wire, { ...options, ...limits }, extensions);
  const owner = new Owner(connection);
  const chunks: Uint8Array[] = [];
  let from = 0;
  ends(wire.bytes.length, cuts).forEach((to, i, all) => {
    // The connection keeps the memory, so each chunk has its own.
    const memory = place(wire.bytes.subarray(from, to), { ...placement, edge: null });
    chunks.push(memory.bytes());
    owner.note(connection.receiveData(memory.view.subarray(memory.from, memory.to)));
    const next = i === all.length - 1 ? steps.length : i + 1;
    for (const step of steps.slice(i, Math.max(next, i + 1))) owner.do(step);
    from = to;
  });
  connection.resume();
  owner.read(Number.POSITIVE_INFINITY);
  owner.takeOutput(Number.POSITIVE_INFINITY);
  owner.note(connection.receiveData(null));
  owner.read(Number.POSITIVE_INFINITY);
  owner.takeOutput(Number.POSITIVE_INFINITY);
  return { seen: owner.seen, chunks };
}

/** What came of the bytes when they were read to the end after every chunk; pieces of a message are joined. */
export function readThrough(kernels: Kernels, { wire, options }: Reading, cuts: readonly number[]): unknown {
  const connection = make(kernels, wire, options);
  const found: unknown[] = [];
  let open: Uint8Array[] = [];
  let from = 0;
  for (const to of ends(wire.bytes.length, cuts)) {
    connection.receiveData(wire.bytes.slice(from, to));
    from = to;
    for (const event of connection.events()) {
      if (event.type !== 'text' && event.type !== 'bytes') {
        found.push(plain(event));
        continue;
      }
      open.push(event.type === 'text' ? Buffer.from(event.data) : Uint8Array.from(event.data));
      if (!event.messageFinished) continue;
      found.push([event.type, Uint8Array.from(Buffer.concat(open))]);
      open = [];
    }
  }
  const out: Uint8Array[] = [];
  connection.takeOutput(out);
  const { state, transport, wantsData } = connection;
  return { found, state, transport, wantsData, sent: Uint8Array.from(Buffer.concat(out)) };
}
