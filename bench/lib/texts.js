/** Valid UTF-8 of several kinds, each made for a length in bytes; bytes that no character fits into are full stops. */

const sources = {
  ascii: 'The quick brown fox jumps over the lazy dog, 0123456789 times. ',
  latin: 'Où est passée la clé ? Ça ne va pas, mon frère à Orléans naïf; größer, fünf Äpfel, ñandú. ',
  cjk: '水車小屋の脇を流れる川のほとりに古い橋がある',
  emoji: '🎉🚀🌍🧵🦊🐙🍋🎻',
  mixed: 'id=42 name="Łukasz" city=東京 mood=🎉 note=déjà vu; следующий кадр ',
  /** The first and the last character of every length, and those beside the surrogates. */
  'near-invalid':
    '\u007f\u0080\u07ff\u0800\u0fff\u1000\ud7ff\ue000\uffff\u{10000}\u{3ffff}\u{40000}\u{fffff}\u{10ffff}',
};

/** @type {readonly string[]} */
export const kinds = Object.keys(sources);

/**
 * @param {string} kind
 * @param {number} length in bytes
 * @returns {Uint8Array}
 */
export function text(kind, length) {
  const bytes = new Uint8Array(length).fill(0x2e);
  const source = sources[kind];
  new TextEncoder().encodeInto(source.repeat(Math.ceil(length / source.length)), bytes);
  // What a character that did not fit left behind is overwritten by nobody: `encodeInto` stops ahead of it.
  return bytes;
}
