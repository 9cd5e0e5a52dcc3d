import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { decompress } from './decompress.ts';
import { piecesOf } from './tar-fixture.ts';

const plain = Buffer.from('some text, '.repeat(20_000));
// A skippable frame of 4 bytes, RFC 8878 3.1.2.
const skippable = Buffer.from('502a4d180400000061626364', 'hex');

async function unpacked(data: Buffer, piece = 1000): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of decompress(piecesOf(data, piece))) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('decompress', () => {
  test.each<[string, Buffer]>([
    ['plain data', plain],
    ['gzip', gzipSync(plain)],
    [
      'gzip of two members',
      Buffer.concat([gzipSync(plain.subarray(0, 5000)), gzipSync(plain.subarray(5000))]),
    ],
    ['zstd', zstdCompressSync(plain)],
    [
      'zstd of two frames',
      Buffer.concat([zstdCompressSync(plain.subarray(0, 99)), zstdCompressSync(plain.subarray(99))]),
    ],
    ['zstd behind a frame to skip', Buffer.concat([skippable, zstdCompressSync(plain)])],
  ])('reads %s', async (_, data) => {
    expect((await unpacked(data)).equals(plain)).toBe(true);
    expect((await unpacked(data, 1_000_000)).equals(plain)).toBe(true);
  });

  test.each([0, 1, 5])('passes %i plain bytes on', async (length) => {
    expect(await unpacked(plain.subarray(0, length), 1)).toEqual(plain.subarray(0, length));
  });

  test.each<[string, Buffer]>([
    ['gzip', gzipSync(plain)],
    ['zstd', zstdCompressSync(plain)],
  ])('damaged or cut %s is an error', async (name, data) => {
    const damaged = Buffer.from(data);
    damaged.fill(0xff, data.length >> 1);
    for (const bad of [damaged, data.subarray(0, data.length - 5)]) {
      await expect(unpacked(bad)).rejects.toMatchObject({
        kind: 'invalid',
        message: expect.stringContaining(name),
      });
    }
  });

  test('the error of the source comes out, and the source is let go by a reader that stops', async () => {
    let released = false;
    async function* source(fail: boolean) {
      try {
        yield gzipSync(plain);
        if (fail) throw new Error('the line broke');
      } finally {
        released = true;
      }
    }
    const all = async (fail: boolean) => {
      for await (const _ of decompress(source(fail))) if (!fail) break;
    };
    await expect(all(true)).rejects.toThrow('the line broke');
    released = false;
    await all(false);
    expect(released).toBe(true);
  });
});
