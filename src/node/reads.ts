/**
 * How a link reads its stream: as 'data' events, or, for a TCP socket, into one buffer that all connections share.
 *
 * For every read Node allocates 64 KiB, shrinks them to what came, and leaves them to the collector. `net.Socket` has
 * an option to read into a buffer of the caller's, `onread`, but only for sockets that the caller makes; so the handle
 * of an accepted socket is given to a new one. That takes three properties of sockets that are not documented. Where one of them is not as expected, or
 * the socket is in the middle of something, the 'data' events do.
 */

import { type OnReadOpts, Socket, type SocketConstructorOpts } from 'node:net';
import type { Duplex } from 'node:stream';

/** What is read of a TCP handle. */
interface Handle {
  reading: boolean;
  readStop(): number;
  useUserBuffer(buffer: Uint8Array): void;
}

/** The properties of a socket that are not documented: its handle, and the server that counts it. */
interface Internals {
  _handle: Handle | null;
  _server: object | null;
}

/** Every read is copied out before the next, so one buffer serves the whole thread. It is made with the first. */
let shared: Buffer | null = null;
const SHARED_SIZE = 64 * 1024;

/**
 * Starts to read.
 *
 * @param receive is called with every chunk, whose memory is its own
 * @returns the stream to go on with, in place of `stream`, which then is of no more use
 */
export function startReading(stream: Duplex, receive: (chunk: Buffer) => void): Duplex {
  const handle = takeHandle(stream);
  if (handle === null) {
    stream.on('data', receive);
    return stream;
  }
  shared ??= Buffer.allocUnsafeSlow(SHARED_SIZE);
  const options: SocketConstructorOpts & { handle: Handle; manualStart: boolean; onread: OnReadOpts } = {
    handle,
    allowHalfOpen: true,
    manualStart: true,
    onread: {
      buffer: shared,
      callback(size, buffer) {
        receive(Buffer.from((buffer as Buffer).subarray(0, size)));
        return true;
      },
    },
  };
  const socket = new Socket(options);
  const { _server } = stream as unknown as Internals;
  (socket as unknown as Internals)._server = _server;
  (stream as unknown as Internals)._server = null;
  return socket.resume();
}

/** Takes the handle out of a socket that is idle, or returns null for every other stream. */
function takeHandle(stream: Duplex): Handle | null {
  const internals = stream as unknown as Partial<Internals>;
  const handle = internals._handle;
  // A write that has failed is told to the stream it was made on, and only later.
  const isOver = stream.destroyed || stream.errored !== null || stream.readableEnded || stream.writableEnded;
  const isIdle = stream.readableLength === 0 && stream.writableLength === 0;
  const isAccepted = stream.constructor === Socket && Boolean(internals._server);
  if (isOver || !isIdle || !isAccepted || typeof handle?.useUserBuffer !== 'function') return null;
  if (handle.reading) {
    handle.reading = false;
    if (handle.readStop() !== 0) return null;
  }
  internals._handle = null;
  return handle;
}
