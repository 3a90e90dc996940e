/**
 * A WebSocket server on a bare TCP socket. `millrace/core` does the protocol and touches no socket; this file moves the
 * bytes, and keeps two rules:
 *
 *  1. It reads no faster than it processes. A message waits for the one before it, and where bytes pile up behind it,
 *     the socket is paused: the system's buffers fill, and TCP holds the peer.
 *  2. It stores nothing without a bound. While a peer does not read its answers, its messages are not taken either.
 *
 *   node examples/sans-io.js [port]
 */

import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { AcceptConnection, CloseCode, CloseConnection, ConnectionType, WSConnection } from 'millrace/core';

/** The most bytes of one write. What has not been written can still be overtaken by a Pong. */
const WRITE_SIZE = 64 * 1024;
/** How long a client that was refused may take to close, in milliseconds. */
const LINGER = 2000;

/** The application: echoes, and takes so many milliseconds for it as a text such as `work 500` says. */
async function application({ type, data }, signal) {
  const [, milliseconds] = (type === 'text' && /^work (\d{1,5})$/.exec(data)) || [];
  if (milliseconds !== undefined) await sleep(Number(milliseconds), undefined, { signal });
  return data;
}

class Peer {
  #socket;
  #ws = new WSConnection(ConnectionType.SERVER, { connection: { autoPong: true, autoClose: true } });
  #gone = new AbortController(); // tells the application that nobody waits for its answer any more
  #busy = false; // the application is at work
  #writing = false; // the system has not taken the last write yet
  #refused = false;
  #deadline = null;
  #timer;

  constructor(socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('end', () => this.#receive(null)); // the peer sends no more, but may still read
    socket.on('error', (error) => console.log(`socket: ${error.message}`)); // 'close' follows
    socket.on('close', () => {
      clearTimeout(this.#timer);
      this.#gone.abort();
      this.#receive(null);
    });
    this.#tick();
  }

  /** Starts the closing handshake, or cuts off a client that is not that far yet. */
  close(code, reason) {
    const { connection } = this.#ws;
    if (connection?.canSend) connection.queue(new CloseConnection(code, reason));
    else if (connection === null) this.#socket.destroy();
    this.#proceed();
  }

  #receive(chunk) {
    this.#ws.receiveData(chunk); // what it returns is asked for again below, as `wantsData`
    this.#proceed();
  }

  /** Whatever has happened, this is what comes next: events, then output, then what the socket is to do. */
  #proceed() {
    this.#handleEvents();
    this.#write();
    this.#steer();
  }

  #handleEvents() {
    // Rule 2: `needsDrain` holds what would make more output. Rule 1: `busy` holds what the application cannot take yet.
    while (!this.#busy && !this.#refused && !(this.#ws.connection?.needsDrain && !this.#socket.destroyed)) {
      let event;
      try {
        event = this.#ws.nextEvent();
      } catch (error) {
        this.#refuse(error); // only the opening handshake throws: later faults of the peer are close events
        return;
      }
      if (typeof event === 'symbol') return; // NEED_DATA
      if (event.type === 'request') this.#socket.write(this.#ws.send(new AcceptConnection()));
      else if (event.type === 'text' || event.type === 'bytes') this.#process(event);
      else if (event.type === 'close') console.log(`closed: ${event.code} ${event.reason} (${event.origin})`);
    }
  }

  async #process(event) {
    const { connection } = this.#ws;
    this.#busy = true;
    try {
      const answer = await application(event, this.#gone.signal);
      // While the application was at work the connection may have ended.
      if (!connection.canSend) return;
      if (typeof answer === 'string') connection.queueText(answer);
      else connection.queueBytes(answer);
    } catch (error) {
      if (!this.#gone.signal.aborted) console.log(`application: ${error.message}`);
      if (connection.canSend) connection.queue(new CloseConnection(CloseCode.INTERNAL_ERROR));
    } finally {
      this.#busy = false;
      this.#proceed();
    }
  }

  /** A bad handshake: `eventHint` is the HTTP response that tells the client why. */
  #refuse(error) {
    console.log(`refused: ${error.message} (${error.code})`);
    this.#refused = true;
    clearTimeout(this.#timer);
    const socket = this.#socket;
    if (socket.destroyed) return;
    socket.end(error.eventHint ? this.#ws.send(error.eventHint) : undefined);
    // It is read to its end: a socket closed with input unread is reset, and the answer lost.
    this.#timer = setTimeout(() => socket.destroy(), LINGER);
  }

  /** One write at a time, of a bounded size. Its memory is the connection's until it is acknowledged. */
  #write() {
    const socket = this.#socket;
    if (this.#writing || socket.destroyed) return;
    const parts = [];
    const bytes = this.#ws.takeOutput(parts, WRITE_SIZE);
    if (bytes === 0) return;
    this.#writing = true;
    socket.cork(); // the parts leave as one
    for (const part of parts.slice(0, -1)) socket.write(part);
    socket.write(parts.at(-1), (error) => {
      this.#writing = false;
      if (error) return; // 'close' follows
      this.#ws.acknowledge(bytes);
      this.#proceed();
    });
    socket.uncork();
  }

  #steer() {
    const socket = this.#socket;
    const { connection, transport } = this.#ws;
    if (this.#refused || socket.destroyed) return;
    // One timer for every deadline: of the handshake, of keep-alive pings, of closing. Any call may have moved it.
    const deadline = this.#ws.nextDeadline();
    if (deadline !== this.#deadline) {
      this.#deadline = deadline;
      clearTimeout(this.#timer);
      if (deadline !== null) this.#timer = setTimeout(() => this.#tick(), Math.max(0, deadline - performance.now()));
    }
    // Output comes first. A server ends its side first; the socket closes when the peer has done so too.
    if (transport === 'destroy' && deadline === null) socket.destroy();
    else if (transport !== 'open' && !this.#writing && !connection?.hasOutput) socket.end();
    // Rule 1. What comes after the end is read and forgotten.
    if (transport !== 'open' || (connection?.wantsData ?? true)) socket.resume();
    else socket.pause();
  }

  #tick() {
    this.#deadline = null;
    this.#ws.handleTimeout(performance.now());
    this.#proceed();
  }
}

const peers = new Set();
// Half open: who has ended its side still gets what is on its way to it.
const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  const peer = new Peer(socket);
  peers.add(peer);
  socket.on('close', () => peers.delete(peer));
});
server.listen(Number(process.argv[2] ?? process.env.PORT ?? 8081), '127.0.0.1', () => {
  console.log(`listening on ws://127.0.0.1:${server.address().port}`);
});

// Nothing keeps the process alive once the last connection is closed. A second signal does not wait for that.
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    console.log('closing');
    server.close();
    for (const peer of peers) peer.close(CloseCode.GOING_AWAY, 'shutting down');
  });
}
