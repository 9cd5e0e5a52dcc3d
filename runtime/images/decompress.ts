import { createGunzip, createZstdDecompress } from 'node:zlib';
import { codeOf, HullError } from '../base/errors.ts';
import type { ProgramCompression } from './decompress-with-program.ts';
import { transformed } from './transformed.ts';
import { zstdFrames } from './zstd-frames.ts';

export type Compression = 'none' | 'gzip' | 'zstd' | ProgramCompression;

const chunkSize = 128 * 1024;

const known: readonly { readonly name: Compression; readonly starts: string }[] = [
  { name: 'gzip', starts: '1f8b' },
  { name: 'zstd', starts: '28b52ffd' },
  { name: 'bzip2', starts: '425a68' },
  { name: 'xz', starts: 'fd377a585a00' },
];

/**
 * The plain bytes of a stream that may be compressed, told by its first bytes (gzip, zstd, bzip2, xz; plain otherwise).
 * @throws HullError `invalid` for damaged data; `unsupported` where bzip2 or xz is not installed.
 */
export async function* decompress(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const chunks = source[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  for (let length = 0; length < 6; ) {
    const next = await chunks.next();
    if (next.done) break;
    first.push(next.value);
    length += next.value.byteLength;
  }
  const start = Buffer.concat(first);
  const whole = rejoin(start, chunks);
  const compression = compressionOf(start);
  if (compression === 'none') yield* whole;
  else if (compression === 'gzip' || compression === 'zstd') yield* through(compression, whole);
  else {
    const { decompressWithProgram } = await import('./decompress-with-program.ts');
    yield* decompressWithProgram(compression, whole);
  }
}

export function compressionOf(start: Buffer): Compression {
  const head = start.toString('hex', 0, 6);
  // A zstd stream may start with frames to skip: 50–5f 2a 4d 18.
  if (/^5.2a4d18/.test(head)) return 'zstd';
  return known.find(({ starts }) => head.startsWith(starts))?.name ?? 'none';
}

async function* rejoin(start: Uint8Array, rest: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    if (start.byteLength > 0) yield start;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

async function* through(
  compression: 'gzip' | 'zstd',
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    if (compression === 'gzip') yield* transformed(source, createGunzip({ chunkSize }));
    else
      for await (const frame of zstdFrames(source))
        yield* transformed(frame, createZstdDecompress({ chunkSize }));
  } catch (error) {
    const code = codeOf(error) ?? '';
    if (!/^(Z_|ZSTD_|ERR_ZLIB)/.test(code)) throw error;
    throw new HullError(
      `Cannot decompress the archive: found damaged ${compression} data (${code}), wanted it whole`,
      { kind: 'invalid', cause: error },
    );
  }
}
