/** What the tests of the benchmark share: its files are plain JavaScript, without types, and it is dist/ that it loads. */

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

// biome-ignore lint/suspicious/noExplicitAny: a script has no types
export function load(name: string): Promise<any> {
  return import(pathToFileURL(resolve('bench', 'peers', `${name}.js`)).href);
}

export interface Server {
  readonly id: string;
  readonly deflate: boolean;
  readonly ceiling: boolean;
}

export interface Workload {
  readonly id: string;
  readonly group: string;
  readonly kind: string;
  readonly title: string;
  readonly quick: boolean;
  readonly parameters: {
    readonly size?: number;
    readonly text?: boolean;
    readonly connections: number;
    readonly inFlight?: number;
    readonly burst?: number;
    readonly rate?: number;
    readonly tls: boolean;
    readonly deflate: boolean;
  };
}
