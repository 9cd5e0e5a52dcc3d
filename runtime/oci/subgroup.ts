import { existsSync } from 'node:fs';
import { posix } from 'node:path';
import { HullError } from '../base/errors.ts';
import { findHierarchies } from '../cgroups/hierarchies.ts';
import type { CgroupEntry } from '../launch/types.ts';

/**
 * The entry of an exec below the container's own cgroup: `--cgroup <path>` in every hierarchy, or `--cgroup <controller>,…:<path>` in those of version 1
 * that have these controllers. Nothing is made: what is not there is an error.
 */
export async function subgroupEntry(entry: CgroupEntry, wanted: readonly string[]): Promise<CgroupEntry> {
  const paths = parseSubgroups(wanted);
  const all = paths.get('');
  if (all !== undefined) {
    const v1Procs = entry.v1Procs.map((file) => existing(below(file, all)));
    if (entry.v2Dir === undefined) return { ...entry, v1Procs };
    // Beside version 1 the unified hierarchy limits nothing, and who made the others need not have made it there.
    const v2Dir = posix.dirname(below(posix.join(entry.v2Dir, 'cgroup.procs'), all));
    if (v1Procs.length > 0 && !existsSync(v2Dir)) return { ...entry, v1Procs };
    return { ...entry, v1Procs, v2Dir: posix.dirname(existing(posix.join(v2Dir, 'cgroup.procs'))) };
  }
  const v1 = (await findHierarchies()).filter(({ version }) => version === 1);
  const known = new Set(v1.flatMap(({ controllers }) => controllers));
  const unknown = [...paths.keys()].find((name) => !known.has(name));
  if (unknown !== undefined) throw invalid(`unknown controller ${JSON.stringify(unknown)} in --cgroup`);
  const v1Procs = entry.v1Procs.map((file) => {
    const hierarchy = v1.find(({ root }) => file.startsWith(`${root}/`));
    const path = hierarchy?.controllers.map((name) => paths.get(name)).find((each) => each !== undefined);
    return path === undefined ? file : existing(below(file, path));
  });
  return { ...entry, v1Procs };
}

/** By controller; all under the empty name. */
export function parseSubgroups(wanted: readonly string[]): ReadonlyMap<string, string> {
  const paths = new Map<string, string>();
  for (const word of wanted) {
    const [first = '', path, ...more] = word.split(':');
    if (more.length > 0 || (path === undefined && wanted.length > 1))
      throw invalid(
        `invalid --cgroup argument ${JSON.stringify(word)}: wanted <path>, or <controller>:<path> each`,
      );
    if (path === undefined) paths.set('', first);
    else for (const name of first.split(',')) paths.set(name, path);
  }
  return paths;
}

function below(procs: string, path: string): string {
  const base = posix.dirname(procs);
  const folder = posix.join(base, path);
  if (folder.replace(/\/$/, '') !== base && !folder.startsWith(`${base}/`))
    throw invalid(`bad cgroup path: ${path} is not a sub cgroup path`);
  return posix.join(folder, 'cgroup.procs');
}

function existing(procs: string): string {
  if (existsSync(procs)) return procs;
  throw new HullError(
    `Cannot exec: adding pid of the command to its cgroup: open ${procs}: no such file or directory`,
    {
      kind: 'not-found',
    },
  );
}

function invalid(reason: string): HullError {
  return new HullError(`Cannot exec: ${reason}`, { kind: 'invalid' });
}
