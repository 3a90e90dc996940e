import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { createContext, Script } from 'node:vm';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import * as contract from '../../src/kernels/contract.js';
import { native, needsAddon } from './support.js';

const addon = fileURLToPath(new URL('../../build/Release/millrace.node', import.meta.url));
const hasNm = process.platform === 'linux' && spawnSync('nm', ['--version']).status === 0;

describe.skipIf(native === undefined || !existsSync(addon))(needsAddon('the binary'), () => {
  const symbols = () => spawnSync('nm', ['-D', addon], { encoding: 'utf8' }).stdout;

  test.skipIf(!hasNm)('needs no C++ runtime, so that one file serves any libc (needs nm)', () => {
    expect(symbols()).toContain('napi_');
    expect(symbols().match(/GLIBCXX|CXXABI|_Zn|_Zd|__cxa_(?!finalize)/g)).toBeNull();
  });

  test.skipIf(!hasNm)('has no variable of its own that can change (needs nm)', () => {
    const { stdout } = spawnSync('nm', ['-C', '--format=sysv', addon], { encoding: 'utf8' });
    const ours = stdout.split('\n').filter((line) => /millrace::|\(anonymous namespace\)/.test(line));
    expect(ours.length).toBeGreaterThan(0);
    expect(ours.filter((line) => /\.(data|bss|tdata|tbss)$/.test(line.trim()))).toEqual([]);
  });

  test('runs in several worker threads at once', async () => {
    const source = `
      const { parentPort } = require('node:worker_threads');
      const addon = require(${JSON.stringify(addon)});
      const bytes = new Uint8Array(1000);
      const control = new Int32Array(new SharedArrayBuffer(32));
      const { mask, utf8 } = addon.open(control).at(-1);
      for (let i = 0; i < 201; i++) {
        control.set([0, 1000, 0x01020304, 0]);
        mask(bytes);
      }
      control.set([0, 1000, 0]);
      utf8(bytes);
      parentPort.postMessage([addon.version, bytes[0], bytes[999], control[0]]);`;
    const answers = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const worker = new Worker(source, { eval: true });
        const answer = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
        await worker.terminate();
        return answer;
      }),
    );
    expect(answers).toEqual(new Array(4).fill([2, 4, 1, 0]));
  });

  test('takes arrays of another context', () => {
    const mask = native?.mask as NonNullable<typeof native>['mask'];
    const bytes = new Script('new Uint8Array(8)').runInContext(createContext()) as Uint8Array;
    mask(bytes, 0, bytes, 0, 8, 1, 0);
    expect([...bytes]).toEqual([1, 0, 0, 0, 1, 0, 0, 0]);
  });
});

test('kernels.h repeats the numbers of the contract', () => {
  const header = readFileSync(new URL('../../native/kernels.h', import.meta.url), 'utf8');
  const numbers = new Map(
    [...header.matchAll(/\bk(\w+) = (0x[0-9a-f]+|\d+)/g)].map(([, name, n]) => [name, Number(n)]),
  );
  numbers.delete('MostVariants');
  const statuses = Object.entries(contract.ScanStatus).filter(([, value]) => typeof value === 'number');
  const constants = Object.entries(contract).filter(([, value]) => typeof value === 'number');
  const camel = (name: string) =>
    name.toLowerCase().replace(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase());
  const known = new Map([...statuses, ...constants].map(([name, value]) => [camel(name), value]));
  const notInTypeScript = [...numbers].filter(([name, value]) => known.get(name) !== value);
  expect(notInTypeScript).toEqual([]);
  expect(statuses.filter(([name, value]) => numbers.get(camel(name)) !== value)).toEqual([]);
});
