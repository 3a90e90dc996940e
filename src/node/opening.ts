/** The opening handshake of one request, up to the answer. */

import {
  AcceptConnection,
  ConnectionState,
  type Extension,
  type Handshake,
  type HandshakeOptions,
  LocalProtocolError,
  RejectConnection,
  RemoteProtocolError,
  type Request,
} from '../core/index.js';
import type { Exchange, Refuse } from './exchange.js';
import { cutOff, giveUp } from './h2/transport.js';
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

const NO_BODY = new Uint8Array(0);

/** What every handshake of a server goes by. */
export interface Terms<Data> {
  readonly handshake: HandshakeOptions;
  readonly origins: OriginTest | null;
  readonly upgrade: UpgradeHandler<Data> | undefined;
}

/** A handshake that succeeded; the answer is written. */
export interface Opened<Data> {
  readonly exchange: Exchange;
  readonly extensions: readonly Extension[];
  readonly data: Data;
  readonly protocol: string;
}

/** Whoever began a handshake; one of these is called, once. */
export interface OpeningOwner<Data> {
  onOpened(opened: Opened<Data>): void;
  /** @param answer writes the refusal to the stream, which is its owner's again */
  onRefused(answer: Refuse): void;
  /** The client went away, or `cutOff` was called; the stream is closed. */
  onGone(): void;
}

/**
 * One handshake under way. Its stream is not read meanwhile, so what the client sends early stays within the
 * stream's own buffer.
 */
export class Opening<Data> implements Timed {
  bucket: number | null = null;
  readonly #exchange: Exchange;
  readonly #handshake: Handshake;
  readonly #terms: Terms<Data>;
  readonly #owner: OpeningOwner<Data>;
  #abort: AbortController | null = null;
  #over = false;

  constructor(exchange: Exchange, terms: Terms<Data>, owner: OpeningOwner<Data>) {
    this.#exchange = exchange;
    this.#handshake = exchange.begin(terms.handshake);
    this.#terms = terms;
    this.#owner = owner;
    const { stream } = exchange;
    stream.on('error', ignore);
    stream.on('end', this.#onEnd);
    stream.on('close', this.#onClose);
  }

  /** Checks the request, asks `upgrade` about it, and answers. Never rejects. */
  async run(): Promise<void> {
    this.onDeadline(wheel.now());
    try {
      const asked = this.#exchange.receive();
      if (!this.#allowsOrigin(asked)) {
        this.refuse(reject(403));
        return;
      }
      const decision = this.#decide(asked);
      // Without a promise the answer is written in this turn.
      const result = isPromise(decision) ? await settled(decision) : decision;
      if (this.#over || this.#exchange.isGone) return;
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
    this.#refuseWith(this.#exchange.refuse(new RejectConnection({ statusCode, headers: list, hasBody }), body), reason);
  }

  /** Closes the stream, without an answer. */
  cutOff(): void {
    cutOff(this.#exchange.stream);
  }

  /** The request's `signal`, which is not made before somebody asks for it. */
  signal(): AbortSignal {
    if (this.#abort === null) {
      this.#abort = new AbortController();
      if (this.#over && this.#handshake.state !== ConnectionState.OPEN) this.#abort.abort();
    }
    return this.#abort.signal;
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
      return upgrade(new Asked(asked, this.#exchange, this));
    } catch (thrown) {
      return rejectionIn(thrown);
    }
  }

  #accept({ data, protocol, headers = {} }: Acceptance<Data>): void {
    const accept = new AcceptConnection({ subprotocol: protocol ?? null, extraHeaders: headerList(headers) });
    this.#exchange.accept(accept);
    this.#finish();
    this.#owner.onOpened({
      exchange: this.#exchange,
      extensions: this.#handshake.extensions,
      data: data as Data,
      protocol: protocol ?? '',
    });
  }

  #answerFault(thrown: unknown): void {
    const error = asError(thrown);
    if (error instanceof RemoteProtocolError && error.eventHint !== null) {
      this.#refuseWith(this.#exchange.refuse(error.eventHint, NO_BODY));
      return;
    }
    // `upgrade` threw, or returned what cannot be sent: a fault of the server's, which its owner must hear of.
    warn(error);
    if (this.#handshake.state === ConnectionState.CONNECTING) this.refuse(reject(500));
    // What the handshake took, node:http2 may not.
    else this.#refuseWith(this.#exchange.turnedAway(500));
  }

  #refuseWith(answer: Refuse, reason?: unknown): void {
    this.#finish();
    this.#owner.onRefused(answer);
    this.#abort?.abort(reason);
  }

  /** Lets go of the stream. */
  #finish(): void {
    this.#over = true;
    wheel.set(this, null);
    const { stream } = this.#exchange;
    stream.off('error', ignore);
    stream.off('end', this.#onEnd);
    stream.off('close', this.#onClose);
  }

  /** Who has ended its side can take no part in a closing handshake: that is a client that has gone away. */
  readonly #onEnd = (): void => {
    giveUp(this.#exchange.stream);
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
  readonly headers: UpgradeRequest['headers'];
  readonly httpVersion: UpgradeRequest['httpVersion'];
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly tls: UpgradeRequest['tls'];
  declare readonly incoming: UpgradeRequest['incoming'];
  readonly #opening: { signal(): AbortSignal };

  constructor({ target, host, subprotocols }: Request, exchange: Exchange, opening: { signal(): AbortSignal }) {
    const { headers, httpVersion, remoteAddress, remotePort, tls } = exchange;
    this.target = target;
    this.path = pathOf(target);
    this.host = host;
    this.origin = headers.origin;
    this.subprotocols = subprotocols;
    this.headers = headers;
    this.httpVersion = httpVersion;
    this.remoteAddress = remoteAddress;
    this.remotePort = remotePort;
    this.tls = tls;
    this.#opening = opening;
    // Over HTTP/2 it is made when somebody asks for it.
    Object.defineProperty(this, 'incoming', { enumerable: true, get: () => exchange.incoming });
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
