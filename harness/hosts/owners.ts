import { readdirSync, readFileSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readCached, writeCached } from './cache.ts';

/**
 * Who made what. A record is written before the thing is made and removed after the thing is gone, so whatever a dead
 * harness left is found by its label, and nothing else is ever touched.
 */
export interface OwnerRecord {
  /** In the command line of every process that was started: `-name <label>`. */
  readonly label: string;
  readonly harness: ProcessIdentity;
  /** Files and folders that go with it. */
  readonly paths: readonly string[];
}

/** A pid alone is used again; with its start time and the boot it is one process for ever. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTicks: string;
  readonly bootId: string;
}

export async function recordOwner(cacheDir: string, label: string, paths: readonly string[]): Promise<void> {
  const harness = identityOf(process.pid);
  if (!harness) throw new Error('Cannot record an owner: /proc does not show this process');
  await writeCached(recordPath(cacheDir, label), { label, harness, paths } satisfies OwnerRecord);
}

export async function forgetOwner(cacheDir: string, label: string): Promise<void> {
  await rm(recordPath(cacheDir, label), { force: true });
}

/** Ends and removes what dead harnesses left. Answers it in words. */
export async function reapOwners(cacheDir: string): Promise<readonly string[]> {
  const removed: string[] = [];
  const names = await readdir(join(cacheDir, 'owners')).catch(() => []);
  for (const name of names) {
    if (!name.endsWith('.json')) continue;
    const path = join(cacheDir, 'owners', name);
    const record = await readCached<OwnerRecord>(path);
    if (!record || isAlive(record.harness)) continue;
    for (const pid of processesLabelled(record.label)) {
      process.kill(pid, 'SIGKILL');
      removed.push(`process ${pid} (${record.label})`);
    }
    for (const left of record.paths) {
      const existed = await rm(left, { recursive: true }).then(
        () => true,
        () => false,
      );
      if (existed) removed.push(left);
    }
    await rm(path, { force: true });
  }
  return removed;
}

/** Processes whose command line has the words `-name <label>`. */
export function processesLabelled(label: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const words = readOrEmpty(`/proc/${pid}/cmdline`).split('\0');
      const at = words.indexOf('-name');
      return at > 0 && words[at + 1] === label;
    });
}

export function isAlive(identity: ProcessIdentity): boolean {
  const now = identityOf(identity.pid);
  return now?.startTicks === identity.startTicks && now.bootId === identity.bootId;
}

export function identityOf(pid: number): ProcessIdentity | undefined {
  // proc_pid_stat(5): field 22, counted behind the command name, which may hold spaces and parentheses.
  const stat = readOrEmpty(`/proc/${pid}/stat`);
  const startTicks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  const bootId = readOrEmpty('/proc/sys/kernel/random/boot_id').trim();
  return startTicks ? { pid, startTicks, bootId } : undefined;
}

export async function readOwners(cacheDir: string): Promise<readonly OwnerRecord[]> {
  const names = await readdir(join(cacheDir, 'owners')).catch(() => []);
  const texts = await Promise.all(
    names.map((name) => readFile(join(cacheDir, 'owners', name), 'utf8').catch(() => '')),
  );
  return texts.filter((text) => text !== '').map((text) => JSON.parse(text) as OwnerRecord);
}

function recordPath(cacheDir: string, label: string): string {
  return join(cacheDir, 'owners', `${label}.json`);
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
