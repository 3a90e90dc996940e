/** The stream under a client's connection: TCP, a Unix socket or the user's own, with TLS over it where the URL asks. */

import { isIP, type LookupFunction, connect as netConnect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type TLSSocket, type ConnectionOptions as TlsOptions, connect as tlsConnect } from 'node:tls';
import type { Target } from './target.js';

/** How the stream is opened. There is no `agent`: a connection that becomes a WebSocket goes back to no pool. */
export interface TransportOptions {
  /** Options of `tls.connect` for wss: URLs, such as `ca`, `cert`, `key`, `servername`, `rejectUnauthorized`. */
  readonly tls?: TlsOptions;
  /** A Unix socket (on Windows, a pipe) to connect to; the URL then only says what is asked for there. */
  readonly socketPath?: string;
  /** The local address to connect from. */
  readonly localAddress?: string;
  /** 4 or 6 to use one version of IP only. */
  readonly family?: number;
  /** In place of `dns.lookup`. */
  readonly lookup?: LookupFunction;
  /**
   * Makes the stream, in place of everything else here but `tls`. For a wss: URL, TLS is spoken over what it gives,
   * unless that is a `TLSSocket` already.
   */
  createConnection?(target: Target): Duplex | PromiseLike<Duplex>;
}

/** Begins to open the stream; it may be connecting yet. */
export function openTransport(target: Target, options: TransportOptions): Duplex | PromiseLike<Duplex> {
  if (options.createConnection !== undefined) {
    const made = options.createConnection(target);
    return 'then' in made ? made.then((stream) => withTls(stream, target, options)) : withTls(made, target, options);
  }
  const { socketPath, localAddress, family, lookup } = options;
  const where = {
    host: target.host,
    port: target.port,
    // What is still to be sent when the server has ended its side is sent.
    allowHalfOpen: true,
    ...(socketPath !== undefined && { path: socketPath }),
    ...(localAddress !== undefined && { localAddress }),
    ...(family !== undefined && { family }),
    ...(lookup !== undefined && { lookup }),
  };
  return target.secure ? tlsConnect({ ...tlsOptions(target, options), ...where }) : netConnect(where);
}

/** The event that a stream will tell its being ready by, or null when it is. */
export function readyEvent(stream: Duplex): 'connect' | 'secureConnect' | null {
  const { connecting, secureConnecting } = stream as Partial<Socket> & { secureConnecting?: boolean };
  // Nothing may be sent before it is known who is there.
  if (isTls(stream)) return secureConnecting === true ? 'secureConnect' : null;
  return connecting === true ? 'connect' : null;
}

export function isTls(stream: Duplex): boolean {
  return (stream as Partial<TLSSocket>).encrypted === true;
}

function withTls(stream: Duplex, target: Target, options: TransportOptions): Duplex {
  if (!target.secure || isTls(stream)) return stream;
  const socket = tlsConnect({ ...tlsOptions(target, options), host: target.host, socket: stream });
  stream.on('error', (error) => socket.destroy(error));
  socket.on('close', () => stream.destroy());
  return socket;
}

function tlsOptions({ host }: Target, { tls }: TransportOptions): TlsOptions {
  return {
    ALPNProtocols: ['http/1.1'],
    // RFC 6066 §3: a name, without the dot that it may end with, and no address.
    ...(isIP(host) === 0 && { servername: host.replace(/\.$/, '') }),
    ...tls,
  };
}
