// A table of a kind of array that Node-API may not know yet, after calls that leave the known kind where it was asked for.
import { FrameBatch, info, kernels } from 'millrace/kernels';

const SIZE = 64;
const chunk = new Uint8Array(4000).fill(0x80);
for (let at = 0; at < chunk.length; at += 2) chunk[at + 1] = 0;
const batch = new FrameBatch(1000);
const memory = new ArrayBuffer(4096);
const table = new globalThis.Float16Array(memory, 0, SIZE);
const told = new Set();
for (let i = 0; i < 20_000; i++) {
  kernels.scan(chunk, 0, chunk.length, batch, 0, 1e9);
  try {
    told.add(`${kernels.scan(chunk, 0, chunk.length, { table }, 0, 1e9)} rows`);
  } catch (error) {
    told.add(`${error.name} ${error.code}`);
  }
}
const written = new Uint8Array(memory).findLastIndex((byte) => byte !== 0);
console.log(JSON.stringify({ tier: info.tier, told: [...told], written }));
