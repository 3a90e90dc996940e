/** Compression of messages that go to many: once for all connections with the same window. */

import type { Extension, SharedEncoder } from '../extension.js';
import type { Contexts } from './contexts.js';
import { Deflater, type DeflaterSettings } from './deflater.js';
import type { Traffic } from './traffic.js';

export class SharedDeflate implements SharedEncoder {
  readonly windowBits: number;
  readonly #contexts: Contexts;
  readonly #traffic: Traffic;
  readonly #settings: DeflaterSettings;

  constructor(contexts: Contexts, traffic: Traffic, windowBits: number, settings: DeflaterSettings) {
    this.windowBits = windowBits;
    this.#contexts = contexts;
    this.#traffic = traffic;
    this.#settings = settings;
  }

  forMessage(size: number): Pick<Required<Extension>, 'encode' | 'encoded'> | null {
    if (size < this.#settings.threshold) return null;
    const deflater = new Deflater(this.#contexts, this.#traffic, this.windowBits, false, this.#settings);
    return deflater.encodes(size, true, true) ? deflater : null;
  }

  takesLong(size: number): boolean {
    return size >= this.#settings.offThreadFrom;
  }
}
