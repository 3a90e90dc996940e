/** The opening handshake of one request that node:http has parsed, up to the answer. */

import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import {
  AcceptConnection,
  ConnectionState,
  ConnectionType,
  type Extension,
  H1Handshake,
  type HandshakeOptions,
  LocalProtocolError,
  RejectConnection,
  RejectData,
  RemoteProtocolError,
  type Request,
} from '../core/index.js';
import type { OriginTest } from './origins.js';
import { pathOf } from './paths.js';
import { ignore } from './refusal.js';
import { asError, warn } from './thrown.js';
import {
  type Acceptance,
  headerList,
  Rejection,
  reject,
  type UpgradeHandler,
  type UpgradeRequest,
  type UpgradeResult,
} from './upgrade.js';
import { type Timed, wheel } from './wheel.js';

/** What every handshake of a server goes by. */
export interface Terms<Data> {
  readonly handshake: HandshakeOptions;
  readonly origins: OriginTest | null;
  readonly upgrade: UpgradeHandler<Data> | undefined;
}

/** A handshake that succeeded; the 101 is written. */
export interface Opened<Data> {
  readonly stream: Duplex;
  readonly head: Uint8Array;
  readonly extensions: readonly Extension[];
  readonly data: Data;
  readonly protocol: string;
  readonly remoteAddress: string;
}

/** Whoever began a handshake; one of these is called, once. */
export interface OpeningOwner<Data> {
  onOpened(opened: Opened<Data>): void;
  /** @param answer to be written to the stream, which is its owner's again */
  onRefused(answer: readonly Uint8Array[]): void;
  /** The client went away, or `cutOff` was called; the stream is closed. */
  onGone(): void;
}

/**
 * One handshake under way. Its stream is not read meanwhile, so what the client sends early stays within the
 * stream's own buffer.
 */
export class Opening<Data> implements Timed {
  bucket: number | null = null;
  readonly #stream: Duplex;
  readonly #head: Uint8Array;
  readonly #incoming: IncomingMessage;
  readonly #handshake: H1Handshake;
  readonly #terms: Terms<Data>;
  readonly #owner: OpeningOwner<Data>;
  readonly #remoteAddress: string;
  #abort: AbortController | null = null;
  #over = false;

  constructor(
    stream: Duplex,
    head: Uint8Array,
    incoming: IncomingMessage,
    terms: Terms<Data>,
    owner: OpeningOwner<Data>,
  ) {
    this.#stream = stream;
    this.#head = head;
    this.#incoming = incoming;
    this.#handshake = new H1Handshake(ConnectionType.SERVER, terms.handshake);
    this.#terms = terms;
    this.#owner = owner;
    this.#remoteAddress = (stream as Socket).remoteAddress ?? '';
    stream.on('error', ignore);
    stream.on('end', this.#onEnd);
    stream.on('close', this.#onClose);
  }

  /** Checks the request, asks `upgrade` about it, and answers. Never rejects. */
  async run(): Promise<void> {
    this.onDeadline(wheel.now());
    try {
      const asked = this.#receive();
      if (!this.#allowsOrigin(asked)) {
        this.refuse(reject(403));
        return;
      }
      const decision = this.#decide(asked);
      // Without a promise the answer is written in this turn.
      const result = isPromise(decision) ? await settled(decision) : decision;
      if (this.#over) return;
      if (result instanceof Rejection) this.refuse(result);
      else this.#accept(acceptanceOf(result));
    } catch (error) {
      if (!this.#over) this.#answerFault(error);
    }
  }

  onDeadline(now: number): void {
    this.#handshake.handleTimeout(now);
    if (this.#handshake.state === ConnectionState.CLOSED) {
      this.refuse(reject(503), new DOMException('the handshake took longer than handshakeTimeout', 'TimeoutError'));
    } else {
      wheel.set(this, this.#handshake.nextDeadline());
    }
  }

  /**
   * Answers with an ordinary response, unless there was an answer before.
   *
   * @param reason what `signal` is aborted with, where somebody asked for it
   * @throws LocalProtocolError for what cannot be sent; nothing is answered then
   */
  refuse({ statusCode, headers, body }: Rejection, reason?: unknown): void {
    if (this.#over) return;
    const hasBody = body.length > 0;
    const measured = !hasBody || headers.some(([name]) => name.toLowerCase() === 'content-length');
    const list = measured ? headers : [...headers, ['content-length', String(body.length)] as const];
    const head = this.#handshake.send(new RejectConnection({ statusCode, headers: list, hasBody }));
    this.#refuseWith(hasBody ? [head, this.#handshake.send(new RejectData(body))] : [head], reason);
  }

  /** Closes the stream, without an answer. */
  cutOff(): void {
    this.#stream.destroy();
  }

  /** The request's `signal`, which is not made before somebody asks for it. */
  signal(): AbortSignal {
    if (this.#abort === null) {
      this.#abort = new AbortController();
      if (this.#over && this.#handshake.state !== ConnectionState.OPEN) this.#abort.abort();
    }
    return this.#abort.signal;
  }

  #receive(): Request {
    const { rawHeaders, method = '', url: target = '', httpVersion } = this.#incoming;
    const headers: [string, string][] = [];
    for (let i = 0; i < rawHeaders.length; i += 2) headers.push([rawHeaders[i], rawHeaders[i + 1]]);
    return this.#handshake.receiveRequest({ method, target, httpVersion, headers });
  }

  #allowsOrigin({ extraHeaders }: Request): boolean {
    const { origins } = this.#terms;
    if (origins === null) return true;
    const found = extraHeaders.filter(([name]) => name.toLowerCase() === 'origin');
    // RFC 6454 §7.3: a browser sends one at most. Where there are two, who has set which is anybody's guess.
    return found.length <= 1 && origins(found[0]?.[1]);
  }

  /** Asks `upgrade`. A rejection may as well be thrown. */
  #decide(asked: Request): UpgradeResult<Data> | Promise<UpgradeResult<Data>> {
    const { upgrade } = this.#terms;
    if (upgrade === undefined) return undefined;
    try {
      return upgrade(new Asked(asked, this.#incoming, this.#stream, this.#remoteAddress, this));
    } catch (thrown) {
      return rejectionIn(thrown);
    }
  }

  #accept({ data, protocol, headers = {} }: Acceptance<Data>): void {
    const accept = new AcceptConnection({ subprotocol: protocol ?? null, extraHeaders: headerList(headers) });
    this.#stream.write(this.#handshake.send(accept));
    this.#finish();
    this.#owner.onOpened({
      stream: this.#stream,
      head: this.#head,
      extensions: this.#handshake.extensions,
      data: data as Data,
      protocol: protocol ?? '',
      remoteAddress: this.#remoteAddress,
    });
  }

  #answerFault(thrown: unknown): void {
    const error = asError(thrown);
    if (error instanceof RemoteProtocolError && error.eventHint !== null) {
      this.#refuseWith([this.#handshake.send(error.eventHint)]);
      return;
    }
    // `upgrade` threw, or returned what cannot be sent: a fault of the server's, which its owner must hear of.
    warn(error);
    this.refuse(reject(500));
  }

  #refuseWith(answer: readonly Uint8Array[], reason?: unknown): void {
    this.#finish();
    this.#owner.onRefused(answer);
    this.#abort?.abort(reason);
  }

  /** Lets go of the stream. */
  #finish(): void {
    this.#over = true;
    wheel.set(this, null);
    this.#stream.off('error', ignore);
    this.#stream.off('end', this.#onEnd);
    this.#stream.off('close', this.#onClose);
  }

  /** Who has ended its side can take no part in a closing handshake: that is a client that has gone away. */
  readonly #onEnd = (): void => {
    this.#stream.destroy();
  };

  readonly #onClose = (): void => {
    this.#finish();
    this.#owner.onGone();
    this.#abort?.abort();
  };
}

/** A request as `upgrade` is told of it. */
class Asked implements UpgradeRequest {
  readonly target: string;
  readonly path: string;
  readonly host: string;
  readonly origin: string | undefined;
  readonly subprotocols: readonly string[];
  readonly headers: IncomingMessage['headers'];
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly tls: TLSSocket | null;
  readonly incoming: IncomingMessage;
  readonly #opening: { signal(): AbortSignal };

  constructor(
    { target, host, subprotocols }: Request,
    incoming: IncomingMessage,
    stream: Duplex,
    remoteAddress: string,
    opening: { signal(): AbortSignal },
  ) {
    this.target = target;
    this.path = pathOf(target);
    this.host = host;
    this.origin = incoming.headers.origin;
    this.subprotocols = subprotocols;
    this.headers = incoming.headers;
    this.remoteAddress = remoteAddress;
    this.remotePort = (stream as Socket).remotePort ?? 0;
    this.tls = stream instanceof TLSSocket ? stream : null;
    this.incoming = incoming;
    this.#opening = opening;
  }

  get signal(): AbortSignal {
    return this.#opening.signal();
  }
}

async function settled<Data>(decision: Promise<UpgradeResult<Data>>): Promise<UpgradeResult<Data>> {
  try {
    return await decision;
  } catch (thrown) {
    return rejectionIn(thrown);
  }
}

/** What was thrown, if it is a rejection; everything else is thrown again. */
function rejectionIn(thrown: unknown): Rejection {
  let isRejection = false;
  try {
    isRejection = thrown instanceof Rejection;
  } catch {
    // Something that throws when it is looked at: no rejection of ours.
  }
  if (isRejection) return thrown as Rejection;
  throw thrown;
}

/** `false` is what other servers call a refusal: to take it for an acceptance would let everybody in. */
function acceptanceOf<Data>(result: unknown): Acceptance<Data> {
  if (result === undefined || result === null) return {};
  if (typeof result === 'object') return result;
  throw new LocalProtocolError('INVALID_RESULT', 'upgrade returns nothing, an object, or what reject() makes');
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return value instanceof Promise || typeof (value as { then?: unknown } | undefined)?.then === 'function';
}
