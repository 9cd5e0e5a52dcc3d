import { lstat, mkdir, mkdtemp, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, HullError, ifExists } from '../../base/errors.ts';
import { coveringMount, readMountInfo } from '../../kernel/mountinfo.ts';
import { type ProbeAnswer, probeText } from '../../kernel/probe.ts';
import { holdMounts } from '../../launch/hold-mounts.ts';
import { hasFileTypes } from '../../sys/getdents.ts';
import { removeTree } from '../remove-tree.ts';

/**
 * Whether layers can live in `home`: mounts an overlay there in a private namespace, deletes a lower file through it and
 * looks for the whiteout.
 */
export async function probeOverlay(home: string, moreOptions: readonly string[] = []): Promise<ProbeAnswer> {
  const place = await mkdtemp(join(home, 'probe-'));
  const type = coveringMount(readMountInfo('self'), home)?.type ?? 'unknown';
  try {
    for (const name of ['lower', 'upper', 'work']) await mkdir(join(place, name));
    await writeFile(join(place, 'lower', 'file'), '');
    if (!hasFileTypes(join(place, 'lower'))) {
      return {
        answer: 'unsupported',
        missing: `d_type: ${type} at ${home} answers no file types with directory entries (an xfs made with ftype=0)`,
      };
    }
    await using root = await holdMounts([
      {
        type: 'overlay',
        source: 'overlay',
        target: '',
        options: ['lowerdir=lower', 'upperdir=upper', 'workdir=work', ...moreOptions],
        cwd: place,
      },
    ]);
    await unlink(join(root.path, 'file'));
    const whiteout = await lstat(join(place, 'upper', 'file'));
    if (whiteout.isCharacterDevice() && whiteout.rdev === 0) return { answer: 'supported' };
    return { answer: 'unsupported', missing: `whiteouts on ${type} at ${home}` };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    switch (codeOf(error)) {
      case 'ENODEV':
        return { answer: 'unsupported', missing: 'the overlay file system in this kernel', since: '3.18' };
      case 'EINVAL':
        return {
          answer: 'unsupported',
          missing: `a file system that can be an overlay's upper layer: found ${type} at ${home}, wanted ext4, xfs, btrfs or tmpfs (${text})`,
        };
      case 'EPERM':
        return { answer: 'unsupported', missing: `the right to mount (CAP_SYS_ADMIN): ${text}` };
      default:
        return { answer: 'unknown', reason: text };
    }
  } finally {
    await removeTree(place);
  }
}

export interface OverlayFacts {
  /** The kernel knows the mount option of this name (Linux 5.10): such an overlay writes nothing out, neither for an fsync in it nor when it goes. */
  readonly volatile: boolean;
}

/**
 * Kind `unsupported` with what is missing, where overlay does not work in `home`. That it does is remembered in `<home>/probed`
 * until the next boot: trying costs a process and a mount, as much as all else a daemon does when it starts.
 */
export async function requireOverlay(home: string): Promise<OverlayFacts> {
  const mark = join(home, 'probed');
  const place = await placeOf(home);
  const known = await ifExists(readFile(mark, 'utf8'));
  for (const volatile of [true, false]) if (known === markText(place, { volatile })) return { volatile };
  const first = await probeOverlay(home, ['volatile']);
  const volatile = first.answer === 'supported';
  const probe = volatile ? first : await probeOverlay(home);
  if (probe.answer !== 'supported') {
    throw new HullError(`Cannot use storage driver overlay: ${probeText(probe)}`, { kind: 'unsupported' });
  }
  await writeFile(mark, markText(place, { volatile }));
  return { volatile };
}

const markText = (place: string, { volatile }: OverlayFacts): string =>
  `${place}${volatile ? 'volatile' : 'plain'}\n`;

/** What the answer depends on: this boot's kernel, and the file system that the folder is on. */
async function placeOf(home: string): Promise<string> {
  const [bootId, { dev, ino }] = await Promise.all([
    readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    stat(home),
  ]);
  return `${bootId.trim()} ${dev} ${ino}\n`;
}
