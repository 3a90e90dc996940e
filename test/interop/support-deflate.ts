/** What the tests of permessage-deflate share: messages, and what there is to agree on. */

import { createCipheriv } from 'node:crypto';

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const SIZES = [0, 1, 125, 126, 127, KiB, 64 * KiB - 1, 64 * KiB, 64 * KiB + 1, MiB];

export type Message = string | Buffer;

/** Bytes that nothing can compress, the same in every run. */
export function random(size: number, seed = 1): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16)).update(Buffer.alloc(size));
}

/** Text that shrinks by itself, and again only with reference to the same text. */
export function hex(size: number, seed = 1): string {
  return random(size / 2, seed).toString('hex');
}

/** Text of so many bytes, of characters of one to four, that compresses well. */
export function textOf(size: number, seed = 0): string {
  const unit = Array.from({ length: 100 }, (_, i) => `${i * seed + i} grüße, 語 und 😀; `).join('');
  const bytes = Buffer.from(unit.repeat(Math.ceil(size / unit.length)));
  let end = size;
  while (end > 0 && (bytes[end] & 0xc0) === 0x80) end--;
  return bytes.toString('utf8', 0, end) + 'x'.repeat(size - end);
}

/** Of each size a text, and bytes that do and do not compress. */
export function messagesOf(...sizes: readonly number[]): Message[] {
  return sizes.flatMap((size) => [textOf(size, 1), random(size, size % 251), Buffer.from(textOf(size, 3))]);
}

/** Messages as large as they may be by default. */
export function largest(): [text: string, bytes: Buffer] {
  return [textOf(16 * MiB, 1), random(16 * MiB)];
}

export function same(got: unknown, sent: Message): boolean {
  if (typeof got === 'string' || typeof sent === 'string') return got === sent;
  return got instanceof Uint8Array && sent.equals(got);
}

/** The four parameters; a number of bits that is undefined is not said. */
export interface Combination {
  readonly serverNoContextTakeover: boolean;
  readonly clientNoContextTakeover: boolean;
  readonly serverMaxWindowBits: number;
  readonly clientMaxWindowBits: number;
}

/** Every combination with these least numbers of window bits. */
export function combinations(leastOfServer: number, leastOfClient: number): Combination[] {
  const all: Combination[] = [];
  for (let serverMaxWindowBits = leastOfServer; serverMaxWindowBits <= 15; serverMaxWindowBits++) {
    for (let clientMaxWindowBits = leastOfClient; clientMaxWindowBits <= 15; clientMaxWindowBits++) {
      for (const serverNoContextTakeover of [false, true]) {
        for (const clientNoContextTakeover of [false, true]) {
          all.push({ serverNoContextTakeover, clientNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits });
        }
      }
    }
  }
  return all;
}

export function nameOf({
  serverNoContextTakeover,
  clientNoContextTakeover,
  serverMaxWindowBits,
  clientMaxWindowBits,
}: Combination): string {
  return `${serverMaxWindowBits}${serverNoContextTakeover ? '-' : ''}/${clientMaxWindowBits}${clientNoContextTakeover ? '-' : ''}`;
}

/** The parameters as a header field has them. */
export function fieldOf(combination: Combination): string {
  return [
    'permessage-deflate',
    ...(combination.serverNoContextTakeover ? ['server_no_context_takeover'] : []),
    ...(combination.clientNoContextTakeover ? ['client_no_context_takeover'] : []),
    `server_max_window_bits=${combination.serverMaxWindowBits}`,
    `client_max_window_bits=${combination.clientMaxWindowBits}`,
  ].join('; ');
}

/**
 * What shows whether windows are as agreed: the same again at once, where whoever takes over refers to it, and again
 * where it is just within a window, and no more, so that whoever refers too far back is found out.
 */
export function probes({ serverMaxWindowBits, clientMaxWindowBits }: Combination): Message[] {
  const first = hex(100);
  const all: Message[] = [first, first, first, '', Buffer.from(first)];
  for (const bits of new Set([serverMaxWindowBits, clientMaxWindowBits])) {
    const size = 2 ** bits;
    all.push(hex(Math.max(100, size - 400), bits), first, hex(size, bits + 16), first);
  }
  return all;
}

/**
 * The index of the first of `probes` that must refer to another where windows are taken over: of ours, the first two may
 * go through different compressors.
 */
export const FIRST_REPEATED = 2;
