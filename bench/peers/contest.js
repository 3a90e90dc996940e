/**
 * One workload, all servers: each a process of its own, started before the first round, measured once in every round,
 * the order turned from round to round, so that whatever else the machine does falls on each of them alike.
 */

import { EchoLoad, HandshakeLoad, IdleLoad, RoomLoad } from '../../dist/cli/load/index.js';
import { roundsOf } from './plan.js';
import { ServerProcess } from './server-process.js';

/** What a measurement may take beyond its window: milliseconds, and for each connection. */
const PATIENCE = { ms: 40_000, connection: 20 };
/** How long a process may take to be gone after its connections are. */
const CRASH = 300;
/** By how much a run at a fixed rate may last longer: milliseconds, and of its window. One stall is not yet saturation. */
const LATE = { ms: 250, share: 0.1 };
/** So many servers are measured at a time that have nothing to do. */
const IDLE_TOGETHER = 4;
/** What is set up once, whoever it is for, is not counted for the first idle connection. */
const FIRST_CONNECTIONS = 50;
const KIB = 1024;

const LOADS = { echo: EchoLoad, room: RoomLoad, handshake: HandshakeLoad };

/**
 * @param {import('./workloads.js').Workload} workload
 * @param {import('./catalogue.js').Server[]} servers
 * @param {{ rounds: number, window: number, warmUp: number, connections: number, onStep?: () => void }} options `window` and
 *   `warmUp` in milliseconds; `connections` is how many may be open at a time
 * @returns {Promise<({ server: string, values: Record<string, number[]> } | { server: string, failed: string })[]>}
 */
export async function contest(workload, servers, { rounds, window, warmUp, connections, onStep = () => {} }) {
  const isIdle = workload.kind === 'idle';
  const atATime = Math.floor(connections / workload.parameters.connections);
  // Where each has its own, they stay open from round to round.
  const keep = atATime >= servers.length;
  const Contender = isIdle ? Idle : Busy;
  const times = { window: window * workload.weight, warmUp };
  const contenders = servers.map((server) => new Contender(server, workload, times, keep));
  // Memory is the same whatever else goes on.
  const together = isIdle ? Math.max(1, Math.min(IDLE_TOGETHER, atATime)) : 1;
  try {
    await Promise.all(contenders.map((contender) => contender.attempt(() => contender.begin())));
    for (let round = 0; round < roundsOf(workload, rounds); round++) {
      const turns = contenders.map((_, i) => contenders[(i + round) % contenders.length]);
      while (turns.length > 0) {
        const next = turns.splice(0, together);
        await Promise.all(next.map((contender) => contender.attempt(() => contender.round())));
        for (const _ of next) onStep();
      }
    }
  } finally {
    await Promise.all(contenders.map((contender) => contender.end()));
  }
  return contenders.map(({ result }) => result);
}

/** What a server comes to in a workload, by round, until it fails. */
class Contender {
  #failed = null;
  #values = new Map();
  #process = null;

  constructor(server, workload, { window, warmUp }, keep) {
    this.server = server;
    this.workload = workload;
    this.window = window;
    this.warmUp = warmUp;
    this.keep = keep;
  }

  get result() {
    const server = this.server.id;
    if (this.#failed !== null) return { server, failed: this.#failed };
    return { server, values: Object.fromEntries(this.#values) };
  }

  /** Does something; with a server that fails nothing more is done. */
  async attempt(work) {
    if (this.#failed !== null) return;
    let timer;
    const late = new Promise((_, reject) => {
      const patience = PATIENCE.ms + PATIENCE.connection * this.workload.parameters.connections + 2 * this.window;
      timer = setTimeout(() => reject(new Error(`took longer than ${Math.round(patience / 1000)} s`)), patience);
    });
    try {
      await Promise.race([work(), late]);
    } catch (error) {
      await this.#fail(error);
    } finally {
      clearTimeout(timer);
    }
  }

  async #fail(error) {
    // That a connection was lost is known before the process is gone that it was lost with.
    const end = (await this.#process?.endWithin(CRASH)) ?? null;
    this.#failed = end === null ? describe(error) : `the server ${end}`;
    await this.end();
  }

  async start() {
    const { kind, parameters } = this.workload;
    const { tls, deflate } = parameters;
    this.#process = new ServerProcess(this.server, { mode: kind === 'room' ? 'room' : 'echo', tls, deflate });
    await this.#process.ready();
    return this.#process;
  }

  get target() {
    const { tls } = this.workload.parameters;
    const url = `${tls ? 'wss' : 'ws'}://127.0.0.1:${this.#process.port}/`;
    return { url, tls: { rejectUnauthorized: false } };
  }

  /** What a round has come to: null is a value that this round does not have, undefined one that cannot be had here. */
  record(values) {
    for (const [id, value] of Object.entries(values)) {
      if (value === undefined) continue;
      if (!this.#values.has(id)) this.#values.set(id, []);
      this.#values.get(id).push(value);
    }
  }

  async end() {
    await this.#process?.stop();
    this.#process = null;
  }
}

/** A server that is kept busy. */
class Busy extends Contender {
  #process = null;
  #load = null;

  async begin() {
    this.#process = await this.start();
  }

  async round() {
    if (this.#load === null) await this.#connect();
    this.#process.cpu();
    const result = await this.#load.run(this.window);
    const cpu = this.#process.cpu();
    this.record(this.#values(result, cpu));
    if (!this.keep) await this.#disconnect();
  }

  async end() {
    await this.#disconnect();
    await super.end();
  }

  async #connect() {
    const { kind, group, parameters } = this.workload;
    const { rate, ...traffic } = parameters;
    // What answers without looking answers with something else.
    const replies = this.server.ceiling ? 'any' : 'echo';
    const options = { ...traffic, replies, latency: group === 'latency' };
    this.#load = new LOADS[kind](this.target, options);
    await this.#load.connect();
    // Also where the rate is fixed it is as fast as it goes: code is compiled by how often it runs.
    await this.#load.run(this.warmUp);
    if (rate === undefined) return;
    await this.#disconnect();
    this.#load = new LOADS[kind](this.target, { ...options, rate });
    await this.#load.connect();
  }

  async #disconnect() {
    const load = this.#load;
    this.#load = null;
    await load?.close();
  }

  #values({ messages, elapsed, latency }, cpu) {
    const rate = (messages * 1000) / elapsed;
    const isFixed = this.workload.parameters.rate !== undefined;
    if (isFixed && elapsed - this.window > Math.max(LATE.ms, LATE.share * this.window)) {
      throw new Error(`it does not keep the rate: ${Math.round(rate)} messages a second`);
    }
    if (messages === 0) throw new Error('nothing came back in time');
    return {
      cpu: cpu === null ? undefined : cpu / messages,
      rate,
      busy: cpu === null ? undefined : (cpu / 1000 / elapsed) * 100,
      ...(latency && {
        p50: latency.percentile(50),
        p99: latency.percentile(99),
        p999: latency.percentile(99.9),
      }),
    };
  }
}

/** A server that has nothing to do, and is new in each round: what was freed is not given back and would not count again. */
class Idle extends Contender {
  async begin() {}

  async round() {
    const process = await this.start();
    const { connections } = this.workload.parameters;
    await this.#hold(FIRST_CONNECTIONS, async () => {});
    const before = await process.memory();
    if (before === null) throw new Error('memory cannot be read here');
    await this.#hold(connections, async () => {
      const used = (await process.memory()) - before;
      // What is freed meanwhile of other things may be more.
      this.record({ memory: used > 0 ? used / connections / KIB : null });
    });
    await this.end();
  }

  async #hold(connections, whenOpen) {
    const load = new IdleLoad(this.target, { connections });
    await load.connect();
    try {
      await whenOpen();
    } finally {
      await load.close();
    }
  }
}

function describe(error) {
  return error.code === undefined || error.message.includes(error.code)
    ? error.message
    : `${error.code}: ${error.message}`;
}
