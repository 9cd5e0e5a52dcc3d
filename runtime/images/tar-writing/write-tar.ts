import type { Piece } from '../sparse-content.ts';
import type { TarHeader } from '../tar-header.ts';
import { encodeHeader, endMark, paddingOf } from './encode-header.ts';

/** One entry on its way into an archive. */
export interface TarSource {
  readonly header: TarHeader;
  /** Exactly `header.size` bytes; absent for what has no content. */
  readonly body?: () => AsyncIterable<Uint8Array>;
  /** Of a file with holes the same without them, for copies; archives have all bytes. */
  readonly pieces?: () => AsyncIterable<Piece>;
}

/** Small entries leave in chunks of about this size. */
const chunkSize = 1024 * 1024;

/** A tar archive as a stream; the same entries give the same bytes. */
export async function* writeTar(
  sources: AsyncIterable<TarSource> | Iterable<TarSource>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const waiting: Uint8Array[] = [];
  let length = 0;
  const take = (): Buffer => {
    const chunk = Buffer.concat(waiting, length);
    waiting.length = 0;
    length = 0;
    return chunk;
  };
  const add = (data: Uint8Array): boolean => {
    waiting.push(data);
    length += data.byteLength;
    return length >= chunkSize;
  };
  for await (const { header, body } of sources) {
    if (add(encodeHeader(header))) yield take();
    let written = 0;
    for await (const chunk of body?.() ?? []) {
      written += chunk.byteLength;
      if (add(chunk)) yield take();
    }
    if (written !== header.size) {
      throw new Error(
        `Cannot write entry ${JSON.stringify(header.name)}: found ${written} bytes of content, wanted ${header.size}`,
      );
    }
    add(paddingOf(header.size));
  }
  add(endMark());
  yield take();
}
