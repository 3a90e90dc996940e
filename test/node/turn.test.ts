import { describe, expect, test, vi } from 'vitest';
import { atTurnEnd as ask, beforeTurnEnd as askEarly } from '../../src/node/turn.js';
import { turns } from './support.js';

function atTurnEnd(callback: () => void): void {
  ask({ onTurnEnd: callback });
}

function beforeTurnEnd(callback: () => void): void {
  askEarly({ onTurnEnd: callback });
}

/** What is thrown meanwhile and caught by nobody. */
async function thrownIn(work: () => Promise<void>): Promise<unknown[]> {
  const thrown: unknown[] = [];
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => thrown.push(error));
  try {
    await work();
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const listener of listeners) process.on('uncaughtException', listener);
  }
  return thrown;
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
    const calls: string[] = [];
    atTurnEnd(() => calls.push('before'));
    atTurnEnd(() => {
      throw new Error('as asked');
    });
    atTurnEnd(() => calls.push('after'));
    const thrown = await thrownIn(() => turns(3));
    expect(calls).toEqual(['before', 'after']);
    expect(thrown).toMatchObject([{ message: 'as asked' }]);
  });

  test('leaves nothing behind', async () => {
    atTurnEnd(() => {});
    await turns(2);
    expect(process.getActiveResourcesInfo()).not.toContain('Immediate');
  });
});

describe('beforeTurnEnd', () => {
  test('calls back ahead of all who ask with atTurnEnd, those too who ask only then', async () => {
    const calls: string[] = [];
    atTurnEnd(() => calls.push('first'));
    beforeTurnEnd(() => {
      calls.push('early');
      atTurnEnd(() => calls.push('second'));
    });
    beforeTurnEnd(() => calls.push('early too'));
    await turns(1);
    expect(calls).toEqual(['early', 'early too', 'first', 'second']);
    await turns(1);
    expect(process.getActiveResourcesInfo()).not.toContain('Immediate');
  });

  test('what is asked for by those who are called comes at the end of the next turn', async () => {
    const calls: string[] = [];
    beforeTurnEnd(() => beforeTurnEnd(() => calls.push('asked early')));
    await turns(2);
    expect(calls).toEqual(['asked early']);
    atTurnEnd(() => beforeTurnEnd(() => calls.push('asked at the end')));
    await turns(2);
    expect(calls).toEqual(['asked early', 'asked at the end']);
  });

  test('what one throws costs the others nothing', async () => {
    const calls: string[] = [];
    atTurnEnd(() => calls.push('last'));
    beforeTurnEnd(() => {
      throw new Error('as asked');
    });
    beforeTurnEnd(() => calls.push('early'));
    const thrown = await thrownIn(() => turns(4));
    expect(calls).toEqual(['early', 'last']);
    expect(thrown).toMatchObject([{ message: 'as asked' }]);
  });
});
