/** permessage-deflate (RFC 7692): the extension that compresses messages, for both roles. */

import { LocalProtocolError } from '../errors.js';
import { type Codec, defaultCodec } from './deflate/codec.js';
import { Contexts } from './deflate/contexts.js';
import { Deflater, type DeflaterSettings } from './deflate/deflater.js';
import { Inflater } from './deflate/inflater.js';
import {
  answerOffer,
  type DeflateParameters,
  MAX_WINDOW_BITS,
  MIN_COMPRESSOR_BITS,
  MIN_WINDOW_BITS,
  offer,
  takeAnswer,
} from './deflate/parameters.js';
import { SharedDeflate } from './deflate/shared.js';
import { type DeflateCounts, Traffic } from './deflate/traffic.js';
import {
  type EncodedPayload,
  type Extension,
  type ExtensionParameter,
  RSV1,
  type SharedEncoder,
  type SupportedExtension,
} from './extension.js';

/** How to compress, what to agree to, and what it may cost. */
export interface PerMessageDeflateOptions extends Partial<DeflateParameters> {
  /** From 1, the fastest and the default, to 9, which compresses best; for what this side sends. */
  readonly level?: number;
  /** The memory that a compressor has besides its window, from 1 to 9; 5 by default. */
  readonly memLevel?: number;
  /**
   * The window of this side's compressors, from 9 to 15, as far as it is not smaller by agreement; 12 by default. It
   * needs no agreement: a compressor may use less than it might.
   */
  readonly windowBits?: number;
  /** Messages of fewer bytes are sent as they are, unless in fragments; 1024 by default. */
  readonly threshold?: number;
  /**
   * From how many bytes on a message is compressed, or a message's output decompressed, on the thread pool; 64 KiB by
   * default. `Infinity` keeps everything in the thread, and so does a bare `Connection` without `onReady`.
   */
  readonly offThreadFrom?: number;
  /** The most compressors, and the most decompressors, that connections have of their own; 1024 by default. */
  readonly maxContexts?: number;
  /**
   * How messages are sent when there are no more compressors: compressed without reference to earlier ones (the default),
   * or not compressed.
   */
  readonly beyondMaxContexts?: 'no-takeover' | 'uncompressed';
  /** Milliseconds without a message after which a connection loses what is its own; 10 s by default. */
  readonly contextIdleTimeout?: number;
}

/** What was compressed and decompressed so far, and what is kept for it. */
export interface DeflateStats extends DeflateCounts {
  /** Compressors and decompressors that connections have of their own. */
  readonly compressors: number;
  readonly decompressors: number;
}

const DEFAULTS = {
  serverNoContextTakeover: false,
  clientNoContextTakeover: false,
  serverMaxWindowBits: MAX_WINDOW_BITS,
  clientMaxWindowBits: MAX_WINDOW_BITS,
  level: 1,
  memLevel: 5,
  windowBits: 12,
  threshold: 1024,
  offThreadFrom: 64 * 1024,
  maxContexts: 1024,
  contextIdleTimeout: 10_000,
} as const;

/**
 * permessage-deflate as it is configured: to be given to a handshake, of any number of connections and of either role.
 * They share its limits and its counts.
 */
export class PerMessageDeflate implements SupportedExtension {
  readonly name = 'permessage-deflate';
  readonly #own: DeflateParameters;
  readonly #windowBits: number;
  readonly #settings: DeflaterSettings;
  readonly #contexts: Contexts;
  readonly #traffic = new Traffic();
  /** What connections with the same window have in common, by its bits. */
  readonly #shared: SharedDeflate[] = [];

  /**
   * @param codec what compresses; the best that there is by default
   * @throws LocalProtocolError `INVALID_OPTION` naming the option
   */
  constructor(options: PerMessageDeflateOptions = {}, codec: Codec = defaultCodec()) {
    this.#own = {
      serverNoContextTakeover: flag(options, 'serverNoContextTakeover'),
      clientNoContextTakeover: flag(options, 'clientNoContextTakeover'),
      serverMaxWindowBits: whole(options, 'serverMaxWindowBits', MIN_WINDOW_BITS, MAX_WINDOW_BITS),
      clientMaxWindowBits: whole(options, 'clientMaxWindowBits', MIN_WINDOW_BITS, MAX_WINDOW_BITS),
    };
    this.#windowBits = whole(options, 'windowBits', MIN_COMPRESSOR_BITS, MAX_WINDOW_BITS);
    const { beyondMaxContexts = 'no-takeover' } = options;
    if (beyondMaxContexts !== 'no-takeover' && beyondMaxContexts !== 'uncompressed') {
      throw invalid('beyondMaxContexts', "must be 'no-takeover' or 'uncompressed'");
    }
    this.#settings = {
      threshold: limit(options, 'threshold'),
      offThreadFrom: limit(options, 'offThreadFrom'),
      beyondMaxContexts,
    };
    this.#contexts = new Contexts(codec, {
      level: whole(options, 'level', 1, 9),
      memLevel: whole(options, 'memLevel', 1, 9),
      maxContexts: limit(options, 'maxContexts'),
      contextIdleTimeout: limit(options, 'contextIdleTimeout'),
    });
  }

  /** What this side wants of an agreement. */
  get parameters(): DeflateParameters {
    return this.#own;
  }

  offers(): readonly (readonly ExtensionParameter[])[] {
    return this.#own.clientMaxWindowBits < MIN_COMPRESSOR_BITS ? [] : [offer(this.#own)];
  }

  accept(
    params: readonly ExtensionParameter[],
  ): { readonly params: readonly ExtensionParameter[]; readonly extension: Extension } | null {
    const answer = answerOffer(params, this.#own);
    return answer && { params: answer.params, extension: this.#extension(answer.agreed, true) };
  }

  finalize(params: readonly ExtensionParameter[]): Extension {
    return this.#extension(takeAnswer(params, this.#own), false);
  }

  /** What was done so far. */
  stats(): DeflateStats {
    return { ...this.#traffic, ...this.#contexts.owned };
  }

  /**
   * When to call `handleTimeout` next, on the caller's clock in milliseconds; null while no connection has a context of
   * its own. A time that is past means at once.
   */
  nextDeadline(): number | null {
    return this.#contexts.nextDeadline();
  }

  /** Tells the time: contexts that were not used for `contextIdleTimeout` are given up, some hundred at a time. */
  handleTimeout(now: number): void {
    this.#contexts.handleTimeout(now);
  }

  /** Called when there is a deadline where there was none; null by default. */
  get onDeadline(): (() => void) | null {
    return this.#contexts.onDeadline;
  }

  set onDeadline(callback: (() => void) | null) {
    this.#contexts.onDeadline = callback;
  }

  #extension(agreed: DeflateParameters, isServer: boolean): AgreedDeflate {
    const most = isServer ? agreed.serverMaxWindowBits : agreed.clientMaxWindowBits;
    const bits = Math.min(most, this.#windowBits);
    this.#shared[bits] ??= new SharedDeflate(this.#contexts, this.#traffic, bits, this.#settings);
    return new AgreedDeflate(this.#contexts, this.#traffic, this.#settings, this.#shared[bits], agreed, isServer);
  }
}

/** permessage-deflate as two sides have agreed on it, on one connection. */
export class AgreedDeflate implements Extension {
  readonly name = 'permessage-deflate';
  readonly rsv = RSV1;
  /** What was agreed on. */
  readonly agreed: DeflateParameters;
  readonly #contexts: Contexts;
  readonly #traffic: Traffic;
  readonly #settings: DeflaterSettings;
  readonly #shared: SharedDeflate;
  readonly #isServer: boolean;
  #deflater: Deflater | null = null;
  #inflater: Inflater | null = null;

  constructor(
    contexts: Contexts,
    traffic: Traffic,
    settings: DeflaterSettings,
    shared: SharedDeflate,
    agreed: DeflateParameters,
    isServer: boolean,
  ) {
    this.#contexts = contexts;
    this.#traffic = traffic;
    this.#settings = settings;
    this.#shared = shared;
    this.agreed = agreed;
    this.#isServer = isServer;
  }

  decode(
    data: Uint8Array,
    _rsv: number,
    finished: boolean,
    limit: number,
    whenReady: (() => void) | null,
  ): Uint8Array | null {
    const inflater = this.#inflater ?? this.#newInflater();
    return inflater.decode(data, finished, limit, whenReady);
  }

  more(limit: number, whenReady: (() => void) | null): Uint8Array | null | undefined {
    return this.#inflater?.more(limit, whenReady);
  }

  encodes(size: number, finished: boolean, compress: boolean): boolean {
    const deflater = this.#deflater ?? this.#newDeflater();
    return deflater.encodes(size, finished, compress);
  }

  encode(
    payload: Uint8Array,
    first: boolean,
    finished: boolean,
    whenReady: (() => void) | null,
  ): EncodedPayload | null {
    return (this.#deflater as Deflater).encode(payload, first, finished, whenReady);
  }

  encoded(): EncodedPayload {
    return (this.#deflater as Deflater).encoded();
  }

  get shared(): SharedEncoder {
    return this.#shared;
  }

  interposed(): void {
    this.#deflater?.interposed();
  }

  close(): void {
    this.#inflater?.close();
    this.#deflater?.close();
  }

  #newInflater(): Inflater {
    const { agreed } = this;
    const bits = this.#isServer ? agreed.clientMaxWindowBits : agreed.serverMaxWindowBits;
    const startsAnew = this.#isServer ? agreed.clientNoContextTakeover : agreed.serverNoContextTakeover;
    const { offThreadFrom } = this.#settings;
    this.#inflater = new Inflater(this.#contexts, this.#traffic, bits, !startsAnew, offThreadFrom);
    return this.#inflater;
  }

  #newDeflater(): Deflater {
    const { agreed } = this;
    const startsAnew = this.#isServer ? agreed.serverNoContextTakeover : agreed.clientNoContextTakeover;
    const { windowBits } = this.#shared;
    this.#deflater = new Deflater(this.#contexts, this.#traffic, windowBits, !startsAnew, this.#settings);
    return this.#deflater;
  }
}

type Numbers = 'threshold' | 'offThreadFrom' | 'maxContexts' | 'contextIdleTimeout';
type Wholes = 'serverMaxWindowBits' | 'clientMaxWindowBits' | 'level' | 'memLevel' | 'windowBits';
type Flags = 'serverNoContextTakeover' | 'clientNoContextTakeover';

function limit(options: PerMessageDeflateOptions, name: Numbers): number {
  const value = options[name] ?? DEFAULTS[name];
  if (typeof value !== 'number' || !(value >= 0)) throw invalid(name, 'must be a number from 0 to Infinity');
  return value;
}

function whole(options: PerMessageDeflateOptions, name: Wholes, least: number, most: number): number {
  const value = options[name] ?? DEFAULTS[name];
  if (!Number.isInteger(value) || value < least || value > most) {
    throw invalid(name, `must be a whole number from ${least} to ${most}`);
  }
  return value;
}

function flag(options: PerMessageDeflateOptions, name: Flags): boolean {
  const value = options[name] ?? DEFAULTS[name];
  if (typeof value !== 'boolean') throw invalid(name, 'must be true or false');
  return value;
}

function invalid(name: string, message: string): LocalProtocolError {
  return new LocalProtocolError('INVALID_OPTION', `perMessageDeflate: ${name} ${message}`);
}
