/**
 * WebSockets over HTTP/2 (RFC 8441) on bare `node:http2`: a server, and a client that opens some on one session. The
 * protocol is done by `millrace/core`; this file moves header blocks and bytes. Each WebSocket is a stream:
 *
 *   opening   an extended CONNECT, which the server has allowed in its settings, answered by any 2xx
 *   closing   Close frames as ever, then END_STREAM both ways
 *   reset     RST_STREAM with CANCEL, where over HTTP/1.1 the TCP connection would be reset
 *   holding   a stream that is not read gives no credit back, so that its sender stops while the other streams go on
 *
 *   node examples/http2.js
 */

import { once } from 'node:events';
import { connect, constants, createServer } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AcceptConnection,
  CloseConnection,
  Connection,
  ConnectionState,
  ConnectionType,
  clientExtensionsHandshake,
  formatExtensions,
  H2Handshake,
  PerMessageDeflate,
  RejectConnection,
  RejectData,
  Request,
  serverExtensionsHandshake,
} from 'millrace/core';

const { NGHTTP2_CANCEL, NGHTTP2_FLAG_END_STREAM, NGHTTP2_NO_ERROR } = constants;
const { CLIENT, SERVER } = ConnectionType;
const { OPEN, CLOSED } = ConnectionState;
const MiB = 1024 * 1024;
/** The most bytes of one write. What has not been written can still be overtaken by a Pong. */
const WRITE_SIZE = 64 * 1024;
/** Of every connection here. */
const OPTIONS = { autoPong: true, autoClose: true };
/** How much is sent while nothing is read, and for how many milliseconds that is so. */
const FLOOD = 16 * MiB;
const HOLD = 300;

/** The raw headers of `node:http2`, names and values in turns, as pairs. Its header objects join what is repeated. */
function toPairs(raw) {
  return Array.from({ length: raw.length / 2 }, (_, at) => [raw[2 * at], raw[2 * at + 1]]);
}

/** Pairs as an object for `node:http2`, with an array for what is repeated. */
function toObject(pairs) {
  const object = {};
  for (const [name, value] of pairs) object[name] = name in object ? [object[name], value].flat() : value;
  return object;
}

/** How a stream ended, by the code that it was closed with. */
function endOf(code) {
  if (code === NGHTTP2_NO_ERROR) return 'END_STREAM';
  return code === NGHTTP2_CANCEL ? 'RST_STREAM(CANCEL)' : `RST_STREAM(${code})`;
}

/** Calls `tick` with the time at a deadline that may move. */
class Alarm {
  #deadline = null;
  #timer;
  #tick;

  constructor(tick) {
    this.#tick = tick;
  }

  set(deadline) {
    if (deadline === this.#deadline) return;
    this.#deadline = deadline;
    clearTimeout(this.#timer);
    if (deadline === null) return;
    const due = () => {
      this.#deadline = null;
      this.#tick(performance.now());
    };
    this.#timer = setTimeout(due, Math.max(0, deadline - performance.now()));
  }
}

/** An established connection on its stream, of either side. Nothing is read ahead of `next`, or queued ahead of `send`. */
class Link {
  /** Fulfilled with the code of the RST_STREAM when the stream is closed, 0 for none. */
  gone;
  /** The most bytes that have waited here, to be read and to be sent. */
  mostWaiting = 0;
  #stream;
  #connection;
  #alarm = new Alarm((now) => {
    this.#connection.handleTimeout(now);
    this.#proceed();
  });
  #taker = null; // waits for an event
  #sender = null; // waits for room
  #writing = false; // the stream has not taken the last write yet

  constructor(stream, connection) {
    this.#stream = stream;
    this.#connection = connection;
    stream.on('data', (chunk) => this.#receive(chunk));
    stream.on('end', () => this.#receive(null)); // END_STREAM; `node:http2` says this of a reset as well
    stream.on('error', (error) => console.log(`stream: ${error.message}`)); // 'close' follows
    this.gone = new Promise((resolve) => {
      stream.on('close', () => {
        this.#receive(null);
        this.#alarm.set(null);
        this.#sender?.();
        resolve(stream.rstCode);
      });
    });
    connection.handleTimeout(performance.now());
    this.#proceed();
  }

  /** The next message, or the close event. Until it is asked for, what the peer sends waits, and then the peer does. */
  next() {
    return new Promise((resolve) => {
      this.#taker = resolve;
      this.#proceed();
    });
  }

  /** Sends a text or bytes, and waits while too much is queued. False when the connection has ended. */
  async send(data, { compress = true } = {}) {
    const connection = this.#connection;
    if (!connection.canSend) return false;
    const hasRoom =
      typeof data === 'string'
        ? connection.queueText(data, true, compress)
        : connection.queueBytes(data, true, compress);
    const drained = hasRoom ? null : new Promise((resolve) => (this.#sender = resolve));
    this.#proceed();
    await drained;
    return true;
  }

  /** Starts the closing handshake. */
  close(code, reason) {
    this.#connection.queue(new CloseConnection(code, reason));
    this.#proceed();
  }

  /** Gives the connection up. */
  abort() {
    this.#connection.abort();
    this.#proceed();
  }

  #receive(chunk) {
    this.#connection.receiveData(chunk); // what it returns is asked for again below, as `wantsData`
    this.#proceed();
  }

  /** Whatever has happened, this is what comes next: an event, then output, then what the stream is to do. */
  #proceed() {
    while (this.#taker !== null) {
      const event = this.#connection.nextEvent();
      if (typeof event === 'symbol') break; // NEED_DATA
      if (event.type === 'ping' || event.type === 'pong') continue;
      this.#taker(event);
      this.#taker = null;
    }
    this.#write();
    this.#steer();
  }

  /** One write at a time, of a bounded size. Its memory is the connection's until it is acknowledged. */
  #write() {
    const stream = this.#stream;
    if (this.#writing || stream.destroyed) return;
    const parts = [];
    const bytes = this.#connection.takeOutput(parts, WRITE_SIZE);
    if (bytes === 0) return;
    this.#writing = true;
    stream.cork(); // the parts leave as one
    for (const part of parts.slice(0, -1)) stream.write(part);
    stream.write(parts.at(-1), (error) => {
      this.#writing = false;
      if (error) return; // 'close' follows
      this.#connection.acknowledge(bytes);
      if (!this.#connection.needsDrain) this.#sender?.();
      this.#proceed();
    });
    stream.uncork();
  }

  #steer() {
    const stream = this.#stream;
    const connection = this.#connection;
    this.mostWaiting = Math.max(this.mostWaiting, connection.bufferedBytes + connection.queuedBytes);
    if (stream.destroyed) return;
    const { transport } = connection;
    const deadline = connection.nextDeadline();
    this.#alarm.set(deadline);
    // Where the peer has ended its side, or may still do so, this side ends in order; otherwise there is no order left.
    if (transport === 'destroy' && deadline === null && !stream.readableEnded) stream.close(NGHTTP2_CANCEL);
    else if (transport !== 'open' && !this.#writing && !connection.hasOutput) stream.end();
    // What comes after the end is read and forgotten.
    if (transport !== 'open' || connection.wantsData) stream.resume();
    else stream.pause();
  }
}

// The server.

const ofServer = new PerMessageDeflate();

/** Sends every message back. The next one is taken when this one has found room. */
async function echo(target, link) {
  let event = await link.next();
  for (; event.type !== 'close'; event = await link.next()) {
    await link.send(event.data, { compress: event.type === 'text' });
  }
  console.log(`server: ${target} ended with ${event.code} (${event.origin}), ${endOf(await link.gone)}`);
  console.log(`server: ${target} never had more than ${link.mostWaiting} bytes waiting`);
}

/** What an event becomes on a stream. Nothing that a client still sends behind its end is of use. */
function put(stream, { headers, data, endStream }) {
  if (headers !== null) stream.respond(toObject(headers), { endStream });
  if (data.length > 0) stream.write(data);
  if (endStream) stream.close(NGHTTP2_NO_ERROR);
}

/** The whole of an opening handshake: the request is there at once, so nothing is waited for. */
function answer(stream, flags, raw) {
  const handshake = new H2Handshake(SERVER, { extensions: [ofServer] });
  let request;
  try {
    handshake.receiveHeaders(toPairs(raw), (flags & NGHTTP2_FLAG_END_STREAM) !== 0);
    request = handshake.nextEvent();
  } catch (error) {
    console.log(`server: ${error.message} (${error.code})`);
    put(stream, handshake.send(error.eventHint)); // the rejection that tells the client what is wrong
    return;
  }
  const { target } = request;
  if (target !== '/echo') {
    put(stream, handshake.send(new RejectConnection({ statusCode: 404, hasBody: true })));
    put(stream, handshake.send(new RejectData(Buffer.from(`there is no ${target}`))));
    return;
  }
  put(stream, handshake.send(new AcceptConnection()));
  echo(target, new Link(stream, new Connection(SERVER, handshake.extensions, OPTIONS)));
}

/** The same without `H2Handshake`, for who has checked the request by other means. Extensions are agreed on as ever. */
function answerByHand(stream, headers) {
  let agreement;
  try {
    agreement = serverExtensionsHandshake(headers['sec-websocket-extensions'] ?? [], [ofServer]);
  } catch {
    put(stream, { headers: [[':status', '400']], data: [], endStream: true });
    return;
  }
  const { header, extensions } = agreement;
  stream.respond({ ':status': 200, ...(header !== null && { 'sec-websocket-extensions': header }) });
  echo(headers[':path'], new Link(stream, new Connection(SERVER, extensions, OPTIONS)));
}

const server = createServer({ settings: { enableConnectProtocol: true } });
server.on('stream', (stream, headers, flags, raw) => {
  stream.on('error', () => {});
  if (headers[':protocol'] === 'websocket' && headers[':path'] === '/by-hand') answerByHand(stream, headers);
  else answer(stream, flags, raw);
});

// The client.

const ofClient = new PerMessageDeflate();

/** Opens a WebSocket, or throws what is wrong with that. */
function open(session, target) {
  const handshake = new H2Handshake(CLIENT, { scheme: 'http', extensions: [ofClient] });
  const { headers } = handshake.send(new Request({ host: AUTHORITY, target }));
  const stream = session.request(toObject(headers));
  return new Promise((resolve, reject) => {
    let refusal = '';
    const handle = (event) => {
      if (event.type === 'accept') {
        resolve(new Link(stream, new Connection(CLIENT, handshake.extensions, OPTIONS)));
      } else if (event.type === 'reject') {
        refusal = `refused with ${event.statusCode}`;
        stream.on('data', (chunk) => take(() => handshake.receiveData(chunk)));
      } else {
        refusal += ` ${Buffer.from(event.data)}`;
      }
      if (handshake.state === CLOSED) reject(new Error(refusal.trimEnd()));
    };
    const take = (input) => {
      if (handshake.state === OPEN) return; // All that comes now is the link's.
      try {
        input();
        for (const event of handshake.events()) handle(event);
        alarm.set(handshake.nextDeadline());
      } catch (error) {
        alarm.set(null);
        stream.close(NGHTTP2_CANCEL);
        reject(error);
      }
    };
    const takeHeaders = (_headers, flags, raw) =>
      take(() => handshake.receiveHeaders(toPairs(raw), (flags & NGHTTP2_FLAG_END_STREAM) !== 0));
    const alarm = new Alarm((now) => take(() => handshake.handleTimeout(now)));
    stream.on('headers', takeHeaders); // interim responses
    stream.on('response', takeHeaders);
    stream.on('end', () => take(() => handshake.receiveData(null)));
    stream.on('close', () => take(() => handshake.receiveData(null)));
    stream.on('error', reject);
    take(() => handshake.handleTimeout(performance.now()));
  });
}

/** The same without `H2Handshake`. */
async function openByHand(session, target) {
  const offers = ofClient.offers().map((params) => ({ name: ofClient.name, params }));
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'http',
    ':path': target,
    ':authority': AUTHORITY,
    'sec-websocket-version': '13',
    'sec-websocket-extensions': formatExtensions(offers),
  });
  const [headers] = await once(stream, 'response');
  const extensions = clientExtensionsHandshake(headers['sec-websocket-extensions'] ?? [], [ofClient]);
  return new Link(stream, new Connection(CLIENT, extensions, OPTIONS));
}

async function talk(link, target) {
  for (const text of ['hello', 'grüße 🌾', 'the same words, '.repeat(10_000)]) {
    await link.send(text);
    const { data } = await link.next();
    console.log(`client: ${target} echoed ${data.length < 20 ? data : `${data.length} characters`}: ${data === text}`);
  }
  const { bytesToCompress, bytesCompressed } = ofClient.stats();
  console.log(`client: ${bytesToCompress} bytes went as ${bytesCompressed}`);
}

/** Sends a lot, and reads nothing for a while. */
async function flood(link, target) {
  const message = Buffer.alloc(MiB / 16, 'not compressed, ');
  let read = 0;
  const reading = (async () => {
    await sleep(HOLD);
    while (read < FLOOD) read += (await link.next()).data.length;
  })();
  for (let sent = 0; sent < FLOOD; sent += message.length) await link.send(message, { compress: false });
  await reading;
  console.log(`client: ${target} echoed ${read} bytes`);
  console.log(`client: ${target} never had more than ${link.mostWaiting} bytes waiting`);
}

/** The closing handshake, and the end of the stream behind it. */
async function finish(link, target) {
  link.close(1000, 'done');
  const { code, origin } = await link.next();
  console.log(`client: ${target} ended with ${code} (${origin}), ${endOf(await link.gone)}`);
}

await once(server.listen(0, '127.0.0.1'), 'listening');
const AUTHORITY = `127.0.0.1:${server.address().port}`;
console.log(`listening on http://${AUTHORITY}`);

const session = connect(`http://${AUTHORITY}`);
// RFC 8441 §3: nothing may be asked for before the settings have come, and allow it.
await once(session, 'remoteSettings');
if (!session.remoteSettings.enableConnectProtocol) throw new Error('the server takes no WebSockets');

const echoing = await open(session, '/echo');
await talk(echoing, '/echo');
await flood(echoing, '/echo');
await finish(echoing, '/echo');

const byHand = await openByHand(session, '/by-hand');
await talk(byHand, '/by-hand');
await finish(byHand, '/by-hand');

await open(session, '/nowhere').catch(({ message }) => console.log(`client: /nowhere ${message}`));

const page = session.request({ ':path': '/page' }).resume();
const [{ ':status': status, allow }] = await once(page, 'response');
console.log(`client: GET /page is answered ${status}, allow: ${allow}`);

const broken = await open(session, '/echo');
await broken.send('and gone');
await broken.next();
broken.abort();
console.log(`client: /echo given up, ${endOf(await broken.gone)}`);

session.close(); // once its streams are closed
server.close();
