import { describe, test } from 'vitest';
import { needsAddon, others, subjects } from '../kernels/support.js';
import { check } from './check.js';
import { errorsAgree, maskAgrees, scanAgrees, splitsDoNotMatter, utf8Agrees, whatIsSentArrives } from './properties.js';

if (others.length === 0) test.skip(needsAddon('the same as the portable tier'), () => {});

describe.each(others)('%s, the same as the portable tier', (...subject) => {
  test('scan', () => check(scanAgrees([subject]), 'scan'));
  test('mask', () => check(maskAgrees([subject]), 'mask'));
  test('utf8', () => check(utf8Agrees([subject]), 'utf8'));
  test('errors', () => check(errorsAgree([subject]), 'other'));
});

describe.each(subjects)('%s', (...subject) => {
  test('a split changes nothing', () => check(splitsDoNotMatter([subject]), 'other'));
  test('what is sent arrives', () => check(whatIsSentArrives([subject]), 'other'));
});
