import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { HullError } from '../base/errors.ts';
import type { Spool, SpooledBlob } from './blobs.ts';
import { type Compression, compressionOf, decompress } from './decompress.ts';
import { defaultLimits } from './untar.ts';

/**
 * The layer itself where its compression is one of those that may stay, else its plain bytes, spooled.
 * @throws HullError `invalid` for damaged data, and for more bytes than any layer may have.
 */
export async function plainLayer(
  blob: SpooledBlob,
  spool: Spool,
  mayStay: readonly Compression[] = ['none'],
  mostBytes: number = defaultLimits.bytes,
): Promise<SpooledBlob> {
  if (mayStay.includes(await compressionOfFile(blob.path))) return blob;
  return await spool.write(limited(decompress(createReadStream(blob.path)), mostBytes));
}

async function compressionOfFile(path: string): Promise<Compression> {
  await using file = await open(path, 'r');
  const { buffer, bytesRead } = await file.read(Buffer.alloc(6), 0, 6, 0);
  return compressionOf(buffer.subarray(0, bytesRead));
}

/** An archive of some kilobytes may be a disk full of zeros. */
async function* limited(source: AsyncIterable<Uint8Array>, most: number): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.byteLength;
    if (bytes > most) {
      throw new HullError(`Cannot decompress a layer: found more than ${most} bytes, wanted fewer`, {
        kind: 'invalid',
      });
    }
    yield chunk;
  }
}
