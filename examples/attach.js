/**
 * WebSockets beside an ordinary HTTP server: a page, a JSON route and two kinds of WebSockets on one port. The router is
 * a few lines in the manner of Express; with Express itself it is `attach(http.createServer(app), …)` just the same.
 *
 *   node examples/attach.js [port]     then open the page that it prints, in two tabs
 */

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { attach, CloseCode, reject } from 'millrace';

// A router: middleware and routes are functions of (request, response, next), called in order.

function router() {
  const layers = [];
  const add = (matches, handler) => layers.push({ matches, handler });
  const app = async (request, response) => {
    const [path] = request.url.split('?');
    const next = async (index) => {
      const found = layers.findIndex(({ matches }, at) => at >= index && matches(request.method, path));
      if (found < 0) response.writeHead(404).end('not found\n');
      else await layers[found].handler(request, response, () => next(found + 1));
    };
    try {
      await next(0);
    } catch (error) {
      console.error(error);
      if (!response.headersSent) response.writeHead(500);
      response.end();
    }
  };
  app.use = (handler) => add(() => true, handler);
  app.get = (wanted, handler) => add((method, path) => method === 'GET' && path === wanted, handler);
  return app;
}

// Sessions: a cookie names one. A real server would keep them in a store, and let somebody log in.

/** Milliseconds that ordinary requests have to be done, once we are closing. */
const GRACE = 1000;
const MAX_SESSIONS = 1000;
const sessions = new Map();

/** The session that a request belongs to, an upgrade request like any other. */
function sessionOf({ headers }) {
  const [, id] = /(?:^|; )session=([\w-]+)/.exec(headers.cookie ?? '') ?? [];
  return sessions.get(id);
}

function startSession(request, response, next) {
  request.session = sessionOf(request);
  if (request.session === undefined) {
    const id = randomUUID();
    request.session = { name: `guest ${id.slice(0, 4)}` };
    sessions.set(id, request.session);
    // Nothing grows without a bound: the oldest is forgotten.
    if (sessions.size > MAX_SESSIONS) sessions.delete(sessions.keys().next().value);
    response.setHeader('Set-Cookie', `session=${id}; HttpOnly; SameSite=Strict; Path=/`);
  }
  return next();
}

const page = `<!doctype html><meta charset="utf-8"><title>millrace: attach</title>
<form><input autofocus placeholder="say something" maxlength="500"> <output></output></form><ul></ul>
<script>
  const at = (path) => new WebSocket(location.origin.replace('http', 'ws') + path);
  const show = (text) => document.querySelector('ul').append(Object.assign(document.createElement('li'), { textContent: text }));
  const chat = at('/chat'), input = document.querySelector('input');
  chat.onmessage = ({ data }) => show(data);
  chat.onclose = ({ code, reason }) => show('closed: ' + code + ' ' + reason);
  at('/events').onmessage = ({ data }) => { document.querySelector('output').textContent = data; };
  document.querySelector('form').onsubmit = (event) => { event.preventDefault(); chat.send(input.value); input.value = ''; };
</script>`;

const app = router();
app.use((request, _response, next) => {
  console.log(request.method, request.url);
  return next();
});
app.get('/api/status', (_request, response) => {
  response.setHeader('Content-Type', 'application/json').end(status());
});
app.use(startSession); // for what follows
app.get('/', (_request, response) => {
  response.setHeader('Content-Type', 'text/html').end(page);
});

let people = 0;
let said = 0;
let isTelling = false;

const http = createServer(app);
http.listen(Number(process.argv[2] ?? process.env.PORT ?? 8082), '127.0.0.1');
await once(http, 'listening');
const { port } = http.address();

// Who somebody is comes from a cookie here, and a browser sends it along for every page that opens a WebSocket to us, an
// attacker's too. So only our own pages may: `origins` refuses others with 403, before `upgrade` is asked.
const chat = attach(http, {
  path: '/chat',
  origins: [`http://127.0.0.1:${port}`, `http://localhost:${port}`],
  maxMessageSize: 4096,
  maxConnections: MAX_SESSIONS,
  // Who reads too slowly to keep up with the others is closed with 1013.
  sendHardLimit: 256 * 1024,
  overflow: 'close',

  /** No middleware has run for this request: what it would have done is asked for here. */
  upgrade({ incoming }) {
    const session = sessionOf(incoming);
    return session === undefined ? reject(401, 'open the page first\n') : { data: session };
  },
  open(ws) {
    people++; // `chat.size` counts those as well who are closing
    ws.subscribe('chat');
    say(`${ws.data.name} is here`);
  },
  message(ws, data, isBinary) {
    if (isBinary) ws.close(CloseCode.UNSUPPORTED_DATA, 'text only');
    else say(`${ws.data.name}: ${data}`);
  },
  close() {
    people--;
    tell();
  },
  error: (ws, error) => console.log(`${ws.data.name}: ${error.message}`),
});

// Public, and one way only: no `origins`, no session.
const events = attach(http, {
  path: '/events',
  maxMessageSize: 0,
  open: (ws) => ws.send(status()),
  message: (ws) => ws.close(CloseCode.POLICY_VIOLATION, 'nothing is to be sent here'),
  error: (_ws, error) => console.log(`events: ${error.message}`),
});

function status() {
  return JSON.stringify({ people, said });
}

function say(text) {
  said++;
  chat.publish('chat', text);
  tell();
}

/** Tells everybody the status soon: many changes are told as one. An old status is of no use to who is slow. */
function tell() {
  if (isTelling) return;
  isTelling = true;
  setTimeout(() => {
    isTelling = false;
    for (const ws of events.connections()) {
      if (ws.bufferedAmount === 0) ws.send(status());
      else tell(); // again, for its sake
    }
  }, 50);
}

console.log(`listening on ws://127.0.0.1:${port}`);
console.log(`the page is http://127.0.0.1:${port}/`);

async function stop() {
  console.log('closing');
  const closed = once(http, 'close');
  http.close(); // takes no more connections, and waits for those that are there
  await Promise.all([chat.close(), events.close({ reason: 'shutting down' })]); // 1001 for everybody, and a deadline
  setTimeout(() => http.closeAllConnections(), GRACE).unref(); // who says nothing is not waited for
  await closed;
}
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, stop); // a second one ends the process at once
