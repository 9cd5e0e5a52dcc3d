import { readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { type DebianPackages, parsePackages } from '../../provision/debian-package.ts';
import { guestPackages } from '../../provision/guest-packages.ts';
import { quote } from '../../ssh/quote.ts';
import { buildFolder, cacheKey, readCached, writeCached } from '../cache.ts';
import type { HostContext, HostDefinition } from '../host.ts';
import { takeLock } from '../lock.ts';
import { readAptSetup } from './apt-sources.ts';
import { clientKey } from './client-key.ts';
import { earlyFiles, lateFiles } from './guest-files.ts';
import { debianSuite } from './release.ts';

/** A disk that is never written, with the kernel taken out of it. */
export interface GuestImage {
  readonly key: string;
  readonly disk: string;
  readonly kernel: string;
  readonly initrd: string;
}

/** Counted up when what the image holds changes in a way that the other inputs of its key do not show. */
const recipe = 2;

// Debian's own kernel packages without the drivers of hardware that no guest has: two thirds of their size.
const excluded = [
  ...['gpu', 'media', 'infiniband', 'staging', 'isdn', 'iio', 'hid', 'net/wireless', 'net/ethernet', 'usb']
    .map((folder) => `kernel/drivers/${folder}`)
    .concat('kernel/sound')
    .flatMap((folder) => [`/lib/modules/*/${folder}/*`, `/usr/lib/modules/*/${folder}/*`]),
  ...['doc', 'man', 'locale', 'info', 'lintian', 'doc-base'].map((folder) => `/usr/share/${folder}/*`),
];

/** Named one by one: an older kernel or e2fsck in the guest refuses what a newer mke2fs would add by itself. */
export const ext4Features =
  'none,has_journal,ext_attr,resize_inode,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum';

/** The host's image from the cache, built with mmdebstrap when it is not there (one or two minutes). */
export async function ensureImage(definition: HostDefinition, context: HostContext): Promise<GuestImage> {
  const { cacheDir, signal, progress } = context;
  const suite = debianSuite(definition.release);
  const ssh = await clientKey(cacheDir, signal);
  const nodePath = bundledNode();
  const packages = [...new Set([...guestPackages.debian, ...definition.packages])].sort();
  const node = [process.version, process.arch, (await stat(nodePath)).size];
  const key = cacheKey([recipe, suite, definition.name, packages, definition.diskGiB, ssh.publicKey, node]);
  const folder = join(cacheDir, 'images', `${definition.name}-${key}`);
  const image = await openImage(folder, key);
  if (image) return image;
  await using _lock = await takeLock(join(cacheDir, 'locks', `image-${definition.name}.lock`), {
    signal,
    onWait: () => progress('waiting for another run that builds this image'),
  });
  const others = await openImage(folder, key);
  if (others) return others;
  progress(`building the image: Debian ${suite} with mmdebstrap`);
  await buildFolder(folder, async (temporary) => {
    const early = await earlyFiles();
    const late = await lateFiles({ hostname: definition.name, publicKey: ssh.publicKey, nodePath });
    await Promise.all([
      writeFile(join(temporary, 'early.tar'), early),
      writeFile(join(temporary, 'late.tar'), late),
    ]);
    await bootstrap(temporary, suite, parsePackages(packages), context);
    progress('building the image: file system');
    await makeDisk(temporary, definition.diskGiB, signal);
    await writeCached(join(temporary, 'manifest.json'), { key, name: definition.name, suite, packages });
  });
  const built = await openImage(folder, key);
  if (!built) throw new Error(`Cannot build the image of ${definition.name}: no kernel in ${folder}`);
  return built;
}

async function openImage(folder: string, key: string): Promise<GuestImage | undefined> {
  if (!(await readCached(join(folder, 'manifest.json')))) return undefined;
  const now = new Date();
  // Its age since the last use decides what is pruned.
  await utimes(folder, now, now);
  const names = await readdir(folder);
  const find = (start: string) => join(folder, names.find((name) => name.startsWith(start)) ?? start);
  return { key, disk: join(folder, 'disk.raw'), kernel: find('vmlinuz'), initrd: find('initrd') };
}

async function bootstrap(
  folder: string,
  suite: string,
  { names, components }: DebianPackages,
  { signal, progress }: HostContext,
): Promise<void> {
  const apt = await readAptSetup(suite, components);
  const hook = (stage: string, name: string) =>
    `--${stage}-hook=${quote(['tar-in', join(folder, `${name}.tar`), '/'])}`;
  const args = [
    '--variant=minbase',
    '--format=tar',
    `--include=${names.join(',')}`,
    `--components=${components.join(',')}`,
    ...['Acquire::Languages "none"', ...apt.options].map((option) => `--aptopt=${option}`),
    ...excluded.map((path) => `--dpkgopt=path-exclude=${path}`),
    hook('essential', 'early'),
    hook('customize', 'late'),
    suite,
    join(folder, 'root.tar'),
    ...apt.mirrors,
  ];
  const build = execa('setpriv', ['--pdeathsig', 'TERM', 'mmdebstrap', ...args], {
    cancelSignal: signal,
    // mmdebstrap unmounts and removes its temporary folder when it is asked to end.
    killSignal: 'SIGTERM',
    forceKillAfterDelay: 20_000,
    cleanup: true,
    reject: false,
    stdin: 'ignore',
    env: { TMPDIR: folder },
  });
  build.stderr.on('data', (chunk: Buffer) => {
    for (const [, message] of String(chunk).matchAll(/^I: (installing .*|creating tarball.*)$/gm)) {
      progress(`building the image: ${message?.slice(0, 60)}`);
    }
  });
  const result = await build;
  signal.throwIfAborted();
  if (result.failed) {
    throw new Error(`Cannot build Debian ${suite}: mmdebstrap: ${result.stderr.trim().slice(-3000)}`, {
      cause: result,
    });
  }
}

/** root.tar → disk.raw, vmlinuz, initrd. Without root in a user namespace of mmdebstrap's making, for the owners' sake. */
async function makeDisk(folder: string, diskGiB: number, signal: AbortSignal): Promise<void> {
  const script = `set -e; cd "$1"; mkdir root; tar -xf root.tar -C root --numeric-owner
cp root/boot/vmlinuz-* vmlinuz; cp root/boot/initrd.img-* initrd; chmod 644 vmlinuz initrd
mke2fs -q -F -t ext4 -O ${ext4Features} -m 0 -E lazy_itable_init=1,nodiscard -d root disk.raw ${diskGiB}G
rm -rf root root.tar early.tar late.tar`;
  const isRoot = process.getuid?.() === 0;
  const command = [...(isRoot ? [] : ['mmdebstrap', '--unshare-helper']), 'sh', '-c', script, 'sh', folder];
  const [program = 'sh', ...args] = command;
  const env = { PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
  const result = await execa(program, args, { cancelSignal: signal, reject: false, env });
  signal.throwIfAborted();
  if (!result.failed) return;
  throw new Error(`Cannot make the disk in ${folder}: ${result.stderr.trim().slice(-2000)}`, {
    cause: result,
  });
}

/** The Node that package-lock.json pins: it needs nothing but glibc, which a distribution's own may not say. */
function bundledNode(): string {
  return join(dirname(createRequire(import.meta.url).resolve('node/package.json')), 'bin', 'node');
}
