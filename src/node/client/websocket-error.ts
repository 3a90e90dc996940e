/** `WebSocketError` as the WHATWG's proposal for WebSocketStream has it. */

import { toUSVString } from 'node:util';
import { closeCodeToSend, enforcedShort, makeEnumerable } from './webidl.js';

/** How a connection is, or was, closed. */
export interface WebSocketCloseInfo {
  /** To be sent: 1000, or 3000 to 4999. */
  readonly closeCode?: number;
  /** To be sent: at most 123 bytes of UTF-8. */
  readonly reason?: string;
}

/** Makes an error for a connection that ended, whose code may be one that nobody may send. */
export let connectionError: (message: string, closeCode: number, reason: string, cause: unknown) => WebSocketError;

/**
 * The end of a connection as an error; as the reason of `cancel` and `abort`, what is sent in the Close. What made the
 * connection fail is its `cause`.
 */
export class WebSocketError extends DOMException {
  #closeCode: number | null = null;
  #reason = '';

  static {
    connectionError = (message, closeCode, reason, cause) => {
      const error = new WebSocketError(message);
      error.#closeCode = closeCode;
      error.#reason = reason;
      if (cause !== null) Object.defineProperty(error, 'cause', { value: cause, configurable: true, writable: true });
      return error;
    };
  }

  /** @throws DOMException `InvalidAccessError`, `SyntaxError` and TypeError as `WebSocketStream.close` does */
  constructor(message = '', info: WebSocketCloseInfo = {}) {
    super(toUSVString(`${message}`), 'WebSocketError');
    const { code, reason } = closeInfo(info);
    const toSend = closeCodeToSend(code, reason);
    this.#closeCode = code === null && reason === '' ? null : toSend;
    this.#reason = reason;
  }

  /** The code, or null. With a reason, and none given, it is 1000. */
  get closeCode(): number | null {
    return this.#closeCode;
  }

  get reason(): string {
    return this.#reason;
  }
}

makeEnumerable(WebSocketError.prototype, ['closeCode', 'reason']);
Object.defineProperty(WebSocketError.prototype, Symbol.toStringTag, { value: 'WebSocketError', configurable: true });

/** The members of a WebSocketCloseInfo, converted (Web IDL §3.2.17). */
export function closeInfo(info: WebSocketCloseInfo | null): { code: number | null; reason: string } {
  const { closeCode, reason } = info ?? {};
  return {
    code: closeCode === undefined ? null : enforcedShort(closeCode, 'closeCode'),
    reason: reason === undefined ? '' : toUSVString(`${reason}`),
  };
}
