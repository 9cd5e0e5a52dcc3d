import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nextData } from './seek-data.ts';

const mib = 2 ** 20;

test('nextData finds what is between holes, beyond 4 GiB as well', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hull-seek-'));
  try {
    await using file = await open(join(folder, 'file'), 'w+');
    for (const at of [mib, 5000 * mib]) await file.write(Buffer.alloc(mib, 'x'), 0, mib, at);
    await file.truncate(6000 * mib);
    expect(nextData(file.fd, 0)).toEqual({ start: mib, end: 2 * mib });
    expect(nextData(file.fd, mib + 5)).toEqual({ start: mib + 5, end: 2 * mib });
    expect(nextData(file.fd, 2 * mib)).toEqual({ start: 5000 * mib, end: 5001 * mib });
    expect(nextData(file.fd, 5001 * mib)).toBeUndefined();
    expect(nextData(file.fd, 9000 * mib)).toBeUndefined();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
