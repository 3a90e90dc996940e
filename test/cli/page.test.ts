/** The page of `millrace serve` over plain HTTP. */

import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { root, Serving } from './support.js';

let serving: Serving;

beforeAll(async () => {
  serving = await Serving.start();
});
afterAll(() => serving.kill());

const TYPES: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

const files = readdirSync(`${root}src/cli/page`).map((file) => {
  const type = TYPES[file.slice(file.lastIndexOf('.') + 1)];
  return { path: file === 'index.html' ? '/' : `/${file}`, file, type };
});

test.each(files)('$path is served', async ({ path, file, type }) => {
  const { status, headers, body } = await serving.get(path);
  const expected = readFileSync(`${root}src/cli/page/${file}`);
  expect(status).toBe(200);
  expect(body).toBe(expected.toString());
  expect(headers).toMatchObject({
    'content-type': type,
    'content-length': String(expected.length),
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-cache',
  });
});

test('what the page may load and do is its own only', async () => {
  const { headers } = await serving.get('/');
  const policy = headers['content-security-policy'].split('; ');
  expect(policy).toContain("default-src 'none'");
  for (const directive of policy) expect(directive).toMatch(/^[a-z-]+ '(?:self|none)'$/);
});

test('every file that the page names is served', async () => {
  for (const { path } of files) {
    const { body } = await serving.get(path);
    for (const [, name] of body.matchAll(/(?:href|src)="(\/[^"]*)"|from '\.(\/[^']*)'|Worker\('([^']*)'/g)) {
      if (name !== undefined) expect({ name, ...(await serving.get(name)) }).toMatchObject({ name, status: 200 });
    }
  }
});

test('a query does not matter', async () => {
  expect((await serving.get('/?from=mail')).status).toBe(200);
});

test('HEAD is GET without the body', async () => {
  const get = await serving.get('/style.css');
  const head = await serving.get('/style.css', { method: 'HEAD' });
  const { date: _, ...headers } = get.headers;
  expect(head).toMatchObject({ status: 200, headers, body: '' });
});

test.each([
  '/nothing',
  '/style.css/',
  '/main.js',
  '/../main.js',
  '/%2e%2e/main.js',
  '/page/app.js',
  '//',
  '/__proto__',
])('%s is not found', async (path) => {
  const { status, headers } = await serving.get(path);
  expect(status).toBe(404);
  expect(headers).toMatchObject({ 'content-type': TYPES['html'].replace('html', 'plain') });
  expect(headers['x-content-type-options']).toBe('nosniff');
});

test.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('%s is not allowed', async (method) => {
  const { status, headers } = await serving.get('/', { method });
  expect({ status, allow: headers['allow'] }).toEqual({ status: 405, allow: 'GET, HEAD' });
});

test('/echo without an upgrade asks for one', async () => {
  const { status, headers } = await serving.get('/echo');
  expect({ status, upgrade: headers['upgrade'] }).toEqual({ status: 426, upgrade: 'websocket' });
});

describe('a Host that is somebody else’s', () => {
  test.each(['/', '/app.js', '/stats', '/echo', '/nothing'])('gets nothing at %s', async (path) => {
    const { status, body } = await serving.get(path, { headers: { host: `evil.example:${serving.port}` } });
    expect(status).toBe(421);
    expect(body).not.toContain('<html');
  });

  test.each(['/', '/echo', '/stats'])('gets no WebSocket at %s', async (path) => {
    await expect(serving.connect(path, { host: `evil.example:${serving.port}` })).rejects.toThrow('status 421');
  });

  test('nor does a request without any', async () => {
    const socket = connect(serving.port, '127.0.0.1');
    socket.write('GET /stats HTTP/1.0\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 421 /);
  });
});
