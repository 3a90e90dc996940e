/**
 * What must not be left when a test has ended: every session of node:http2 in this process, of servers and of clients, with
 * its streams, and every deadline. Whoever imports this has it checked.
 */

import type { ClientHttp2Session, Http2Server, Http2Session, Http2Stream } from 'node:http2';
import { syncBuiltinESMExports } from 'node:module';
import { beforeEach, expect } from 'vitest';
import { type Timed, wheel } from '../../../src/node/wheel.js';
import { atEnd, until } from '../support.js';

type Http2Module = typeof import('node:http2');

/** All that there were since the test began. */
export const sessions: { readonly server: Http2Session[]; readonly client: Http2Session[] } = {
  server: [],
  client: [],
};
const streams = new Set<Http2Stream>();
const armed = new Set<Timed>();

const http2 = process.getBuiltinModule('node:http2') as { -readonly [Name in keyof Http2Module]: Http2Module[Name] };
const { createServer, createSecureServer, connect } = http2;

function watched<Server extends Http2Server>(server: Server): Server {
  server.on('session', (session) => {
    sessions.server.push(session);
    session.on('stream', keep);
  });
  return server;
}

function keep(stream: Http2Stream): void {
  streams.add(stream);
}

http2.createServer = ((...args: Parameters<typeof createServer>) =>
  watched(createServer(...args))) as typeof createServer;
http2.createSecureServer = ((...args: Parameters<typeof createSecureServer>) =>
  watched(createSecureServer(...args) as never)) as typeof createSecureServer;
http2.connect = ((...args: Parameters<typeof connect>) => {
  const session: ClientHttp2Session = connect(...args);
  sessions.client.push(session);
  const { request } = session;
  session.request = (...asked) => {
    const stream = request.apply(session, asked);
    keep(stream);
    return stream;
  };
  return session;
}) as typeof connect;
syncBuiltinESMExports();

const set = wheel.set.bind(wheel);
wheel.set = (entry, deadline) => {
  set(entry, deadline);
  if (entry.bucket === null) armed.delete(entry);
  else armed.add(entry);
};

/** Lets the deadlines of one class come now; how many there were. */
export function ring(className: string): number {
  const due = [...armed].filter((entry) => entry.bucket !== null && entry.constructor.name === className);
  for (const entry of due) {
    wheel.set(entry, null);
    entry.onDeadline(wheel.now());
  }
  return due.length;
}

/** What is there yet. */
function leftovers(): string[] {
  for (const entry of armed) if (entry.bucket === null) armed.delete(entry);
  return [
    ...sessions.server.filter(({ destroyed }) => !destroyed).map(() => 'a session of a server'),
    ...sessions.client.filter(({ destroyed }) => !destroyed).map(() => 'a session of a client'),
    ...[...streams].filter(({ destroyed }) => !destroyed).map(({ id }) => `stream ${id}`),
    ...[...armed].map((entry) => `a deadline of a ${entry.constructor.name}`),
    ...process.getActiveResourcesInfo().filter((name) => /HTTP2|TLS|TCPSocket|Pipe.*Wrap/i.test(name)),
  ];
}

let resources = 0;

// What is asked for first is done last: after servers and clients have been closed.
beforeEach(() => {
  sessions.server.length = 0;
  sessions.client.length = 0;
  streams.clear();
  resources = leftovers().length;
  atEnd(async () => {
    await until(() => leftovers().length <= resources, 'nothing to be left').catch(() => {});
    expect(leftovers().length <= resources, `left: ${leftovers()}`).toBe(true);
  });
});
