import { Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** What a transform makes of a stream. Both end with this, however it does. */
export async function* transformed(
  source: AsyncIterable<Uint8Array>,
  transform: Transform,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const from = source instanceof Readable ? source : Readable.from(source, { objectMode: false });
  const input = pipeline(from, transform, { ...(signal && { signal }) });
  // A failure comes out of the loop below; this keeps it from being "unhandled" as well.
  input.catch(() => undefined);
  try {
    yield* transform;
    await input;
  } finally {
    transform.destroy();
  }
}
