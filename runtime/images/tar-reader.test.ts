import { describe, expect, test } from 'vitest';
import { headerOf, padded, paxOf, piecesOf, tarOf } from './tar-fixture.ts';
import { type ReadTarOptions, readTar } from './tar-reader.ts';

async function listing(archive: Buffer, piece?: number, options?: ReadTarOptions): Promise<string[]> {
  const lines: string[] = [];
  for await (const entry of readTar(piecesOf(archive, piece), options)) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry.body()) chunks.push(chunk);
    const data = Buffer.concat(chunks);
    lines.push(`${entry.type} ${entry.name} ${data.length} ${entry.linkName}`.trim());
  }
  return lines;
}

async function first(archive: Buffer) {
  for await (const entry of readTar(piecesOf(archive))) return entry;
  throw new Error('No entry');
}

const longName = `${'deep/'.repeat(60)}file`;

describe('readTar', () => {
  test.each([1, 511, 512, 513, 100_000])('reads all types, in pieces of %i bytes', async (piece) => {
    const archive = await tarOf([
      { name: 'folder/', type: 'directory' },
      { name: 'folder/file', data: 'x'.repeat(1500) },
      { name: 'empty' },
      { name: 'hard', type: 'link', linkname: 'empty' },
      { name: 'soft', type: 'symlink', linkname: '/folder' },
      { name: 'null', type: 'character-device', devmajor: 1, devminor: 3 },
      { name: 'pipe', type: 'fifo' },
      { name: longName, data: 'long' },
    ]);
    expect(await listing(archive, piece)).toEqual([
      'directory folder/ 0',
      'file folder/file 1500',
      'file empty 0',
      'link hard 0 empty',
      'symlink soft 0 /folder',
      'character null 0',
      'fifo pipe 0',
      `file ${longName} 4`,
    ]);
  });

  test('skips a content that nobody reads', async () => {
    const archive = await tarOf([{ name: 'a', data: 'x'.repeat(70_000) }, { name: 'b' }]);
    const names: string[] = [];
    for await (const { name } of readTar(piecesOf(archive))) names.push(name);
    expect(names).toEqual(['a', 'b']);
  });

  test('takes binary attributes, names that are not UTF-8 and fine times from PAX records', async () => {
    const capability = Buffer.from('0100000280000000ff00000000000000', 'hex');
    const entry = await first(
      await tarOf([
        paxOf({
          path: Buffer.from([0x61, 0xff, 0x0a, 0x3d]),
          mtime: '-1.25',
          uid: '4000000000',
          'SCHILY.xattr.security.capability': capability,
        }),
        { name: 'ignored' },
      ]),
    );
    expect(Buffer.from(entry.name, 'latin1').toString('hex')).toBe('61ff0a3d');
    expect(entry.mtime).toEqual({ seconds: -2n, nanoseconds: 750_000_000 });
    expect(entry.uid).toBe(4_000_000_000);
    expect(entry.xattrs.get('security.capability')).toEqual(capability);
  });

  test('takes GNU long names and base-256 numbers', async () => {
    const name = Buffer.from(`${longName}\0`);
    const entry = await first(
      await tarOf([
        headerOf({ name: '././@LongLink', flag: 'L', size: name.length }),
        padded(name),
        headerOf({ name: 'short', flag: '0', size: '\x80\0\0\0\0\0\0\0\0\0\0\0' }),
      ]),
    );
    expect(entry.name).toBe(longName);
    expect(entry.size).toBe(0);
  });

  test("global PAX records hold for all that follow, an entry's own win", async () => {
    const data = Buffer.from('10 gid=77\n');
    const global = Buffer.concat([headerOf({ name: 'g', flag: 'g', size: data.length }), padded(data)]);
    const archive = await tarOf([global, { name: 'a' }, paxOf({ gid: '5' }), { name: 'b' }, { name: 'c' }]);
    const gids: number[] = [];
    for await (const { gid } of readTar(piecesOf(archive))) gids.push(gid);
    expect(gids).toEqual([77, 5, 77]);
  });

  test('an empty archive is its end mark', async () => {
    expect(await listing(await tarOf([]))).toEqual([]);
    expect(await listing(Buffer.alloc(10_240))).toEqual([]);
  });

  test('where the end may be lacking, a cut behind the last byte of an entry is one', async () => {
    const archive = await tarOf([
      { name: 'a', data: 'x'.repeat(900) },
      { name: 'b', data: 'long' },
    ]);
    const isEnd = (length: number) =>
      (length >= 1412 && length <= 1536) || (length >= 2052 && length <= 2560);
    for (let length = 0; length <= 2560; length += 4) {
      const found = listing(archive.subarray(0, length), 777, { mayLackEnd: true });
      if (isEnd(length)) expect(await found, `cut at ${length}`).toHaveLength(length < 2000 ? 1 : 2);
      else await expect(found, `cut at ${length}`).rejects.toThrow('found the end of the file');
    }
  });

  test('every cut of an archive is an error that says so', async () => {
    const archive = await tarOf([
      { name: 'a', data: 'x'.repeat(900) },
      { name: longName, data: 'long' },
    ]);
    const whole = archive.length - 1024;
    for (let length = 0; length <= whole; length += 128) {
      await expect(listing(archive.subarray(0, length)), `cut at ${length}`).rejects.toMatchObject({
        kind: 'invalid',
        message: expect.stringContaining('found the end of the file'),
      });
    }
    expect(await listing(archive.subarray(0, whole + 512))).toHaveLength(2);
  });

  test.each<[string, Buffer, string, RegExp]>([
    ['no tar at all', Buffer.alloc(2048, 'text, not tar. '), 'invalid', /header checksum/],
    [
      'a negative size',
      headerOf({ name: 'a', flag: '0', size: `${'\xff'.repeat(12)}` }),
      'invalid',
      /entry "a" with size -1/,
    ],
    [
      'a size beyond the file',
      headerOf({ name: 'a', flag: '0', size: 9_999_999 }),
      'invalid',
      /end of entry "a"/,
    ],
    [
      'a size beyond counting',
      headerOf({ name: 'a', flag: '0', size: `\x80${'\x7f'.repeat(11)}` }),
      'invalid',
      /with size/,
    ],
    [
      'an endless PAX header',
      headerOf({ name: 'x', flag: 'x', size: 2 ** 32 - 1 }),
      'invalid',
      /extended header of/,
    ],
    [
      'a damaged PAX record',
      Buffer.concat([headerOf({ name: 'x', flag: 'x', size: 6 }), padded(Buffer.from('99 a=b'))]),
      'invalid',
      /wanted "<length> <key>/,
    ],
    [
      'a file that goes on from another volume',
      headerOf({ name: 's', flag: 'M' }),
      'unsupported',
      /entry "s" at byte 0: found type "M"/,
    ],
  ])('refuses %s', async (_, start, kind, message) => {
    await expect(listing(await tarOf([start]))).rejects.toMatchObject({
      kind,
      message: expect.stringMatching(message),
    });
  });

  test('refuses bytes behind the end mark', async () => {
    const behind = Buffer.concat([await tarOf([]), Buffer.from('more')]);
    await expect(listing(behind)).rejects.toThrow(/behind the end mark/);
  });

  test('lets its source go when the reader stops early', async () => {
    let released = false;
    async function* source() {
      try {
        yield await tarOf([{ name: 'a' }, { name: 'b' }]);
      } finally {
        released = true;
      }
    }
    for await (const _ of readTar(source())) break;
    expect(released).toBe(true);
  });
});
