import { describe, expect, test } from 'vitest';
import { first, images, second, third } from './entry-fixture.ts';
import { findImage } from './find-image.ts';

const id = (text: string) => findImage(images, text).entry.id;

describe('findImage', () => {
  test.each([
    ['busybox', first],
    ['docker.io/library/busybox:1.36', first],
    [first.id, first],
    [first.id.slice('sha256:'.length), first],
    ['abc', first],
    ['sha256:abd', second],
    ['cafe', third],
    [`busybox@${first.manifest.digest}`, first],
    [`busybox@${first.id}`, first],
  ])('%s', (text, wanted) => {
    expect(id(text)).toBe(wanted.id);
  });

  test.each([
    ['ab', 'conflict'],
    ['busybox:none', 'not-found'],
    ['fff', 'not-found'],
    [`team/name@${first.id}`, 'not-found'],
    ['sha256:xyz', 'not-found'],
    ['No Name', 'invalid'],
  ])('%s is %s', (text, kind) => {
    expect(() => id(text)).toThrow(expect.objectContaining({ kind }));
  });
});
