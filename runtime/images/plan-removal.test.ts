import { describe, expect, test } from 'vitest';
import type { CatalogueEntry } from './catalogue.ts';
import { entryOf, images } from './entry-fixture.ts';
import { findImage } from './find-image.ts';
import type { ImageUser } from './image-store.ts';
import { planRemoval, type RemovalPlan } from './plan-removal.ts';

const running: ImageUser = { id: 'a'.repeat(64), isRunning: true };
const stopped: ImageUser = { id: 'b'.repeat(64), isRunning: false };

interface Circumstances {
  readonly force?: boolean;
  readonly users?: readonly ImageUser[];
  readonly children?: readonly string[];
}

const plan = (
  text: string,
  { force = false, users = [], children = [] }: Circumstances = {},
  among: readonly CatalogueEntry[] = images,
): RemovalPlan => planRemoval(findImage(among, text), { asked: text, force, users, children });

describe('planRemoval', () => {
  test('a name goes alone while there are others, also of an image in use', () => {
    for (const user of [running, stopped])
      expect(plan('busybox', { users: [user] })).toEqual({ untagged: ['busybox:latest'], keep: true });
  });

  test('the image goes with its last name, or by id', () => {
    expect(plan('team/name:v1')).toEqual({ untagged: ['team/name:v1'], keep: false });
    expect(plan('abd')).toEqual({ untagged: ['team/name:v1'], keep: false });
  });

  // Docker's table: what hinders, by id and by the last name, without and with force.
  const byId = 'conflict: unable to delete abd200000000';
  const byName = (user: string) =>
    `conflict: unable to remove repository reference "team/name:v1" (must force) - container ${user} is using its referenced image abd200000000`;
  const gone = { untagged: ['team/name:v1'], keep: false };
  const nameless = { untagged: ['team/name:v1'], keep: true };
  test.each<[string, string, Circumstances, string | RemovalPlan, string | RemovalPlan]>([
    [
      'a child',
      'abd',
      { children: ['c'] },
      `${byId} (cannot be forced) - image has dependent child images`,
      `${byId} (cannot be forced) - image has dependent child images`,
    ],
    ['a child', 'team/name:v1', { children: ['c'] }, nameless, nameless],
    [
      'a running container',
      'abd',
      { users: [stopped, running] },
      `${byId} (cannot be forced) - image is being used by running container aaaaaaaaaaaa`,
      `${byId} (cannot be forced) - image is being used by running container aaaaaaaaaaaa`,
    ],
    ['a running container', 'team/name:v1', { users: [running] }, byName('aaaaaaaaaaaa'), nameless],
    [
      'a stopped container',
      'abd',
      { users: [stopped] },
      `${byId} (must be forced) - image is being used by stopped container bbbbbbbbbbbb`,
      gone,
    ],
    ['a stopped container', 'team/name:v1', { users: [stopped] }, byName('bbbbbbbbbbbb'), gone],
  ])('%s and %s: %j', (_, text, circumstances, plain, forced) => {
    for (const [force, wanted] of [
      [false, plain],
      [true, forced],
    ] as const) {
      const planned = () => plan(text, { ...circumstances, force });
      if (typeof wanted !== 'string') expect(planned()).toEqual(wanted);
      else expect(planned).toThrow(expect.objectContaining({ kind: 'conflict', message: wanted }));
    }
  });

  test('an image of several names is refused by id, or goes with all of them by force', () => {
    expect(() => plan('abc')).toThrow(
      'conflict: unable to delete abc100000000 (must be forced) - image is referenced in multiple repositories',
    );
    expect(plan('abc', { force: true })).toEqual({
      untagged: ['busybox:latest', 'busybox:1.36'],
      keep: false,
    });
  });

  describe('digests of registries', () => {
    const digest = `host/name@sha256:${'d'.repeat(64)}`;
    const other = `other/name@sha256:${'e'.repeat(64)}`;
    const pulled = { ...entryOf('7', 'host/name:a', 'host/name:b'), repoDigests: [digest] };
    const of = (entry: CatalogueEntry, text: string) => plan(text, {}, [entry]);

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
      expect(() => of({ ...last, repoDigests: [digest, other] }, pulled.id)).toThrow(/multiple repositories/);
    });
  });
});
