/** The scripts are plain JavaScript, without types. */

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

// biome-ignore lint/suspicious/noExplicitAny: a script has no types
export function load(name: string): Promise<any> {
  return import(pathToFileURL(resolve('scripts', `${name}.js`)).href);
}
