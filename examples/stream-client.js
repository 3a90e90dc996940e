/**
 * A client on `WebSocketStream`: messages go up through a `WritableStream`, echoes come down through a `ReadableStream`,
 * and back-pressure is that of the streams. The source below is asked for its next message only when the connection has
 * room for it, so that input of any length passes through in a few MiB of memory.
 *
 *   node examples/sans-io.js                                          # the server, in another terminal
 *   node examples/stream-client.js [url] [MiB]                        # sends so many MiB that it makes up
 *   node examples/stream-client.js ws://127.0.0.1:8081 - < README.md  # sends the lines of stdin
 *
 * The environment's TIMEOUT is how many milliseconds everything may take, CONNECT_TIMEOUT the opening handshake alone.
 */

import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { WebSocketStream } from 'millrace';

const [url = `ws://127.0.0.1:${process.env.PORT ?? 8081}`, source = '4'] = process.argv.slice(2);
const { TIMEOUT = 60_000, CONNECT_TIMEOUT = 5000 } = process.env;
const MiB = 1024 * 1024;
const CHUNK = 64 * 1024;

/** The last message. Echoes come in order: when this one is back, all are. */
const END = `end of ${randomUUID()}`;

const sent = { messages: 0, bytes: 0 };
const echoed = { messages: 0, bytes: 0 };
let mostUnderWay = 0;

function count(total, message) {
  total.messages++;
  total.bytes += typeof message === 'string' ? Buffer.byteLength(message) : message.byteLength;
}

/** Chunks of made-up bytes, as a file would be read. */
async function* generated(size) {
  for (let at = 0; at < size; at += CHUNK) yield Buffer.alloc(Math.min(CHUNK, size - at), at / CHUNK);
}

/** What is sent. Whoever reads this generator decides when it goes on: here that is the connection. */
async function* messages(input) {
  for await (const message of input) {
    count(sent, message);
    mostUnderWay = Math.max(mostUnderWay, sent.bytes - echoed.bytes);
    yield message;
  }
  yield END;
}

async function readEchoes(readable) {
  // A message is taken off the connection when this loop asks for it. While it does not, TCP holds the server.
  // Without `preventCancel` leaving the loop would close the connection, and with no code of ours.
  for await (const message of readable.values({ preventCancel: true })) {
    if (message === END) return;
    count(echoed, message);
  }
  throw new Error('the server closed before it had echoed everything');
}

const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM']) process.once(name, () => interrupted.abort(new Error(name))); // a second one kills

const signal = AbortSignal.any([AbortSignal.timeout(Number(TIMEOUT)), interrupted.signal]);
try {
  // The signal of the constructor ends the opening handshake, and nothing after it: so the proposal has it.
  const connecting = AbortSignal.any([signal, AbortSignal.timeout(Number(CONNECT_TIMEOUT))]);
  const stream = new WebSocketStream(url, { signal: connecting });
  const { readable, writable } = await stream.opened;
  console.log(`connected to ${stream.url}`);

  // The open connection is closed by hand. That ends both streams, and what waits for them.
  const giveUp = () => stream.close({ closeCode: 4001, reason: 'gave up' });
  if (signal.aborted) giveUp();
  signal.addEventListener('abort', giveUp);
  try {
    const input = source === '-' ? createInterface({ input: process.stdin }) : generated(Number(source) * MiB);
    const upload = ReadableStream.from(messages(input));
    await Promise.all([upload.pipeTo(writable, { preventClose: true }), readEchoes(readable)]);
    console.log(`${echoed.messages} of ${sent.messages} messages came back, ${echoed.bytes} of ${sent.bytes} bytes`);
    console.log(`never more than ${mostUnderWay} bytes were under way`);
    stream.close({ closeCode: 4000, reason: 'all echoed' });
  } finally {
    // Rejects when the connection broke instead of being closed; then what failed above says more.
    await stream.closed.then(
      ({ closeCode, reason }) => console.log(`closed with ${closeCode} ${reason}`.trim()),
      () => console.log('the connection broke'),
    );
  }
} catch (error) {
  // What a person asked for is no failure.
  if (!interrupted.signal.aborted) process.exitCode = 1;
  console.log(`gave up: ${(signal.reason ?? error).message}`);
} finally {
  // Nobody reads the rest of stdin, which would keep the process alive.
  process.stdin.destroy();
}
