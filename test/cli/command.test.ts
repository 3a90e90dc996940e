/** The command line itself: help, version, and what is answered to what cannot be meant. */

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { root, run } from './support.js';

const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string };

test.each([
  { args: [], says: /Usage: millrace <command>/ },
  { args: ['--help'], says: /Usage: millrace <command>/ },
  { args: ['-h'], says: /Usage: millrace <command>/ },
  { args: ['serve', '--help'], says: /Usage: millrace serve/ },
  { args: ['doctor', '-h'], says: /Usage: millrace doctor/ },
])('$args prints help', async ({ args, says }) => {
  const { code, stdout, stderr } = await run(args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(says);
});

test.each(['--version', '-v'])('%s prints the version', async (option) => {
  expect(await run([option])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
});

test('help needs no kernels', async () => {
  const { code } = await run(['serve', '--help'], { MILLRACE_KERNELS: 'nonsense' });
  expect(code).toBe(0);
});

test.each([
  { args: ['mill'], says: 'there is no command "mill"' },
  { args: ['toString'], says: 'there is no command "toString"' },
  { args: ['--fast'], says: "Unknown option '--fast'" },
  { args: ['serve', '--fast'], says: "Unknown option '--fast'" },
  { args: ['serve', 'now'], says: "Unexpected argument 'now'" },
  { args: ['serve', '--port'], says: "Option '-p, --port <value>' argument missing" },
  { args: ['serve', '--port', 'http'], says: '--port must be a number from 0 to 65535, not "http"' },
  { args: ['serve', '--port', '65536'], says: '--port must be a number from 0 to 65535, not "65536"' },
  { args: ['serve', '--port='], says: '--port must be a number from 0 to 65535, not ""' },
  { args: ['serve', '--host='], says: '--host needs an address or a name' },
  { args: ['doctor', '--port', '1'], says: "Unknown option '--port'" },
])('$args is refused in one line', async ({ args, says }) => {
  expect(await run(args)).toEqual({ code: 2, stdout: '', stderr: `millrace: ${says} (see millrace --help)\n` });
});
