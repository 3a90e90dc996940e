import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Timed, Wheel } from '../../src/node/wheel.js';

const TICK = 500;

/** A wheel on the clock of the fake timers. */
class TestWheel extends Wheel {
  readonly #start = Date.now();
  readonly #origin: number;

  /** @param origin what its clock shows at first */
  constructor(origin = 0) {
    super();
    this.#origin = origin;
  }

  override now(): number {
    return this.#origin + Date.now() - this.#start;
  }
}

class Entry implements Timed {
  bucket: number | null = null;
  readonly fired: number[] = [];
  readonly #then: (now: number) => void;

  constructor(then: (now: number) => void = () => {}) {
    this.#then = then;
  }

  onDeadline(now: number): void {
    this.fired.push(now);
    this.#then(now);
  }
}

describe('Wheel', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    expect(vi.getTimerCount(), 'an empty wheel has no timer').toBe(0);
    vi.useRealTimers();
  });

  test.for([0, 1, 137, 250, 499, 499.5])('is never early, and late by one tick at most, begun at %d', (origin) => {
    for (const wait of [0, 1, 2, 250, 499, 500, 501, 502, 999, 1000, 1001, 12_345]) {
      const wheel = new TestWheel(origin);
      const entry = new Entry();
      const deadline = origin + wait;
      wheel.set(entry, deadline);
      vi.advanceTimersByTime(wait + 2 * TICK + 1);
      expect(entry.fired, `a deadline ${wait} ms ahead`).toHaveLength(1);
      expect(entry.fired[0]).toBeGreaterThanOrEqual(deadline);
      // A timer of whole milliseconds may miss the tick by one.
      expect(entry.fired[0] - deadline, `late for a deadline ${wait} ms ahead`).toBeLessThanOrEqual(TICK + 1);
    }
  });

  test('what is past comes with the next tick, not at once', () => {
    const wheel = new TestWheel(10_000);
    const entry = new Entry();
    wheel.set(entry, 3);
    expect(entry.fired).toEqual([]);
    vi.advanceTimersByTime(TICK);
    expect(entry.fired).toHaveLength(1);
  });

  test('arming again takes the place of the deadline before', () => {
    const wheel = new TestWheel();
    const entry = new Entry();
    wheel.set(entry, 1000);
    wheel.set(entry, 5000);
    vi.advanceTimersByTime(4900);
    expect(entry.fired).toEqual([]);
    wheel.set(entry, 5400);
    vi.advanceTimersByTime(5000);
    expect(entry.fired).toHaveLength(1);
    expect(entry.fired[0]).toBeGreaterThanOrEqual(5400);
  });

  test.for([null, Number.POSITIVE_INFINITY])('%s disarms', (never) => {
    const wheel = new TestWheel();
    const entry = new Entry();
    wheel.set(entry, 1000);
    wheel.set(entry, never);
    expect(vi.getTimerCount()).toBe(0);
    expect(entry.bucket).toBeNull();
    vi.advanceTimersByTime(5000);
    expect(entry.fired).toEqual([]);
    wheel.set(entry, never);
  });

  test('an entry that arms itself while it is called comes again', () => {
    const wheel = new TestWheel();
    const entry: Entry = new Entry((now) => wheel.set(entry, entry.fired.length < 5 ? now + TICK : null));
    wheel.set(entry, TICK);
    vi.advanceTimersByTime(20 * TICK);
    expect(entry.fired).toHaveLength(5);
    for (let i = 1; i < 5; i++) expect(entry.fired[i] - entry.fired[i - 1]).toBeGreaterThanOrEqual(TICK);
  });

  test('an entry that is disarmed by another of the same tick does not come', () => {
    const wheel = new TestWheel();
    const entries: Entry[] = [];
    for (let i = 0; i < 10; i++) {
      entries.push(
        new Entry(() => {
          for (const other of entries.slice(1)) wheel.set(other, null);
        }),
      );
    }
    for (const entry of entries) wheel.set(entry, 700);
    vi.advanceTimersByTime(5000);
    expect(entries.map(({ fired }) => fired.length)).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  });

  test('an entry that arms others while it is called', () => {
    const wheel = new TestWheel();
    const late = new Entry();
    const past = new Entry();
    const first = new Entry((now) => {
      wheel.set(late, now + 3000);
      wheel.set(past, now - 3000);
    });
    wheel.set(first, 400);
    vi.advanceTimersByTime(1000);
    expect([first.fired.length, past.fired.length, late.fired.length]).toEqual([1, 1, 0]);
    vi.advanceTimersByTime(4000);
    expect([first.fired.length, past.fired.length, late.fired.length]).toEqual([1, 1, 1]);
  });

  test('ten thousand entries, each once, each in time, by one timer', () => {
    const wheel = new TestWheel();
    const entries = Array.from({ length: 10_000 }, () => new Entry());
    for (const [i, entry] of entries.entries()) wheel.set(entry, (i * 7919) % 60_000);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(62_000);
    for (const [i, { fired }] of entries.entries()) {
      expect(fired).toHaveLength(1);
      const late = fired[0] - ((i * 7919) % 60_000);
      expect(late >= 0 && late <= TICK + 1).toBe(true);
    }
  });

  test('a turn that comes late takes every tick that it missed', () => {
    const wheel = new TestWheel();
    const entries = [400, 900, 1400, 8000].map((deadline) => {
      const entry = new Entry();
      wheel.set(entry, deadline);
      return entry;
    });
    // The process was busy: the clock goes on, and no timer is called.
    vi.setSystemTime(Date.now() + 3000);
    vi.advanceTimersByTime(TICK);
    expect(entries.map(({ fired }) => fired.length)).toEqual([1, 1, 1, 0]);
    vi.advanceTimersByTime(6000);
    expect(entries.map(({ fired }) => fired.length)).toEqual([1, 1, 1, 1]);
  });
});
