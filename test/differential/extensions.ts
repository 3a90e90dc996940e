/** Extensions made for the sessions: each treats payloads so that a byte that is wrong, or there twice, shows. */

import type { Extension } from '../../src/core/extensions/extension.js';

export function extension(kind: string, rsv: number): Extension {
  const encode: Extension['encode'] = (payload, first) => ({
    payload: payload.map((byte) => byte ^ 0x20),
    rsv: first ? rsv : 0,
  });
  if (kind === 'double') {
    return {
      name: kind,
      rsv,
      encode,
      decode(data, _rsv, _finished, limit) {
        if (data.length * 2 > limit) throw new RangeError('over the limit');
        return Uint8Array.from({ length: data.length * 2 }, (_, i) => data[i >> 1]);
      },
    };
  }
  return {
    name: kind,
    rsv,
    encode,
    decode(data) {
      if (kind === 'picky' && data.length % 7 === 6) throw new Error('not a length it likes');
      for (let i = 0; i < data.length; i++) data[i] ^= 0x20;
      return data;
    },
  };
}
