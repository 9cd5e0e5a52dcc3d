import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { extract, pack } from 'tar-stream';

/** The archive with those of its entries whose names match. */
export async function selectEntries(archive: Uint8Array, wanted: RegExp): Promise<Uint8Array> {
  const written = pack();
  const bytes = buffer(written);
  const reader = extract();
  Readable.from([archive]).pipe(reader);
  for await (const entry of reader) {
    if (wanted.test(entry.header.name)) written.entry(entry.header, await buffer(entry));
    else entry.resume();
  }
  written.finalize();
  return bytes;
}
