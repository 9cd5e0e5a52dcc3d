import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../base/errors.ts';
import type { CgroupEntry } from '../launch/types.ts';

/**
 * How a further process enters the group of a container whose first process is `pid`. Nobody can enter a group of version 2 that gives
 * controllers to those below it (no-internal-process rule), as an init system in the container makes it: the process then goes where the
 * first one is, as with runc.
 */
export function execEntry(entry: CgroupEntry, pid: number): CgroupEntry {
  const { v2Dir, path } = entry;
  if (v2Dir === undefined || path === undefined) return entry;
  try {
    if (readFileSync(join(v2Dir, 'cgroup.subtree_control'), 'utf8').trim() === '') return entry;
    const first = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1] ?? '';
    return first.startsWith(`/${path}/`)
      ? { ...entry, v2Dir: join(v2Dir, first.slice(path.length + 1)) }
      : entry;
  } catch (error) {
    // The container has ended meanwhile, which the entry says better.
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return entry;
    throw error;
  }
}
