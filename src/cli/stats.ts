/** What the server of `millrace serve` counts. */

import { performance } from 'node:perf_hooks';
import { info, type KernelsInfo } from '../kernels/index.js';
import { packageVersion } from './version.js';

/**
 * The counts at one moment. All are totals since the start, so that whoever wants a rate subtracts two of them and
 * divides by the difference of `uptime`, and a snapshot that is missed falsifies nothing.
 */
export interface Snapshot {
  readonly version: string;
  readonly kernels: KernelsInfo;
  readonly runtime: { readonly node: string; readonly platform: string; readonly arch: string };
  /** Milliseconds since the server started. */
  readonly uptime: number;
  /** Echo connections; `watching` are those that get these snapshots. */
  readonly connections: { readonly open: number; readonly total: number; readonly watching: number };
  readonly messages: { readonly received: number; readonly echoed: number };
  /** Payload bytes: frame headers are not counted. */
  readonly bytes: { readonly received: number; readonly echoed: number };
  /** CPU time in milliseconds, of all threads; resident memory in bytes. */
  readonly process: { readonly cpu: number; readonly memory: number };
}

export class Stats {
  openConnections = 0;
  totalConnections = 0;
  watching = 0;
  messagesReceived = 0;
  messagesEchoed = 0;
  bytesReceived = 0;
  bytesEchoed = 0;
  readonly #started = performance.now();
  readonly #version = packageVersion();

  snapshot(): Snapshot {
    const { user, system } = process.cpuUsage();
    return {
      version: this.#version,
      kernels: info,
      runtime: { node: process.version, platform: process.platform, arch: process.arch },
      uptime: performance.now() - this.#started,
      connections: { open: this.openConnections, total: this.totalConnections, watching: this.watching },
      messages: { received: this.messagesReceived, echoed: this.messagesEchoed },
      bytes: { received: this.bytesReceived, echoed: this.bytesEchoed },
      process: { cpu: (user + system) / 1000, memory: process.memoryUsage.rss() },
    };
  }
}
