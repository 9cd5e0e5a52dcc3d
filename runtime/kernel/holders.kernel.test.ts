import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findHolders, type Holder, holdersText } from './holders.ts';
import { isLocked, LockFile, lockHolders, lockOwner } from './lock-file.ts';
import { attachLoop, findLoops } from './loop.ts';

const unless = process.getuid?.() === 0 ? undefined : 'mounting needs root';
const loops = await open('/dev/loop-control', 'r').then(
  (file) => file.close().then(() => undefined),
  () => 'there is no /dev/loop-control',
);

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'hull-holders-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** Runs a shell line that ends in `exec sleep`, and answers when it got there. */
async function holder(line: string, ...args: string[]): Promise<number> {
  const child = spawn('sh', ['-c', `${line}; exec sleep 1000`, 'sh', ...args], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  await expect.poll(async () => (await readFile(`/proc/${child.pid}/comm`, 'utf8')).trim()).toBe('sleep');
  return child.pid ?? 0;
}

function of(pid: number, holders: readonly Holder[]): readonly Partial<Holder>[] {
  return holders.filter((found) => found.pid === pid).map(({ comm, how, path }) => ({ comm, how, path }));
}

describe.skipIf(unless !== undefined)(unless ? `holders (skipped: ${unless})` : 'holders', () => {
  it('of a folder: working directory, open file and a bind in another namespace', async () => {
    const path = await folder();
    await mkdir(join(path, 'held'));
    await mkdir(join(path, 'elsewhere'));
    await writeFile(join(path, 'held/file'), '');
    const inside = await holder('cd "$1"', join(path, 'held'));
    const reader = await holder('exec 7<"$1"', join(path, 'held/file'));
    const bound = await holder(
      'exec unshare --mount sh -c \'mount --bind "$1" "$2" && exec sleep 1000\' sh "$1" "$2"',
      join(path, 'held'),
      join(path, 'elsewhere'),
    );
    const holders = findHolders({ kind: 'folder', path: join(path, 'held') });
    expect(of(inside, holders)).toEqual([{ comm: 'sleep', how: 'cwd', path: join(path, 'held') }]);
    expect(of(reader, holders)).toEqual([{ comm: 'sleep', how: 'fd', path: join(path, 'held/file') }]);
    expect(of(bound, holders)).toEqual([{ comm: 'sleep', how: 'mount', path: join(path, 'elsewhere') }]);
    expect(holdersText(holders)).toContain(`process ${reader} (sleep) has "${join(path, 'held/file')}" open`);
  });

  it('of a folder nobody uses: none', async () => {
    expect(findHolders({ kind: 'folder', path: await folder() })).toEqual([]);
  });

  it('of a lock: who has it', async () => {
    const path = join(await folder(), 'lock');
    const lock = await LockFile.tryTake(path);
    expect(lock).toBeDefined();
    expect(await isLocked(path)).toBe(true);
    expect(await LockFile.tryTake(path)).toBeUndefined();
    expect(lockHolders(path)).toMatch(`process ${process.pid} (`);
    expect(lockOwner(path)).toMatch(`process ${process.pid} (`);
    await lock?.release();
    expect(await isLocked(path)).toBe(false);
    expect(await isLocked(`${path}-missing`)).toBe(false);
  });
});

const without = unless ?? loops;
describe.skipIf(without !== undefined)(
  without ? `loop devices (skipped: ${without})` : 'loop devices',
  () => {
    it('are found by their file, are holders of its folder, and detach with their last user', async () => {
      const path = await folder();
      const file = join(path, 'image');
      await writeFile(file, Buffer.alloc(1024 ** 2));
      const loop = await attachLoop(file);
      try {
        expect(await findLoops(file)).toEqual([{ path: loop.path, major: loop.major, minor: loop.minor }]);
        const user = await holder('exec 7<"$1"', loop.path);
        const { major, minor } = loop;
        expect(of(user, findHolders({ kind: 'device', major, minor }))).toEqual([
          { comm: 'sleep', how: 'fd', path: loop.path },
        ]);
        expect(holdersText(findHolders({ kind: 'folder', path }))).toContain(`loop device "${loop.path}"`);
      } finally {
        await loop.handle.close();
      }
    });

    it('are gone after the last user is', async () => {
      const file = join(await folder(), 'image');
      await writeFile(file, Buffer.alloc(1024 ** 2));
      const { handle } = await attachLoop(file);
      await handle.close();
      await expect.poll(() => findLoops(file)).toEqual([]);
    });
  },
);
