import type { Hands } from './hands.ts';
import { parseRecords, type StartRecord } from './records.ts';

/** All records so far, each time there are more, until nobody can write any. */
export async function* readRecords(hands: Hands, fd: number): AsyncGenerator<readonly StartRecord[]> {
  let bytes = Buffer.alloc(0);
  const chunk = Buffer.alloc(65536);
  for (;;) {
    const length = await hands.read(fd, chunk);
    if (length === 0) return;
    bytes = Buffer.concat([bytes, chunk.subarray(0, length)]);
    yield parseRecords(bytes);
  }
}
