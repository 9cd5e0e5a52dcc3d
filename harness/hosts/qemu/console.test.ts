import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { findPanic, readConsole } from './console.ts';

it('finds a panic without its time stamp', () => {
  const text =
    '[    1.0] sd 0:0\n[   12.345678] Kernel panic - not syncing: VFS: Unable to mount root fs\n[   13.0] CPU: 0';
  expect(findPanic(text)).toBe('Kernel panic - not syncing: VFS: Unable to mount root fs');
});

it.each([
  '[ 5.0] traps: node[300] general protection fault ip:7f sp:7f error:0',
  '[ 5.0] Memory cgroup out of memory: Killed process 301 (sh)',
  '[ 5.0] WARNING: CPU: 0 PID: 1 at fs/namespace.c:1',
])('takes %j for no panic', (line) => {
  expect(findPanic(line)).toBeUndefined();
});

it('reads the last bytes, without carriage returns; nothing where there is no file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'seatrial-console-'));
  try {
    const path = join(folder, 'console');
    expect(await readConsole(path)).toBe('');
    await writeFile(path, 'first\r\nsecond\r\nthird\r\n');
    expect(await readConsole(path, 15)).toBe('second\nthird\n');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
