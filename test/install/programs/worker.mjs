// Tells what two worker threads get.
import { Worker } from 'node:worker_threads';

const source = `
  const { parentPort } = require('node:worker_threads');
  import('millrace/kernels').then(({ info }) => parentPort.postMessage(info));`;
const workers = [1, 2].map(() => new Worker(source, { eval: true }));
const infos = await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))));
console.log(JSON.stringify(infos));
