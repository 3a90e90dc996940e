/** A WebSocket that opens again when it is lost, and says how it stands. */

const FIRST_WAIT = 500;
const LONGEST_WAIT = 5000;

/** The address of a path of this server as a WebSocket. */
export function socketUrl(path) {
  const url = new URL(path, location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

export class Link {
  #url;
  #handlers;
  #socket = null;
  #timer;
  #wait = FIRST_WAIT;

  /**
   * @param {string} path
   * @param {{ message?: (data: unknown) => void, state: (state: object) => void }} handlers `state` gets
   *   `{ name: 'connecting' | 'open' | 'waiting' | 'closed', code?, reason?, seconds? }`; `waiting` is for the next
   *   attempt, `closed` is on purpose
   */
  constructor(path, handlers) {
    this.#url = socketUrl(path);
    this.#handlers = handlers;
  }

  open() {
    clearTimeout(this.#timer);
    if (this.#socket !== null) return;
    this.#handlers.state({ name: 'connecting' });
    const socket = new WebSocket(this.#url);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    socket.addEventListener('open', () => {
      if (this.#socket !== socket) return;
      this.#wait = FIRST_WAIT;
      this.#handlers.state({ name: 'open' });
    });
    socket.addEventListener('message', ({ data }) => {
      if (this.#socket === socket) this.#handlers.message?.(data);
    });
    socket.addEventListener('close', ({ code, reason }) => {
      if (this.#socket === socket) this.#lost(code, reason);
    });
  }

  /** Closes and stays closed until `open` is called. */
  close() {
    clearTimeout(this.#timer);
    this.#socket?.close(1000);
    this.#socket = null;
    this.#handlers.state({ name: 'closed' });
  }

  /** Whether the message was handed to the browser. */
  send(data) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(data);
    return true;
  }

  #lost(code, reason) {
    this.#socket = null;
    const wait = this.#wait;
    this.#wait = Math.min(wait * 2, LONGEST_WAIT);
    this.#handlers.state({ name: 'waiting', code, reason, seconds: wait / 1000 });
    this.#timer = setTimeout(() => this.open(), wait);
  }
}
