import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A file that a process uses, as a magic link of /proc that `stat` follows even where no path leads to it any more. */
export interface ProcessFile {
  readonly how: 'cwd' | 'root' | 'exe' | 'fd';
  readonly link: string;
  /** As the kernel names it: absolute, ` (deleted)` behind a deleted one. */
  readonly target: string;
}

/** Working directory, root, executable and open files that have a path. Empty for kernel threads and zombies. */
export function processFiles(pid: number): readonly ProcessFile[] {
  const files: ProcessFile[] = [];
  const add = (how: ProcessFile['how'], link: string): boolean => {
    const target = attempt(() => readlinkSync(link));
    if (target === undefined) return false;
    // Sockets, pipes and anonymous files have no path, and a stat of each would cost the most.
    if (target.startsWith('/')) files.push({ how, link, target });
    return true;
  };
  // A kernel thread has no executable, and nothing else.
  if (!add('exe', `/proc/${pid}/exe`)) return files;
  add('cwd', `/proc/${pid}/cwd`);
  add('root', `/proc/${pid}/root`);
  for (const fd of attempt(() => readdirSync(`/proc/${pid}/fd`)) ?? []) add('fd', `/proc/${pid}/fd/${fd}`);
  return files;
}

/** Name of a process's command, `gone` for one that is not there any more. */
export function commandOf(pid: number): string {
  return readText(`/proc/${pid}/comm`).trim() || 'gone';
}

/** A file's text, empty where it cannot be read: processes and devices go while they are looked at. */
export function readText(path: string): string {
  return attempt(() => readFileSync(path, 'utf8')) ?? '';
}

export function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
