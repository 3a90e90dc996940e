/**
 * Runs benchmarks and writes down what they print, with the command and the machine, as reports in `docs/benchmarks/`:
 * `node bench/record.js [--quick] [name ...]`, all of them when no name is given. What the README tells of speed and memory
 * is in rows of these reports, and of the one that `bench:peers` writes.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');
const FOLDER = join(ROOT, 'docs', 'benchmarks');

const REPORTS = {
  receive: { title: 'Receiving frames', script: 'bench', args: ['receive'] },
  allocation: { title: 'What receiving allocates', script: 'bench', args: ['allocation'] },
  kernels: { title: 'The kernels', script: 'bench:kernels', args: ['--chart', 'docs/kernels.svg'] },
  deflate: { title: 'Echoes with permessage-deflate', script: 'bench:deflate', args: ['--rounds', '5'] },
  idle: { title: 'Memory of idle connections', script: 'bench:idle', args: [] },
  'idle-deflate': { title: 'Memory of connections that compress', script: 'bench:idle', args: ['--deflate'] },
  http2: { title: 'WebSockets over HTTP/2', script: 'bench:http2', args: ['--rounds', '3'] },
};

const quick = process.argv.includes('--quick');
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const unknown = wanted.find((name) => !Object.hasOwn(REPORTS, name));
if (unknown !== undefined) {
  console.error(`no report "${unknown}"; there are: ${Object.keys(REPORTS).join(', ')}`);
  process.exit(1);
}

/** Runs a script of package.json, shows what it prints, and returns it. */
async function output(script, args) {
  const child = spawn('npm', ['run', '--silent', script, '--', ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    process.stdout.write(text);
    printed += text;
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`npm run ${script} ended with ${code}`);
  return printed;
}

mkdirSync(FOLDER, { recursive: true });
for (const name of wanted.length > 0 ? wanted : Object.keys(REPORTS)) {
  const { title, script, args } = REPORTS[name];
  const all = quick ? [...args, '--quick'] : args;
  const printed = await output(script, all);
  const command = ['npm run', script, ...(all.length > 0 ? ['--', ...all] : [])].join(' ');
  const machine = [
    `${cpus().length} cores of ${cpus()[0]?.model.trim() ?? 'an unknown CPU'}`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `${process.platform} ${release()}`,
    `Node.js ${process.version}`,
  ].join(', ');
  // What the build says is not of the benchmark, and where this clone lies is nobody's business.
  const body = printed
    .replace(/^(?:millrace: |> ).*\n+/gm, '')
    .replaceAll(join(ROOT, '/'), '')
    .trim();
  const head = `# ${title}\n\n\`${command}\`, ${new Date().toISOString().slice(0, 10)}, on ${machine}.\n`;
  writeFileSync(join(FOLDER, `${name}.md`), `${head}\n${body}\n`);
}
