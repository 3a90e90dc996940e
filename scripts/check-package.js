/** Refuses to publish a package that is not whole: every prebuilt binary must be there and be what its name says. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { prebuilt, problems, TARGETS } from './binary.js';
import { contentProblems } from './contents.js';
import { root, run } from './gyp.js';

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const npm = process.env.npm_execpath;
if (npm === undefined) throw new Error('run this with "npm run check:package"');
const { status, stdout, stderr } = run(process.execPath, [npm, 'pack', '--dry-run', '--json']);
if (status !== 0) throw new Error(stderr);
const [packed] = JSON.parse(stdout);

const found = [
  ...TARGETS.flatMap((target) => problems(target, prebuilt(target))),
  ...contentProblems(packed, manifest),
];
if (manifest.repository === undefined) found.push('package.json names no repository, which provenance needs');
for (const problem of found) console.error(`millrace: ${problem}`);
if (found.length > 0) process.exitCode = 1;
else console.log(`millrace: ${packed.files.length} files, ${packed.size} bytes, ${packed.unpackedSize} unpacked`);
