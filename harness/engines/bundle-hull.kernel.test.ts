import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { expect, it, onTestFinished } from 'vitest';
import { bundleHull, hullProgram } from './bundle-hull.ts';
import { ping } from './ping.ts';

const why = process.getuid?.() === 0 ? '' : ' (skipped: not root)';

/** Answers the words that run the program in `folder`. */
const forms: Readonly<Record<string, (folder: string) => Promise<readonly string[]>>> = {
  'as it is': async (folder) => [join(folder, hullProgram)],
  'from a start-up snapshot': async (folder) => {
    const blob = join(folder, 'hull.blob');
    await execa(process.execPath, ['--snapshot-blob', blob, '--build-snapshot', join(folder, hullProgram)]);
    return ['--snapshot-blob', blob, 'hull'];
  },
};

it.skipIf(why !== '').each(Object.keys(forms))(
  `a bundled daemon starts %s, answers and stops${why}`,
  { timeout: 60_000 },
  async (form) => {
    const folder = await mkdtemp(join(tmpdir(), 'bundle-hull-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const { tar } = await bundleHull(
      new URL('../..', import.meta.url).pathname,
      process.arch === 'arm64' ? 'arm64' : 'x64',
    );
    await execa('tar', ['-x', '-C', folder], { input: tar });
    const at = (name: string) => join(folder, name);
    const roots = ['--data-root', at('data'), '--exec-root', at('exec'), '-H', `unix://${at('api.sock')}`];
    const program = (await forms[form]?.(folder)) ?? [];
    const daemon = execa(process.execPath, [...program, 'daemon', '-s', 'vfs', ...roots], {
      cwd: '/',
      reject: false,
      all: true,
    });
    try {
      const ended = daemon.then(({ all }) => `ended: ${all}`);
      const answers = () =>
        Promise.race([
          ping(at('api.sock')).then(
            () => 'answers',
            () => sleep(50, 'silent'),
          ),
          ended,
        ]);
      await expect.poll(answers, { timeout: 30_000 }).not.toBe('silent');
      expect(await answers()).toBe('answers');
    } finally {
      daemon.kill('SIGTERM');
    }
    const { exitCode, all } = await daemon;
    expect([exitCode, all]).toEqual([0, expect.stringContaining('hull has stopped')]);
  },
);
