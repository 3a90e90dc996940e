/**
 * The child's side of `processes.ts`: does what it is told, one order after the other or several at once, and ends when
 * it is let go, when its parent dies, or when it has lived longer than any test: `MILLRACE_MIB` is for one that takes its time.
 */

const LONGEST_LIFE = process.env.MILLRACE_MIB === undefined ? 190_000 : 3_600_000;

/** @param {Record<string, (argument: any) => unknown>} orders what each does; may be async */
export function obey(orders) {
  process.on('disconnect', () => process.exit());
  setTimeout(() => process.exit(1), LONGEST_LIFE).unref();
  process.on('message', async ({ id, order, argument }) => {
    let answer;
    try {
      answer = { id, result: await orders[order](argument) };
    } catch (error) {
      answer = { id, error: String(error?.stack ?? error) };
    }
    if (process.connected) process.send(answer);
  });
  process.send({ ready: true });
}
