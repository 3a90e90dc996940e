// Serves over one kind of transport, talks to it over bare sockets and with the package's own client, and tells what it
// saw. It must end by itself, with nothing on stderr.
//
// TRANSPORT says which kind: tcp and unix (where serve() takes handles if it can), stream (tcp, as it falls back), tls.
// CERTIFICATES is the folder of those for tls. ONLY names one scenario.
import { strictEqual as same } from 'node:assert';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Server as HttpServer } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import { connect as connectTcp, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, serve } from 'millrace';
import { closePayload, frame, noise, Raw, REQUEST, turn, until, untilStill } from './raw.mjs';

const MiB = 1024 * 1024;
const kind = process.env.TRANSPORT;
const pem = (name) => readFileSync(join(process.env.CERTIFICATES, `${name}.pem`));
const ca = kind === 'tls' ? pem('ca') : undefined;
const tls = kind === 'tls' ? { key: pem('server-key'), cert: pem('server') } : undefined;

const warnings = [];
process.on('warning', (warning) => warnings.push(String(warning)));

// Which transport is in use is told by the sockets that were upgraded: whether their handles were taken, and by whom.
const upgraded = [];
for (const { prototype } of [HttpServer, HttpsServer]) {
  const { emit } = prototype;
  prototype.emit = function (...args) {
    if (args[0] === 'upgrade') upgraded.push({ socket: args[2], handle: args[2]._handle });
    return emit.apply(this, args);
  };
}

function ownerOf(handle) {
  return handle[Object.getOwnPropertySymbols(handle).find(({ description }) => description === 'owner_symbol')];
}

function transportInUse() {
  if (upgraded.length < 2) return 'unknown';
  if (upgraded.every(({ socket, handle }) => socket._handle === handle)) return 'stream';
  if (!upgraded.every(({ socket, handle }) => handle && socket._handle === null)) return 'mixed';
  const owners = new Set(upgraded.map(({ handle }) => ownerOf(handle)));
  return owners.size === 1 && !owners.has(undefined) ? 'handle' : 'unknown';
}

// Takes from the handles of all sockets what the transport on handles needs.
async function takeAway(name) {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const client = connectTcp(server.address().port, '127.0.0.1');
  await new Promise((resolve) => client.once('connect', resolve));
  for (let at = client._handle; at; at = Object.getPrototypeOf(at)) if (Object.hasOwn(at, name)) delete at[name];
  client.destroy();
  await new Promise((resolve) => server.close(resolve));
}

// A server that is closed when its scenario is over, by which time no connection may be left.
async function serving(options, use) {
  const told = { opened: 0, closes: [], errors: [] };
  const folder = kind === 'unix' ? mkdtempSync(join(tmpdir(), 'millrace-')) : '';
  const socketPath = kind === 'unix' ? join(folder, 'socket') : undefined;
  const where = kind === 'unix' ? { socketPath } : { port: 0, hostname: '127.0.0.1' };
  const server = await serve({
    ...where,
    tls,
    ...options,
    open(ws) {
      told.opened++;
      return options.open?.(ws);
    },
    close: (_ws, code, reason) => told.closes.push([code, reason]),
    error: (_ws, error) => told.errors.push(error),
  });
  const target = kind === 'unix' ? { path: socketPath } : { port: server.port, host: '127.0.0.1' };
  const url = `${kind === 'tls' ? 'wss' : 'ws'}://localhost:${server.port}/`;
  const dial = (handlers) => connect(url, { tls: { ca }, family: 4, socketPath, ...handlers });
  const dialRaw = () => new Raw(target, ca);
  const raw = (early) => Raw.open(target, ca, early);
  await use({ server, told, dialRaw, raw, dial });
  await until('every connection to be over', () => server.size === 0);
  same(told.closes.length, told.opened, 'each that was opened is closed, once');
  await server.close({ timeout: 5000 });
  if (folder !== '') rmSync(folder, { recursive: true });
}

const echo = { message: (ws, data) => ws.send(data), maxMessageSize: 5 * MiB };
const SIZES = [0, 1, 2, 125, 126, 127, 1000, 65_535, 65_536, 65_537, 200_000, MiB, 4 * MiB];

function isSame(got, sent) {
  return typeof sent === 'string' ? got === sent : Buffer.from(sent).equals(got);
}

const scenarios = {
  async 'the transport in use'() {
    let seen = '';
    await serving(echo, async ({ raw }) => {
      upgraded.length = 0;
      const clients = await Promise.all([raw(), raw(), raw()]);
      for (const client of clients) client.socket.write(frame(1, 'hello'));
      await Promise.all(clients.map((client) => client.count(1)));
      seen = transportInUse();
      for (const { socket } of clients) socket.end(frame(8, closePayload(1000)));
    });
    return seen;
  },

  async 'echo of many sizes, pipelined'() {
    await serving(echo, async ({ raw, dial }) => {
      const sent = SIZES.flatMap((size) => [noise(size, size), 'é€😀x'.repeat(size / 10)]);
      const client = await raw();
      for (const data of sent) client.socket.write(frame(typeof data === 'string' ? 1 : 2, data));
      const frames = await client.count(sent.length);
      for (const [i, data] of sent.entries()) {
        same(frames[i].first, typeof data === 'string' ? 0x81 : 0x82, `kind of message ${i}`);
        same(Buffer.from(data).equals(frames[i].payload), true, `message ${i}`);
      }
      client.socket.end(frame(8, closePayload(1000)));

      const got = [];
      const ours = await dial({
        sendHardLimit: Number.POSITIVE_INFINITY,
        message: (_ws, data) => got.push(Buffer.isBuffer(data) ? Buffer.from(data) : data),
      });
      for (const data of sent) ours.send(data);
      await until('every echo', () => got.length === sent.length);
      for (const [i, data] of sent.entries()) same(isSame(got[i], data), true, `message ${i} of our client`);
      ours.close();
    });
  },

  async 'byte by byte'() {
    await serving(echo, async ({ dialRaw, raw }) => {
      const client = dialRaw();
      const sent = [noise(130), '', 'é€😀', noise(1)];
      const frames = sent.map((data) => frame(typeof data === 'string' ? 1 : 2, data));
      for (const byte of Buffer.concat([Buffer.from(REQUEST), ...frames, frame(8, closePayload(4000, 'bye'))])) {
        client.socket.write(Buffer.from([byte]));
        await turn();
      }
      await client.count(sent.length + 1);
      await until('the end', () => client.ended);
      const got = client.frames.map(({ payload }) => payload);
      same(
        Buffer.concat(got).equals(Buffer.concat([...sent.map((data) => Buffer.from(data)), closePayload(4000)])),
        true,
      );
      client.socket.end();
      // All in one piece, with the request before it.
      const other = await raw(Buffer.concat([...frames, frame(8, closePayload(4000))]));
      same((await other.count(sent.length + 1)).length, sent.length + 1);
      other.socket.end();
    });
  },

  async 'a slow reader of much that is sent through drain'() {
    const SIZE = 64 * 1024;
    const COUNT = kind === 'tcp' || kind === 'stream' ? 1024 : 256;
    let most = 0;
    let drains = 0;
    const pour = (ws) => {
      for (let more = true; more && ws.data < COUNT; ) {
        const payload = noise(SIZE, ws.data);
        payload.writeUInt32BE(ws.data++, 0);
        more = ws.send(payload);
        most = Math.max(most, ws.bufferedAmount);
      }
      if (ws.data === COUNT) ws.close(1000, 'all');
    };
    const options = {
      upgrade: () => ({ data: 0 }),
      open: pour,
      drain(ws) {
        drains++;
        pour(ws);
      },
    };
    await serving(options, async ({ raw, dial, told }) => {
      const client = await raw();
      client.socket.pause();
      await untilStill('the server to be held', () => drains);
      same(client.frames.length < COUNT / 2, true, 'a reader that does not read holds the server');
      let reads = 0;
      client.socket.on('data', () => {
        if (++reads % 64 !== 0) return;
        client.socket.pause();
        setTimeout(() => client.socket.resume(), 1);
      });
      client.socket.resume();
      await until('all of it', () => client.frames.length === COUNT + 1 || client.closed);
      for (let i = 0; i < COUNT; i++) {
        const expected = noise(SIZE, i);
        expected.writeUInt32BE(i, 0);
        same(expected.equals(client.frames[i].payload), true, `message ${i} of 64 KiB`);
      }
      client.frames.length = 0;
      client.socket.end(frame(8, closePayload(1000)));

      let next = 0;
      const ended = new Promise((resolve) => {
        dial({
          async message(_ws, data) {
            same(data.readUInt32BE(0) === next && data.length === SIZE, true, `message ${next} to our client`);
            if (next++ % 16 === 0) await turn();
          },
          close: (_ws, code, reason) => resolve(`${code} ${reason} ${next}`),
        });
      });
      same(await ended, `1000 all ${COUNT}`);
      await until('the server is told', () => told.closes.length === 2);
    });
    same(most < 64 * 1024 + SIZE + 100, true, `no more is queued than sendHighWater and a message: ${most}`);
    same(drains > COUNT / 10, true, 'drain comes all the time');
  },

  async 'pause and resume'() {
    let peer;
    let received = 0;
    let wrong = 0;
    let toggles = 0;
    const options = {
      open(ws) {
        peer = ws;
        ws.pause();
      },
      message(ws, data) {
        if (data.readUInt32BE(0) !== received++) wrong++;
        if (received % 50 !== 0) return;
        ws.pause();
        toggles++;
        setTimeout(() => ws.resume(), 1);
      },
    };
    await serving(options, async ({ raw }) => {
      const client = await raw();
      const payload = Buffer.alloc(32 * 1024);
      const COUNT = 1000;
      for (let i = 0; i < COUNT; i++) {
        payload.writeUInt32BE(i, 0);
        client.socket.write(frame(2, payload));
      }
      await untilStill('the client to be held', () => client.socket.writableLength);
      same(client.socket.writableLength > MiB, true, 'a server that does not read holds its client');
      same(received, 0, 'nothing is handed out while paused');
      peer.resume();
      await until('all messages', () => received === COUNT);
      same(`${wrong} wrong, ${toggles} pauses`, '0 wrong, 20 pauses');
      client.socket.end(frame(8, closePayload(1000)));
    });
  },

  async 'half-close'() {
    const options = {
      ...echo,
      async message(ws, data) {
        await turn();
        ws.send(data);
      },
    };
    await serving(options, async ({ raw, told }) => {
      const one = await raw();
      one.socket.end(Buffer.concat([frame(1, 'a'), frame(2, noise(4 * MiB)), frame(8, closePayload(1000))]));
      await until('the end', () => one.ended);
      same(one.frames.map(({ payload }) => payload.length).join(), `1,${4 * MiB},2`, 'every answer, then the Close');
      await until('the server is told', () => told.closes.length === 1);
      same(told.closes[0].join(), '1000,');
      // Without a Close it is 1006, and what came before is still handed out.
      const two = await raw();
      two.socket.end(frame(1, 'a'));
      await until('the end', () => two.ended || two.closed);
      await until('the server is told', () => told.closes.length === 2);
      same(told.closes[1][0], 1006);
      same(told.errors.length, 0);
    });
  },

  async 'resets while the server writes'() {
    const options = {
      maxMessageSize: MiB,
      open(ws) {
        for (let i = 0; i < 8; i++) ws.send(noise(MiB));
      },
    };
    await serving(options, async ({ raw, told, server }) => {
      const clients = await Promise.all(
        Array.from({ length: 20 }, async () => {
          const client = await raw();
          client.socket.pause();
          return client;
        }),
      );
      await until('all to be open', () => told.opened === clients.length);
      for (const { below } of clients) {
        if (kind === 'unix') below.destroy();
        else below.resetAndDestroy();
      }
      await until('every connection to be over', () => server.size === 0);
      same(
        told.closes.every(([code]) => code === 1006),
        true,
      );
      same(told.errors.length <= told.closes.length, true, 'one error a connection at most');
      const codes = new Set(told.errors.map(({ code }) => code));
      for (const code of codes)
        same(['ECONNRESET', 'EPIPE', 'ERR_STREAM_DESTROYED'].includes(code), true, `error ${code}`);
    });
  },

  async 'closing handshakes'() {
    const options = {
      message(ws, data) {
        if (data === 'close') ws.close(4001, 'grüße');
        else if (data === 'terminate') ws.terminate();
      },
    };
    await serving(options, async ({ raw, dial, told, server }) => {
      const last = async () => {
        await until('the close', () => server.size === 0);
        return told.closes.at(-1).join();
      };
      const byClient = await raw();
      byClient.socket.write(frame(8, closePayload(4000, 'é'.repeat(61))));
      await until('the end', () => byClient.ended);
      same(closePayload(4000).equals(byClient.frames[0].payload), true);
      byClient.socket.end();
      same(await last(), `4000,${'é'.repeat(61)}`);

      const byServer = await raw(frame(1, 'close'));
      same(closePayload(4001, 'grüße').equals((await byServer.count(1))[0].payload), true);
      byServer.socket.write(frame(8, closePayload(4001)));
      await until('the end', () => byServer.ended);
      byServer.socket.end();
      same(await last(), '4001,');

      const empty = await raw(frame(8));
      same((await empty.count(1))[0].payload.length, 0);
      empty.socket.end();
      same(await last(), '1005,');

      const cut = await raw(frame(1, 'terminate'));
      await until('the cut', () => cut.ended || cut.closed);
      cut.socket.destroy();
      same((await last()).slice(0, 4), '1006');

      for (const [say, expected] of [
        [(ws) => ws.close(4002, 'mine'), '4002'],
        [(ws) => ws.send('close'), '4001,grüße'],
        [(ws) => ws.send('terminate'), '1006'],
      ]) {
        const ended = new Promise((resolve) => {
          dial({ open: say, close: (_ws, code, reason) => resolve(`${code},${reason}`) });
        });
        same((await ended).startsWith(expected), true, `our client: ${expected}`);
        await last();
      }
    });
  },

  async 'many short connections'() {
    const each = { tcp: 1000, unix: 100, stream: 100, tls: 50 }[kind];
    await serving(echo, async ({ server, raw, dial, told }) => {
      const several = (work) => Promise.all(Array.from({ length: 25 }, work));
      let left = each;
      await several(async () => {
        while (left-- > 0) {
          const text = `message ${left}`;
          const client = await raw(Buffer.concat([frame(1, text), frame(8, closePayload(1000))]));
          same(String((await client.count(1))[0].payload), text);
          if (left % 3 === 0) client.socket.destroy();
          else client.socket.end();
        }
      });
      let more = each;
      await several(async () => {
        while (more-- > 0) {
          const text = `message ${more}`;
          const got = await new Promise((resolve, reject) => {
            let answer = '';
            dial({
              open: (ws) => ws.send(text),
              message(ws, data) {
                answer = data;
                ws.close();
              },
              close: (_ws, code) => resolve(`${answer} ${code}`),
            }).catch(reject);
          });
          same(got, `${text} 1000`);
        }
      });
      await until('every connection to be over', () => server.size === 0 && told.closes.length === 2 * each);
    });
  },
};

if (kind === 'stream') await takeAway('useUserBuffer');
const told = {};
const times = {};
let hasFailed = false;
for (const [name, run] of Object.entries(scenarios)) {
  if (process.env.ONLY !== undefined && !name.includes(process.env.ONLY)) continue;
  const begun = performance.now();
  try {
    told[name] = (await run()) ?? 'passed';
  } catch (error) {
    told[name] = `${error?.stack ?? error}`;
    hasFailed = true;
  }
  times[name] = Math.round(performance.now() - begun);
}
console.log(JSON.stringify({ told, times, warnings }));
// What failed may have left anything behind.
if (hasFailed) process.exit(1);
