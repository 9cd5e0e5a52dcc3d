import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readOwnKernel } from './own-kernel.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'seatrial-kernel-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function file(name: string, start: string, at: number): Promise<string> {
  const bytes = Buffer.alloc(1024);
  bytes.write(start, at, 'latin1');
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

it('is told apart by what it holds, not by its path', async () => {
  const path = await file('bzImage', 'HdrS', 0x202);
  const first = await readOwnKernel('debian-13', path);
  expect((await readOwnKernel('debian-13', path)).hash).toBe(first.hash);
  await writeFile(path, Buffer.concat([first.bytes, Buffer.from('more')]));
  expect((await readOwnKernel('debian-13', path)).hash).not.toBe(first.hash);
});

it.each([
  [
    'vmlinux',
    '\x7fELF',
    0,
    /^Cannot boot debian-13: kernel ".*vmlinux": found an ELF file.*wanted a bzImage$/,
  ],
  ['initrd', '\x1f\x8b', 0, /found no Linux boot header at byte 0x202, wanted a bzImage$/],
])('%s is none', async (name, start, at, words) => {
  await expect(readOwnKernel('debian-13', await file(name, start, at))).rejects.toThrow(words);
});

it('says what is missing', async () => {
  await expect(readOwnKernel('debian-13', join(folder, 'absent'))).rejects.toThrow(
    /^Cannot boot debian-13: kernel ".*absent": found nothing, wanted a bzImage$/,
  );
  await expect(readOwnKernel('debian-13', folder)).rejects.toThrow(/found EISDIR/);
});
