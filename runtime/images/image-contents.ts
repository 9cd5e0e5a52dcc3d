import { randomBytes } from 'node:crypto';
import { chmod, chown, link, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setRawTimes } from '../sys/raw-path.ts';
import { setXattr } from '../sys/xattr.ts';
import { digestOf } from './digest.ts';
import type { FixtureEntry } from './tar-fixture.ts';
import { readTar } from './tar-reader.ts';

/** For tests: a security.capability, cap_setuid and cap_net_bind_service=ep. */
export const capability = Buffer.from('0100000280040000000000000000000000000000', 'hex');

/** For tests: a layer of a few files. */
export const base: FixtureEntry[] = [
  { name: 'etc', type: 'directory' },
  { name: 'etc/motd', data: 'hello' },
  { name: 'etc/old', data: 'old' },
  { name: 'etc/gone', type: 'directory' },
  { name: 'etc/gone/file', data: 'x' },
  { name: 'bin', type: 'directory' },
  { name: 'bin/tool', mode: 0o4755, data: 'x'.repeat(100_000) },
  { name: 'bin/twin', type: 'link', linkname: 'bin/tool' },
];

/** Changes of every kind to `base`. */
export async function changeEverything(root: string): Promise<void> {
  await rm(join(root, 'etc/gone'), { recursive: true });
  await rm(join(root, 'etc/old'));
  await mkdir(join(root, 'etc/old'), { mode: 0o700 });
  await writeFile(join(root, 'etc/old/inner'), 'now a folder');
  await rename(join(root, 'etc/motd'), join(root, 'etc/moved'));
  await writeFile(join(root, 'large'), randomBytes(3_000_000));
  await link(join(root, 'large'), join(root, 'large-too'));
  await chown(join(root, 'large'), 1000, 3_000_000_000);
  await chmod(join(root, 'large'), 0o6711);
  setXattr(join(root, 'large'), 'security.capability', capability);
  setXattr(join(root, 'large'), 'trusted.note', Buffer.from([0, 255, 10]));
  await symlink('/nowhere', join(root, 'soft'));
  await mkdir(join(root, `${'deep'.repeat(50)}/${'deeper'.repeat(30)}`), { recursive: true });
  setRawTimes(Buffer.from(join(root, 'soft')), -7n, 5);
  setRawTimes(Buffer.from(join(root, 'large')), 1_600_000_000n, 123_456_789);
}

export async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

/** All that an archive says of each file. */
export async function listed(archive: AsyncIterable<Uint8Array>): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const entry of readTar(archive)) {
    const { type, name, linkName, mode, uid, gid, mtime, major, minor, xattrs } = entry;
    const content = digestOf(await bytesOf(entry.body())).slice(7, 19);
    const attributes = [...xattrs].map(([key, value]) => `${key}=${value.toString('hex')}`);
    const time = `${mtime.seconds}s${mtime.nanoseconds}`;
    found.push(
      [type, name, linkName, mode.toString(8), uid, gid, time, major, minor, content, ...attributes].join(
        ' ',
      ),
    );
  }
  return found;
}
