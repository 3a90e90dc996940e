/** Opens many connections, a few dozen at a time: a server's queue of those that it has not accepted yet is short. */

import { setMaxListeners } from 'node:events';
import type { SupportedExtension } from '../../core/index.js';
import type { LoadFault } from './fault.js';
import { type Opened, open } from './opening.js';
import type { Endpoint } from './target.js';

const AT_A_TIME = 32;

/**
 * @param opened called for each connection, at once
 * @returns Rejects with the first fault, when the handshakes that were under way have been given up
 */
export async function openAll(
  endpoint: Endpoint,
  count: number,
  extensions: readonly SupportedExtension[],
  opened: (index: number, opened: Opened) => void,
): Promise<void> {
  const abort = new AbortController();
  setMaxListeners(AT_A_TIME, abort.signal);
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count && !abort.signal.aborted) {
      const index = next++;
      try {
        opened(index, await open(endpoint, extensions, abort.signal));
      } catch (fault) {
        abort.abort(fault);
        if (fault === abort.signal.reason) throw isFault(fault) ? fault.on(index) : fault;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(count, AT_A_TIME) }, lane));
}

function isFault(thrown: unknown): thrown is LoadFault {
  return thrown instanceof Error && thrown.name === 'LoadFault';
}
