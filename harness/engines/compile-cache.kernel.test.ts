import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { connectSsh } from '../ssh/connect.ts';
import { sshdProgram, startTestSshd } from '../ssh/testing-sshd.ts';
import { CompileCache } from './compile-cache.ts';

const why = process.getuid?.() !== 0 ? 'not root' : existsSync(sshdProgram) ? undefined : `no ${sshdProgram}`;

it.skipIf(why !== undefined)(
  `takes what a host compiled, gives it to the next, and takes again only where that was not enough${why ? ` (skipped: ${why})` : ''}`,
  { timeout: 30_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'compile-cache-'));
    const sshd = await startTestSshd();
    const ssh = await connectSsh(sshd.address);
    onTestFinished(async () => {
      await ssh[Symbol.asyncDispose]();
      await sshd[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    });
    const kept = join(folder, 'kept');
    const host = (name: string) => new CompileCache(kept, join(folder, name));

    await host('first').give(ssh, 'program');
    await host('first').take(ssh, 'program');
    expect(existsSync(kept), 'a host without a cache gives none').toBe(false);

    await mkdir(join(folder, 'first/v24'), { recursive: true });
    await writeFile(join(folder, 'first/v24/a'), 'compiled');
    await host('first').take(ssh, 'program');
    await host('second').give(ssh, 'program');
    expect(await readFile(join(folder, 'second/v24/a'), 'utf8')).toBe('compiled');

    const before = await stat(join(kept, 'program.tar'));
    await host('second').take(ssh, 'program');
    expect((await stat(join(kept, 'program.tar'))).mtimeMs).toBe(before.mtimeMs);

    await mkdir(join(folder, 'second/v25'));
    await writeFile(join(folder, 'second/v25/a'), 'compiled anew');
    await host('second').take(ssh, 'program');
    await host('third').give(ssh, 'program');
    expect(await readdir(join(folder, 'third'))).toEqual(['.given', 'v25']);

    await writeFile(join(folder, 'third/v25/more'), 'compiled');
    await host('third').take(ssh, 'program');
    await host('fourth').give(ssh, 'program');
    expect(await readdir(join(folder, 'fourth/v25'))).toEqual(['a', 'more']);

    await host('third').give(ssh, 'another program');
    await writeFile(join(folder, 'third/v25/b'), 'compiled');
    await host('third').take(ssh, 'another program');
    expect(await readdir(kept)).toEqual(['another program.tar']);
  },
);
