import { basename } from 'node:path';
import { run } from '../../base/command.ts';
import type { MountSpec } from '../../kernel/mount-spec.ts';
import type { BaseFileSystem, DevicemapperOptions } from './settings.ts';

const mib = 1024 ** 2;

/** The program that makes the file system. */
export function mkfsProgram(fs: BaseFileSystem): string {
  return `mkfs.${fs}`;
}

/**
 * An empty file system with an empty root folder, 0755 0:0. Little is written, for every written block is taken from the
 * pool: tables are filled when they are first used.
 */
export async function makeBaseFileSystem(device: string, fs: BaseFileSystem, size: number): Promise<void> {
  if (fs === 'xfs') {
    await run(mkfsProgram(fs), ['-q', '-f', '-K', device]);
    return;
  }
  const journal = size >= 512 * mib ? ['-J', 'size=16'] : [];
  const extended = 'nodiscard,lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0';
  await run(mkfsProgram(fs), ['-q', '-F', '-m', '0', ...journal, '-E', extended, device]);
  // A layer starts empty; fsck makes the folder again where it needs one.
  await run('debugfs', ['-w', '-R', 'rmdir lost+found', device]);
}

/** How a layer's device is mounted. */
export function mountOf(
  source: string,
  fs: BaseFileSystem,
  { mountWords, xfsRetries }: Pick<DevicemapperOptions, 'mountWords' | 'xfsRetries'>,
): MountSpec {
  const mount = { type: fs, source, target: '', options: [...needed[fs], ...mountWords] };
  if (fs === 'ext4') return mount;
  const file = `fs/xfs/${basename(source)}/error/metadata/ENOSPC/max_retries`;
  return { ...mount, tuning: [{ file, value: String(xfsRetries) }] };
}

const needed: Readonly<Record<BaseFileSystem, readonly string[]>> = {
  // No thread that fills the inode tables behind our back, block after block from the pool. Blocks of deleted files go back to it.
  ext4: ['noinit_itable', 'discard'],
  // A snapshot has its origin's UUID, which two mounts may not have.
  xfs: ['nouuid', 'discard'],
};
