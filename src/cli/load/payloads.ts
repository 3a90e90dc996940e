/** What messages hold: noise, or where it is to be compressed, what programs send. */

import { randomFillSync } from 'node:crypto';

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const NUMBER_SIZE = 4;

/** Fills a payload: the number first, its lowest digit in front so that a short payload has what differs most. */
export function fill(payload: Buffer, text: boolean, compressible: boolean, number: number): void {
  if (compressible) records(payload, number);
  else noise(payload, text);
  const isText = text || compressible;
  for (let i = 0; i < Math.min(NUMBER_SIZE, payload.length); i++) {
    payload[i] = isText ? DIGITS.charCodeAt((number >>> (6 * i)) & 63) : (number >>> (8 * i)) & 255;
  }
}

function noise(payload: Buffer, text: boolean): void {
  randomFillSync(payload);
  if (text) for (let i = 0; i < payload.length; i++) payload[i] = DIGITS.charCodeAt(payload[i] & 63);
}

const KINDS = ['delivery', 'order', 'return', 'invoice', 'reminder'];
const PLACES = ['north gate', 'mill pond', 'lower bridge', 'granary', 'sluice', 'upper weir', 'ford'];

/** JSON with the same keys and ever other values; the same for the same number. */
function records(payload: Buffer, number: number): void {
  let seed = Math.imul(number + 1, 0x9e37_79b1);
  const below = (limit: number): number => {
    seed = Math.imul(seed ^ (seed >>> 15), 0x2c1b_3c6d) + 0x6d2b_79f5;
    return ((seed ^ (seed >>> 13)) >>> 0) % limit;
  };
  let text = '    [';
  while (text.length < payload.length) {
    const [kind, place] = [KINDS[below(KINDS.length)], PLACES[below(PLACES.length)]];
    text += `{"id":${below(1e9)},"kind":"${kind}","place":"${place}","weight":${below(1e5) / 100},"open":${below(2) === 0}},`;
  }
  payload.write(text, 'latin1');
}
