import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, it, onTestFinished } from 'vitest';
import { connectSsh } from '../ssh/connect.ts';
import { sshdProgram, startTestSshd } from '../ssh/testing-sshd.ts';
import { StartupSnapshots, snapshotFile } from './startup-snapshot.ts';

const why = existsSync(sshdProgram) ? '' : ` (skipped: no ${sshdProgram})`;

async function ground() {
  const folder = await mkdtemp(join(tmpdir(), 'startup-snapshot-'));
  const sshd = await startTestSshd();
  const ssh = await connectSsh(sshd.address);
  onTestFinished(async () => {
    await ssh[Symbol.asyncDispose]();
    await sshd[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  const kept = join(folder, 'kept');
  const snapshots = new StartupSnapshots(kept);
  const { signal } = new AbortController();
  const program = async (hash: string, text?: string) => {
    const tree = join(folder, hash);
    if (text !== undefined) {
      await mkdir(join(tree, 'lib'), { recursive: true });
      await writeFile(join(tree, 'data'), 'beside it');
      await writeFile(join(tree, 'lib/program.cjs'), text);
    }
    return { hash, v8: 'v24-1', node: [process.execPath], folder: tree, file: 'lib/program.cjs' };
  };
  return {
    kept,
    make: async (hash: string, text: string) => snapshots.make(ssh, await program(hash, text), signal),
    /** To the same place, as on a host that had none. */
    give: async (hash: string) => {
      await rm(join(folder, hash), { recursive: true, force: true });
      return snapshots.give(ssh, await program(hash), signal);
    },
    tree: async (hash: string) => (await readdir(join(folder, hash), { recursive: true })).sort(),
    run: async (hash: string) => {
      const blob = join(folder, hash, snapshotFile);
      return (await execa(process.execPath, ['--snapshot-blob', blob, 'program', 'a'])).stdout;
    },
  };
}

const program = `const made = process.pid;
const { join } = require('node:path');
require('node:v8').startupSnapshot.setDeserializeMainFunction(() => {
  console.log(made, process.argv[2], require('node:fs').readFileSync(join(__dirname, '../data'), 'utf8'));
});`;

it.skipIf(why !== '')(
  `makes a snapshot on the first host, gives that to the next, and drops the oldest${why}`,
  async () => {
    const { kept, make, give, run, tree } = await ground();
    expect(await give('one')).toBe(false);
    await make('one', program);
    const first = await run('one');
    expect(first).toMatch(/^\d+ a beside it$/);
    expect(await readdir(kept)).toEqual(['one-v24-1.tar.gz']);

    expect(await give('one')).toBe(true);
    expect(await run('one'), 'made by the same process').toBe(first);
    expect(await tree('one'), 'without what it was made of').toEqual(['data', snapshotFile]);

    await utimes(join(kept, 'one-v24-1.tar.gz'), 1, 1);
    await make('two', program);
    expect(await run('two')).not.toBe(first);
    const others = Array.from({ length: 6 }, (_, index) => `old-${index}`);
    for (const name of [...others, 'oldest']) await writeFile(join(kept, name), '');
    await utimes(join(kept, 'oldest'), 0, 0);
    await make('three', program);
    expect((await readdir(kept)).sort()).toEqual([...others, 'three-v24-1.tar.gz', 'two-v24-1.tar.gz']);
  },
);

it.skipIf(why !== '')(`says why a program has no snapshot, and keeps none${why}`, async () => {
  const { kept, make, tree } = await ground();
  await expect(make('bad', 'throw new Error("not here");')).rejects.toThrow('not here');
  expect(existsSync(kept)).toBe(false);
  expect(await tree('bad')).toEqual(['data', 'lib', 'lib/program.cjs']);
});
