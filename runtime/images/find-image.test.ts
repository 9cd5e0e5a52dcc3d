import { describe, expect, test } from 'vitest';
import type { CatalogueEntry } from './catalogue.ts';
import { mediaTypes } from './documents.ts';
import { findImage } from './find-image.ts';
import { planRemoval } from './plan-removal.ts';

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

describe('planRemoval', () => {
  const plan = (text: string, usedBy: readonly string[] = [], force = false) =>
    planRemoval(findImage(images, text), usedBy, force);

  test('a name goes alone while there are others, also of an image in use', () => {
    expect(plan('busybox', ['c1'])).toEqual({ untagged: ['busybox:latest'], keep: true });
  });

  test('the image goes with its last name, or by id', () => {
    expect(plan('team/name:v1')).toEqual({ untagged: ['team/name:v1'], keep: false });
    expect(plan('abd')).toEqual({ untagged: ['team/name:v1'], keep: false });
  });

  test('an image in use is refused with its users, or loses only its names by force', () => {
    expect(() => plan('abd', ['c1', 'c2'])).toThrow(/used by container c1, c2/);
    expect(plan('abd', ['c1'], true)).toEqual({ untagged: ['team/name:v1'], keep: true });
  });

  test('an image of several names is refused by id, or goes with all of them by force', () => {
    expect(() => plan('abc')).toThrow(expect.objectContaining({ kind: 'conflict' }));
    expect(plan('abc', [], true)).toEqual({ untagged: ['busybox:latest', 'busybox:1.36'], keep: false });
  });

  describe('digests of registries', () => {
    const digest = `host/name@sha256:${'d'.repeat(64)}`;
    const other = `other/name@sha256:${'e'.repeat(64)}`;
    const pulled = { ...image('7', 'host/name:a', 'host/name:b'), repoDigests: [digest] };
    const of = (entry: CatalogueEntry, text: string) => planRemoval(findImage([entry], text), [], false);

    test('go with the last tag of their repository, and not before', () => {
      expect(of(pulled, 'host/name:a')).toEqual({ untagged: ['host/name:a'], keep: true });
      const last = { ...pulled, references: ['host/name:a'] };
      expect(of(last, 'host/name:a')).toEqual({ untagged: ['host/name:a', digest], keep: false });
      const elsewhere = { ...last, repoDigests: [digest, other] };
      expect(of(elsewhere, 'host/name:a')).toEqual({ untagged: ['host/name:a', digest], keep: true });
    });

    test('are names: one alone can be removed, and the image goes with the last', () => {
      expect(of(pulled, digest)).toEqual({ untagged: [digest], keep: true });
      expect(of({ ...pulled, references: [] }, digest)).toEqual({ untagged: [digest], keep: false });
    });

    test('of one repository do not hinder a removal by id; of several they do', () => {
      const last = { ...pulled, references: ['host/name:a'] };
      expect(of(last, pulled.id)).toEqual({ untagged: ['host/name:a', digest], keep: false });
      expect(() => of({ ...last, repoDigests: [digest, other] }, pulled.id)).toThrow(/wanted at most one/);
    });
  });
});
