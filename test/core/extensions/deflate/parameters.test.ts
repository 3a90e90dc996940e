/**
 * Who agrees to what (RFC 7692 §7.1). The tables are those of `parameters.ts`, as data; every combination of an offer and
 * a configuration, or of an offer and an answer, is one row of them.
 */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AcceptConnection, Request } from '../../../../src/core/events.js';
import type { DeflateParameters } from '../../../../src/core/extensions/deflate/parameters.js';
import type { ExtensionParameter } from '../../../../src/core/extensions/extension.js';
import {
  clientExtensionsHandshake,
  formatExtensions,
  parseExtensions,
  serverExtensionsHandshake,
} from '../../../../src/core/extensions/negotiation.js';
import { AgreedDeflate, PerMessageDeflate } from '../../../../src/core/extensions/permessage-deflate.js';
import { H1Handshake } from '../../../../src/core/handshake/h1.js';
import { CLIENT, client, expectRemoteError, latin1, rawResponse, SERVER } from '../../handshake/vocabulary.js';

const NAME = 'permessage-deflate';
const [SERVER_NCT, CLIENT_NCT] = ['server_no_context_takeover', 'client_no_context_takeover'];
const [SERVER_BITS, CLIENT_BITS] = ['server_max_window_bits', 'client_max_window_bits'];

/** A parameter of an offer or an answer: absent, there without a value, or with this one. */
type Said = undefined | null | string;
interface Spoken {
  readonly serverNct?: Said;
  readonly clientNct?: Said;
  readonly serverBits?: Said;
  readonly clientBits?: Said;
}

const BITS = ['8', '9', '10', '11', '12', '13', '14', '15'] as const;
const FLAGS: readonly Said[] = [undefined, null];

function* product(serverBits: readonly Said[], clientBits: readonly Said[]): Generator<Spoken> {
  for (const serverNct of FLAGS)
    for (const clientNct of FLAGS)
      for (const one of serverBits)
        for (const other of clientBits) yield { serverNct, clientNct, serverBits: one, clientBits: other };
}

/** As parameters; where `turned`, in another order, which must mean nothing. */
function params(spoken: Spoken, turned = false): ExtensionParameter[] {
  const all: [string, Said][] = [
    [SERVER_NCT, spoken.serverNct],
    [CLIENT_NCT, spoken.clientNct],
    [SERVER_BITS, spoken.serverBits],
    [CLIENT_BITS, spoken.clientBits],
  ];
  const there = all.flatMap(([name, value]) => (value === undefined ? [] : [{ name, value }]));
  return turned ? there.reverse() : there;
}

function spoken(list: readonly ExtensionParameter[]): Spoken {
  const said = new Map(list.map(({ name, value }) => [name, value]));
  if (said.size !== list.length) throw new Error('a parameter comes twice');
  for (const name of said.keys()) {
    if (![SERVER_NCT, CLIENT_NCT, SERVER_BITS, CLIENT_BITS].includes(name)) throw new Error(`unknown: ${name}`);
  }
  return {
    serverNct: said.get(SERVER_NCT),
    clientNct: said.get(CLIENT_NCT),
    serverBits: said.get(SERVER_BITS),
    clientBits: said.get(CLIENT_BITS),
  };
}

const CONFIGURATIONS: readonly DeflateParameters[] = [false, true].flatMap((serverNoContextTakeover) =>
  [false, true].flatMap((clientNoContextTakeover) =>
    [8, 9, 12, 15].flatMap((serverMaxWindowBits) =>
      [8, 9, 12, 15].map((clientMaxWindowBits) =>
        Object.freeze({ serverNoContextTakeover, clientNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits }),
      ),
    ),
  ),
);

const agreedOf = (extension: unknown): DeflateParameters => {
  expect(extension).toBeInstanceOf(AgreedDeflate);
  return (extension as AgreedDeflate).agreed;
};

/** One row of a table: what it is about, and what comes of it. */
interface Row<Args extends readonly unknown[], Result> {
  readonly is: (...args: Args) => boolean;
  readonly gives: (...args: Args) => Result;
}

/** The result of the one row that is about these. */
function lookUp<Args extends readonly unknown[], Result>(rows: readonly Row<Args, Result>[], ...args: Args): Result {
  const found = rows.filter(({ is }) => is(...args));
  if (found.length !== 1) throw new Error(`${found.length} rows are about ${JSON.stringify(args)}`);
  used.add(found[0]);
  return found[0].gives(...args);
}
const used = new Set<unknown>();

const DECLINED = Symbol('declined');
const isNumber = (said: Said): said is string => typeof said === 'string';
const lesser = (said: Said, own: number): number => Math.min(Number(said), own);

// What a server says. `ours` is its configuration.

const FLAG_ROWS: readonly Row<[Said, boolean], Said>[] = [
  { is: (offered, ours) => offered === null || ours, gives: () => null },
  { is: (offered, ours) => offered === undefined && !ours, gives: () => undefined },
];
const notEight = (bits: number): string | typeof DECLINED => (bits === 8 ? DECLINED : String(bits));
const SERVER_BITS_ROWS: readonly Row<[Said, number], Said | typeof DECLINED>[] = [
  { is: (offered, ours) => offered === undefined && ours === 15, gives: () => undefined },
  { is: (offered, ours) => offered === undefined && ours < 15, gives: (_, ours) => notEight(ours) },
  { is: isNumber, gives: (offered, ours) => notEight(lesser(offered, ours)) },
];
const CLIENT_BITS_ROWS: readonly Row<[Said, number], Said | typeof DECLINED>[] = [
  { is: (offered, ours) => offered === undefined && ours === 15, gives: () => undefined },
  { is: (offered, ours) => offered === undefined && ours < 15, gives: () => DECLINED },
  { is: (offered, ours) => offered === null && ours === 15, gives: () => undefined },
  { is: (offered, ours) => offered === null && ours < 15, gives: (_, ours) => String(ours) },
  {
    is: isNumber,
    gives: (offered, ours) => (lesser(offered, ours) === 15 ? undefined : String(lesser(offered, ours))),
  },
];

function expectedAnswer(offer: Spoken, own: DeflateParameters): Spoken | null {
  const serverBits = lookUp(SERVER_BITS_ROWS, offer.serverBits, own.serverMaxWindowBits);
  const clientBits = lookUp(CLIENT_BITS_ROWS, offer.clientBits, own.clientMaxWindowBits);
  if (serverBits === DECLINED || clientBits === DECLINED) return null;
  const serverNct = lookUp(FLAG_ROWS, offer.serverNct, own.serverNoContextTakeover);
  const clientNct = lookUp(FLAG_ROWS, offer.clientNct, own.clientNoContextTakeover);
  return { serverNct, clientNct, serverBits, clientBits };
}

/** What both sides do after an offer and its answer, for the server's part as it was told (§7.1). */
function inForce(answer: Spoken): DeflateParameters {
  return {
    serverNoContextTakeover: answer.serverNct === null,
    clientNoContextTakeover: answer.clientNct === null,
    serverMaxWindowBits: Number(answer.serverBits ?? 15),
    clientMaxWindowBits: Number(answer.clientBits ?? 15),
  };
}

/** What §7.1 forbids in an answer, whoever gives it. */
function expectLegal(offer: Spoken, answer: Spoken): void {
  // §7.1.1.1: a server that accepts an offer with it includes it.
  if (offer.serverNct === null && answer.serverNct !== null) throw new Error('server_no_context_takeover ignored');
  // §7.1.2.1: the same or a smaller value.
  if (isNumber(offer.serverBits) && !(Number(answer.serverBits) <= Number(offer.serverBits)))
    throw new Error('server_max_window_bits ignored');
  // §7.1.2.2: only where it was offered, and the same or a smaller value.
  if (offer.clientBits === undefined && answer.clientBits !== undefined)
    throw new Error('client_max_window_bits out of nowhere');
  if (isNumber(offer.clientBits) && Number(answer.clientBits ?? 15) > Number(offer.clientBits))
    throw new Error('client_max_window_bits raised');
  for (const bits of [answer.serverBits, answer.clientBits]) {
    if (bits !== undefined && !BITS.includes(bits as (typeof BITS)[number])) throw new Error(`${bits} is no window`);
  }
}

const OFFERS = [...product([undefined, ...BITS], [undefined, null, ...BITS])];

describe('a server', () => {
  test('answers every offer as its table says, whatever its configuration', () => {
    for (const own of CONFIGURATIONS) {
      const deflate = new PerMessageDeflate(own);
      for (const [i, offer] of OFFERS.entries()) {
        const expected = expectedAnswer(offer, own);
        const accepted = deflate.accept(params(offer, i % 2 === 1));
        const context = JSON.stringify({ offer, own });
        if (accepted === null || expected === null) {
          if (accepted !== expected) expect(accepted?.params ?? null, context).toEqual(expected);
          continue;
        }
        const answer = spoken(accepted.params);
        if (JSON.stringify(params(answer)) !== JSON.stringify(params(expected)))
          expect(answer, context).toEqual(expected);
        expectLegal(offer, answer);
        const agreed = agreedOf(accepted.extension);
        const wanted = inForce(answer);
        if (JSON.stringify(agreed) !== JSON.stringify(wanted)) expect(agreed, context).toEqual(wanted);
      }
      expect(deflate.parameters).toEqual(own);
    }
    for (const rows of [FLAG_ROWS, SERVER_BITS_ROWS, CLIENT_BITS_ROWS]) {
      for (const row of rows) expect(used.has(row), `${row.is} is never asked for`).toBe(true);
    }
  });

  const WRONG = [
    'foo',
    'foo=1',
    'Server_No_Context_Takeover',
    'server_no_context_takeover=1',
    'server_no_context_takeover=true',
    'client_no_context_takeover=0',
    'server_no_context_takeover; server_no_context_takeover',
    'client_no_context_takeover; client_no_context_takeover',
    'server_max_window_bits',
    'server_max_window_bits; server_max_window_bits=9',
    ...['0', '7', '16', '08', '015', '010', '+9', '-9', '9.0', '1e1', '0x9', '99', '8a', 'x', '\\9a'].flatMap(
      (bits) => [
        `server_max_window_bits=${bits.startsWith('\\') ? `"${bits}"` : bits}`,
        `client_max_window_bits=${bits.startsWith('\\') ? `"${bits}"` : bits}`,
      ],
    ),
    'server_max_window_bits=9; server_max_window_bits=9',
    'client_max_window_bits; client_max_window_bits',
    'client_max_window_bits; client_max_window_bits=9',
    'client_max_window_bits=9; client_max_window_bits=10',
  ];

  test.each(WRONG)('declines %s, alone and among others, and goes on to the next offer', (wrong) => {
    const deflate = new PerMessageDeflate();
    expect(serverExtensionsHandshake(`${NAME}; ${wrong}`, [deflate])).toEqual({ header: null, extensions: [] });
    for (const around of [`client_max_window_bits; ${wrong}`, `${wrong}; server_no_context_takeover`]) {
      expect(serverExtensionsHandshake(`${NAME}; ${around}`, [deflate]).header).toBe(null);
    }
    const next = `${NAME}; ${wrong}, x-other, ${NAME}; server_max_window_bits=10, ${NAME}`;
    expect(serverExtensionsHandshake(next, [deflate]).header).toBe(`${NAME}; server_max_window_bits=10`);
  });

  test('quotes around a value mean nothing', () => {
    const { header } = serverExtensionsHandshake(`${NAME}; server_max_window_bits="1\\0"`, [new PerMessageDeflate()]);
    expect(header).toBe(`${NAME}; server_max_window_bits=10`);
  });

  test('takes the first of any offers that its table does not decline', () => {
    const pool = CONFIGURATIONS.map((own) => ({ own, deflate: new PerMessageDeflate(own) }));
    fc.assert(
      fc.property(
        fc.constantFrom(...pool),
        fc.array(fc.constantFrom(...OFFERS), { maxLength: 6 }),
        ({ own, deflate }, offers) => {
          const text = formatExtensions(offers.map((offer) => ({ name: NAME, params: params(offer) })));
          const { header, extensions } = serverExtensionsHandshake(text === '' ? [] : text, [deflate]);
          const expected = offers.map((offer) => expectedAnswer(offer, own)).find((answer) => answer !== null);
          if (expected === undefined) {
            expect([header, extensions]).toEqual([null, []]);
            return;
          }
          const [{ name, params: list }] = parseExtensions(header as string);
          expect([name, spoken(list)]).toEqual([NAME, expected]);
          expect(extensions.map(agreedOf)).toEqual([inForce(expected)]);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('one object serves any number of connections, each with an instance of its own, and does not change', () => {
    const options = Object.freeze({ clientMaxWindowBits: 12, serverNoContextTakeover: true });
    const deflate = Object.freeze(new PerMessageDeflate(options));
    const before = JSON.stringify(deflate.parameters);
    Object.freeze(deflate.parameters);
    const list: readonly ExtensionParameter[] = Object.freeze([Object.freeze({ name: CLIENT_BITS, value: '9' })]);
    const [one, other] = [deflate.accept(list), deflate.accept(list)];
    expect(one?.extension).not.toBe(other?.extension);
    deflate.accept(params({ clientBits: null, serverBits: '9' }));
    expect(deflate.accept(list)?.params).toEqual(one?.params);
    expect(JSON.stringify(deflate.parameters)).toBe(before);
    expect(deflate.offers()).toEqual(deflate.offers());
  });
});

describe('a client', () => {
  test.each(CONFIGURATIONS)('offers what it wants, and always that it could have a smaller window: %j', (own) => {
    const offers = new PerMessageDeflate(own).offers();
    // A compressor of ours cannot do with 8.
    expect(offers.map(spoken)).toEqual(
      own.clientMaxWindowBits === 8
        ? []
        : [
            {
              serverNct: own.serverNoContextTakeover ? null : undefined,
              clientNct: own.clientNoContextTakeover ? null : undefined,
              serverBits: own.serverMaxWindowBits === 15 ? undefined : String(own.serverMaxWindowBits),
              clientBits: own.clientMaxWindowBits === 15 ? null : String(own.clientMaxWindowBits),
            },
          ],
    );
  });

  const REFUSED = Symbol('refused');
  /** Values that no parameter of an answer may have. */
  const NO_BITS = ['', '0', '7', '16', '08', '09', '015', '+9', '-9', ' 9', '9 ', '9.0', '1e1', '0x9', '99', '９', 'x'];
  const isBits = (said: Said): boolean => (BITS as readonly Said[]).includes(said);

  const SERVER_NCT_ROWS: readonly Row<[boolean, Said], boolean | typeof REFUSED>[] = [
    { is: (offered, answered) => offered && answered === undefined, gives: () => REFUSED },
    { is: (offered, answered) => !offered && answered === undefined, gives: () => false },
    { is: (_, answered) => answered === null, gives: () => true },
    { is: (_, answered) => isNumber(answered), gives: () => REFUSED },
  ];
  const CLIENT_NCT_ROWS: readonly Row<[boolean, Said], boolean | typeof REFUSED>[] = [
    { is: (_, answered) => !isNumber(answered), gives: (ours, answered) => ours || answered === null },
    { is: (_, answered) => isNumber(answered), gives: () => REFUSED },
  ];
  const upTo = (most: number, said: Said): number | typeof REFUSED => (Number(said) > most ? REFUSED : Number(said));
  /** 15 as an offer stands for none. */
  const ANSWERED_SERVER_BITS_ROWS: readonly Row<[number, Said], number | typeof REFUSED>[] = [
    { is: (offered, answered) => offered < 15 && answered === undefined, gives: () => REFUSED },
    { is: (offered, answered) => offered === 15 && answered === undefined, gives: () => 15 },
    { is: (_, answered) => isBits(answered), gives: upTo },
    { is: (_, answered) => answered !== undefined && !isBits(answered), gives: () => REFUSED },
  ];
  const ANSWERED_CLIENT_BITS_ROWS: readonly Row<[number, Said], number | typeof REFUSED>[] = [
    { is: (_, answered) => answered === undefined, gives: (offered) => offered },
    { is: (_, answered) => answered === '8', gives: () => REFUSED },
    { is: (_, answered) => answered !== '8' && isBits(answered), gives: upTo },
    { is: (_, answered) => answered !== undefined && !isBits(answered), gives: () => REFUSED },
  ];

  function outcome(own: DeflateParameters, answer: Spoken): DeflateParameters | null {
    const serverNoContextTakeover = lookUp(SERVER_NCT_ROWS, own.serverNoContextTakeover, answer.serverNct);
    const clientNoContextTakeover = lookUp(CLIENT_NCT_ROWS, own.clientNoContextTakeover, answer.clientNct);
    const serverMaxWindowBits = lookUp(ANSWERED_SERVER_BITS_ROWS, own.serverMaxWindowBits, answer.serverBits);
    const clientMaxWindowBits = lookUp(ANSWERED_CLIENT_BITS_ROWS, own.clientMaxWindowBits, answer.clientBits);
    const found = { serverNoContextTakeover, clientNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits };
    return Object.values(found).includes(REFUSED) ? null : (found as DeflateParameters);
  }

  const OWN = CONFIGURATIONS.filter(({ clientMaxWindowBits }) => clientMaxWindowBits > 8);

  test('takes and refuses every answer as its table says, whatever it offered', () => {
    const answers = [
      ...product([undefined, null, ...BITS], [undefined, null, ...BITS]),
      ...product(NO_BITS, [undefined, '8', '12']),
      ...product([undefined, '8', '12'], NO_BITS),
      ...['', '1', 'true', '0'].flatMap((value) => [{ serverNct: value }, { clientNct: value }]),
    ];
    for (const own of OWN) {
      const deflate = new PerMessageDeflate(own);
      for (const [i, answer] of answers.entries()) {
        const expected = outcome(own, answer);
        let agreed: DeflateParameters | null = null;
        try {
          agreed = agreedOf(deflate.finalize(params(answer, i % 2 === 1)));
        } catch (error) {
          if (!(error instanceof Error) || error.message === '') throw error;
        }
        if (JSON.stringify(agreed) !== JSON.stringify(expected))
          expect(agreed, JSON.stringify({ own, answer })).toEqual(expected);
      }
      expect(deflate.parameters).toEqual(own);
    }
    for (const rows of [SERVER_NCT_ROWS, CLIENT_NCT_ROWS, ANSWERED_SERVER_BITS_ROWS, ANSWERED_CLIENT_BITS_ROWS]) {
      for (const row of rows) expect(used.has(row), `${row.is} is never asked for`).toBe(true);
    }
  });

  /** A 101 with these words as the answer to the offer of a client with this configuration. */
  function answered(own: Partial<DeflateParameters>, answer: string): H1Handshake {
    const handshake = client({ extensions: [new PerMessageDeflate(own)] });
    handshake.receiveData(latin1(rawResponse({ 'Sec-WebSocket-Extensions': answer })));
    return handshake;
  }

  const ANY = {};
  // Spaces around a value are the header's, and beyond ASCII no header goes.
  const wrongBits = [...NO_BITS.filter((bits) => !/[ ９]/.test(bits)), '"16"', '"08"', '""', '"9 "', "'9'"];
  test.each([
    [ANY, 'foo'],
    [ANY, 'foo=1'],
    [ANY, 'Server_No_Context_Takeover'],
    [ANY, 'server_no_context_takeover=1'],
    [ANY, 'client_no_context_takeover=true'],
    [ANY, 'server_no_context_takeover=""'],
    [ANY, 'server_no_context_takeover; server_no_context_takeover'],
    [ANY, 'client_no_context_takeover; client_no_context_takeover'],
    [ANY, 'server_max_window_bits'],
    [ANY, 'client_max_window_bits'],
    [ANY, 'client_max_window_bits=8'],
    [ANY, 'server_max_window_bits=10; server_max_window_bits=10'],
    [ANY, 'client_max_window_bits=10; client_max_window_bits=10'],
    [ANY, 'client_max_window_bits; client_max_window_bits=10'],
    ...wrongBits.flatMap((bits) => [
      [ANY, `server_max_window_bits=${bits}`] as const,
      [ANY, `client_max_window_bits=${bits}`] as const,
    ]),
    [{ serverNoContextTakeover: true }, ''],
    [{ serverNoContextTakeover: true }, 'client_no_context_takeover'],
    [{ serverMaxWindowBits: 12 }, ''],
    [{ serverMaxWindowBits: 12 }, 'server_max_window_bits=13'],
    [{ serverMaxWindowBits: 12 }, 'server_max_window_bits=15'],
    [{ clientMaxWindowBits: 12 }, 'client_max_window_bits=13'],
    [{ clientMaxWindowBits: 12 }, 'client_max_window_bits=15'],
    [{ clientMaxWindowBits: 12 }, 'client_max_window_bits'],
  ] as const)('that wanted %j fails the handshake at a 101 with "%s"', (own, wrong) => {
    const answer = wrong === '' ? NAME : `${NAME}; ${wrong}`;
    expectRemoteError(() => clientExtensionsHandshake(answer, [new PerMessageDeflate(own)]), 'INVALID_EXTENSION');
    const handshake = answered(own, answer);
    const error = expectRemoteError(() => handshake.nextEvent(), 'INVALID_EXTENSION');
    expect(error.eventHint).toBe(null);
    expect(handshake.extensions).toEqual([]);
  });

  test.each([
    ['twice', `${NAME}, ${NAME}`],
    ['off the grammar', `${NAME};`],
    ['with an element that is empty', `${NAME},`],
  ])('fails the handshake at an answer that names it %s', (_, answer) => {
    expectRemoteError(() => answered(ANY, answer).nextEvent(), 'INVALID_EXTENSION');
  });

  test('that could not offer it fails the handshake at an answer with it', () => {
    expectRemoteError(() => answered({ clientMaxWindowBits: 8 }, NAME).nextEvent(), 'INVALID_EXTENSION');
    const deflate = new PerMessageDeflate({ clientMaxWindowBits: 8 });
    expectRemoteError(() => clientExtensionsHandshake(NAME, [deflate]), 'INVALID_EXTENSION');
  });

  test.each([
    [ANY, '', { serverMaxWindowBits: 15, clientMaxWindowBits: 15 }],
    [ANY, 'server_max_window_bits=8', { serverMaxWindowBits: 8, clientMaxWindowBits: 15 }],
    [ANY, 'client_max_window_bits="10"', { serverMaxWindowBits: 15, clientMaxWindowBits: 10 }],
    [{ clientMaxWindowBits: 12 }, '', { serverMaxWindowBits: 15, clientMaxWindowBits: 12 }],
    [ANY, 'server_no_context_takeover', { serverNoContextTakeover: true, clientNoContextTakeover: false }],
    [ANY, 'client_no_context_takeover', { serverNoContextTakeover: false, clientNoContextTakeover: true }],
    [{ clientNoContextTakeover: true }, '', { serverNoContextTakeover: false, clientNoContextTakeover: true }],
  ])('that wanted %j opens at a 101 with "%s"', (own, answer, agreed) => {
    const handshake = answered(own, answer === '' ? NAME : `${NAME}; ${answer}`);
    expect(handshake.nextEvent()).toBeInstanceOf(AcceptConnection);
    expect(handshake.extensions.map(agreedOf)).toMatchObject([agreed]);
  });

  test('that is answered without it goes on without it', () => {
    const handshake = client({ extensions: [new PerMessageDeflate()] });
    handshake.receiveData(latin1(rawResponse()));
    expect(handshake.nextEvent()).toMatchObject({ type: 'accept' });
    expect(handshake.extensions).toEqual([]);
  });
});

describe('our two sides', () => {
  const bits = fc.integer({ min: 8, max: 15 });
  const configuration = fc.record({
    serverNoContextTakeover: fc.boolean(),
    clientNoContextTakeover: fc.boolean(),
    serverMaxWindowBits: bits,
    clientMaxWindowBits: bits,
  });

  /** A handshake over text, and what both sides hold of it afterwards. */
  function shake(ofClient: DeflateParameters, ofServer: DeflateParameters) {
    const [mine, theirs] = [new PerMessageDeflate(ofClient), new PerMessageDeflate(ofServer)];
    const near = new H1Handshake(CLIENT, { extensions: [mine] });
    const far = new H1Handshake(SERVER, { extensions: [theirs] });
    far.receiveData(near.send(new Request({ host: 'example.com', target: '/' })));
    far.nextEvent();
    near.receiveData(far.send(new AcceptConnection()));
    return { near, far, mine, theirs };
  }

  test('agree on the same, wherever the server agrees to anything that this client can do', () => {
    fc.assert(
      fc.property(configuration, configuration, (ofClient, ofServer) => {
        const { near, far, mine, theirs } = shake(ofClient, ofServer);
        // A compressor with a window of 8 is what neither side has, and what a server may nevertheless ask of a client.
        if (ofServer.clientMaxWindowBits === 8 && ofServer.serverMaxWindowBits > 8) {
          if (ofClient.clientMaxWindowBits > 8 && ofClient.serverMaxWindowBits > 8) {
            expectRemoteError(() => near.nextEvent(), 'INVALID_EXTENSION');
            return;
          }
        }
        expect(near.nextEvent()).toMatchObject({ type: 'accept' });
        const [here, there] = [near, far].map((side) => side.extensions.map(agreedOf));
        expect(here).toEqual(there);
        const possible = [ofClient, ofServer].every(({ serverMaxWindowBits }) => serverMaxWindowBits > 8);
        expect(here).toHaveLength(possible && ofClient.clientMaxWindowBits > 8 ? 1 : 0);
        for (const { serverMaxWindowBits, clientMaxWindowBits, ...flags } of here) {
          expect(flags).toEqual({
            serverNoContextTakeover: ofClient.serverNoContextTakeover || ofServer.serverNoContextTakeover,
            clientNoContextTakeover: ofClient.clientNoContextTakeover || ofServer.clientNoContextTakeover,
          });
          expect(serverMaxWindowBits).toBe(Math.min(ofClient.serverMaxWindowBits, ofServer.serverMaxWindowBits));
          expect(clientMaxWindowBits).toBe(Math.min(ofClient.clientMaxWindowBits, ofServer.clientMaxWindowBits));
        }
        expect([mine.parameters, theirs.parameters]).toEqual([ofClient, ofServer]);
      }),
      { numRuns: 400 },
    );
  });
});
