import { mountOptionWords } from '../../kernel/mount-options.ts';
import { cleanTarget, invalidMount } from './mount-words.ts';

/** HostConfig.Tmpfs: mount point → options as `size=1m,exec`. */
export function parseTmpfs(
  tmpfs: Readonly<Record<string, string>>,
): readonly { readonly destination: string; readonly options: readonly string[] }[] {
  return Object.entries(tmpfs).map(([target, text]) => ({
    destination: cleanTarget(target),
    options: tmpfsWords(text === '' ? [] : text.split(',')),
  }));
}

/** What a tmpfs is mounted with: nosuid, noexec and nodev unless their opposite is asked for. Kind `invalid` names a stray word. */
export function tmpfsWords(given: readonly string[]): readonly string[] {
  for (const word of given) {
    if (mountOptionWords.includes(word) || ownOptions.includes(word.split('=', 1)[0] ?? '')) continue;
    throw invalidMount(
      `Invalid tmpfs option ${JSON.stringify(word)}: wanted a mount flag or one of ${ownOptions.join('=, ')}=`,
    );
  }
  const defaults = ['nosuid', 'noexec', 'nodev'].filter((word) => !given.includes(word.slice(2)));
  return [...new Set([...defaults, ...given.filter((word) => word !== 'rw')])];
}

/** tmpfs(5) */
const ownOptions: readonly string[] = ['size', 'mode', 'uid', 'gid', 'nr_inodes', 'nr_blocks', 'mpol'];
