import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, it } from 'vitest';
import { cgroupsOfRun, removeRunRoot } from './run-root.ts';

/** The hierarchy that freezes here, and how. */
async function freezer() {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
  const v1 = mounts.find(
    ([, , type, options]) => type === 'cgroup' && options?.split(',').includes('freezer'),
  )?.[1];
  if (v1 !== undefined) return { root: v1, file: 'freezer.state', frozen: 'FROZEN' };
  const v2 = mounts.find(([, , type]) => type === 'cgroup2')?.[1];
  return v2 === undefined ? undefined : { root: v2, file: 'cgroup.freeze', frozen: '1' };
}

const found = process.getuid?.() === 0 ? await freezer() : undefined;

it.skipIf(!found)(
  `what a killed run left frozen is thawed, ended and removed${found ? '' : ' (skipped: no cgroup hierarchy of ours to freeze in)'}`,
  async () => {
    const { root, file, frozen } = found ?? expect.unreachable();
    const folder = await mkdtemp(join(tmpdir(), 'seatrial-left-'));
    const left = { label: basename(folder), folder };
    const group = join(root, `hull-test-${left.label}`);
    const inner = join(group, 'inner');
    await mkdir(inner, { recursive: true });
    const child = spawn('sleep', ['1000'], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    try {
      await writeFile(join(inner, 'cgroup.procs'), String(child.pid));
      await writeFile(join(group, file), frozen);
      expect(await cgroupsOfRun(left)).toEqual([group]);
    } finally {
      await removeRunRoot(left);
    }
    expect(await ended).toEqual([null, 'SIGKILL']);
    expect([existsSync(group), existsSync(folder)]).toEqual([false, false]);
  },
);
