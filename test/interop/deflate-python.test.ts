/** permessage-deflate with the websockets package for Python, in both roles. */

import { describe, expect, test } from 'vitest';
import { HandshakeError } from '../../src/node/index.js';
import { open } from '../node/client/support.js';
import { atEnd, start, until } from '../node/support.js';
import { PythonProcess, pythonMissing } from './support.js';
import { clients } from './support-clients.js';
import {
  type Combination,
  combinations,
  fieldOf,
  largest,
  type Message,
  MiB,
  messagesOf,
  nameOf,
  probes,
  SIZES,
  same,
} from './support-deflate.js';
import { Tap } from './support-tap.js';

const missing = pythonMissing();
const OURS = { threshold: 0, windowBits: 15 } as const;
async function tapped(port: number): Promise<Tap> {
  const tap = await Tap.to(port);
  atEnd(() => tap.close());
  return tap;
}

const LIMITS = { sendHardLimit: 64 * MiB } as const;

/** As a factory takes it. */
function argumentsOf(combination: Combination): string {
  return JSON.stringify({
    server_no_context_takeover: combination.serverNoContextTakeover,
    client_no_context_takeover: combination.clientNoContextTakeover,
    server_max_window_bits: combination.serverMaxWindowBits,
    client_max_window_bits: combination.clientMaxWindowBits,
  });
}

const run = (...args: string[]) => new PythonProcess('deflate.py', ...args).exit();

describe.skipIf(missing !== null)(`python3-websockets${missing === null ? '' : ` (skipped: ${missing})`}`, () => {
  describe('as the client of our server', () => {
    const ourServer = (perMessageDeflate: object = OURS) =>
      start({ perMessageDeflate, ...LIMITS, message: (ws, data) => ws.send(data) });

    // It has no compressor with a window of 256 bytes either.
    test('all combinations: windows as agreed, and taken over or not', async () => {
      const server = await ourServer();
      const tap = await tapped(server.port);
      const all = combinations(9, 9);
      const lines = await run('client', `ws://127.0.0.1:${tap.port}/`, ...all.map(argumentsOf));
      let count = 0;
      for (const [i, combination] of all.entries()) {
        count += probes(combination).length;
        const { clientMaxWindowBits, serverNoContextTakeover, clientNoContextTakeover } = combination;
        const answer = fieldOf(combination).replace(clientMaxWindowBits < 15 ? '' : '; client_max_window_bits=15', '');
        expect(lines[i]).toEqual({ answer, same: true });
        expect(tap.tookOver('fromServer', i), nameOf(combination)).toBe(!serverNoContextTakeover);
        expect(tap.tookOver('fromClient', i), nameOf(combination)).toBe(!clientNoContextTakeover);
      }
      expect(server.stats().perMessageDeflate).toMatchObject({
        messagesCompressed: count,
        messagesDecompressed: count,
      });
    });

    test('a window of 256 bytes of ours is declined', async () => {
      const server = await ourServer();
      const lines = await run(
        'client',
        `ws://127.0.0.1:${server.port}/`,
        '{"server_max_window_bits": 8, "client_max_window_bits": 15}',
      );
      expect(lines).toEqual([{ answer: '', same: true }]);
    });

    test('all sizes, fragments, Pings, pipelining', async () => {
      const server = await ourServer();
      const lines = await run('sizes', `ws://127.0.0.1:${server.port}/`);
      expect(lines.filter((line) => line['same'] === false)).toEqual([]);
      expect(lines).toHaveLength(SIZES.length * (3 + 8) + 2 + 1);
      expect(lines.at(-1)).toEqual({ pipelined: true });
      expect(server.stats().perMessageDeflate?.messagesDecompressed).toBe(lines.length - 1 + 300);
    });

    test('does it send an empty payload with RSV1? No: an empty message is a byte', async () => {
      const server = await ourServer();
      const tap = await tapped(server.port);
      expect(await run('empty', `ws://127.0.0.1:${tap.port}/`)).toEqual([{ same: true }]);
      const frames = tap.data('fromClient');
      expect(frames.filter(({ length }) => length === 0)).toEqual([]);
      expect(frames.slice(0, 2).map(({ rsv, start: [first] }) => [rsv, first])).toEqual([
        [0x40, 0],
        [0x40, 0],
      ]);
    });
  });

  describe('as the server of our clients', () => {
    async function servers(...sets: string[]): Promise<number[]> {
      const { ports } = await new PythonProcess('deflate.py', 'serve', ...sets).line('ports');
      return ports as number[];
    }

    async function exchange(port: number, options: object, agreed: Combination): Promise<void> {
      const tap = await tapped(port);
      const got: Message[] = [];
      const client = await open(`ws://127.0.0.1:${tap.port}/`, {
        perMessageDeflate: { ...OURS, ...options },
        message: (_ws, data) => got.push(typeof data === 'string' ? data : Buffer.from(data)),
      });
      const sent = probes(agreed);
      for (const message of sent) client.send(message);
      await until(() => got.length === sent.length, nameOf(agreed));
      expect(got.map((data, i) => same(data, sent[i])).indexOf(false), nameOf(agreed)).toBe(-1);
      expect(tap.tookOver('fromServer'), nameOf(agreed)).toBe(!agreed.serverNoContextTakeover);
      expect(tap.tookOver('fromClient'), nameOf(agreed)).toBe(!agreed.clientNoContextTakeover);
      client.terminate();
    }

    test('all combinations that we offer', async () => {
      const [port] = await servers('{}');
      const all = combinations(9, 9);
      for (let i = 0; i < all.length; i += 16) {
        await Promise.all(all.slice(i, i + 16).map((each) => exchange(port, each, each)));
      }
    });

    test('all combinations that it answers to what we offer by default', async () => {
      const all = combinations(9, 9);
      const ports = await servers(...all.map(argumentsOf));
      for (let i = 0; i < all.length; i += 16) {
        await Promise.all(all.slice(i, i + 16).map((each, j) => exchange(ports[i + j], {}, each)));
      }
    });

    test('it wants a window of 256 bytes of us: the handshake fails', async () => {
      const [port] = await servers('{"client_max_window_bits": 8}');
      const error = await open(`ws://127.0.0.1:${port}/`, { perMessageDeflate: true }).catch(
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(HandshakeError);
      expect(error).toMatchObject({ code: 'INVALID_EXTENSION' });
    });

    test.each(clients)('all sizes, pipelined: %s', async (name, openClient) => {
      const [port] = await servers('{}');
      const client = await openClient(`ws://127.0.0.1:${port}/`, { perMessageDeflate: OURS, ...LIMITS });
      const sent = [...messagesOf(...SIZES), ...(name === 'connect' ? largest() : largest().slice(0, 1))];
      for (const message of sent) client.send(message);
      await until(() => client.got.length === sent.length, 'the echoes');
      for (const [i, message] of sent.entries()) expect(same(client.got[i], message), `message ${i}`).toBe(true);
    });
  });
});
