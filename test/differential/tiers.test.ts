import { describe, test } from 'vitest';
import { native, needsAddon, portable, subjects } from '../kernels/support.js';
import {
  check,
  errorsAgree,
  maskAgrees,
  scanAgrees,
  splitsDoNotMatter,
  utf8Agrees,
  whatIsSentArrives,
} from './properties.js';

describe.skipIf(native === undefined)(needsAddon('the tiers are identical'), () => {
  for (const [name, other] of subjects.filter(([, other]) => other !== portable)) {
    test(`scan, ${name}`, () => check(scanAgrees(portable, other)));
    test(`mask, ${name}`, () => check(maskAgrees(portable, other)));
    test(`utf8, ${name}`, () => check(utf8Agrees(portable, other)));
    test(`errors, ${name}`, () => check(errorsAgree(portable, other)));
  }
});

describe.each(subjects)('%s', (_, subject) => {
  test('a split changes nothing', () => check(splitsDoNotMatter(subject)));
  test('what is sent arrives', () => check(whatIsSentArrives(subject)));
});
