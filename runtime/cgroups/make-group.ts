import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { codeOf, HullError } from '../base/errors.ts';
import { ifGone, readValue, writeValue } from './files.ts';
import { checkMounted, type Hierarchy } from './hierarchies.ts';
import { occupantNames, occupants } from './occupants.ts';
import { ownParentMode } from './tree.ts';

/** Enabled for every group where the host has them, so that usage can be read; others only when a limit needs them. */
const accounted = ['memory', 'cpu', 'pids'];

/** Afterwards the group's folder is in the hierarchy, ready for limits and processes. */
export function makeGroup(hierarchy: Hierarchy, path: string, wanted: ReadonlySet<string>): void {
  checkMounted(hierarchy);
  for (let attempt = 1; ; attempt++) {
    try {
      makeFolders(hierarchy, path, wanted);
      return;
    } catch (error) {
      // The last container of the parent left at this moment and took the empty parent with it.
      if (codeOf(error) !== 'ENOENT' || attempt === 20) throw error;
    }
  }
}

/** Afterwards a v2 group that is there has these controllers as well; one that is gone stays so. */
export function enableControllers(hierarchy: Hierarchy, path: string, wanted: ReadonlySet<string>): void {
  if (hierarchy.version !== 2) return;
  ifGone(() => {
    for (const group of ancestry(path)) enable(join(hierarchy.root, dirname(group)), hierarchy, wanted);
  });
}

function makeFolders(hierarchy: Hierarchy, path: string, wanted: ReadonlySet<string>): void {
  for (const group of ancestry(path)) {
    const parent = join(hierarchy.root, dirname(group));
    if (hierarchy.version === 2) enable(parent, hierarchy, wanted);
    const made = makeFolder(join(hierarchy.root, group), group === path ? 0o755 : ownParentMode);
    if (hierarchy.version === 1) initialise(join(hierarchy.root, group), parent, hierarchy, made);
  }
}

/** `a`, `a/b`, `a/b/c`. */
function ancestry(path: string): readonly string[] {
  const names = path.split('/');
  return names.map((_, index) => names.slice(0, index + 1).join('/'));
}

function makeFolder(folder: string, mode: number): boolean {
  try {
    mkdirSync(folder, { mode });
    return true;
  } catch (cause) {
    const code = codeOf(cause) ?? '';
    if (code === 'EEXIST') return false;
    if (code === 'ENOENT') throw cause;
    throw new HullError(`Cannot make cgroup ${JSON.stringify(folder)}: ${reasons[code] ?? code}`, {
      kind: code === 'ENOSPC' || code === 'EAGAIN' ? 'exhausted' : 'unsupported',
      cause,
    });
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOSPC:
    'ENOSPC, the kernel has no further id for a group (65535 of memory), wanted fewer or dying ones to be gone',
  EAGAIN:
    'EAGAIN, cgroup.max.descendants or cgroup.max.depth of a group above is reached, wanted a higher one',
  EACCES: 'EACCES, wanted root or a delegated hierarchy',
  EROFS: 'EROFS, wanted the hierarchy mounted read-write',
};

/** Lets the groups below `parent` have the controllers (subtree_control), as far as `parent` has them itself. */
function enable(parent: string, { controllers }: Hierarchy, wanted: ReadonlySet<string>): void {
  const [has, enabled] = [words(parent, 'controllers'), words(parent, 'subtree_control')];
  const missing = [...new Set([...accounted, ...wanted])].filter(
    (name) => controllers.includes(name) && has.has(name) && !enabled.has(name),
  );
  if (missing.length === 0) return;
  // With processes inside, cpu and pids alone could be enabled, and nobody could enter the groups below any more (they are threaded then).
  const inside = occupants(parent);
  for (const name of missing) {
    const refused = inside.length > 0 ? { code: 'EBUSY', cause: undefined } : tryEnable(parent, name);
    if (!refused || !wanted.has(name)) continue;
    const { code, cause } = refused;
    const who = inside.length > 0 ? `: ${occupantNames(inside)}` : '';
    const reason =
      code === 'EBUSY'
        ? `EBUSY, as the group has processes of its own (no-internal-process rule)${who}; wanted it to have groups only`
        : `found ${code}`;
    throw new HullError(
      `Cannot enable cgroup controller ${JSON.stringify(name)} below ${JSON.stringify(parent)}: ${reason}`,
      { kind: code === 'EBUSY' ? 'busy' : 'unsupported', cause },
    );
  }
}

function tryEnable(
  parent: string,
  name: string,
): { readonly code: string; readonly cause: unknown } | undefined {
  try {
    writeValue(join(parent, 'cgroup.subtree_control'), `+${name}`);
    return undefined;
  } catch (cause) {
    return { code: codeOf(cause) ?? String(cause), cause };
  }
}

function words(folder: string, file: 'controllers' | 'subtree_control'): ReadonlySet<string> {
  return new Set(readValue(join(folder, `cgroup.${file}`))?.split(' '));
}

/** What a new v1 group needs before a process may enter it, or before limits reach the groups below. */
function initialise(folder: string, parent: string, { controllers }: Hierarchy, made: boolean): void {
  if (controllers.includes('cpuset')) {
    // New cpusets are empty, and entering one is ENOSPC. Copied also into groups found: a crash may have come in between.
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      if (!made && readValue(join(folder, file)) !== '') continue;
      writeValue(join(folder, file), readValue(join(parent, file)) ?? '');
    }
  }
  if (controllers.includes('memory') && made) {
    // Before Linux 5.11 limits do not reach groups below unless this is set while the group is still empty.
    const file = join(folder, 'memory.use_hierarchy');
    if (readValue(file) === '0') writeValue(file, '1');
  }
}
