import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { lstat, mkdir, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identityOf } from '../harness/hosts/owners.ts';

/**
 * The folder of one run of the tests or of the bench. Its name says whose it is, so whatever a killed run left is found
 * without a record: `seatrial-bench-<pid>-<start>`.
 */
export interface RunRoot {
  readonly label: string;
  readonly folder: string;
}

type RunKind = 'bench' | 'test';

export async function makeRunRoot(kind: RunKind): Promise<RunRoot> {
  const identity = identityOf(process.pid);
  if (!identity) throw new Error(`Cannot name this ${kind}: /proc does not show this process`);
  const label = `seatrial-${kind}-${process.pid}-${identity.startTicks}`;
  const folder = join(tmpdir(), label);
  await mkdir(folder, { mode: 0o711 });
  return { label, folder };
}

/** Where a hull daemon of that name keeps its lasting state; its cgroup is named after this path. */
export function hullDataRoot(root: string, name: string): string {
  return join(root, `hull-${name}`, 'data');
}

/** Removes what runs that are dead left. Answers their labels. */
export async function reapDeadRuns(kind: RunKind): Promise<readonly string[]> {
  const reaped: string[] = [];
  const labels = new RegExp(`^seatrial-${kind}-(\\d+)-(\\d+)$`);
  for (const label of await readdir(tmpdir())) {
    const [, pid, start] = labels.exec(label) ?? [];
    if (pid === undefined || identityOf(Number(pid))?.startTicks === start) continue;
    const folder = join(tmpdir(), label);
    const found = await lstat(folder).catch(() => undefined);
    // Anybody may make a folder of such a name in a shared place.
    if (!found?.isDirectory() || found.uid !== process.getuid?.()) continue;
    await removeRunRoot({ label, folder });
    reaped.push(label);
  }
  return reaped;
}

/** Afterwards the cgroups, their processes and the folder are gone. Mounts and namespaces went with the run's first process. */
export async function removeRunRoot(root: RunRoot): Promise<void> {
  await thawRun(root);
  for (const cgroup of await cgroupsOfRun(root)) await removeCgroups(cgroup);
  await rm(root.folder, { recursive: true, force: true, maxRetries: 10 });
}

/**
 * The run's cgroups, in every hierarchy; read before its folder is removed. They are those named by the run's label, those of hull
 * daemons with a data root in a folder of the run, and those of OCI containers, whose ids begin as such a folder ends.
 */
export async function cgroupsOfRun({ label, folder }: RunRoot): Promise<readonly string[]> {
  const inside = await readdir(folder).catch(() => []);
  const daemons = new Set(inside.map((name) => hullCgroup(join(folder, name, 'data'))));
  const beginnings = inside
    .filter((name) => name.startsWith('hull-oci-'))
    .map((name) => `${name.slice(-6)}-`);
  const isOurs = (name: string) =>
    name.includes(label) || daemons.has(name) || beginnings.some((beginning) => name.startsWith(beginning));
  return cgroupHierarchies().flatMap((hierarchy) =>
    (readFolders(hierarchy) ?? []).filter(isOurs).map((name) => join(hierarchy, name)),
  );
}

/** hull names its cgroup so that two daemons never share one. */
function hullCgroup(dataRoot: string): string {
  return `hull-${createHash('sha256').update(dataRoot).digest('hex').slice(0, 8)}`;
}

function cgroupHierarchies(): readonly string[] {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  return mounts.flatMap((line) => {
    const [, target, type] = line.split(' ');
    return target !== undefined && (type === 'cgroup' || type === 'cgroup2') ? [target] : [];
  });
}

/** Nothing of the run is frozen afterwards. What was killed while it was ends only then (cgroup v1), and with it the run's pid namespace. */
export async function thawRun(root: RunRoot): Promise<void> {
  for (const cgroup of await cgroupsOfRun(root)) await thaw(cgroup);
}

async function thaw(folder: string): Promise<void> {
  for (const [file, thawed] of [
    ['freezer.state', 'THAWED'],
    ['cgroup.freeze', '0'],
  ] as const) {
    // Neither is in every hierarchy, and the group may be gone.
    await writeFile(join(folder, file), thawed, { flag: 'r+' }).catch(() => undefined);
  }
  for (const child of readFolders(folder) ?? []) await thaw(join(folder, child));
}

/** Deepest first. A process that was just killed keeps its cgroup busy for a moment. */
async function removeCgroups(folder: string): Promise<void> {
  const children = readFolders(folder);
  if (children === undefined) return;
  for (const child of children) await removeCgroups(join(folder, child));
  for (let tries = 0; tries < 100; tries += 1) {
    const pids = (await readFile(join(folder, 'cgroup.procs'), 'utf8').catch(() => '')).split('\n');
    for (const pid of pids) if (Number(pid) > 0) killIfThere(Number(pid));
    const removed = await rmdir(folder).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
    );
    if (removed) return;
    await sleep(20);
  }
  throw new Error(`Cannot remove the cgroup ${folder}: still busy after 2 s`);
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

function readFolders(folder: string): readonly string[] | undefined {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch {
    return undefined;
  }
}
