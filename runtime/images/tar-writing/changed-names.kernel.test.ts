import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { holdMounts } from '../../launch/hold-mounts.ts';
import { probeOverlay } from '../../storage/overlay/probe-overlay.ts';
import { removeTree } from '../../storage/remove-tree.ts';
import { setXattr } from '../../sys/xattr.ts';
import { walkChanges } from './walk.ts';

const reason = await whyNot();
const steps: Readonly<Record<string, (root: string) => void>> = {
  'nothing at all': () => {},
  'a new file, a changed one and a deleted one': (root) => {
    writeFileSync(join(root, 'a/new'), 'new');
    appendFileSync(join(root, 'a/1/file'), 'more');
    rmSync(join(root, 'b/1/file'));
  },
  'a file that was opened for writing and left as it was': (root) => {
    appendFileSync(join(root, 'a/1/file'), '');
    const { atime, mtime } = statSync(join(root, 'a/2/file'));
    writeFileSync(join(root, 'a/2/file'), 'file');
    utimesSync(join(root, 'a/2/file'), atime, mtime);
  },
  'a folder made again where one was deleted': (root) => {
    rmSync(join(root, 'a'), { recursive: true });
    mkdirSync(join(root, 'a/1'), { recursive: true });
    writeFileSync(join(root, 'a/1/other'), 'x');
  },
  'a new folder moved over a deleted one': (root) => {
    mkdirSync(join(root, 'fresh/1'), { recursive: true });
    writeFileSync(join(root, 'fresh/1/file'), 'other');
    rmSync(join(root, 'b'), { recursive: true });
    renameSync(join(root, 'fresh'), join(root, 'b'));
  },
  'a folder moved away, where the kernel moves it': (root) =>
    moveFolder(join(root, 'a'), join(root, 'moved')),
  'a folder moved and its old name used again': (root) => {
    moveFolder(join(root, 'b/2'), join(root, 'a/2/inner'));
    mkdirSync(join(root, 'b/2'), { recursive: true });
    writeFileSync(join(root, 'b/2/link'), 'no link any more');
  },
  'a folder that became a file, and a file that became a folder': (root) => {
    rmSync(join(root, 'a/1'), { recursive: true });
    writeFileSync(join(root, 'a/1'), 'file');
    rmSync(join(root, 'b/1/file'));
    mkdirSync(join(root, 'b/1/file/deep'), { recursive: true });
  },
  'attributes alone': (root) => {
    chmodSync(join(root, 'a/1'), 0o711);
    chmodSync(join(root, 'b/1/file'), 0o600);
    setXattr(join(root, 'b/2/file'), 'user.note', Buffer.from('x'));
  },
  'hard links to files of the parent': (root) => {
    linkSync(join(root, 'a/1/file'), join(root, 'b/twin'));
    rmSync(join(root, 'a/2/file'));
    linkSync(join(root, 'b/1/file'), join(root, 'a/2/file'));
  },
  'the root itself': (root) => chmodSync(root, 0o700),
};

describe.skipIf(reason !== '')(
  `changes by an overlay's upper folder${reason && ` (skipped: ${reason})`}`,
  () => {
    let folder: string;
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'hull-upper-'));
      for (const name of ['lower', 'upper', 'work']) mkdirSync(join(folder, name), { mode: 0o755 });
      for (const place of ['a/1', 'a/2', 'b/1', 'b/2']) {
        mkdirSync(join(folder, 'lower', place), { recursive: true });
        writeFileSync(join(folder, 'lower', place, 'file'), 'file');
        symlinkSync('file', join(folder, 'lower', place, 'link'));
      }
    });
    afterEach(() => removeTree(folder));

    describe.each([
      { knobs: 'index=off,redirect_dir=off,metacopy=off' },
      { knobs: 'redirect_dir=on,metacopy=on' },
    ])('$knobs', ({ knobs }) => {
      test.each(Object.entries(steps))('%s: the same as by both trees', async (_, change) => {
        await using root = await mounted(knobs);
        change(root.path);
        await expectSame(root.path);
      });

      test.each([1, 2, 3, 4, 5, 6])('random changes, seed %d: the same as by both trees', async (seed) => {
        await using root = await mounted(knobs);
        const random = numbers(seed);
        for (let count = 0; count < 60; count++) changeAtRandom(root.path, random);
        expect((await expectSame(root.path)).length).toBeGreaterThan(0);
      });
    });

    function mounted(knobs: string) {
      const folders = ['lowerdir=lower', 'upperdir=upper', 'workdir=work'];
      const options = [...folders, ...knobs.split(',')];
      return holdMounts([{ type: 'overlay', source: 'overlay', target: '', options, cwd: folder }]);
    }

    async function expectSame(root: string): Promise<readonly string[]> {
      const lower = join(folder, 'lower');
      const walked = await changes(root, lower);
      expect(await changes(root, lower, join(folder, 'upper'))).toEqual(walked);
      return walked;
    }
  },
);

async function changes(root: string, parent: string, upper?: string): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const change of walkChanges(root, parent, { upper })) {
    found.push(
      change.kind === 'D'
        ? `D ${change.folder}/${change.name}`
        : `${change.kind} ${change.entry.path} ${change.entry.stat.mode} ${change.entry.stat.size}`,
    );
  }
  return found;
}

/** Without redirect_dir the kernel answers EXDEV, and mv(1) copies. */
function moveFolder(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EXDEV')) throw error;
  }
}

/** Some verb somewhere; what cannot be done there is left. */
function changeAtRandom(root: string, random: (below: number) => number): void {
  const verbs: readonly ((path: string) => void)[] = [
    (path) => writeFileSync(path, String(random(1000))),
    (path) => mkdirSync(path),
    (path) => rmSync(path, { recursive: true }),
    (path) => renameSync(path, place()),
    (path) => linkSync(path, place()),
    (path) => chmodSync(path, 0o700 + random(64)),
    (path) => symlinkSync('nowhere', path),
  ];
  function place(): string {
    let path = root;
    for (let depth = random(3); depth >= 0; depth--) {
      const names = [...readable(path), 'x', 'y'];
      path = join(path, names[random(names.length)] ?? 'x');
    }
    return path;
  }
  try {
    verbs[random(verbs.length)]?.(place());
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
  }
}

function readable(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** A linear congruential generator (Numerical Recipes): the same changes for the same seed. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

async function whyNot(): Promise<string> {
  if (process.getuid?.() !== 0) return 'needs root to mount';
  const place = mkdtempSync(join(tmpdir(), 'hull-upper-'));
  try {
    const probe = await probeOverlay(place);
    return probe.answer === 'supported' ? '' : JSON.stringify(probe);
  } finally {
    await removeTree(place);
  }
}
