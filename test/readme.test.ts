/** The programs in the README are run as they stand, but for their ports. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';

const readme = readFileSync('README.md', 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'millrace-readme-'));

/** The one JavaScript block under a heading. */
function program(heading: string): string {
  const [, section = ''] = readme.split(`# ${heading}\n`);
  const [, code = ''] = /```js\n([\s\S]*?)```/.exec(section) ?? [];
  return code;
}

/** Runs a program to its end, and gives back what it prints. */
async function finished(code: string): Promise<string> {
  const file = join(folder, 'finished.mjs');
  writeFileSync(file, code);
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  expect(await once(child, 'close')).toEqual([0, null]);
  return printed;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Runs a program that listens on `port`, connects to it as soon as it does, and gives back what it prints. */
async function withProgram(code: string, port: number, use: (ws: WebSocket) => Promise<void>): Promise<string> {
  const file = join(folder, `${port}.mjs`);
  writeFileSync(file, code);
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  try {
    const ws = await connected(port);
    await use(ws);
    while (!printed.includes('closed')) await once(child.stdout, 'data');
    return printed;
  } finally {
    child.kill();
  }
}

/** A program that has just started may not listen yet: refused connections are tried again. */
async function connected(port: number, path = '/room', headers: Record<string, string> = {}): Promise<WebSocket> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const ws = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers });
    const opened = await Promise.race([once(ws, 'open').then(() => true), once(ws, 'error').then(() => false)]).catch(
      () => false,
    );
    if (opened) return ws;
    if (Date.now() > deadline) throw new Error('the program does not listen');
  }
}

beforeAll(() => {
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(resolve('.'), join(folder, 'node_modules', 'millrace'), 'dir');
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('README', () => {
  test('the first server', async () => {
    const port = await freePort();
    const code = program('A first server').replace('8080', String(port));
    const printed = await withProgram(code, port, async (ws) => {
      const received: string[] = [];
      ws.on('message', (data) => received.push(String(data)));
      ws.send('hello');
      while (!received.includes('hello')) await once(ws, 'message');
      ws.close(4000, 'enough');
      await once(ws, 'close');
    });
    expect(printed).toContain('closed 4000 enough');
  });

  test('the first Sans-IO loop', async () => {
    const port = await freePort();
    const code = program('A first Sans-IO loop').replace('8081', String(port));
    const printed = await withProgram(code, port, async (ws) => {
      ws.send('hello');
      const [data] = await once(ws, 'message');
      expect(String(data)).toBe('hello');
      ws.close(4000);
      const [closeCode] = await once(ws, 'close');
      expect(closeCode).toBe(4000);
    });
    expect(printed).toContain('closed 4000 peer');
  });

  test('names only scripts that exist', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
    const named = [...readme.matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name);
    expect(named.filter((name) => name !== undefined && !(name in scripts))).toEqual([]);
  });

  test('measures nothing that no report has', () => {
    const [, measured = ''] = readme.split('\n## Measured\n');
    const [section] = measured.split('\n## ');
    const rows = (text: string) =>
      text
        .split('\n')
        .map((line) => line.trim().replace(/\s+/g, ' '))
        .filter((line) => line.startsWith('|') && !/^[|:\- ]+$/.test(line));
    const reports = 'docs/benchmarks';
    const files = readdirSync(reports).filter((file) => file.endsWith('.md'));
    const reported = new Set(files.flatMap((file) => rows(readFileSync(join(reports, file), 'utf8'))));
    const claims = rows(section);
    expect(claims.length).toBeGreaterThan(10);
    expect(claims.filter((row) => !reported.has(row))).toEqual([]);
    // Sentences say what rows mean, and have no figures of their own.
    expect(section.replace(/^\|.*$/gm, '').match(/\d(?:\.\d+)? ?(?:x|×|%|µs|ns|ms|times)(?!\w)/g) ?? []).toEqual([]);
    for (const file of files) expect(readme).toContain(`${reports}/${file}`);
  });

  test('the clients', async () => {
    const lines = (await finished(program('Clients'))).trim().split('\n');
    expect(lines.toSorted()).toEqual(['events: two', 'handlers: one', 'streams: three']);
  });

  test('HTTP/2', async () => {
    expect(await finished(program('HTTP/2'))).toBe('100 echoes on 1 session\n');
  });

  test('publish and subscribe', async () => {
    const port = await freePort();
    const file = join(folder, 'rooms.mjs');
    writeFileSync(file, program('Publish and subscribe').replace('8083', String(port)));
    const child = spawn(process.execPath, [file], { stdio: 'inherit' });
    try {
      const join = async () => {
        const ws = await connected(port, '/room');
        const texts: string[] = [];
        ws.on('message', (data) => texts.push(String(data)));
        return { ws, texts };
      };
      const hears = async ({ ws, texts }: Awaited<ReturnType<typeof join>>, text: string) => {
        while (!texts.includes(text)) await once(ws, 'message');
      };
      const ada = await join();
      await hears(ada, '1 are here');
      const bob = await join();
      bob.ws.send('quiet');
      await hears(bob, 'quiet');
      await hears(ada, 'quiet');
      const before = bob.texts.length;
      while (bob.texts.length === before) await once(bob.ws, 'message');
      expect(bob.texts[before]).toBe('tick');
      expect(ada.texts.filter((text) => /quiet|came/.test(text))).toEqual(['somebody came', 'quiet']);
    } finally {
      child.kill();
    }
  });

  test('compression', async () => {
    expect(await finished(program('Compression'))).toMatch(/^1600 bytes went as \d\d\n$/);
  });

  test('a server that is there', async () => {
    const port = await freePort();
    const file = join(folder, 'attach.mjs');
    writeFileSync(file, program('On a server that is there').replace('8082', String(port)));
    const child = spawn(process.execPath, [file], { stdio: 'inherit' });
    try {
      const echo = await connected(port, '/echo');
      echo.send('to /echo');
      expect(String((await once(echo, 'message'))[0])).toBe('to /echo');
      const chat = await connected(port, '/chat', { origin: 'https://example.com', cookie: 'ada' });
      chat.send('hello');
      expect(String((await once(chat, 'message'))[0])).toBe('ada: hello');
      const refused = new WebSocket(`ws://127.0.0.1:${port}/chat`, { headers: { origin: 'https://evil.com' } });
      expect(String((await once(refused, 'error'))[0])).toContain('403');
      expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('an ordinary answer\n');
    } finally {
      child.kill();
    }
  });
});
