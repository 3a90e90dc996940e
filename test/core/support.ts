/** What the tests of the core share: connections that are quickly made, and errors that are quickly expected. */

import { expect } from 'vitest';
import { Connection } from '../../src/core/connection.js';
import { LocalProtocolError } from '../../src/core/errors.js';
import type { FrameEvent } from '../../src/core/events.js';
import type { Extension } from '../../src/core/extensions/extension.js';
import type { ConnectionOptions } from '../../src/core/options.js';
import { ConnectionType } from '../../src/core/state.js';
import { bytesFor, drain, type FrameSpec, type Parsed, parseFrames } from '../conformance/support.js';

export const { CLIENT, SERVER } = ConnectionType;
export const ROLES = [SERVER, CLIENT] as const;

/** The title of a test for each role. */
export const roleName = (type: ConnectionType): 'server' | 'client' => (type === SERVER ? 'server' : 'client');

/** A connection, and the frames of its peer, masked as they must be. */
export function connected(
  type: ConnectionType,
  options: ConnectionOptions = {},
  extensions: readonly Extension[] = [],
) {
  const connection = new Connection(type, extensions, options);
  return {
    connection,
    bytes: (...frames: readonly (FrameSpec | Uint8Array)[]) => bytesFor(roleName(type), frames),
    receive: (...frames: readonly (FrameSpec | Uint8Array)[]) =>
      connection.receiveData(bytesFor(roleName(type), frames)),
    /** The frames that are to be written now. */
    written: (): Parsed[] => parseFrames(drain(connection)),
  };
}

/** The error that `run` throws, which must be a LocalProtocolError with this code. */
export function expectLocalError(run: () => unknown, code: string): LocalProtocolError {
  try {
    run();
  } catch (error) {
    if (!(error instanceof LocalProtocolError)) throw error;
    expect(error.code).toBe(code);
    return error;
  }
  throw new Error(`nothing was thrown, expected ${code}`);
}

/** A message, or pieces of one, as an event, with `data` copied. */
export function kept(event: FrameEvent): FrameEvent {
  return event.type === 'bytes' ? Object.assign(event, { data: Uint8Array.from(event.data) }) : event;
}
