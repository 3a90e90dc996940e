/** Messages such as servers send: JSON with the same keys and ever other values. */

import { Random } from './random.js';

const SYMBOLS = 'ACME MILL RIVR STON GRAN WHEL GEAR BEAM FLOR SACK WIND VALE'.split(' ');
const VENUES = ['north', 'south', 'river', 'bridge'];
const SOME_TIME = 1_700_000_000_000;

/** A trade, as a market tells of it: some 100 bytes. */
function trade(random) {
  const price = (100 + random.below(5000) / 100).toFixed(2);
  const time = SOME_TIME + random.below(1e9);
  const buyer = random.below(2) === 0;
  return `{"type":"trade","symbol":"${random.pick(SYMBOLS)}","price":${price},"size":${100 * (1 + random.below(20))},"time":${time},"venue":"${random.pick(VENUES)}","buyer":${buyer}}`;
}

/**
 * @param {number} size in bytes
 * @param {number} seed
 * @returns {Buffer} ASCII
 */
export function jsonMessage(size, seed) {
  const random = new Random(seed);
  let text = '[';
  while (text.length < size) text += `${trade(random)},`;
  return Buffer.from(text.slice(0, size));
}
