/** Which web pages may connect. */

import { describe, expect, test } from 'vitest';
import { LocalProtocolError, type OriginRule, serve } from '../../src/node/index.js';
import { originTest } from '../../src/node/origins.js';
import { RawClient, request, start } from './support.js';

const sticky = /^https:\/\/[a-z]+\.example$/y;
const global = /^https:\/\/[a-z]+\.example$/g;

// [what is listed, what comes, allowed]
const table: [OriginRule[], string | undefined, boolean][] = [
  [['https://example.com'], 'https://example.com', true],
  [['https://example.com'], 'HTTPS://Example.COM', true],
  [['HTTPS://Example.COM'], 'https://example.com', true],
  [['https://example.com:443'], 'https://example.com', true],
  [['https://example.com'], 'https://example.com:443', true],
  [['http://example.com:80'], 'http://example.com', true],
  [['http://example.com'], 'http://example.com:80', true],
  [['https://example.com'], 'https://example.com:80', false],
  [['http://example.com'], 'http://example.com:443', false],
  [['https://example.com:8443'], 'https://example.com:8443', true],
  [['https://example.com:8443'], 'https://example.com', false],
  [['https://example.com'], 'http://example.com', false],
  [['https://example.com'], 'https://example.com.evil.net', false],
  [['https://example.com'], 'https://www.example.com', false],
  [['https://example.com'], 'https://example.com/', false],
  [['https://example.com'], '', false],
  [['https://example.com'], 'null', false],
  [['https://example.com'], undefined, false],
  [['https://bücher.example'], 'https://xn--bcher-kva.example', true],
  [['http://[::1]:8080'], 'http://[::1]:8080', true],
  [['http://[0:0:0:0:0:0:0:1]:80'], 'http://[::1]', true],
  [['chrome-extension://ABCdef'], 'chrome-extension://abcdef', true],
  [['a://x:80'], 'a://x', false],
  [[null], undefined, true],
  [[null], 'https://example.com', false],
  [[null], 'null', false],
  [[null], '', false],
  [['null'], 'null', true],
  [['null'], undefined, false],
  [[/./, /null/], 'null', false],
  [[/./], 'NULL', false],
  [[/.?/], undefined, false],
  [[/^https:\/\/.+\.example$/], 'https://a.example', true],
  [[/^https:\/\/.+\.example$/], 'https://a.example.evil.net', false],
  [['https://a.example', null, /^https:\/\/b\./], 'https://b.example', true],
  [['https://a.example', null, /^https:\/\/b\./], undefined, true],
  [[], 'https://example.com', false],
  [[], undefined, false],
];

describe('origins', () => {
  test.for(table)('%o, asked by %s: %s', ([rules, origin, allowed]) => {
    expect(originTest(rules)?.(origin)).toBe(allowed);
  });

  test.for([sticky, global])('%o says the same every time, and is left as it was', (pattern) => {
    pattern.lastIndex = 3;
    const allows = originTest([pattern]);
    const asked = ['https://a.example', 'https://a.example', 'http://a.example', 'https://bcd.example'];
    expect(asked.map((origin) => allows?.(origin))).toEqual([true, true, false, true]);
    expect(pattern.lastIndex).toBe(3);
    // Sticky means anchored, and must not come to mean less.
    expect(originTest([/a\.example/y])?.('https://a.example')).toBe(false);
  });

  test('a page that is not listed gets 403, and upgrade is not asked', async () => {
    let asked = 0;
    const server = await start({
      origins: ['https://good.example', null],
      upgrade: () => {
        asked++;
      },
    });
    const ask = (headers: Record<string, string | null>) => RawClient.ask(server.port, request(headers));
    expect((await ask({ Origin: 'https://evil.example' })).head).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/);
    // Two fields, of which another reader may see only the one that is allowed.
    const twice = request({ Origin: 'https://good.example', origin: 'https://good.example' });
    expect(twice.match(/origin:/gi)).toHaveLength(2);
    expect((await RawClient.ask(server.port, twice)).head).toMatch(/^HTTP\/1\.1 403 /);
    expect(asked).toBe(0);
    await RawClient.open(server.port, undefined, request({ Origin: 'https://good.example' }));
    await RawClient.open(server.port);
    expect(asked).toBe(2);
    expect(server.stats().connections).toMatchObject({ total: 2, refused: 2 });
  });

  test('all may connect by default', async () => {
    const server = await start();
    for (const Origin of ['https://evil.example', 'null', null]) {
      await RawClient.open(server.port, undefined, request({ Origin }));
    }
  });

  test.for<[string, unknown]>([
    ['a string', 'https://example.com'],
    ['*', ['*']],
    ['a path', ['https://example.com/chat']],
    ['a slash', ['https://example.com/']],
    ['a host', ['example.com']],
    ['a bad port', ['https://example.com:99999']],
    ['nothing', ['']],
    ['undefined', [undefined]],
    ['a number', [7]],
  ])('%s is no list of origins', async ([, origins]) => {
    const wrong = await serve({ origins: origins as OriginRule[] }).catch((error: unknown) => error);
    expect(wrong).toBeInstanceOf(LocalProtocolError);
    expect(wrong).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining('origins') });
  });
});
