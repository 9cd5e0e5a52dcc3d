import { readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { directory, file, type ImageEntry, packImage } from './pack-image.ts';

/** Name of the image that scenarios start containers from. */
export const testImageReference = 'seatrial/busybox:latest';

export interface TestImageOptions {
  /** Default `/bin/busybox`. */
  readonly busyboxPath?: string;
  /** Default `seatrial/busybox:latest`. */
  readonly reference?: string;
  /** Adds a fourth layer with a file `/ballast` of that many bytes, which makes it another image. */
  readonly extraBytes?: number;
}

export interface TestImage {
  /** A docker-archive (manifest.json, config, one tar per layer), uncompressed: some 2.5 MB. */
  readonly archive: Uint8Array;
  /** `sha256:…` of the config: what an engine must answer as the image's id. */
  readonly id: string;
  readonly diffIds: readonly string[];
}

/**
 * Makes the test image from a statically linked busybox (Debian: busybox-static), without a registry. The same busybox gives the
 * same digests: all times are 0, all lists sorted. Throws where the file is missing or cannot run here.
 *
 * Three layers, so that what layers are for can be seen in a container:
 * 1. busybox, the applets that scenarios call as symbolic links, `/bin/sh` as a hard link;
 * 2. accounts (root, sailor 1000:1000), `/etc/obsolete`, `/var/cargo/{old,older}`, and a hard-linked pair `/etc/twin-a`, `/etc/twin-b`;
 * 3. a whiteout of `/etc/obsolete`, an opaque `/var/cargo` with `new` in it, and a changed `/etc/motd`.
 */
export async function buildTestImage({
  busyboxPath = '/bin/busybox',
  reference = testImageReference,
  extraBytes,
}: TestImageOptions = {}): Promise<TestImage> {
  const busybox = await readFile(busyboxPath);
  const known = new Set((await execa(busyboxPath, ['--list'])).stdout.split('\n'));
  const missing = linkedApplets.filter((name) => !known.has(name));
  if (missing.length > 0) {
    throw new Error(`Cannot make the test image: ${busyboxPath} lacks the applets ${missing.join(', ')}`);
  }
  const trees = [base(busybox), accounts(), changes()];
  if (extraBytes !== undefined) trees.push([file('ballast', Buffer.alloc(extraBytes, 'ballast '))]);
  const { archive, id, diffIds } = await packImage(trees, reference);
  return { archive, id, diffIds };
}

/**
 * Not all 270 of them: each is a file to unpack, to copy with every container of a driver without layers, and to
 * remove again. The others can be called as `busybox name`.
 */
const linkedApplets =
  'cat chmod chown cp cut date dd df du echo env expr false find grep head hostname id ip kill ln ls mkdir mkfifo mknod mount mv nc nproc printf ps pwd readlink rm rmdir sed seq sleep sort stat sync tail tar tee test touch tr true truncate umount uname wc wget whoami xargs yes'.split(
    ' ',
  );

function base(busybox: Uint8Array): ImageEntry[] {
  return [
    ...['bin', 'dev', 'etc', 'home', 'mnt', 'proc', 'run', 'sys', 'usr', 'usr/bin', 'var'].map((name) =>
      directory(name),
    ),
    directory('root', 0o700),
    directory('tmp', 0o1777),
    file('bin/busybox', busybox, 0o755),
    { name: 'bin/sh', type: 'link', linkname: 'bin/busybox', mode: 0o755 },
    ...linkedApplets.map(
      (name): ImageEntry => ({ name: `bin/${name}`, type: 'symlink', linkname: 'busybox', mode: 0o777 }),
    ),
    file('etc/motd', 'The first layer.\n'),
  ];
}

function accounts(): ImageEntry[] {
  return [
    file('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nsailor:x:1000:1000:sailor:/home/sailor:/bin/sh\n'),
    file('etc/group', 'root:x:0:\ncrew:x:500:sailor\nsailor:x:1000:\n'),
    file('etc/obsolete', 'A later layer removes this.\n'),
    file('etc/twin-a', 'One file with two names.\n'),
    { name: 'etc/twin-b', type: 'link', linkname: 'etc/twin-a', mode: 0o644 },
    { ...directory('home/sailor', 0o750), uid: 1000 },
    directory('var/cargo'),
    file('var/cargo/old', 'old\n'),
    file('var/cargo/older', 'older\n'),
  ];
}

function changes(): ImageEntry[] {
  return [
    file('etc/.wh.obsolete', ''),
    file('etc/motd', 'The third layer.\n'),
    directory('var/cargo'),
    file('var/cargo/.wh..wh..opq', ''),
    file('var/cargo/new', 'new\n'),
  ];
}
