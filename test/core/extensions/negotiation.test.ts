import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { RSV1, RSV2 } from '../../../src/core/extensions/extension.js';
import {
  clientExtensionsHandshake,
  formatExtensions,
  parseExtensions,
  serverExtensionsHandshake,
} from '../../../src/core/extensions/negotiation.js';
import { expectLocalError, expectRemoteError, extension } from '../handshake/vocabulary.js';

describe('the grammar of RFC 6455 §9.1', () => {
  const b = (value: string | null) => [{ name: 'a', params: [{ name: 'b', value }] }];
  test.each([
    ['a', [{ name: 'a', params: [] }]],
    [
      'a,b',
      [
        { name: 'a', params: [] },
        { name: 'b', params: [] },
      ],
    ],
    [
      ' \ta ,\tb ',
      [
        { name: 'a', params: [] },
        { name: 'b', params: [] },
      ],
    ],
    ['A', [{ name: 'A', params: [] }]],
    ['a;b', b(null)],
    ['a ; b = c', b('c')],
    ['a;b="c"', b('c')],
    ['a;b="\\c\\d"', b('cd')],
    [
      'a; b=1; b=2',
      [
        {
          name: 'a',
          params: [
            { name: 'b', value: '1' },
            { name: 'b', value: '2' },
          ],
        },
      ],
    ],
  ])('%j', (value, offers) => {
    expect(parseExtensions(value)).toEqual(offers);
  });

  test.each([
    '',
    ' ',
    ',',
    'a,',
    ',a',
    'a,,b',
    ';',
    'a;',
    'a;;b',
    ';a',
    'a;b=',
    'a;=b',
    'a=b',
    'a b',
    'a;b c',
    'a;b=c d',
    'a;b=c=d',
    'a;b="',
    'a;b="c',
    'a;b=c"',
    'a;b=""',
    'a;b="c d"',
    'a;b="c,d"',
    'a;b="c"d',
    'a;b="c\\"',
    'a;b="\\"',
    'a;b="c\\""',
    'a;b=\'c"',
    '"a"',
    'a/b',
    'a\r\nb',
    'caf\xe9',
  ])('not %j', (value) => {
    expectRemoteError(() => parseExtensions(value), 'INVALID_EXTENSION');
  });

  test('what is written is read back, and what cannot be is not written', () => {
    const word = fc.oneof(fc.string({ unit: fc.constantFrom(...'aB-1!'), minLength: 1 }), fc.string({ maxLength: 3 }));
    const params = fc.array(fc.record({ name: word, value: fc.option(word) }), { maxLength: 3 });
    fc.assert(
      fc.property(fc.array(fc.record({ name: word, params }), { minLength: 1, maxLength: 3 }), (offers) => {
        let written: string;
        try {
          written = formatExtensions(offers);
        } catch (error) {
          expect(error).toMatchObject({ name: 'LocalProtocolError', code: 'INVALID_EXTENSION' });
          return;
        }
        expect(parseExtensions(written)).toEqual(offers);
      }),
    );
  });
});

describe('a server', () => {
  const names = (result: { extensions: readonly { name: string }[] }) => result.extensions.map(({ name }) => name);

  // | supported | requested | answer |
  const no = { accept: () => null };
  test.each([
    ['nothing supported', [], 'x-a', null],
    ['nothing requested', [extension('x-a')], [], null],
    ['another name', [extension('x-a')], 'x-b', null],
    ['another case', [extension('x-a')], 'X-A', null],
    ['the client’s order', [extension('x-a'), extension('x-b')], 'x-b, x-a', 'x-b, x-a'],
    ['one of a name', [extension('x-a')], 'x-a; b=1, x-a; b=2', 'x-a; b=1'],
    ['declined', [extension('x-a', no)], 'x-a', null],
    ['declined by the first of the name', [extension('x-a', no), extension('x-a')], 'x-a', 'x-a'],
    ['RSV bits taken', [extension('x-a', { rsv: RSV1 }), extension('x-b', { rsv: RSV1 })], 'x-b, x-a', 'x-b'],
    ['RSV bits overlap', [extension('x-a', { rsv: RSV1 }), extension('x-b', { rsv: RSV1 | RSV2 })], 'x-a, x-b', 'x-a'],
    ['RSV bits free', [extension('x-a', { rsv: RSV1 }), extension('x-b', { rsv: RSV2 })], 'x-a, x-b', 'x-a, x-b'],
    ['values unquoted', [extension('x-a')], 'x-a; b="c"', 'x-a; b=c'],
  ])('%s', (_name, supported, requested, header) => {
    const result = serverExtensionsHandshake(requested, supported);
    expect(result.header).toBe(header);
    expect(names(result)).toEqual(header === null ? [] : parseExtensions(header).map(({ name }) => name));
  });

  test('a later offer of a name is tried when the first was declined', () => {
    const choosy = extension('x-a');
    const accept = vi.fn((params: Parameters<typeof choosy.accept>[0]) =>
      params.length === 0 ? choosy.accept(params) : null,
    );
    expect(serverExtensionsHandshake('x-a; b, x-a, x-a', [{ ...choosy, accept }]).header).toBe('x-a');
    expect(accept).toHaveBeenCalledTimes(2);
  });

  test('errors', () => {
    expectRemoteError(() => serverExtensionsHandshake('', []), 'INVALID_EXTENSION');
    const base = extension('x-a');
    const bad = { ...base, accept: () => base.accept([{ name: 'b', value: 'c\r\nd' }]) };
    expectLocalError(() => serverExtensionsHandshake('x-a', [bad]), 'INVALID_EXTENSION');
  });

  test('every connection gets its own instance', () => {
    const supported = [extension('x-a')];
    const [one] = serverExtensionsHandshake('x-a', supported).extensions;
    const [other] = serverExtensionsHandshake('x-a', supported).extensions;
    expect(one).not.toBe(other);
  });
});

describe('a client', () => {
  const proposed = [extension('x-a', { rsv: RSV1 }), extension('x-b', { rsv: RSV1 }), extension('x-c', { rsv: RSV2 })];

  test.each([
    ['x-a', ['x-a']],
    ['x-c, x-b', ['x-c', 'x-b']],
    [[], []],
  ])('takes %j', (accepted, names) => {
    expect(clientExtensionsHandshake(accepted, proposed).map(({ name }) => name)).toEqual(names);
  });

  test.each([
    ['not offered', 'x-d', /x-d, which was not offered/],
    ['in another case', 'X-A', /not offered/],
    ['twice', 'x-a, x-a', /twice/],
    ['with RSV bits taken', 'x-a, x-b', /RSV/],
    ['off the grammar', 'x-a;', /malformed at character 5/],
  ])('refuses an answer %s', (_name, accepted, message) => {
    expect(expectRemoteError(() => clientExtensionsHandshake(accepted, proposed), 'INVALID_EXTENSION').message).toMatch(
      message,
    );
  });

  test('refuses what finalize refuses, and says why', () => {
    const picky = extension('x-a', {
      finalize: () => {
        throw new Error('bits out of range');
      },
    });
    const error = expectRemoteError(() => clientExtensionsHandshake('x-a', [picky]), 'INVALID_EXTENSION');
    expect(error.message).toBe('x-a: bits out of range');
  });
});
