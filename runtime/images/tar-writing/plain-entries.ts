import type { ByteString, TarHeader } from '../tar-header.ts';
import type { TarSource } from './write-tar.ts';

/** Entries of an archive that is no file system: owned by root, of no time. */
export const plain: Omit<TarHeader, 'name' | 'type'> = {
  linkName: '',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: { seconds: 0n, nanoseconds: 0 },
  major: 0,
  minor: 0,
  xattrs: new Map(),
};

/** The name ends in a slash. */
export const folderEntry = (name: ByteString): TarSource => ({
  header: { ...plain, type: 'directory', name, mode: 0o755 },
});

export function fileEntry(name: ByteString, size: number, body: () => AsyncIterable<Uint8Array>): TarSource {
  const header: TarHeader = { ...plain, type: 'file', name, size };
  return size === 0 ? { header } : { header, body };
}

export function textEntry(name: ByteString, text: string): TarSource {
  const data = Buffer.from(text);
  return fileEntry(name, data.length, async function* () {
    yield data;
  });
}
