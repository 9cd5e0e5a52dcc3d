import type { Fragment } from './sparse-map.ts';

/** Bytes of a sparse file and where they are in it. */
export interface Piece {
  readonly at: number;
  readonly data: Buffer;
}

const zeros = Buffer.alloc(65_536);

/** Puts stored bytes, which come one fragment behind the other, where they belong. */
export async function* piecesOf(
  fragments: readonly Fragment[],
  stored: AsyncIterable<Buffer>,
): AsyncGenerator<Piece> {
  let [index, done] = [0, 0];
  for await (let chunk of stored) {
    while (chunk.length > 0) {
      const fragment = fragments[index];
      if (!fragment) return;
      const data = chunk.subarray(0, fragment.length - done);
      if (data.length > 0) yield { at: fragment.offset + done, data };
      chunk = chunk.subarray(data.length);
      done += data.length;
      if (done === fragment.length) [index, done] = [index + 1, 0];
    }
  }
}

/** The same as one stream, zeros for what is between. */
export async function* withHoles(pieces: AsyncIterable<Piece>, size: number): AsyncGenerator<Buffer> {
  let end = 0;
  for await (const { at, data } of pieces) {
    yield* hole(at - end);
    yield data;
    end = at + data.length;
  }
  yield* hole(size - end);
}

function* hole(length: number): Generator<Buffer> {
  for (let left = length; left > 0; left -= zeros.length) yield zeros.subarray(0, left);
}
