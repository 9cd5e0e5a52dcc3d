import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TreeFolder } from '../images/tar-writing/tree-folder.ts';
import { VolumeStore } from './volume-store.ts';

const script = fileURLToPath(new URL('./volume-child.ts', import.meta.url));
const rounds = 15;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hull-volumes-'));
});
afterEach(async () => await rm(folder, { recursive: true, force: true }));

test('a process that is killed at any moment leaves each volume whole, empty or full, or absent', async () => {
  const [root, image] = [join(folder, 'volumes'), join(folder, 'image')];
  await mkdir(join(image, 'sub'), { recursive: true });
  await writeFile(join(image, 'sub', 'file'), 'content');
  const open = async () => {
    const opened = TreeFolder.root(image);
    return { folder: opened, [Symbol.asyncDispose]: async () => opened[Symbol.dispose]() };
  };
  for (let round = 0; round < rounds; round++) {
    const { what, name, number } = await killedAfter(root, image, Math.random() * 20);
    const store = await VolumeStore.open(root);
    await store.swept();
    expect((await readdir(root)).filter((entry) => entry.startsWith('.'))).toEqual([]);
    for (const volume of await store.list()) {
      expect(volume.damage).toBeUndefined();
      await store.fill(volume.name, open);
      expect(await readdir(join(volume.mountPoint, 'sub'))).toEqual(['file']);
      expect(await readdir(volume.mountPoint)).toEqual(['sub']);
    }
    const found = (await store.list()).find((volume) => volume.name === name);
    // What was removed comes back only as the next one that is made under that name.
    if (what !== 'removed') expect(found?.labels).toEqual({ round: number });
    else if (found) expect(found.labels).toEqual({ round: String(Number(number) + 1) });
  }
}, 120_000);

/** The last that the process has said it has finished. */
async function killedAfter(root: string, image: string, ms: number) {
  const child = spawn(process.execPath, [script, root, image], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk;
  });
  const closed = once(child, 'close');
  try {
    while (!said.includes('removed')) await sleep(5);
    await sleep(ms);
  } finally {
    child.kill('SIGKILL');
    await closed;
  }
  const [what, name, number] = said.trim().split('\n').at(-1)?.split(' ') ?? [];
  return { what, name, number };
}
