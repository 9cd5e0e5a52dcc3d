import { rm } from 'node:fs/promises';
import { HullError } from '../base/errors.ts';
import { compileContainer } from './compile-container.ts';
import { runFiles } from './run-dir.ts';
import { reap, startProgram } from './spawn.ts';
import type { LaunchedProcess, LaunchRequest } from './types.ts';
import { waitForMonitor } from './watch-exit.ts';

/**
 * Starts a container: its monitor and its first process. Resolves when the command has been executed; LaunchError
 * names the step that failed, and then nothing is left.
 */
export async function launch(request: LaunchRequest): Promise<LaunchedProcess> {
  const program = compileContainer(request);
  const { pid: monitorPid, records } = await startProgram(program, {
    name: `hull-monitor ${request.id}`,
    wanted: 'alive',
  }).catch(async (error: unknown) => {
    await removeRunFiles(request.runDir, error);
    throw error;
  });
  const first = records.find((record) => record.kind === 'pid');
  const alive = records.find((record) => record.kind === 'alive');
  if (!first || !alive) {
    process.kill(monitorPid, 'SIGKILL');
    await reap(monitorPid);
    throw new HullError(`Cannot start ${request.id}: its monitor did not name the first process`, {
      kind: 'internal',
    });
  }
  // The monitor is our child until we die: whoever waits for the exit, its status is taken here.
  void waitForMonitor(request.runDir, { background: true })
    .then(() => reap(monitorPid))
    .catch(() => {});
  return { pid: first.pid, monitorPid, startTicks: alive.startTicks };
}

/** A lock that another monitor holds means that the files are that one's. */
async function removeRunFiles(runDir: string, error: unknown): Promise<void> {
  if (error instanceof Error && 'step' in error && (error.step as { syscall?: string }).syscall === 'flock')
    return;
  const files = runFiles(runDir);
  for (const path of Object.values(files)) await rm(path, { force: true });
}
