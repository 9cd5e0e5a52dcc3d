import { access, cp, mkdir, readdir, readFile, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';
import { buildFolder, cacheKey } from '../../harness/hosts/cache.ts';
import { takeLock } from '../../harness/hosts/lock.ts';
import { guestBin } from '../../harness/hosts/qemu/guest-files.ts';
import { ext4Features } from '../../harness/hosts/qemu/image.ts';

const LockFile = z.object({ packages: z.record(z.string(), z.object({ dev: z.boolean().optional() })) });

/** Counted up when what the disk holds changes in a way that package-lock.json does not show. */
const recipe = 1;

/**
 * A raw ext4 image of this checkout's node_modules without its tools of development and without Node, which a guest
 * has: a guest under emulation mounts it at once and would take minutes to unpack it. Kept by package-lock.json.
 */
export async function modulesDisk(
  projectDir: string,
  { cacheDir, signal }: { readonly cacheDir: string; readonly signal: AbortSignal },
): Promise<string> {
  const lockFile = await readFile(join(projectDir, 'package-lock.json'), 'utf8');
  const parent = join(cacheDir, 'modules');
  const key = cacheKey([recipe, process.arch, lockFile]);
  const folder = join(parent, key);
  const disk = join(folder, 'modules.raw');
  if (await exists(disk)) return disk;
  await using _lock = await takeLock(join(cacheDir, 'locks', 'modules.lock'), { signal, onWait: () => {} });
  if (await exists(disk)) return disk;
  const packages = productionPackages(lockFile);
  await buildFolder(folder, async (temporary) => {
    const root = join(temporary, 'root');
    for (const name of packages) await copyPackage(projectDir, name, root);
    await cp(join(projectDir, 'node_modules/.bin'), join(root, '.bin'), {
      recursive: true,
      verbatimSymlinks: true,
    });
    await mkdir(join(root, 'node/bin'), { recursive: true });
    await symlink(`${guestBin}/node`, join(root, 'node/bin/node'));
    const format = ['-q', '-F', '-t', 'ext4', '-O', ext4Features, '-m', '0', '-E', 'root_owner=0:0'];
    const env = { PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
    const image = join(temporary, 'modules.raw');
    await execa('mke2fs', [...format, '-d', root, image, '512M'], { cancelSignal: signal, env });
    await rm(root, { recursive: true });
  });
  // One checkout needs one; another's is made again in seconds.
  for (const other of await readdir(parent)) {
    if (other !== key) await rm(join(parent, other), { recursive: true, force: true });
  }
  return disk;
}

/** Folders below the project, such as `node_modules/@vitest/runner`: the top ones, which hold the nested ones. */
export function productionPackages(lockFile: string): readonly string[] {
  return Object.entries(LockFile.parse(JSON.parse(lockFile)).packages)
    .filter(([path, { dev }]) => /^node_modules\/(?!.*\/node_modules\/)/.test(path) && dev !== true)
    .map(([path]) => path)
    .filter((path) => path !== 'node_modules/node');
}

/** Packages of other platforms are in the lock file and not installed. */
async function copyPackage(projectDir: string, path: string, root: string): Promise<void> {
  const from = join(projectDir, path);
  if (!(await exists(from))) return;
  const to = join(root, path.slice('node_modules/'.length));
  await mkdir(dirname(to), { recursive: true });
  if (!(await stat(from)).isDirectory())
    throw new Error(`Cannot copy ${from}: found no folder, wanted a package`);
  await cp(from, to, { recursive: true, verbatimSymlinks: true });
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
