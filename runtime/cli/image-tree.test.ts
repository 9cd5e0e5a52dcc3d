import { expect, test } from 'vitest';
import { imageTree } from './image-tree.ts';

const image = (name: string, ParentId: string, Size: number, Created: number, ...RepoTags: string[]) => ({
  Id: `sha256:${name.repeat(64)}`,
  ParentId: ParentId && `sha256:${ParentId.repeat(64)}`,
  Size,
  Created,
  RepoTags,
});

test('children are below their parents, the oldest first, with what they add', () => {
  const list = [
    image('d', 'b', 1_500_030, 4, 'app:2', 'app:latest'),
    image('c', 'b', 1_500_020, 3, 'app:1'),
    image('b', 'a', 1_500_010, 2),
    image('a', '', 1_500_000, 1, 'base:1'),
    image('e', '9', 5, 5, 'lone:1'),
  ];
  expect(imageTree(list)).toEqual([
    'aaaaaaaaaaaa  base:1  +1.5 MB',
    '└─ bbbbbbbbbbbb  (no name)  +10 B',
    '   ├─ cccccccccccc  app:1  +10 B',
    '   └─ dddddddddddd  app:2, app:latest  +20 B',
    'eeeeeeeeeeee  lone:1  +5 B',
  ]);
});
