import { expect, test } from 'vitest';
import { once } from './once.ts';

test('makes it once, also for calls that come together', async () => {
  let times = 0;
  const get = once(async () => ++times);
  expect(times).toBe(0);
  expect(await Promise.all([get(), get()])).toEqual([1, 1]);
  expect(await get()).toBe(1);
});

test('tries again after a failure', async () => {
  const answers = [Promise.reject(new Error('not now')), Promise.resolve('there')];
  const get = once(() => answers.shift() ?? Promise.reject(new Error('asked a third time')));
  await expect(get()).rejects.toThrow('not now');
  expect(await get()).toBe('there');
  expect(await get()).toBe('there');
});
