/** How long each server is measured, so that the whole stays within its time: what is fixed is estimated, the rest shared. */

import { takesPart } from './workloads.js';

/** What is aimed at, well below what is promised: 30 minutes, and 4 for a quick run. */
export const FULL = { rounds: 5, budget: 25 * 60_000, least: 200, most: 1000 };
export const QUICK = { rounds: 3, budget: 170_000, least: 100, most: 300 };

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
/** A warm-up, in windows. */
const WARM_UP = 0.6;
/** Beyond this it is something else that takes the time. */
const MOST_SLOWNESS = 5;
/** Some of that goes on at the same time. */
const MEMORY_TOGETHER = 0.6;

/** A server is new for each of its measurements of memory, which are alike: fewer are enough. */
export function roundsOf({ kind }, rounds) {
  return kind === 'idle' ? Math.ceil(rounds / 2) : rounds;
}

/** What a workload takes: milliseconds that are fixed, and how many windows. */
function shareOf(workload, servers, rounds) {
  const { kind, parameters, weight } = workload;
  const count = servers.filter((server) => takesPart(server, workload)).length;
  const connect = parameters.connections * (parameters.tls ? TLS_CONNECTION : CONNECTION);
  const own = roundsOf(workload, rounds);
  if (kind === 'idle') return { fixed: count * own * MEMORY_TOGETHER * (START + STOP + MEMORY + connect), windows: 0 };
  return {
    fixed: count * (START + STOP + connect + (own + 1) * TAIL),
    windows: count * (own + WARM_UP) * weight,
  };
}

/**
 * @param {import('./workloads.js').Workload[]} workloads that are still to do
 * @param {import('./catalogue.js').Server[]} servers
 * @param {{ rounds: number, budget: number, least: number, most: number }} limits with the time that is left
 * @param {number} [slowness] how many times as long what is fixed takes here
 * @returns {{ window: number, total: number }} milliseconds: of one measurement of weight 1, and of it all
 */
export function plan(workloads, servers, { rounds, budget, least, most }, slowness = 1) {
  let fixed = 0;
  let windows = 0;
  for (const workload of workloads) {
    const share = shareOf(workload, servers, rounds);
    fixed += share.fixed * slowness;
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
  add(workload, servers, rounds, window, took) {
    const { fixed, windows } = shareOf(workload, servers, rounds);
    this.#planned += fixed;
    this.#took += Math.max(0, took - windows * window);
  }

  get slowness() {
    if (this.#planned === 0) return 1;
    return Math.min(MOST_SLOWNESS, Math.max(1 / MOST_SLOWNESS, this.#took / this.#planned));
  }
}

/** How long servers are loaded before they are measured. */
export function warmUp(window) {
  return Math.round(window * WARM_UP);
}
