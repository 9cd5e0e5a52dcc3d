import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { piecesOf } from '../tar-fixture.ts';
import type { TarHeader } from '../tar-header.ts';
import { readTar } from '../tar-reader.ts';
import { encodeHeader } from './encode-header.ts';
import { writeTar } from './write-tar.ts';

const plain: TarHeader = {
  type: 'file',
  name: 'etc/motd',
  linkName: '',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: { seconds: 1_700_000_000n, nanoseconds: 0 },
  major: 0,
  minor: 0,
  xattrs: new Map(),
};

const bytesOf = async (...headers: readonly TarHeader[]): Promise<Buffer> => {
  const chunks: Uint8Array[] = [];
  const body = (size: number) =>
    async function* () {
      yield Buffer.alloc(size, 'x');
    };
  const sources = headers.map((header) =>
    header.size > 0 ? { header, body: body(header.size) } : { header },
  );
  for await (const chunk of writeTar(sources)) chunks.push(chunk);
  return Buffer.concat(chunks);
};

describe('encodeHeader', () => {
  test('a plain file is one ustar block, field by field', () => {
    const block = encodeHeader({ ...plain, mode: 0o4755, uid: 1000, gid: 2_097_151, size: 12 });
    expect(block.length).toBe(512);
    const fields = [
      [0, 9, 'etc/motd\0'],
      [100, 8, '0004755\0'],
      [108, 8, '0001750\0'],
      [116, 8, '7777777\0'],
      [124, 12, '00000000014\0'],
      [136, 12, '14524770400\0'],
      [156, 1, '0'],
      [257, 8, 'ustar\x0000'],
      [329, 16, '0000000\x000000000\0'],
    ] as const;
    for (const [start, length, wanted] of fields) {
      expect(block.toString('latin1', start, start + length)).toBe(wanted);
    }
  });

  test.each<[string, Partial<TarHeader>]>([
    ['a name that the prefix field makes room for', { name: `${'d'.repeat(90)}/${'f'.repeat(90)}` }],
    ['a folder at the edge of the prefix', { type: 'directory', name: `${'d'.repeat(99)}/` }],
    ['a folder of 101 bytes', { type: 'directory', name: `${'d'.repeat(100)}/` }],
    ['a name of 255 bytes in one part', { name: `a/${'n'.repeat(255)}` }],
    ['a name of 3000 bytes', { name: `${'deep/'.repeat(600)}end` }],
    ['bytes that are not UTF-8', { name: 'a/\xff\xfe\n=', linkName: '\xe9', type: 'symlink' }],
    ['UTF-8', { name: Buffer.from('grüße/日本').toString('latin1') }],
    ['a long link', { type: 'symlink', linkName: 'x'.repeat(101) }],
    ['a hard link', { type: 'link', linkName: 'etc/other' }],
    ['large ids', { uid: 4_294_967_294, gid: 2_097_152 }],
    ['nanoseconds', { mtime: { seconds: 1_700_000_000n, nanoseconds: 120_000_001 } }],
    ['a time before 1970', { mtime: { seconds: -2n, nanoseconds: 250_000_000 } }],
    ['a whole second before 1970', { mtime: { seconds: -2n, nanoseconds: 0 } }],
    ['a time beyond 2242', { mtime: { seconds: 8_589_934_592n, nanoseconds: 0 } }],
    [
      'binary attributes',
      {
        xattrs: new Map([
          ['security.capability', Buffer.from('0100000280040000000000000000000000000000', 'hex')],
          ['user.a', Buffer.from('=\n\0')],
        ]),
      },
    ],
    ['a device', { type: 'block', major: 259, minor: 1_048_575 }],
  ])('%s comes back as it was', async (_, change) => {
    const header = { ...plain, ...change };
    const found: TarHeader[] = [];
    const archive = await bytesOf(header, { ...plain, name: 'last' });
    for await (const { body: _body, ...entry } of readTar(piecesOf(archive))) found.push(entry);
    expect(found).toEqual([header, { ...plain, name: 'last' }]);
  });

  test('only what does not fit is in an extended header, its records sorted', () => {
    const name = `${'d'.repeat(90)}/${'f'.repeat(90)}`;
    expect(encodeHeader({ ...plain, name }).length).toBe(512);
    const both = encodeHeader({ ...plain, name, mtime: { seconds: 5n, nanoseconds: 500_000_000 } });
    expect(both.toString('latin1', 0, 100)).toBe(`${'d'.repeat(90)}/PaxHeader`);
    expect(both.toString('latin1', 512, 1024).replaceAll('\0', '')).toBe(`13 mtime=5.5\n191 path=${name}\n`);
  });

  test('the length of a record counts its own digits', () => {
    for (const length of [90, 91, 92, 93, 994, 995, 996]) {
      const value = 'v'.repeat(length);
      const bytes = encodeHeader({ ...plain, xattrs: new Map([['user.a', Buffer.from(value)]]) });
      const found = /^(\d+) SCHILY\.xattr\.user\.a=v+\n/.exec(bytes.toString('latin1', 512));
      expect(Number(found?.[1])).toBe(found?.[0].length);
    }
  });

  test('content that is not as long as its header says is an error', async () => {
    async function* short() {
      yield Buffer.from('x');
    }
    const archive = writeTar([{ header: { ...plain, size: 2 }, body: short }]);
    await expect(async () => {
      for await (const _ of archive);
    }).rejects.toThrow(/found 1 bytes of content, wanted 2/);
  });

  test('an archive of nothing is the empty layer of the image specification', async () => {
    const empty = await bytesOf();
    expect(createHash('sha256').update(empty).digest('hex')).toBe(
      '5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef',
    );
  });
});
