/** `connect`: a client with the handlers of a server. */

import type { IncomingHttpHeaders } from 'node:http';
import { Connection, ConnectionConfig, type ConnectionOptions, ConnectionType } from '../../core/index.js';
import { cutOff } from '../h2/transport.js';
import { type Handlers, Session } from '../handlers.js';
import type { Peer } from '../peer.js';
import { ignore } from '../refusal.js';
import { Dial, type DialOptions } from './dial.js';

/** How a client connects, and its limits. */
export interface ClientOptions
  extends DialOptions,
    Omit<ConnectionOptions, 'autoPong' | 'autoClose' | 'delivery' | 'trailingData'> {}

/** What a server answered to a request that it accepted. */
export interface Accepted {
  /** The subprotocol that it chose, '' for none. */
  readonly protocol: string;
  /** The fields of its answer but for the handshake's own, names in lower case, as node:http joins them. */
  readonly headers: IncomingHttpHeaders;
  /** The version of HTTP that carries the WebSocket. */
  readonly httpVersion: '1.1' | '2.0';
}

/** How to connect, and what to do with the connection. */
export interface ConnectOptions<Data = unknown> extends ClientOptions, Handlers<Data> {
  /** What `ws.data` begins as. */
  readonly data?: Data;
  /** The server has accepted; `open` follows. What it throws ends the connection, and `connect` rejects with it. */
  accepted?(answer: Accepted): void;
}

/**
 * Connects to a server. Messages that come with the server's answer are handed to `message` before the promise is
 * heard of, so that handlers belong into the options.
 *
 * @param url ws: or wss:, or http: or https: in their place
 * @returns the connection, once `open` was called. Rejects with a `HandshakeError` when the handshake fails; no
 *   handler is called then. Rejects with a `LocalProtocolError` for what cannot be asked for: `INVALID_URL`,
 *   `INVALID_OPTION`, `INVALID_SUBPROTOCOL`, `INVALID_HEADER`, `RESERVED_HEADER`, `INVALID_HOST`
 */
export function connect<Data = unknown>(url: string | URL, options: ConnectOptions<Data> = {}): Promise<Peer<Data>> {
  return new Promise((resolve, reject) => {
    const config = clientConfig(options);
    const dial = new Dial(url, options, false, (error, dialed) => {
      if (dialed === null) {
        reject(error);
        return;
      }
      const { stream, head, extensions, protocol, headers, httpVersion, remoteAddress } = dialed;
      try {
        options.accepted?.({ protocol, headers, httpVersion });
      } catch (thrown) {
        cutOff(stream.on('error', ignore));
        reject(thrown);
        return;
      }
      const connection = new Connection(ConnectionType.CLIENT, extensions, config);
      const init = { data: options.data as Data, protocol, remoteAddress };
      const session = new Session<Data>(stream, connection, options, init, () => {});
      session.start(head);
      resolve(session.peer);
    });
    dial.start();
  });
}

/** @throws LocalProtocolError `INVALID_OPTION` */
export function clientConfig(options: ClientOptions): ConnectionConfig {
  return new ConnectionConfig({ ...options, autoPong: true, autoClose: true, delivery: 'messages' });
}
