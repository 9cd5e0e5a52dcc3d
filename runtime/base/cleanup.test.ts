import { describe, expect, it } from 'vitest';
import { Cleanup } from './cleanup.ts';

describe('Cleanup', () => {
  it('undoes in reverse order', async () => {
    const done: number[] = [];
    {
      await using undo = new Cleanup();
      for (const step of [1, 2, 3]) undo.push(() => done.push(step));
    }
    expect(done).toEqual([3, 2, 1]);
  });

  it('undoes nothing after commit', async () => {
    const done: string[] = [];
    {
      await using undo = new Cleanup();
      undo.push(() => done.push('undone'));
      undo.commit();
    }
    expect(done).toEqual([]);
  });

  it('runs every undo though one fails, and keeps all errors', async () => {
    const done: string[] = [];
    const undo = new Cleanup();
    undo.push(() => done.push('first pushed'));
    undo.push(() => Promise.reject(new Error('second')));
    undo.push(() => {
      throw new Error('first');
    });
    const error = await undo.run().catch((caught: unknown) => caught);
    expect(done).toEqual(['first pushed']);
    expect(error).toMatchObject({ message: 'first', errors: [{ message: 'first' }, { message: 'second' }] });
  });
});
