import { describe, expect, test } from 'vitest';
import type { CatalogueEntry } from './catalogue.ts';
import { mediaTypes } from './documents.ts';
import { findImage } from './find-image.ts';

const image = (start: string, ...references: string[]): CatalogueEntry => ({
  id: `sha256:${start.padEnd(64, '0')}`,
  manifest: { mediaType: mediaTypes.manifest, digest: `sha256:${start.padEnd(64, 'f')}`, size: 1 },
  config: { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } },
  layerBlobs: [],
  references,
  repoDigests: [],
});

const first = image('abc1', 'busybox:latest', 'busybox:1.36');
const second = image('abd2', 'team/name:v1');
const third = image('9', 'cafe:latest');
const images = [first, second, third];
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
