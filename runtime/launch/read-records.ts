import { readSync } from 'node:fs';
import { parseRecords, type StartRecord } from './records.ts';

/** All records so far, each time there are more, until nobody can write any. Blocks Node: who waits for them has nothing else to do. */
export function* readRecords(fd: number): Generator<readonly StartRecord[]> {
  let bytes = Buffer.alloc(0);
  const chunk = Buffer.alloc(65536);
  for (;;) {
    const length = readSync(fd, chunk);
    if (length === 0) return;
    bytes = Buffer.concat([bytes, chunk.subarray(0, length)]);
    yield parseRecords(bytes);
  }
}
