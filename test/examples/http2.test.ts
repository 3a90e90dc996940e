/** examples/http2.js: what it shows, and that neither side keeps what the other does not read. */

import { expect, test } from 'vitest';
import { Example } from './support.js';

/** What it says line by line, but for the port and for how many bytes waited. Each side speaks in its own order. */
const SAID = {
  client: [
    '/echo echoed hello: true',
    '/echo echoed grüße 🌾: true',
    '/echo echoed 160000 characters: true',
    '160000 bytes went as N',
    '/echo echoed 16777216 bytes',
    '/echo never had more than N bytes waiting',
    '/echo ended with 1000 (peer), END_STREAM',
    '/by-hand echoed hello: true',
    '/by-hand echoed grüße 🌾: true',
    '/by-hand echoed 160000 characters: true',
    '320000 bytes went as N',
    '/by-hand ended with 1000 (peer), END_STREAM',
    '/nowhere refused with 404 there is no /nowhere',
    'GET /page is answered 405, allow: CONNECT',
    '/echo given up, RST_STREAM(CANCEL)',
  ],
  server: [
    '/echo ended with 1000 (peer), END_STREAM',
    '/echo never had more than N bytes waiting',
    '/by-hand ended with 1000 (peer), END_STREAM',
    '/by-hand never had more than N bytes waiting',
    'the method is GET, not CONNECT (INVALID_METHOD)',
    '/echo ended with 1006 (eof), RST_STREAM(CANCEL)',
    '/echo never had more than N bytes waiting',
  ],
};

test('opens, echoes, holds, closes, refuses and resets, and ends by itself', async () => {
  const example = Example.run('http2', []);
  await example.endsWell();
  const [first, ...lines] = example.stdout.trimEnd().split('\n');
  expect(first).toMatch(/^listening on http:\/\/127\.0\.0\.1:\d+$/);
  const counted = lines.map((line) => line.replace(/(?<=went as |more than )\d+/, 'N'));
  for (const [side, said] of Object.entries(SAID)) {
    const prefix = `${side}: `;
    expect(counted.filter((line) => line.startsWith(prefix))).toEqual(said.map((line) => prefix + line));
  }
  expect(lines).toHaveLength(SAID.client.length + SAID.server.length);

  const numbers = (pattern: RegExp) => [...example.stdout.matchAll(pattern)].map(([, number]) => Number(number));
  // Of the 16 MiB that nobody read for a while: a message and a high-water mark each way.
  const waiting = numbers(/more than (\d+)/g);
  expect(waiting).toHaveLength(4);
  expect(Math.max(...waiting)).toBeLessThan(384 * 1024);
  expect(Math.min(...numbers(/echo never had more than (\d+)/g).slice(0, 2))).toBeGreaterThan(64 * 1024);
  // permessage-deflate was agreed on, by both ways of doing so.
  const [once, twice] = numbers(/went as (\d+)/g) as [number, number];
  expect(once).toBeLessThan(5000);
  expect(twice).toBeGreaterThan(once);
  expect(twice).toBeLessThan(10_000);
});
