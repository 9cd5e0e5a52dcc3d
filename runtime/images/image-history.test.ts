import { expect, test } from 'vitest';
import { historyOf } from './image-history.ts';
import type { Image } from './image-store.ts';
import { usageOf } from './image-usage.ts';

const image = (
  id: string,
  parent: string | undefined,
  sizes: readonly number[],
  history: readonly object[],
): Image =>
  ({
    id,
    parent,
    tags: [`${id}:1`],
    repoDigests: [],
    layers: sizes.map((size, index) => ({ chainId: `chain-${index}-${size}`, size })),
    config: { history },
  }) as unknown as Image;

const base = image('base', undefined, [100], [{ created_by: 'a' }]);
const child = image(
  'child',
  'base',
  [100, 7],
  [{ created_by: 'a' }, { created_by: 'b', created: '2026-01-01T00:00:00Z', comment: 'why' }],
);
const marked = image(
  'marked',
  'child',
  [100, 7],
  [...(child.config.history ?? []), { created_by: 'c', empty_layer: true }],
);

test('the newest step is first; steps without a layer have no size; images are known as far as their parents are', () => {
  const found = historyOf(marked, [base, child, marked]).map(({ id, size, createdBy, tags }) => [
    id,
    size,
    createdBy,
    ...tags,
  ]);
  expect(found).toEqual([
    ['marked', 0, 'c', 'marked:1'],
    ['child', 7, 'b', 'child:1'],
    ['base', 100, 'a', 'base:1'],
  ]);
  expect(historyOf(marked, [child, marked]).map(({ id }) => id)).toEqual(['marked', 'child', undefined]);
});

test('each layer counts once; shared is what others have as well', () => {
  const { total, shared } = usageOf([base, child, image('other', undefined, [5], [])]);
  expect(total).toBe(112);
  expect([...shared]).toEqual([
    ['base', 100],
    ['child', 100],
    ['other', 0],
  ]);
});
