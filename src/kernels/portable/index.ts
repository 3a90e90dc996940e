/** The portable tier: every kernel in TypeScript, for every platform, and the one to read first. */

import type { Kernels } from '../contract.js';
import { mask } from './mask.js';
import { scan } from './scan.js';
import { utf8 } from './utf8.js';

export const portable: Kernels = Object.freeze({ tier: 'portable', scan, mask, utf8 });
