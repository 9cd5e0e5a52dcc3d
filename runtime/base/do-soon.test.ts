import { expect, it } from 'vitest';
import { DoSoon } from './do-soon.ts';

it('does each thing once, in turn, and tells of what failed', async () => {
  const did: string[] = [];
  const soon = new DoSoon((name, error) => did.push(`${name}: ${error}`));
  soon.add('one', () => did.push('one'));
  soon.add('two', () => Promise.reject('no'));
  soon.add('three', async () => did.push('three'));
  expect(soon.has('one')).toBe(true);
  await Promise.all([soon.finish(), soon.finish()]);
  expect(did).toEqual(['one', 'two: no', 'three']);
  expect(soon.has('one')).toBe(false);
});

it('does it without being asked', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const keepAlive = setInterval(() => undefined, 1000);
  new DoSoon().add('one', resolve);
  await promise;
  clearInterval(keepAlive);
});
