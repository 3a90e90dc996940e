/** The servers that are compared: what they are, whether they are to be had here, and how they are started. */

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fetched } from '../lib/fetched.js';
import { FOLDER } from './install.js';

/**
 * @typedef {object} Server
 * @property {string} id
 * @property {string} name
 * @property {string} version
 * @property {string} runtime
 * @property {boolean} ours
 * @property {boolean} ceiling whether it does less than a WebSocket server has to
 * @property {string} [note] what a reader should know of how it is set up
 * @property {boolean} deflate whether it can compress
 * @property {string[]} command
 * @property {Record<string, string>} env
 */

/** The server that the others are compared with. */
export const BASELINE = 'ws';

const servers = join(FOLDER, 'servers');
const require = createRequire(join(servers, 'ws.js'));
const NODE = `Node.js ${process.versions.node}`;
/** Debian's, whose packages these are: the `python3` that is found by name may be another. */
const PYTHON = '/usr/bin/python3';

const node = (file) => [process.execPath, '--expose-gc', join(servers, file)];

/** A package's version; throws what it cannot be had for. */
function versionOf(name) {
  let folder = null;
  for (const path of require.resolve.paths(name)) {
    if (existsSync(join(path, name, 'package.json'))) {
      folder = join(path, name);
      break;
    }
  }
  if (folder === null) throw new Error('not installed');
  return { folder, version: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version };
}

function has(name) {
  try {
    return versionOf(name) !== null;
  } catch {
    return false;
  }
}

function ws() {
  const helpers = ['bufferutil', 'utf-8-validate'].filter(has);
  return {
    name: ['ws', ...helpers].join(' + '),
    version: versionOf('ws').version,
    runtime: NODE,
    deflate: true,
    note: 'texts come as Buffers; a room is a loop of send; compression: threshold 0, else its defaults',
    command: node('ws.js'),
  };
}

function millrace(tier) {
  return {
    name: `millrace, ${tier} kernels`,
    version: JSON.parse(readFileSync(join(FOLDER, '..', '..', 'package.json'), 'utf8')).version,
    runtime: NODE,
    ours: true,
    deflate: true,
    note: "texts come as Buffers (textFormat: 'bytes'); a room is server.publish; compression: threshold 0, else its defaults",
    command: node('millrace.js'),
    env: { MILLRACE_KERNELS: tier },
  };
}

async function millraceNative() {
  if (!(await import('../lib/native.js')).available) throw new Error('the addon is not built');
  return millrace('native');
}

function uws() {
  const { folder, version } = versionOf('@trufflesuite/uws-js-unofficial');
  const { platform, arch, versions } = process;
  const file = `uws_${platform}_${arch}_${versions.modules}.node`;
  const binary = join(folder, 'binaries', file);
  if (!existsSync(binary)) throw new Error(`it has no binary for this Node: ${file}`);
  return {
    name: 'uWebSockets.js',
    version,
    runtime: NODE,
    deflate: true,
    note: 'texts come as ArrayBuffers; a room is app.publish; compression: SHARED_COMPRESSOR, which keeps nothing between messages',
    command: node('uws.js'),
    env: { UWS: binary },
  };
}

/** Whichever binary of Bun runs here; the package's own entry waits for its install script. */
function bunBinary() {
  const { version } = versionOf('bun');
  const { platform, arch } = process;
  const system = platform === 'win32' ? 'windows' : platform;
  const processor = arch === 'arm64' ? 'aarch64' : arch;
  const name = process.platform === 'win32' ? 'bun.exe' : 'bun';
  let why = 'it has no binary for this machine';
  for (const libc of ['', '-musl']) {
    const packageName = `@oven/bun-${system}-${processor}${libc}`;
    if (!has(packageName)) continue;
    const binary = join(versionOf(packageName).folder, 'bin', name);
    try {
      return { binary, version: said(binary, ['--version']) };
    } catch (error) {
      why = `its binary does not run: ${error.signal ?? error.message}`;
      // Older processors have not got all the instructions that it uses, and have a binary of their own.
      const older = error.signal === 'SIGILL' ? fetched(`${packageName}-baseline`, version) : null;
      if (older !== null) return { binary: join(older, 'bin', name), version };
    }
  }
  throw new Error(why);
}

function bun() {
  const { binary, version } = bunBinary();
  return {
    name: 'Bun',
    version,
    runtime: `Bun ${version}`,
    deflate: true,
    note: 'texts come as strings; a room is server.publish; compression: perMessageDeflate true, which keeps nothing between messages',
    command: [binary, '--no-install', join(servers, 'bun.js')],
  };
}

function websocket() {
  const { version } = versionOf('websocket');
  const note = 'texts come as strings; a room is broadcast, which is a loop of send; it has no compression';
  return { name: 'websocket', version, runtime: NODE, note, command: node('websocket.js') };
}

function faye() {
  const { version } = versionOf('faye-websocket');
  const note = 'texts come as strings; a room is a loop of send; its compression is another package and left out';
  return { name: 'faye-websocket', version, runtime: NODE, note, command: node('faye.js') };
}

function python(module, name, file, note) {
  const ask = `import platform, ${module}; print(platform.python_version(), ${module}.__version__)`;
  let answer = '';
  try {
    answer = said(PYTHON, ['-c', ask]);
  } catch (error) {
    throw new Error(
      error.code === 'ENOENT' ? `there is no ${PYTHON}` : `${PYTHON} has no ${module} (python3-${module} of Debian)`,
    );
  }
  const [runtime, version] = answer.split(' ');
  return {
    name,
    version,
    runtime: `CPython ${runtime}`,
    deflate: true,
    note,
    command: [PYTHON, join(servers, file)],
    env: { PYTHONDONTWRITEBYTECODE: '1' },
  };
}

function net() {
  return {
    name: 'bare node:net, prepared answers',
    version: process.versions.node,
    runtime: NODE,
    ceiling: true,
    note: 'no WebSocket server: as an echo it counts bytes and looks at nothing, as a room it unmasks and writes the same bytes to all',
    command: node('net.js'),
  };
}

function said(command, args) {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: 20_000 }).trim();
}

/** In the order of the tables: the baseline, ours, and the others. */
const CATALOGUE = {
  [BASELINE]: ['ws', ws],
  'millrace-native': ['millrace, native kernels', millraceNative],
  'millrace-portable': ['millrace, portable kernels', () => millrace('portable')],
  uws: ['uWebSockets.js', uws],
  bun: ['Bun', bun],
  websocket: ['websocket', websocket],
  faye: ['faye-websocket', faye],
  'python-websockets': [
    'websockets (Python)',
    () =>
      python(
        'websockets',
        'websockets (Python)',
        'python_websockets.py',
        'a room is broadcast; compression: its defaults, a window of 12 bits',
      ),
  ],
  'python-wsproto': [
    'wsproto (Python)',
    () =>
      python(
        'wsproto',
        'wsproto (Python) on asyncio',
        'python_wsproto.py',
        'a room is a loop of send; compression: its defaults',
      ),
  ],
  net: ['bare node:net, prepared answers', net],
};

export const IDS = Object.keys(CATALOGUE);

/**
 * What can be started here, and what cannot and why.
 *
 * @param {readonly string[]} [ids] only these
 * @param {string | null} [trouble] why packages could not be installed
 * @returns {Promise<{ servers: Server[], absent: { id: string, name: string, why: string }[] }>}
 */
export async function catalogue(ids = IDS, trouble = null) {
  const servers = [];
  const absent = [];
  for (const id of IDS) {
    if (!ids.includes(id)) continue;
    const [name, make] = CATALOGUE[id];
    try {
      const made = await make();
      servers.push({ id, ours: false, ceiling: false, deflate: false, env: {}, ...made });
    } catch (error) {
      const isMissing = error.message === 'not installed' && trouble !== null;
      absent.push({ id, name, why: isMissing ? `it could not be installed: ${trouble}` : error.message });
    }
  }
  return { servers, absent };
}
