import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Call } from './call.ts';

/**
 * Answers a tar archive. The first bytes are made before the headers go, so that what is wrong from the start is an error with a status;
 * after that only a cut connection tells the client. A client that leaves ends the archive's making.
 */
export async function streamTar(
  { response, signal }: Call,
  archive: AsyncGenerator<Uint8Array, void, undefined>,
): Promise<void> {
  const first = await archive.next();
  response.writeHead(200, { 'Content-Type': 'application/x-tar' });
  async function* whole() {
    try {
      if (!first.done) yield first.value;
      yield* archive;
    } finally {
      await archive.return();
    }
  }
  await pipeline(Readable.from(whole(), { objectMode: false, highWaterMark: 512 * 1024 }), response, {
    signal,
  });
}
