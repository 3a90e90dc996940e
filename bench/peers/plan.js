/** How long each server is measured, so that the whole stays within its time: what is fixed is estimated, the rest shared. */

import { takesPart } from './workloads.js';

/**
 * What is aimed at, well below what is promised: 30 minutes, and 4 for a quick run. Servers are meant to be measured as
 * they are after minutes, not while their code is still being compiled: `warmUp` is for how long they are loaded before.
 */
export const FULL = { rounds: 5, budget: 26 * 60_000, least: 150, most: 1000, warmUp: 800 };
export const QUICK = { rounds: 3, budget: 180_000, least: 100, most: 300, warmUp: 200 };

/** Milliseconds, of a machine with two cores. */
const START = 130;
const STOP = 20;
/** To open a connection, and to close it. */
const CONNECTION = 0.8;
const TLS_CONNECTION = 2.5;
/** From the end of a window to the last reply. */
const TAIL = 30;
/** To collect garbage until memory stands still, twice, with what else it takes to measure memory. */
const MEMORY = 1600;
/** Code is compiled by how often it runs, and what is done once a connection runs least. */
const WARM_UPS = { handshake: 3 };
/** Beyond this it is something else that takes the time. */
const MOST_SLOWNESS = 5;
/** Some of that goes on at the same time. */
const MEMORY_TOGETHER = 0.6;

/** A server is new for each of its measurements of memory, which are alike: fewer are enough. */
export function roundsOf({ kind }, rounds) {
  return kind === 'idle' ? Math.ceil(rounds / 2) : rounds;
}

/** What a workload takes: milliseconds that depend on the machine, those of warm-ups, and how many windows. */
function shareOf(workload, servers, { rounds, warmUp }) {
  const { kind, parameters, weight } = workload;
  const count = servers.filter((server) => takesPart(server, workload)).length;
  const connect = parameters.connections * (parameters.tls ? TLS_CONNECTION : CONNECTION);
  const own = roundsOf(workload, rounds);
  if (kind === 'idle')
    return { fixed: count * own * MEMORY_TOGETHER * (START + STOP + MEMORY + connect), warm: 0, windows: 0 };
  return {
    fixed: count * (START + STOP + connect + (own + 1) * TAIL),
    warm: count * warmUpOf(workload, warmUp),
    windows: count * own * weight,
  };
}

/**
 * @param {import('./workloads.js').Workload[]} workloads that are still to do
 * @param {import('./catalogue.js').Server[]} servers
 * @param {{ rounds: number, budget: number, least: number, most: number, warmUp: number }} limits with the time that is left
 * @param {number} [slowness] how many times as long what is fixed takes here
 * @returns {{ window: number, total: number }} milliseconds: of one measurement of weight 1, and of it all
 */
export function plan(workloads, servers, limits, slowness = 1) {
  const { budget, least, most } = limits;
  let fixed = 0;
  let windows = 0;
  for (const workload of workloads) {
    const share = shareOf(workload, servers, limits);
    fixed += share.fixed * slowness + share.warm;
    windows += share.windows;
  }
  const shared = windows === 0 ? most : (budget - fixed) / windows;
  const window = Math.round(Math.min(most, Math.max(least, shared)));
  return { window, total: fixed + windows * window };
}

/** Tells from the workloads that are done how many times as long what is fixed takes here. */
export class Pace {
  #planned = 0;
  #took = 0;

  /** A workload took so many milliseconds. */
  add(workload, servers, limits, window, took) {
    const { fixed, warm, windows } = shareOf(workload, servers, limits);
    this.#planned += fixed;
    this.#took += Math.max(0, took - warm - windows * window);
  }

  get slowness() {
    if (this.#planned === 0) return 1;
    return Math.min(MOST_SLOWNESS, Math.max(1 / MOST_SLOWNESS, this.#took / this.#planned));
  }
}

/** For how many milliseconds a server is loaded before it is measured. */
export function warmUpOf({ kind }, warmUp) {
  return warmUp * (WARM_UPS[kind] ?? 1);
}
