/**
 * What the system calls alone cost on node:net (or node:tls), which no server in Node can be cheaper than: no WebSocket
 * server. As an echo it takes every message to be as long as the connection's first, counts bytes, and answers with
 * frames made beforehand: one write a chunk, nothing unmasked or looked at. As a room it has to send what came: it
 * unmasks with a plain loop, frames once, and writes the same bytes to every member.
 */

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { isRoom, report, tlsFiles } from './host.js';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const CLOSE = 0x8;
/** The most bytes of answers that are made beforehand, where one is not more. */
const ANSWERS = 64 * 1024;

const members = new Set();

/** Answers the upgrade; what comes after it is `first`. */
function accept(socket) {
  socket.on('error', () => socket.destroy());
  let head = '';
  socket.on('data', function onHead(chunk) {
    head += chunk.toString('latin1');
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    socket.off('data', onHead);
    const key = /^sec-websocket-key: *(\S+)/im.exec(head)?.[1];
    if (key === undefined) return socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    const answer = createHash('sha1')
      .update(key + GUID)
      .digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${answer}\r\n\r\n`,
    );
    const take = isRoom ? member(socket) : echo(socket);
    socket.on('data', take);
    const first = Buffer.from(head.slice(end + 4), 'latin1');
    if (first.length > 0) take(first);
  });
}

/** The lengths in a frame's header; null where it is not whole. */
function lengths(chunk, at) {
  if (chunk.length < at + 2) return null;
  const short = chunk[at + 1] & 0x7f;
  const extended = short < 126 ? 0 : short === 126 ? 2 : 8;
  if (chunk.length < at + 2 + extended) return null;
  const payload = extended === 0 ? short : chunk.readUIntBE(at + (extended === 2 ? 2 : 4), extended === 2 ? 2 : 6);
  return { header: 2 + extended + 4, payload };
}

/** A frame's header as a server sends it. */
function header(first, length) {
  if (length < 126) return Buffer.of(first, length);
  const bytes = Buffer.alloc(length < 65536 ? 4 : 10);
  bytes[0] = first;
  bytes[1] = length < 65536 ? 126 : 127;
  bytes.writeUIntBE(length, bytes.length === 4 ? 2 : 4, bytes.length === 4 ? 2 : 6);
  return bytes;
}

function echo(socket) {
  let frame = 0;
  let answer = 0;
  let answers = null;
  let came = 0;
  return (chunk) => {
    // All the messages of a load are alike but for the last, which is the Close.
    if ((chunk[0] & 0x0f) === CLOSE && came === 0) return socket.end(Buffer.of(0x80 | CLOSE, 0));
    if (answers === null) {
      const found = lengths(chunk, 0);
      if (found === null) throw new Error('the first chunk has no whole header');
      frame = found.header + found.payload;
      const one = Buffer.concat([header(chunk[0], found.payload), Buffer.alloc(found.payload, 0x2e)]);
      answer = one.length;
      answers = Buffer.concat(new Array(Math.max(1, Math.floor(ANSWERS / answer))).fill(one));
    }
    came += chunk.length;
    let whole = Math.floor(came / frame);
    came %= frame;
    for (; whole > 0; whole -= answers.length / answer) {
      socket.write(whole * answer < answers.length ? answers.subarray(0, whole * answer) : answers);
    }
  };
}

function member(socket) {
  members.add(socket);
  socket.on('close', () => members.delete(socket));
  let rest = null;
  return (chunk) => {
    const data = rest === null ? chunk : Buffer.concat([rest, chunk]);
    const out = [];
    let at = 0;
    for (let found = lengths(data, at); found !== null; found = lengths(data, at)) {
      const start = at + found.header;
      const end = start + found.payload;
      if (end > data.length) break;
      if ((data[at] & 0x0f) === CLOSE) return socket.end(Buffer.of(0x80 | CLOSE, 0));
      for (let i = start; i < end; i++) data[i] ^= data[start - 4 + ((i - start) & 3)];
      out.push(header(data[at], found.payload), data.subarray(start, end));
      at = end;
    }
    rest = at === data.length ? null : data.subarray(at);
    if (out.length === 0) return;
    const bytes = Buffer.concat(out);
    for (const one of members) one.write(bytes);
  };
}

const server =
  tlsFiles === null
    ? createServer({ noDelay: true }, accept)
    : createTlsServer({ key: readFileSync(tlsFiles.key), cert: readFileSync(tlsFiles.cert), noDelay: true }, accept);
server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 });
await once(server, 'listening');
report(server.address().port);
