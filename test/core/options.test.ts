import { describe, expect, test } from 'vitest';
import { Connection } from '../../src/core/connection.js';
import { DEFAULT_LIMITS } from '../../src/core/limits.js';
import { randomMaskingKeys } from '../../src/core/masking.js';
import { ConnectionConfig, type ConnectionOptions } from '../../src/core/options.js';
import { kernels } from '../../src/kernels/index.js';
import { expectLocalError, SERVER } from './support.js';

const LIMITS = Object.keys(DEFAULT_LIMITS) as (keyof typeof DEFAULT_LIMITS)[];

describe('ConnectionConfig', () => {
  test('has a default for everything', () => {
    expect({ ...new ConnectionConfig() }).toEqual({
      ...DEFAULT_LIMITS,
      delivery: 'messages',
      overflow: 'refuse',
      autoPong: false,
      autoClose: false,
      maskingKeys: randomMaskingKeys,
      kernels,
    });
  });

  test('takes the limits of the design', () => {
    expect(DEFAULT_LIMITS).toEqual({
      maxMessageSize: 16 * 1024 * 1024,
      maxFrameSize: 16 * 1024 * 1024,
      maxFragments: 131_072,
      receiveHighWater: 65_536,
      sendHighWater: 65_536,
      sendLowWater: 16_384,
      sendHardLimit: 16 * 1024 * 1024 + 128 * 1024,
      closeTimeout: 10_000,
      pingInterval: 30_000,
      pingTimeout: 20_000,
    });
  });

  test('a frame may be as large as a message, and the low water is no higher than the high one', () => {
    expect(new ConnectionConfig({ maxMessageSize: 5 }).maxFrameSize).toBe(5);
    expect(new ConnectionConfig({ maxMessageSize: 5, maxFrameSize: 50 }).maxFrameSize).toBe(50);
    expect(new ConnectionConfig({ sendHighWater: 5 }).sendLowWater).toBe(5);
  });

  test.each(LIMITS)('%s may be Infinity and must be a number from 0 up', (name) => {
    expect(
      new ConnectionConfig({ sendHighWater: Number.POSITIVE_INFINITY, [name]: Number.POSITIVE_INFINITY })[name],
    ).toBe(Number.POSITIVE_INFINITY);
    for (const value of [-1, Number.NaN, '5', {}, Number.NEGATIVE_INFINITY, 5n]) {
      const error = expectLocalError(() => new ConnectionConfig({ [name]: value }), 'INVALID_OPTION');
      expect(error.message).toContain(name);
    }
  });

  test('undefined is silence', () => {
    const options = Object.fromEntries(LIMITS.map((name) => [name, undefined])) as ConnectionOptions;
    expect({ ...new ConnectionConfig(options) }).toEqual({ ...new ConnectionConfig() });
  });

  test.each([
    [{ sendLowWater: 11, sendHighWater: 10 }, 'sendLowWater'],
    [{ maxFragments: 0 }, 'maxFragments'],
    [{ delivery: 'pieces' }, 'delivery'],
    [{ overflow: 'ignore' }, 'overflow'],
    [{ delivery: 5 }, 'delivery'],
  ])('%o is refused by its name', (options, name) => {
    const error = expectLocalError(
      () => new ConnectionConfig(options as unknown as ConnectionOptions),
      'INVALID_OPTION',
    );
    expect(error.message).toContain(name);
    expectLocalError(() => new Connection(SERVER, [], options as unknown as ConnectionOptions), 'INVALID_OPTION');
  });

  test('is never changed', () => {
    const config = new ConnectionConfig();
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(DEFAULT_LIMITS)).toBe(true);
  });
});
