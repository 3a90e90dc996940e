/** RFC 6455 §5.4: fragmentation. */

import {
  AFTER_CLOSE,
  BIN,
  binary,
  type Case,
  CLOSE,
  CLOSED,
  CONT,
  close,
  conform,
  cont,
  got,
  PONG,
  ping,
  pong,
  refused,
  text,
} from './support.js';

const accepted: readonly Case[] = [
  { name: 'two text fragments', input: [text('Hel', false), cont('lo')], events: [got.text('Hello')] },
  { name: 'two binary fragments', input: [binary('Hel', false), cont('lo')], events: [got.bytes('Hello')] },
  {
    name: 'many fragments',
    input: [text('', false), ...[...'abcdefgh'].map((c) => cont(c, false)), cont('')],
    events: [got.text('abcdefgh')],
  },
  { name: 'only empty fragments', input: [binary('', false), cont('', false), cont('')], events: [got.bytes('')] },
  { name: 'only empty text fragments', input: [text('', false), cont('', false), cont('')], events: [got.text('')] },
  {
    name: 'empty fragments around what counts',
    input: [text('', false), cont('', false), cont('a€', false), cont('', false), cont('b', false), cont('')],
    events: [got.text('a€b')],
  },
  { name: 'an empty first fragment', input: [binary('', false), cont('abc')], events: [got.bytes('abc')] },
  { name: 'an empty last fragment', input: [binary('abc', false), cont('')], events: [got.bytes('abc')] },
  {
    name: 'empty messages',
    input: [text(''), binary(''), text('')],
    events: [got.text(''), got.bytes(''), got.text('')],
  },
  {
    name: 'one fragmented message after another',
    input: [text('a', false), cont('b'), binary('c', false), cont('d', false), cont('e'), text('f')],
    events: [got.text('ab'), got.bytes('cde'), got.text('f')],
  },
  {
    name: 'control frames between fragments',
    input: [text('a', false), ping('1'), cont('b', false), pong('2'), ping(''), cont('c'), ping('3')],
    events: [got.ping('1'), got.pong('2'), got.ping(''), got.text('abc'), got.ping('3')],
  },
  {
    name: 'control frames between fragments, with autoPong',
    options: { autoPong: true },
    input: [text('a', false), ping('1'), cont('c')],
    events: [got.ping('1'), got.text('ac')],
    sent: [[PONG, '1']],
  },
  {
    name: 'a control frame of 125 bytes inside a character',
    input: [text(Buffer.from([0xf0, 0x9f]), false), ping('p'.repeat(125)), cont(Buffer.from([0x98, 0x80]))],
    events: [got.ping('p'.repeat(125)), got.text('😀')],
  },
  {
    name: 'a Close between fragments',
    options: { autoClose: true },
    input: [text('never', false), close(1000), cont('finished')],
    events: [got.close(1000)],
    sent: [[CLOSE, 1000]],
    state: CLOSED,
    transport: AFTER_CLOSE,
  },
  {
    name: 'large fragments',
    input: [binary('a'.repeat(70_000), false), ping(), cont('b'.repeat(300), false), cont('c'.repeat(66_000))],
    events: [got.ping(), got.bytes('a'.repeat(70_000) + 'b'.repeat(300) + 'c'.repeat(66_000))],
  },
  { name: 'a message that never ends', input: [text('a', false), cont('b', false)], events: [] },
];

conform('5.4 what is taken', accepted);

const UNEXPECTED = refused(1002, 'UNEXPECTED_CONTINUATION');
const EXPECTED = refused(1002, 'EXPECTED_CONTINUATION');
/** The header of a frame is enough to refuse it: two bytes, and a key to a server. */
const AT_FIRST_HEADER = { server: 6, client: 2 };

conform('5.4 what is refused', [
  { name: 'a continuation first', input: [cont('a')], ...UNEXPECTED, decidedAt: AT_FIRST_HEADER },
  { name: 'an unfinished continuation first', input: [cont('a', false)], ...UNEXPECTED, decidedAt: AT_FIRST_HEADER },
  { name: 'an empty continuation first', input: [cont('')], ...UNEXPECTED },
  {
    name: 'a continuation after a whole message',
    input: [text('a'), cont('b')],
    ...refused(1002, 'UNEXPECTED_CONTINUATION', [got.text('a')]),
  },
  {
    name: 'a continuation after a fragmented message',
    input: [text('a', false), cont('b'), cont('c')],
    ...refused(1002, 'UNEXPECTED_CONTINUATION', [got.text('ab')]),
  },
  {
    name: 'a continuation after a control frame',
    input: [ping('a'), cont('b')],
    ...refused(1002, 'UNEXPECTED_CONTINUATION', [got.ping('a')]),
  },
  ...([true, false] as const).flatMap((fin) => [
    { name: `text inside text, FIN ${fin}`, input: [text('a', false), text('b', fin)], ...EXPECTED },
    { name: `text inside bytes, FIN ${fin}`, input: [binary('a', false), text('b', fin)], ...EXPECTED },
    { name: `bytes inside text, FIN ${fin}`, input: [text('a', false), binary('b', fin)], ...EXPECTED },
    { name: `bytes inside bytes, FIN ${fin}`, input: [binary('a', false), binary('b', fin)], ...EXPECTED },
    { name: `an empty one inside an empty one, FIN ${fin}`, input: [text('', false), text('', fin)], ...EXPECTED },
  ]),
  {
    name: 'a new message inside a fragmented one, after a Ping',
    input: [binary('a', false), ping('x'), binary('b'), cont('c')],
    ...refused(1002, 'EXPECTED_CONTINUATION', [got.ping('x')]),
  },
  {
    name: 'a new message that claims a payload which never comes',
    input: [binary('a', false), { opcode: BIN, claim: 1000n }],
    ...EXPECTED,
  },
  {
    name: 'a continuation that claims a payload which never comes',
    input: [{ opcode: CONT, claim: 1000n }],
    ...UNEXPECTED,
  },
]);
