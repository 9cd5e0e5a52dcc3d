import { rm } from 'node:fs/promises';
import { codeOf, HullError } from '../base/errors.ts';
import { keptPrograms } from './kept-programs.ts';
import { LaunchError } from './launch-error.ts';
import type { PreparedProgram } from './program-cache.ts';
import { recordDescriptor } from './records.ts';
import { runFiles } from './run-dir.ts';
import { reap, startProgram } from './spawn.ts';
import type { LaunchedProcess, LaunchRequest } from './types.ts';
import { waitForMonitor } from './watch-exit.ts';

/**
 * Starts a container: its monitor and its first process. Resolves when the command has been executed; LaunchError
 * names the step that failed, and then nothing is left.
 *
 * @param prepare makes the cgroups of version 1, and files that are mounted, while the program is on its way; what it throws is the start's error
 */
export async function launch(
  request: LaunchRequest,
  prepare?: () => Promise<unknown>,
): Promise<LaunchedProcess> {
  if (!prepare) return await startContainer(keptPrograms.forContainer(request), request);
  const late: LaunchRequest = { ...request, cgroup: { ...request.cgroup, readyDescriptor } };
  return await startContainer(keptPrograms.forContainer(late), late, prepare);
}

/** `launch` with a program that is compiled already; the failure sweep changes single steps of it. */
export async function startContainer(
  program: PreparedProgram,
  request: Pick<LaunchRequest, 'id' | 'runDir'>,
  prepare?: () => Promise<unknown>,
): Promise<LaunchedProcess> {
  const { pid: monitorPid, records } = await startProgram(program, {
    name: `hull-monitor ${request.id}`,
    wanted: 'alive',
    ...(prepare && { meanwhile: { descriptor: readyDescriptor, finish: prepare } }),
  }).catch(async (error: unknown) => {
    await removeRunFiles(request.runDir, error);
    throw error;
  });
  const first = records.find((record) => record.kind === 'pid');
  const alive = records.find((record) => record.kind === 'alive');
  if (!first || !alive) {
    // The monitor was killed before the first process had asked to go with it.
    if (alive) kill(alive.pid);
    kill(monitorPid);
    await reap(monitorPid);
    await removeRunFiles(request.runDir);
    throw new HullError(`Cannot start ${request.id}: its monitor was lost while it started`, {
      kind: 'internal',
    });
  }
  // The monitor is our child until we die: whoever waits for the exit, its status is taken here.
  // Not before the caller has gone on.
  setImmediate(() => {
    void waitForMonitor(request.runDir, { background: true })
      .then(() => reap(monitorPid))
      .catch(() => {});
  });
  return { pid: first.pid, monitorPid, startTicks: alive.startTicks };
}

/** Behind the record pipe's. */
const readyDescriptor = recordDescriptor + 1;

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}

/** A lock that another monitor holds means that the files are that one's. */
async function removeRunFiles(runDir: string, error?: unknown): Promise<void> {
  if (error instanceof LaunchError && error.step.syscall === 'flock') return;
  for (const path of Object.values(runFiles(runDir))) await rm(path, { force: true });
}
