import { describe, expect, it } from 'vitest';
import { load, type Server, type Workload } from './support.js';

const { workloads, choose, takesPart } = await load('workloads');
const { plan, Pace, FULL, QUICK } = await load('plan');
const { IDS } = await load('catalogue');

const full: Workload[] = workloads();
const quick: Workload[] = workloads({ quick: true });
const servers: Server[] = IDS.map((id: string) => ({ id, deflate: true, ceiling: false }));
const MINUTE = 60_000;

function of(group: string, list = full) {
  return list.filter((workload) => workload.group === group).map(({ parameters }) => parameters);
}

describe('the workloads', () => {
  it('have every size, kind, number in flight and number of connections that is promised', () => {
    const echoes = of('echo');
    const sizes = [20, 64, 125, 1024, 16 * 1024, 64 * 1024, 1024 * 1024];
    for (const size of sizes) {
      const kinds = new Set(echoes.filter((echo) => echo.size === size).map(({ text }) => text));
      expect([size, kinds]).toEqual([size, new Set([true, false])]);
    }
    for (const connections of [1, 64, 1000]) {
      const inFlight = new Set(echoes.filter((echo) => echo.connections === connections).map((echo) => echo.inFlight));
      expect([connections, inFlight]).toEqual([connections, new Set([1, 8, 16])]);
    }
  });

  it('have TLS, compression, fan-out, handshakes, memory and latency', () => {
    expect(of('tls').every(({ tls }) => tls)).toBe(true);
    expect(of('tls').map(({ size, inFlight }) => [size, inFlight])).toEqual([
      [64, 1],
      [64, 16],
      [16 * 1024, 1],
    ]);
    expect(of('deflate').every(({ deflate, text }) => deflate && text)).toBe(true);
    expect(of('deflate').map(({ size }) => size)).toEqual([100, 1024, 64 * 1024]);
    expect(of('fanout').map(({ connections, burst, size, deflate }) => [connections, burst, size, deflate])).toEqual([
      [32, 50, 20, false],
      [32, 1, 20, false],
      [1000, 1, 20, false],
      [1000, 10, 20, false],
      [32, 50, 1024, false],
      [32, 50, 1024, true],
    ]);
    expect(of('handshake').map(({ tls }) => tls)).toEqual([false, true]);
    expect(of('memory').every(({ connections }) => connections >= 1000)).toBe(true);
    expect(of('latency').every(({ rate = 0 }) => rate > 0)).toBe(true);
  });

  it('have names of their own, and a figure that counts', () => {
    expect(new Set(full.map(({ id }) => id)).size).toBe(full.length);
    expect(new Set(full.map(({ title }) => title)).size).toBe(full.length);
    for (const { metrics } of workloads()) {
      expect(metrics.filter(({ main }: { main?: boolean }) => main)).toHaveLength(1);
    }
  });

  it('are all of one kind in a quick run, but of every group', () => {
    expect(new Set(quick.map(({ group }) => group))).toEqual(new Set(full.map(({ group }) => group)));
    expect(quick.length).toBeLessThan(full.length / 2);
  });

  it('are chosen by id and by group, and what nothing is called is told', () => {
    const ids = (names: string[]) => choose(quick, full, names).map(({ id }: Workload) => id);
    expect(ids(['handshake', 'echo-20B-64c-1f-binary', 'handshake-tcp'])).toEqual([
      'handshake-tcp',
      'echo-20B-64c-1f-binary',
    ]);
    expect(() => ids(['echos'])).toThrow(/no workload or group is called "echos"/);
  });

  it('leave out who cannot compress, where that is what is measured', () => {
    const [compressed] = full.filter(({ group }) => group === 'deflate');
    expect(takesPart({ deflate: false }, compressed)).toBe(false);
    expect(takesPart({ deflate: true }, compressed)).toBe(true);
    expect(takesPart({ deflate: false }, full[0])).toBe(true);
  });
});

describe('the plan', () => {
  it('takes less than half an hour with every server, and a quick run less than 4 minutes', () => {
    const all = plan(full, servers, FULL);
    expect(all.total).toBeLessThan(27 * MINUTE);
    expect(all.total).toBeGreaterThan(20 * MINUTE);
    expect(all.window).toBeGreaterThan(FULL.least);
    expect(plan(quick, servers, QUICK).total).toBeLessThan(3.5 * MINUTE);
  });

  it('gives fewer servers longer windows, up to a limit', () => {
    const { window } = plan(full, servers, FULL);
    expect(plan(full, servers.slice(0, 5), FULL).window).toBeGreaterThan(window);
    expect(plan(full.slice(0, 1), servers, FULL).window).toBe(FULL.most);
  });

  it('takes back in windows what everything else takes longer than was thought', () => {
    const pace = new Pace();
    expect(pace.slowness).toBe(1);
    const [first, ...rest] = full;
    const { window, total } = plan([first], servers, { ...FULL, least: 300, most: 300 });
    const fixed = plan([first], servers, { ...FULL, least: 0, most: 0, warmUp: 0 }).total;
    pace.add(first, servers, FULL, window, total + fixed);
    expect(pace.slowness).toBeCloseTo(2);
    const left = { ...FULL, budget: FULL.budget - total };
    const slow = plan(rest, servers, left, pace.slowness);
    expect(slow.window).toBeLessThan(plan(rest, servers, left).window);
    expect(slow.total).toBeLessThan(left.budget + MINUTE / 2);
  });
});
