/**
 * Outgoing messages: fragmentation, limits, and the marks that tell the caller to slow down.
 *
 * Whether the state of the connection allows a message is the connection's to say; everything else that can be wrong
 * with one is found here, before anything changes.
 */

import { Buffer } from 'node:buffer';
import { UTF8_ACCEPT, UTF8_REJECT } from '../../kernels/index.js';
import { LocalProtocolError } from '../errors.js';
import { BytesMessage, TextMessage } from '../events.js';
import type { Extension, SharedEncoder } from '../extensions/extension.js';
import type { ConnectionConfig } from '../options.js';
import type { PreparedMessage } from '../prepared.js';
import { Encoding, type EncodingOwner } from './encoding.js';
import type { SharedFrames } from './log.js';
import { BINARY, CLOSE, CONTINUATION, FIN, MAX_CONTROL_PAYLOAD, PING, PONG, TEXT } from './opcodes.js';
import { OutputQueue } from './output.js';
import { FrameWriter } from './writer.js';

const NO_BYTES = new Uint8Array(0);

/** Senders that no connection needs, for the next that does. */
const spare: MessageSender[] = [];
const MAX_SPARE = 64;

const OVER_LIMIT = 'more bytes than sendHardLimit would be queued';

/** A message would have passed `sendHardLimit`; it comes back in `event`. */
export class SendLimitError extends LocalProtocolError {
  override readonly name = 'SendLimitError';
  /** The message, as it was to be sent; null for one that is no string or bytes yet, such as a Blob, and for what was published. */
  readonly event: TextMessage | BytesMessage | null;

  constructor(event: TextMessage | BytesMessage | null) {
    super('SEND_HARD_LIMIT', OVER_LIMIT);
    this.event = event;
  }
}

export class MessageSender {
  readonly output = new OutputQueue();
  // What `#use` sets.
  #writer!: FrameWriter;
  #config!: ConnectionConfig;
  #isServer!: boolean;
  #extensions!: readonly Extension[];
  /** What extensions do to messages, where there are any. */
  #encoding: Encoding | null = null;
  #spareEncoding: Encoding | null = null;
  /** The opcode of the message whose last fragment is still to come, 0 for none. */
  #unfinished = 0;
  /** The first half of a surrogate pair that a fragment ended with. */
  #half = '';
  /** The state of UTF-8 after a fragment of bytes. */
  #utf8 = UTF8_ACCEPT;
  #needsDrain = false;
  /** Something of it may still be encoded elsewhere, so no other connection may have it. */
  #isAbandoned = false;

  constructor(config: ConnectionConfig, isServer: boolean, extensions: readonly Extension[]) {
    this.#use(config, isServer, extensions);
  }

  /** A sender, perhaps one that others have used. */
  static borrow(config: ConnectionConfig, isServer: boolean, extensions: readonly Extension[]): MessageSender {
    const sender = spare.pop();
    if (sender === undefined) return new MessageSender(config, isServer, extensions);
    if (sender.#config !== config || sender.#isServer !== isServer || sender.#extensions !== extensions) {
      sender.#use(config, isServer, extensions);
    }
    return sender;
  }

  /**
   * Gives a sender back that has sent everything: it holds nothing of its connection's then.
   *
   * @returns whether it was taken; one that is in the middle of something stays
   */
  static giveBack(sender: MessageSender): boolean {
    if (!sender.#isIdle || sender.#isAbandoned) return false;
    sender.onEncoded = null;
    if (spare.length < MAX_SPARE) spare.push(sender);
    return true;
  }

  get #isIdle(): boolean {
    return this.queuedBytes === 0 && this.#unfinished === 0 && this.#half === '' && this.#utf8 === UTF8_ACCEPT;
  }

  #use(config: ConnectionConfig, isServer: boolean, extensions: readonly Extension[]): void {
    if (config !== this.#config || isServer !== this.#isServer) {
      this.#writer = new FrameWriter(config.kernels, isServer ? null : config.maskingKeys, this.output);
      this.#spareEncoding = null;
    }
    this.#config = config;
    this.#isServer = isServer;
    this.#extensions = extensions;
    if (extensions.length === 0) {
      this.#encoding = null;
    } else {
      this.#spareEncoding ??= new Encoding(this.#writer, this.output);
      this.#encoding = this.#spareEncoding.use(extensions);
    }
  }

  /** Who is told of what was encoded elsewhere; while null, everything is done at once. */
  set onEncoded(owner: EncodingOwner | null) {
    if (this.#encoding !== null) this.#encoding.owner = owner;
  }

  /** Forgets what is still to be encoded; nothing can be queued any more. */
  abandon(): void {
    if (this.#encoding === null) return;
    this.#encoding.abandon();
    this.#isAbandoned = true;
  }

  /** Bytes queued and not acknowledged; of what is still to be encoded, as it is. */
  get queuedBytes(): number {
    return this.output.queuedBytes + (this.#encoding?.waitingBytes ?? 0);
  }

  get needsDrain(): boolean {
    return this.#needsDrain;
  }

  /** Whether what is queued is no more than `sendHighWater`; if it is more, a drain is owed. */
  withinHighWater(): boolean {
    if (this.queuedBytes <= this.#config.sendHighWater) return true;
    this.#needsDrain = true;
    return false;
  }

  acknowledge(bytes: number): void {
    this.output.acknowledge(bytes);
    this.#noteDrain();
  }

  /** Takes all output as a copy, which counts as acknowledged. */
  takeCopy(): Buffer {
    const bytes = this.output.takeCopy();
    this.#noteDrain();
    return bytes;
  }

  /** Queues text that is UTF-8 already; null as for `text`. */
  utf8(data: Uint8Array, finished: boolean, compress: boolean): boolean | null {
    if (this.#half !== '') throw new LocalProtocolError('MESSAGE_UNFINISHED', 'half a character waits to be continued');
    const first = this.#firstByte(TEXT, finished);
    const state = this.#config.kernels.utf8(data, 0, data.length, this.#utf8);
    if (state === UTF8_REJECT || (finished && state !== UTF8_ACCEPT)) {
      throw new LocalProtocolError('INVALID_UTF8', 'the bytes of a text are not UTF-8');
    }
    if (this.#isOver(data.length)) return this.#refuse(new BytesMessage(data, finished));
    this.#write(first, data, compress);
    this.#utf8 = state;
    this.#unfinished = finished ? 0 : TEXT;
    return this.withinHighWater();
  }

  /** Queues text; null when it was over the hard limit and not thrown back. */
  text(text: string, finished: boolean, compress: boolean): boolean | null {
    if (typeof text !== 'string') throw new LocalProtocolError('INVALID_PAYLOAD', 'text must be a string or bytes');
    if (this.#utf8 !== UTF8_ACCEPT) {
      throw new LocalProtocolError('MESSAGE_UNFINISHED', 'half a character waits to be continued');
    }
    const first = this.#firstByte(TEXT, finished);
    if (this.#isOver(text.length * 3)) {
      // Three bytes a code unit was a guess on the safe side; now the truth is worth its price.
      if (this.#isOver(Buffer.byteLength(text))) return this.#refuse(new TextMessage(text, finished));
    }
    let whole = text;
    let half = '';
    if (!finished || this.#half !== '') {
      whole = this.#half + text;
      half = finished ? '' : trailingHalf(whole);
      if (half !== '') whole = whole.slice(0, -1);
    }
    if (this.#encoding === null) this.#writer.writeText(first, whole);
    else this.#encoding.text(first, whole, compress);
    this.#half = half;
    this.#unfinished = finished ? 0 : TEXT;
    return this.withinHighWater();
  }

  /** Queues bytes; null when they were over the hard limit and not thrown back. */
  bytes(data: Uint8Array, finished: boolean, compress: boolean): boolean | null {
    if (!(data instanceof Uint8Array)) throw new LocalProtocolError('INVALID_PAYLOAD', 'data must be a Uint8Array');
    const first = this.#firstByte(BINARY, finished);
    if (this.#isOver(data.length)) return this.#refuse(new BytesMessage(data, finished));
    this.#write(first, data, compress);
    this.#unfinished = finished ? 0 : BINARY;
    return this.withinHighWater();
  }

  /** Queues frames that others send as well, all or none; null as for `text`. */
  frames(frames: SharedFrames): boolean | null {
    this.requireFinished();
    if (this.queuedBytes + frames.size > this.#config.sendHardLimit) return this.#refuse(null);
    if (this.#encoding === null) frames.queueOn(this.output);
    else this.#encoding.frames(frames);
    return this.withinHighWater();
  }

  /** Queues what is left of frames of which the system has the first bytes. */
  rest(frames: SharedFrames, taken: number): boolean {
    this.output.interrupted();
    frames.queueOn(this.output, taken);
    return this.withinHighWater();
  }

  /** Queues a message that others send as well; null as for `text`. */
  prepared(message: PreparedMessage, encoder: SharedEncoder | null): boolean | null {
    const { payload } = message;
    this.requireFinished();
    // A string of it would cost time that all who share it would wait for.
    if (this.#isOver(payload.length)) return this.#refuse(new BytesMessage(payload));
    if (this.#encoding === null) message.framesFor(null, null)?.queueOn(this.output);
    else this.#encoding.prepared(message, encoder);
    return this.withinHighWater();
  }

  ping(payload: Uint8Array): boolean {
    requireControl(payload);
    if (this.#isOver(payload.length)) throw new LocalProtocolError('SEND_HARD_LIMIT', OVER_LIMIT);
    this.#writer.writeBytes(FIN | PING, payload);
    return this.withinHighWater();
  }

  /** Puts a Pong into its slot. */
  pong(payload: Uint8Array): boolean {
    requireControl(payload);
    this.output.setControl('pong', this.#writer.frame(FIN | PONG, payload));
    return this.withinHighWater();
  }

  /** Puts an empty Ping into its slot. */
  keepAlivePing(): void {
    this.output.setControl('ping', this.#writer.frame(FIN | PING, NO_BYTES));
  }

  /** Queues a Close behind everything else. */
  close(payload: Uint8Array): void {
    if (this.#encoding === null) this.#writer.writeBytes(FIN | CLOSE, payload);
    else this.#encoding.close(payload);
  }

  /** @throws LocalProtocolError `MESSAGE_UNFINISHED` in the middle of a message */
  requireFinished(): void {
    if (this.#unfinished !== 0) throw new LocalProtocolError('MESSAGE_UNFINISHED', 'another message is not finished');
  }

  #firstByte(opcode: number, finished: boolean): number {
    if (this.#unfinished !== opcode) this.requireFinished();
    return (finished ? FIN : 0) | (this.#unfinished === 0 ? opcode : CONTINUATION);
  }

  /** Whether a payload of that size, and its header, would pass the limit. */
  #isOver(size: number): boolean {
    return this.queuedBytes + this.#writer.frameSize(size) > this.#config.sendHardLimit;
  }

  #refuse(event: TextMessage | BytesMessage | null): null {
    const { overflow } = this.#config;
    // To drop a fragment would be to send the rest as if it were the whole.
    const isFragment = this.#unfinished !== 0 || event?.messageFinished === false;
    if (overflow === 'refuse' || (overflow === 'drop' && isFragment)) throw new SendLimitError(event);
    // False is what the caller gets, so a drain must follow; where next to nothing is queued, none would.
    if (this.queuedBytes > this.#config.sendLowWater) this.#needsDrain = true;
    return null;
  }

  #noteDrain(): void {
    if (this.queuedBytes <= this.#config.sendLowWater) this.#needsDrain = false;
  }

  #write(first: number, payload: Uint8Array, compress: boolean): void {
    if (this.#encoding === null) this.#writer.writeBytes(first, payload);
    else this.#encoding.bytes(first, payload, compress);
  }
}

function requireControl(payload: Uint8Array): void {
  if (!(payload instanceof Uint8Array))
    throw new LocalProtocolError('INVALID_PAYLOAD', 'a payload must be a Uint8Array');
  if (payload.length > MAX_CONTROL_PAYLOAD) {
    throw new LocalProtocolError('CONTROL_TOO_LONG', `a control frame takes ${MAX_CONTROL_PAYLOAD} bytes at most`);
  }
}

/** The high surrogate that a string ends with, or ''. */
function trailingHalf(text: string): string {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff ? text.slice(-1) : '';
}
