import { describe, expect, test } from 'vitest';
import { authorityOf, HostCheck, isLoopback, isOwnOrigin } from '../../src/cli/hosts.js';

describe('HostCheck', () => {
  const hosts = new HostCheck('Mill.example');

  test.each([
    '127.0.0.1:8080',
    '127.0.0.1',
    'localhost:8080',
    'LOCALHOST',
    'app.localhost:1',
    '[::1]:8080',
    '[::1]',
    '192.168.1.20:8080',
    'mill.EXAMPLE:8080',
  ])('accepts %s', (authority) => {
    expect(hosts.accepts(authority)).toBe(true);
  });

  test.each([
    'evil.example:8080',
    'evil.example',
    'notlocalhost',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '127.0.0.1:8080:1',
    '127.1',
    '[evil.example]:80',
    '[127.0.0.1]',
    'localhost:port',
    'evil.example@localhost',
    '',
    undefined,
  ])('refuses %s', (authority) => {
    expect(hosts.accepts(authority)).toBe(false);
  });
});

test.each([
  [undefined, true],
  ['http://localhost:8080', true],
  ['https://LOCALHOST:8080', true],
  ['http://localhost', false],
  ['http://127.0.0.1:8080', false],
  ['http://evil.example', false],
  ['file://localhost:8080', false],
  ['null', false],
  ['', false],
])('a page of origin %s is of localhost:8080: %s', (origin, expected) => {
  expect(isOwnOrigin(origin, 'localhost:8080')).toBe(expected);
});

test.each([
  ['127.0.0.1', true],
  ['127.8.8.8', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['0.0.0.0', false],
  ['::', false],
  ['10.0.0.1', false],
])('%s is a loopback address: %s', (address, expected) => {
  expect(isLoopback(address)).toBe(expected);
});

test.each([
  ['127.0.0.1', '127.0.0.1:80'],
  ['::1', '[::1]:80'],
  ['0.0.0.0', 'localhost:80'],
  ['::', 'localhost:80'],
])('a browser finds %s at %s', (address, authority) => {
  expect(authorityOf(address, 80)).toBe(authority);
});
