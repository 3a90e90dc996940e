/** The websockets package for Python, both ways. */

import { describe, expect, test } from 'vitest';
import { BytesMessage, CloseConnection, Ping, TextMessage } from '../../src/core/index.js';
import { frame, noise, until } from '../node/support.js';
import { CoreClient, PythonProcess, pythonMissing } from './support.js';
import { certificate, fronts } from './support-fronts.js';

const missing = pythonMissing();

describe.skipIf(missing !== null)(`python3-websockets${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  describe.each(fronts)('as the client of our server: %s', (_name, start) => {
    const run = (script: string, url: string) => new PythonProcess('client.py', script, url, certificate('ca')).exit();

    test('sizes, texts, fragments, pipelining, pings, and its close', async () => {
      const closes: unknown[] = [];
      const pings: string[] = [];
      const server = await start({
        upgrade: () => ({ protocol: 'chat' }),
        message: (ws, data) => ws.send(data),
        ping: (_ws, payload) => pings.push(`${payload}`),
        close: (_ws, code, reason) => closes.push([code, reason]),
      });
      const lines = await run('echo', server.url);
      expect(lines[0]).toEqual({ subprotocol: 'chat' });
      const sizes = lines.filter((line) => 'size' in line);
      expect(sizes).toHaveLength(8 * 5);
      expect(sizes.filter((line) => line['same'] !== true)).toEqual([]);
      expect(lines.slice(-5)).toEqual([
        { fragmented: 'fragmented 😀' },
        { fragments: true },
        { pipelined: true },
        { ponged: true },
        { code: 3001, reason: '' },
      ]);
      expect(pings).toEqual(['p'.repeat(125)]);
      await until(() => server.size() === 0);
      expect(closes).toEqual([[3001, 'grüße']]);
    });

    test('our close', async () => {
      const server = await start({
        message: (ws, data) => {
          const [, code, reason] = `${data}`.split(' ');
          ws.close(Number(code), reason);
        },
      });
      expect(await run('closed_by_server', server.url)).toEqual([{ code: 4005, reason: 'because' }]);
      await until(() => server.size() === 0);
    });

    test('its offer of compression is declined', async () => {
      const server = await start({ message: (ws, data) => ws.send(data) });
      expect(await run('deflate', server.url)).toEqual([{ extensions: [] }, { same: true }]);
    });

    test('what it does wrong is answered with the right code', async () => {
      const server = await start();
      expect(await run('invalid', server.url)).toEqual([
        { name: 'utf8', code: 1007 },
        { name: 'opcode', code: 1002 },
        { name: 'size', code: 1009 },
      ]);
    });

    test('a refusal', async () => {
      const server = await start({ path: '/elsewhere' });
      expect(await run('refused', server.url)).toEqual([{ status: 404 }]);
    });
  });

  describe('as the server of our core', () => {
    async function serverAndClient(request = {}): Promise<{ python: PythonProcess; client: CoreClient }> {
      const python = new PythonProcess('server.py');
      const { port } = await python.line('port');
      return { python, client: await CoreClient.open(port as number, {}, request) };
    }

    test('sizes, texts, fragments, pipelining, pings, and our close', async () => {
      const { python, client } = await serverAndClient({ target: '/chat?x', subprotocols: ['other', 'chat'] });
      expect(client.accepted?.subprotocol).toBe('chat');
      let count = 0;
      for (const size of [0, 1, 125, 126, 127, 65_535, 65_536, 1024 * 1024 + 1]) {
        const data = noise(size, size + 1);
        const texts = ['a', 'é', '語', '😀'].map((c) => c.repeat(Math.floor(size / Buffer.byteLength(c))));
        client.send(new BytesMessage(data), ...texts.map((text) => new TextMessage(text)));
        const got = (await client.count(count + 5)).slice(count);
        count += 5;
        expect(got[0].type === 'bytes' && got[0].data.equals(data), `${size} bytes`).toBe(true);
        for (const [i, text] of texts.entries()) expect(got[i + 1].data === text, `text ${i} of ${size}`).toBe(true);
      }
      const ping = new Ping(Buffer.from('p'.repeat(125)));
      client.send(new TextMessage('\ud83d', false), new TextMessage('', false), ping, new TextMessage('\ude00', true));
      const got = (await client.count(count + 2)).slice(count);
      expect(got.map(({ type, data }) => `${type} ${data}`).sort()).toEqual([`pong ${'p'.repeat(125)}`, 'text 😀']);
      client.send(new TextMessage('fragment'), new TextMessage('ping me'));
      const rest = (await client.count(count + 5)).slice(count + 2);
      expect(rest.map(({ type, data }) => `${type} ${data}`)).toEqual([
        'text fragmented 😀',
        'ping are you there',
        'text you are',
      ]);
      client.send(new CloseConnection(3001, 'grüße'));
      // It echoes the reason too.
      expect(await client.end()).toEqual([3001, 'grüße', 'peer']);
      expect(await python.line('code')).toEqual({ code: 3001, reason: 'grüße', path: '/chat?x' });
    });

    test('its close', async () => {
      const { python, client } = await serverAndClient();
      client.send(new TextMessage('close'));
      expect(await client.end()).toEqual([4005, 'grüße', 'peer']);
      expect(await python.line('code')).toMatchObject({ code: 4005 });
    });

    test.each<[string, Uint8Array, number]>([
      ['bad UTF-8', frame(1, new Uint8Array([0xff])), 1007],
      ['no mask', frame(1, 'x', { key: null }), 1002],
      ['too large', frame(2, '', { claim: 5n * 1024n * 1024n }), 1009],
    ])('%s: its code reaches us', async (_name, bytes, code) => {
      const { client } = await serverAndClient();
      client.sendRaw(bytes);
      await until(() => client.closed !== null);
      expect(client.closed).toMatchObject({ code, origin: 'peer' });
    });

    test('a masked frame of its: our 1002 reaches it', async () => {
      const { python, client } = await serverAndClient();
      client.send(new TextMessage('mask'));
      expect(await client.end()).toMatchObject([1002, expect.any(String), 'violation']);
      expect(await python.line('code')).toMatchObject({ code: 1002 });
    });
  });
});
