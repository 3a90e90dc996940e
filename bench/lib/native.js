/** Whether the native tier can run here. */

import { tiers } from '../../dist/kernels/index.js';

export const available = tiers.some(({ tier }) => tier === 'native');
