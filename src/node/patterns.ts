/** Regular expressions from a user's options. */

/**
 * A test that says the same every time. One with the g or y flag goes on where its last match ended, which would let
 * every other request through; it is copied, because its owner may be in the middle of using it.
 */
export function testOf(pattern: RegExp): (value: string) => boolean {
  const copy = new RegExp(pattern);
  return (value) => {
    copy.lastIndex = 0;
    return copy.test(value);
  };
}
