/** examples/attach.js: routes, sessions, refusals, both kinds of WebSockets, and the end of all of them. */

import { expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { connectWs, next, RawClient, request, until } from '../node/support.js';
import { Example } from './support.js';

const at = (example: Example, path: string) => `http://127.0.0.1:${example.port}${path}`;

/** Opens the page as a browser does, and returns the session's cookie. */
async function visit(example: Example): Promise<string> {
  const response = await fetch(at(example, '/'));
  expect(await response.text()).toContain('<title>millrace: attach</title>');
  const cookie = response.headers.get('set-cookie') ?? '';
  expect(cookie).toMatch(/^session=[\w-]+; HttpOnly; SameSite=Strict; Path=\/$/);
  return cookie.split(';')[0];
}

/** The status and body that a handshake is answered with. */
async function refusal(example: Example, path: string, headers: Record<string, string>): Promise<string> {
  const client = await RawClient.ask(example.port, request(headers, `GET ${path} HTTP/1.1`));
  return `${/^HTTP\/1\.1 (\d+)/.exec(client.head)?.[1]} ${client.body}`.trim();
}

function collect(ws: WebSocket): string[] {
  const texts: string[] = [];
  ws.on('message', (data) => texts.push(String(data)));
  return texts;
}

async function chatter(example: Example): Promise<WebSocket> {
  const headers = { cookie: await visit(example) };
  return connectWs(example.port, { path: '/chat', headers, origin: at(example, '').replace(/\/$/, '') });
}

test('routes, middleware and a session that lasts', async () => {
  const example = await Example.serve('attach');
  const cookie = await visit(example);
  const again = await fetch(at(example, '/'), { headers: { cookie } });
  expect(again.headers.get('set-cookie')).toBeNull();
  const status = await fetch(at(example, '/api/status?x=1'));
  expect(status.headers.get('content-type')).toBe('application/json');
  expect(status.headers.get('set-cookie')).toBeNull();
  expect(await status.json()).toEqual({ people: 0, said: 0 });
  expect((await fetch(at(example, '/nowhere'))).status).toBe(404);
  expect((await fetch(at(example, '/'), { method: 'POST' })).status).toBe(404);
  await example.prints(/^GET \/api\/status\?x=1$/m);
});

test('the chat, and the events about it', async () => {
  const example = await Example.serve('attach');
  const events = collect(await connectWs(example.port, { path: '/events' }));
  const ada = await chatter(example);
  const heard = collect(ada);
  const bob = await chatter(example);
  bob.send('hello');
  await until(() => heard.some((text) => /^guest \w{4}: hello$/.test(text)), 'the greeting');
  bob.close();
  await until(() => events.at(-1) === '{"people":1,"said":3}', 'the last status');
  const closed = next(ada, 'close');
  ada.send(Buffer.from('binary'));
  expect((await closed).map(String)).toEqual(['1003', 'text only']);
});

test('who is let in', async () => {
  const example = await Example.serve('attach');
  const cookie = await visit(example);
  const origin = `http://127.0.0.1:${example.port}`;
  expect(await refusal(example, '/chat', { cookie, origin: 'https://evil.example' })).toBe('403');
  expect(await refusal(example, '/chat', { cookie })).toBe('403');
  expect(await refusal(example, '/chat', { origin })).toBe('401 open the page first');
  expect(await refusal(example, '/chat', { origin, cookie: 'session=constructor' })).toBe('401 open the page first');
  expect(await refusal(example, '/elsewhere', { origin, cookie })).toBe('404');
  // The events are everybody's.
  const events = await connectWs(example.port, { path: '/events', origin: 'https://elsewhere.example' });
  const closed = next(events, 'close');
  events.send('');
  expect((await closed)[0]).toBe(1008);
});

test('what each takes', async () => {
  const example = await Example.serve('attach');
  const [chat, events] = [await chatter(example), await connectWs(example.port, { path: '/events' })];
  const closes = [next(chat, 'close'), next(events, 'close')];
  chat.send('x'.repeat(5000));
  events.send('x');
  expect([(await closes[0])[0], (await closes[1])[0]]).toEqual([1009, 1009]);
});

test.each(['SIGINT', 'SIGTERM'] as const)('%s closes the WebSockets, then the server', async (signal) => {
  const example = await Example.serve('attach');
  const [chat, events] = [await chatter(example), await connectWs(example.port, { path: '/events' })];
  const idle = new RawClient(example.port);
  idle.isHttp = true;
  idle.write('GET /api/status HTTP/1.1\r\nHost: x\r\n\r\n');
  await until(() => idle.body !== '', 'the answer');
  const silent = new RawClient(example.port);
  await next(silent.socket, 'connect');
  const closes = [next(chat, 'close'), next(events, 'close')];
  example.kill(signal);
  expect((await closes[0]).map(String)).toEqual(['1001', '']);
  expect((await closes[1]).map(String)).toEqual(['1001', 'shutting down']);
  await until(() => idle.ended, 'the idle connection to be closed');
  idle.socket.end();
  await until(() => silent.ended || silent.closed, 'the silent one to be cut off');
  silent.socket.end();
  await example.endsWell();
});
