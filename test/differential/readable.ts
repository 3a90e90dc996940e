/** An input as a person reads it: bytes as digits, with runs of the same byte counted. */

import { inspect } from 'node:util';

/** Repetitions from which a byte is counted. */
const RUN = 8;

export function readable(value: unknown): string {
  return inspect(spelled(value), { depth: null, maxArrayLength: null, maxStringLength: null, breakLength: 100 });
}

/** The same value with each array of bytes made readable. */
function spelled(value: unknown): unknown {
  if (value instanceof Uint8Array) return { [inspect.custom]: () => digits(value) };
  if (Array.isArray(value)) return value.map(spelled);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, spelled(one)]));
}

function digits(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    let end = at + 1;
    while (end < bytes.length && bytes[end] === bytes[at]) end++;
    const two = bytes[at].toString(16).padStart(2, '0');
    if (end - at >= RUN) parts.push(`${two}*${end - at}`);
    else for (let i = at; i < end; i++) parts.push(two);
    at = end;
  }
  return `${bytes.length} bytes <${parts.join(' ')}>`;
}
