import { createHash, type Hash } from 'node:crypto';
import type { TarHeader } from '../../images/tar-header.ts';
import { typeFlags } from '../../images/tar-writing/encode-header.ts';

/**
 * What a copied file is known by in the cache and in the history: Docker's tarsum, version 1, which is everything about the file but
 * its times. The content is hashed behind it. Names of owners are not kept here, so an archive that has some gets another sum than Docker's.
 */
export function beginChecksum(header: TarHeader): Hash {
  const hash = createHash('sha256');
  const fields: readonly (readonly [string, string | number])[] = [
    ['name', header.name],
    ['mode', header.mode],
    ['uid', header.uid],
    ['gid', header.gid],
    ['size', header.size],
    ['typeflag', typeFlags[header.type]],
    ['linkname', header.linkName],
    ['uname', ''],
    ['gname', ''],
    ['devmajor', header.major],
    ['devminor', header.minor],
  ];
  for (const [name, value] of fields) hash.update(`${name}${value}`, 'latin1');
  for (const name of [...header.xattrs.keys()].sort()) {
    hash.update(name).update(header.xattrs.get(name) ?? '');
  }
  return hash;
}

/** One for all files of a folder, or of several sources. */
export function joinChecksums(prefix: 'dir' | 'multi', sums: readonly string[]): string {
  return `${prefix}:${createHash('sha256').update(sums.join(','), 'latin1').digest('hex')}`;
}
