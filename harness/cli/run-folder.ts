import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A run's folder below the cache, with a note of who owns it. Disposing removes it. */
export interface RunFolder extends AsyncDisposable {
  readonly path: string;
}

export async function createRunFolder(cacheDir: string, runId: string): Promise<RunFolder> {
  const path = join(cacheDir, 'runs', runId);
  await mkdir(path, { recursive: true, mode: 0o700 });
  await writeFile(
    join(path, 'owner.json'),
    JSON.stringify({ pid: process.pid, startTicks: await startTicks(process.pid) }),
  );
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

/** Removes the folders of runs whose harness is gone; afterwards only those of living ones are there. Answers what was removed. */
export async function reapRuns(cacheDir: string): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const name of await readdir(join(cacheDir, 'runs')).catch(() => [])) {
    const path = join(cacheDir, 'runs', name);
    if (await isOwned(path)) continue;
    await rm(path, { recursive: true, force: true });
    removed.push(path);
  }
  return removed;
}

/** A folder without a note is younger than its note, or somebody else's: not ours to remove. */
async function isOwned(path: string): Promise<boolean> {
  const note = await readFile(join(path, 'owner.json'), 'utf8').catch(() => undefined);
  if (note === undefined) return true;
  try {
    const owner: unknown = JSON.parse(note);
    if (owner === null || typeof owner !== 'object' || !('pid' in owner) || !('startTicks' in owner))
      return false;
    return (await startTicks(Number(owner.pid))) === owner.startTicks;
  } catch {
    return false;
  }
}

/** Field 22 of /proc/<pid>/stat: with the pid it names one process for as long as the machine runs. */
async function startTicks(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}
