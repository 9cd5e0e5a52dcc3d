import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createRunFolder, reapRuns } from './run-folder.ts';

async function cache(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'run-folder-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

it('keeps the folder of a living run and removes it when the run ends', async () => {
  const cacheDir = await cache();
  const folder = await createRunFolder(cacheDir, 'living');
  expect(await reapRuns(cacheDir)).toEqual([]);
  expect(existsSync(folder.path)).toBe(true);
  await folder[Symbol.asyncDispose]();
  expect(existsSync(folder.path)).toBe(false);
});

it.each([
  ['a dead process', { pid: 2 ** 22 + 1, startTicks: '7' }],
  ['another process that got the same pid', { pid: process.pid, startTicks: '7' }],
])('removes the folder of %s', async (_, owner) => {
  const cacheDir = await cache();
  const path = join(cacheDir, 'runs/dead');
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'owner.json'), JSON.stringify(owner));
  expect(await reapRuns(cacheDir)).toEqual([path]);
  expect(existsSync(path)).toBe(false);
});

it('leaves what nobody signed', async () => {
  const cacheDir = await cache();
  await mkdir(join(cacheDir, 'runs/unsigned'), { recursive: true });
  expect(await reapRuns(cacheDir)).toEqual([]);
});
