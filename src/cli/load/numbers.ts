/** @throws TypeError naming what is no number, or not large enough */
export function checkNumber(name: string, value: number, least: number, whole: boolean): void {
  const isRight = whole ? Number.isSafeInteger(value) && value >= least : value > least && value < Infinity;
  if (isRight) return;
  throw new TypeError(`${name} must be a ${whole ? `whole number from ${least} up` : `number above ${least}`}`);
}
