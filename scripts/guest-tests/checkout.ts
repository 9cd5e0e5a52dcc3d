import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';

/**
 * A tar of the checkout's files as they are now: those that git tracks and new ones that it does not ignore.
 * Throws where the project is no git checkout.
 */
export async function packCheckout(projectDir: string, signal: AbortSignal): Promise<Uint8Array> {
  const options = { cwd: projectDir, cancelSignal: signal };
  const { stdout } = await execa(
    'git',
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard'],
    options,
  );
  const names = [...new Set(stdout.split('\0').filter((name) => name !== ''))];
  // A tracked file that was removed and not committed yet is still listed.
  const present = await Promise.all(
    names.map((name) =>
      lstat(join(projectDir, name)).then(
        () => [name],
        () => [],
      ),
    ),
  );
  const { stdout: tar } = await execa('tar', ['-c', '--owner=0', '--group=0', '--null', '-T', '-'], {
    ...options,
    input: present.flat().join('\0'),
    encoding: 'buffer',
    // A file that somebody writes at this moment is taken as it is.
    reject: false,
  });
  if (tar.length === 0) throw new Error(`Cannot pack ${projectDir}: tar wrote nothing`);
  return tar;
}
