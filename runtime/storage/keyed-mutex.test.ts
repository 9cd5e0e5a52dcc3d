import { expect, it } from 'vitest';
import { KeyedMutex } from './keyed-mutex.ts';

it('one key is one at a time, in the order they came; another key does not wait', async () => {
  const mutex = new KeyedMutex();
  const order: string[] = [];
  const first = await mutex.take('a');
  const second = mutex.take('a').then((turn) => {
    order.push('second');
    turn[Symbol.dispose]();
  });
  const third = mutex.take('a').then((turn) => {
    order.push('third');
    turn[Symbol.dispose]();
  });
  using _ = await mutex.take('b');
  order.push('other key');
  first[Symbol.dispose]();
  await Promise.all([second, third]);
  expect(order).toEqual(['other key', 'second', 'third']);
});
