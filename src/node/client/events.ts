/**
 * The events of a WebSocket that Node has no class for, or not in every version: where there is a global one it is
 * taken, so that `instanceof` holds.
 */

/** What a `CloseEvent` is made of. */
export interface CloseEventInit {
  readonly wasClean?: boolean;
  readonly code?: number;
  readonly reason?: string;
}

/** The connection is closed (WHATWG WebSockets §6). */
export interface CloseEvent extends Event {
  /** Whether both sides sent a Close and the stream then ended in order. */
  readonly wasClean: boolean;
  /** The code of the peer's Close: 1005 when it had none, 1006 when no Close came. */
  readonly code: number;
  readonly reason: string;
}

/** What an `ErrorEvent` is made of. */
export interface ErrorEventInit {
  readonly message?: string;
  readonly error?: unknown;
}

/** The connection failed. The standard has a plain Event here; that it says why is ours. */
export interface ErrorEvent extends Event {
  readonly message: string;
  readonly error: unknown;
}

type Constructor<T extends Event, Init> = new (type: string, init?: Init) => T;

class OwnCloseEvent extends Event implements CloseEvent {
  readonly #init: CloseEventInit;

  constructor(type: string, init: CloseEventInit = {}) {
    super(type);
    this.#init = init;
  }

  get wasClean(): boolean {
    return this.#init.wasClean ?? false;
  }

  get code(): number {
    return this.#init.code ?? 0;
  }

  get reason(): string {
    return this.#init.reason ?? '';
  }
}
Object.defineProperty(OwnCloseEvent, 'name', { value: 'CloseEvent' });

class OwnErrorEvent extends Event implements ErrorEvent {
  readonly #init: ErrorEventInit;

  constructor(type: string, init: ErrorEventInit = {}) {
    super(type);
    this.#init = init;
  }

  get message(): string {
    return this.#init.message ?? '';
  }

  get error(): unknown {
    return this.#init.error;
  }
}
Object.defineProperty(OwnErrorEvent, 'name', { value: 'ErrorEvent' });

const globals = globalThis as {
  CloseEvent?: Constructor<CloseEvent, CloseEventInit>;
  ErrorEvent?: Constructor<ErrorEvent, ErrorEventInit>;
};

/** The global class, or ours where there is none. */
export const CloseEvent: Constructor<CloseEvent, CloseEventInit> = globals.CloseEvent ?? OwnCloseEvent;
export const ErrorEvent: Constructor<ErrorEvent, ErrorEventInit> = globals.ErrorEvent ?? OwnErrorEvent;
