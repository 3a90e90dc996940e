/** Checks the addon, and gives its functions the shape of the contract. */

import loadBinary from './binary.cjs';
import type { FrameBatch, Kernels } from './contract.js';

/** What the addon exports. It checks every argument itself. */
export interface Addon {
  /** The contract's version; a binary of another version is not used. */
  readonly version: number;
  /** The CPU features that the code in the binary uses. */
  readonly features: readonly string[];
  scan(chunk: Uint8Array, from: number, to: number, table: Int32Array, rules: number, limit: number): number;
  readonly mask: Kernels['mask'];
  readonly utf8: Kernels['utf8'];
}

/** The addon's contract version that this code goes with. */
export const ADDON_VERSION = 1;

export type Loaded = { readonly addon: Addon; readonly path: string } | { readonly error: Error };

/** Tries to load the addon. Never throws: a missing, foreign or outdated binary is an `error` that says so. */
export function loadAddon(): Loaded {
  const binary = loadBinary();
  if ('error' in binary) return binary;
  const addon = binary.addon as Addon;
  if (addon.version !== ADDON_VERSION) {
    return { error: new Error(`the addon is of version ${addon.version}, this code needs ${ADDON_VERSION}`) };
  }
  return { addon, path: binary.path };
}

/** The native tier: every call crosses into the addon, whatever its size. */
export function nativeKernels(addon: Addon): Kernels {
  return Object.freeze({
    tier: 'native',
    scan: (chunk: Uint8Array, from: number, to: number, batch: FrameBatch, rules: number, limit: number) =>
      addon.scan(chunk, from, to, (batch as FrameBatch | undefined)?.table as Int32Array, rules, limit),
    mask: addon.mask,
    utf8: addon.utf8,
  });
}
