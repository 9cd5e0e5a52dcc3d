import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { HostBroken, RunningHost } from '../hosts/host.ts';
import type { Job } from '../matrix/cell.ts';
import { evidenceDir } from './evidence.ts';

const consoleBytes = 16 * 1024;

/** The console's end after a failed job, into the job's evidence. Answers its path in the report; undefined where there is none. */
export function saveJobConsole(reportDir: string, job: Job, host: RunningHost): Promise<string | undefined> {
  return save(reportDir, evidenceDir(reportDir, job), () => host.console(consoleBytes));
}

/** The console's end of a host that broke; of one that never ran, what its error has of it. Answers as saveJobConsole. */
export function saveHostConsole(
  reportDir: string,
  name: string,
  broken: HostBroken,
  host: RunningHost | undefined,
): Promise<string | undefined> {
  const text = async () => broken.consoleTail || (await host?.console(consoleBytes)) || '';
  return save(reportDir, join(reportDir, 'evidence', name), text);
}

/** Evidence never adds a failure: what cannot be had is left out. */
async function save(
  reportDir: string,
  folder: string,
  content: () => Promise<string>,
): Promise<string | undefined> {
  const file = join(folder, 'console.log');
  try {
    const text = await content();
    if (text === '') return undefined;
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
    return relative(reportDir, file);
  } catch {
    return undefined;
  }
}
