import { describe, expect, test, vi } from 'vitest';
import { atTurnEnd as ask } from '../../src/node/turn.js';
import { turns } from './support.js';

function atTurnEnd(callback: () => void): void {
  ask({ onTurnEnd: callback });
}

describe('atTurnEnd', () => {
  test('calls back when the turn ends, after its promises, in the order of asking', async () => {
    const calls: string[] = [];
    atTurnEnd(() => calls.push('first'));
    atTurnEnd(() => calls.push('second'));
    await Promise.resolve();
    calls.push('promise');
    process.nextTick(() => calls.push('tick'));
    expect(calls).toEqual(['promise']);
    await turns(1);
    expect(calls).toEqual(['promise', 'tick', 'first', 'second']);
  });

  test('takes one immediate a turn', async () => {
    const spy = vi.spyOn(globalThis, 'setImmediate');
    try {
      for (let i = 0; i < 100; i++) atTurnEnd(() => {});
      expect(spy).toHaveBeenCalledTimes(1);
      await turns(1);
      spy.mockClear();
      atTurnEnd(() => {});
      expect(spy).toHaveBeenCalledTimes(1);
    } finally {
      spy.mockRestore();
    }
    await turns(1);
  });

  test('what is asked for while a turn ends comes at the end of the next', async () => {
    const calls: string[] = [];
    atTurnEnd(() => {
      calls.push('outer');
      atTurnEnd(() => calls.push('inner'));
    });
    await turns(1);
    expect(calls).toEqual(['outer']);
    await turns(1);
    expect(calls).toEqual(['outer', 'inner']);
  });

  test('what one throws costs the others nothing', async () => {
    const thrown: unknown[] = [];
    const listeners = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', (error) => thrown.push(error));
    try {
      const calls: string[] = [];
      atTurnEnd(() => calls.push('before'));
      atTurnEnd(() => {
        throw new Error('as asked');
      });
      atTurnEnd(() => calls.push('after'));
      await turns(3);
      expect(calls).toEqual(['before', 'after']);
      expect(thrown).toMatchObject([{ message: 'as asked' }]);
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const listener of listeners) process.on('uncaughtException', listener);
    }
  });

  test('leaves nothing behind', async () => {
    atTurnEnd(() => {});
    await turns(2);
    expect(process.getActiveResourcesInfo()).not.toContain('Immediate');
  });
});
