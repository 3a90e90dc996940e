/** What is measured. Every size, kind, number in flight and number of connections has its place, not every mix of them. */

import { size as bytes } from '../lib/report.js';

const KIB = 1024;
const MIB = 1024 * KIB;

/**
 * @typedef {object} Workload
 * @property {string} id
 * @property {string} group
 * @property {'echo' | 'room' | 'handshake' | 'idle'} kind which load it is
 * @property {string} title
 * @property {Record<string, unknown>} parameters what the load and the server are told
 * @property {object[]} metrics as the report has them
 * @property {boolean} quick whether it is part of a quick run
 * @property {number} weight how much longer it is measured than others
 */

const cpu = (what) => ({ id: 'cpu', name: `server CPU a ${what}`, unit: 'µs', better: 'lower', main: true });
const rate = (what) => ({ id: 'rate', name: `${what} a second`, unit: '/s', better: 'higher' });
/** Says what the rate is worth: below 100 % the load, not the server, was what could do no more. */
const BUSY = { id: 'busy', name: 'server busy', unit: '%' };

const METRICS = {
  echo: [cpu('message'), rate('messages'), BUSY],
  tls: [cpu('message'), rate('messages'), BUSY],
  deflate: [cpu('message'), rate('messages'), BUSY],
  fanout: [cpu('delivery'), rate('deliveries'), BUSY],
  handshake: [cpu('handshake'), rate('handshakes'), BUSY],
  memory: [{ id: 'memory', name: 'memory an idle connection', unit: 'KiB', better: 'lower', main: true }],
  latency: [
    { id: 'p50', name: 'latency, median', unit: 'ms', better: 'lower' },
    { id: 'p99', name: 'latency, 99 %', unit: 'ms', better: 'lower', main: true },
    { id: 'p999', name: 'latency, 99.9 %', unit: 'ms', better: 'lower' },
    { ...cpu('message'), main: false },
    BUSY,
  ],
};

function short(size) {
  return bytes(size).replace(' ', '');
}

function count(connections) {
  return connections === 1 ? '1 connection' : `${connections.toLocaleString('en')} connections`;
}

function echo(size, kind, connections, inFlight, more = {}) {
  const { group = 'echo', tls = false, deflate = false, quick = false } = more;
  const what = { tls: ', TLS', deflate: ' of JSON, compressed', echo: '' }[group];
  return {
    id: `${group}-${short(size)}-${connections}c-${inFlight}f-${kind}`,
    group,
    kind: 'echo',
    title: `${bytes(size)} ${kind}${what}, ${count(connections)}, ${inFlight} in flight`,
    parameters: { size, text: kind === 'text', connections, inFlight, tls, deflate },
    quick,
    weight: 1,
  };
}

const tls = (size, inFlight, more) => echo(size, 'binary', 64, inFlight, { group: 'tls', tls: true, ...more });
const deflate = (size, more) => echo(size, 'text', 64, 1, { group: 'deflate', deflate: true, ...more });

function fanout(connections, burst, size, { deflate = false, quick = false } = {}) {
  const how = burst === 1 ? 'one at a time' : `${burst} at a time`;
  return {
    id: `fanout-${connections}c-${burst}b-${short(size)}${deflate ? '-deflate' : ''}`,
    group: 'fanout',
    kind: 'room',
    title: `${bytes(size)} text${deflate ? ' of JSON, compressed,' : ''} to ${connections.toLocaleString('en')} members, ${how}`,
    parameters: { size, text: true, connections, burst, tls: false, deflate },
    quick,
    weight: 1,
  };
}

function handshake(tls, quick) {
  const connections = 16;
  return {
    id: `handshake-${tls ? 'tls' : 'tcp'}`,
    group: 'handshake',
    kind: 'handshake',
    title: `connections opened and closed in order, ${connections} at a time${tls ? ', TLS' : ''}`,
    parameters: { connections, tls, deflate: false },
    quick,
    weight: 1,
  };
}

function memory(connections) {
  return {
    id: `memory-${connections}c`,
    group: 'memory',
    kind: 'idle',
    title: `${count(connections)} that are idle`,
    parameters: { connections, tls: false, deflate: false },
    quick: true,
    weight: 1,
  };
}

/**
 * The rates are a table and the same for everyone: about two fifths of what the slowest of the peers answers on two
 * cores, so that none of them is saturated. One that cannot keep the rate has failed, and its latencies are not told.
 */
function latency(size, kind, connections, rate, quick = false) {
  return {
    id: `latency-${short(size)}-${connections}c-${rate}`,
    group: 'latency',
    kind: 'echo',
    title: `${bytes(size)} ${kind}, ${count(connections)}, ${rate.toLocaleString('en')} messages a second at fixed times`,
    parameters: { size, text: kind === 'text', connections, inFlight: 1, rate, tls: false, deflate: false },
    quick,
    // There must be messages enough for one of a thousand to mean something.
    weight: 3,
  };
}

const QUICK = { quick: true };

/** @returns {Workload[]} in the order of the report */
export function workloads({ quick = false } = {}) {
  const list = [
    ...[20, 64, 125, KIB, 16 * KIB, 64 * KIB].flatMap((size) => [
      echo(size, 'binary', 64, 1, { quick: size === 64 || size === 16 * KIB }),
      echo(size, 'text', 64, 8, { quick: size === KIB }),
      echo(size, 'binary', 64, 16, { quick: size === 64 }),
    ]),
    echo(MIB, 'binary', 8, 1, QUICK),
    echo(MIB, 'text', 8, 1),
    ...[1, 1000].flatMap((connections) =>
      [1, 8, 16].flatMap((inFlight) => [
        echo(64, 'binary', connections, inFlight, { quick: connections === 1000 && inFlight === 1 }),
        echo(KIB, 'text', connections, inFlight),
      ]),
    ),
    tls(64, 1),
    tls(64, 16, QUICK),
    tls(16 * KIB, 1),
    deflate(100),
    deflate(KIB, QUICK),
    deflate(64 * KIB),
    fanout(32, 50, 20, QUICK),
    fanout(32, 1, 20),
    fanout(1000, 1, 20, QUICK),
    fanout(1000, 10, 20),
    fanout(32, 50, KIB),
    fanout(32, 50, KIB, { deflate: true, ...QUICK }),
    handshake(false, true),
    handshake(true, false),
    memory(quick ? 2000 : 5000),
    latency(64, 'binary', 64, 4000, true),
    latency(KIB, 'text', 1000, 2000),
    latency(16 * KIB, 'binary', 64, 1000),
  ].map((workload) => ({ ...workload, metrics: METRICS[workload.group] }));
  return quick ? list.filter((workload) => workload.quick) : list;
}

/** Whether a server takes part: a ceiling does no compression, and some peers have none. */
export function takesPart(server, { parameters }) {
  return server.deflate || !parameters.deflate;
}

/**
 * Those that are asked for, by group or id. Of a group it is what `list` has, or all of it where that has none; what is
 * asked for by its id is there in any case.
 *
 * @param {Workload[]} list
 * @param {Workload[]} every
 * @param {string[]} names
 * @throws RangeError for a name that nothing has
 */
export function choose(list, every, names) {
  const chosen = new Map();
  for (const name of names) {
    const alike = ({ id, group }) => id === name || group === name;
    const found = list.some(alike) ? list.filter(alike) : every.filter(alike);
    if (found.length === 0) throw new RangeError(`no workload or group is called "${name}"; --list tells them`);
    for (const workload of found) chosen.set(workload.id, workload);
  }
  return [...chosen.values()];
}
