import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { EngineProgram } from '../engines/engine.ts';
import type { RunningHost } from '../hosts/host.ts';
import { cellName, type Job } from '../matrix/cell.ts';
import { guestNode } from '../provision/prepare-guest.ts';
import type { CellRun } from './cell-run.ts';
import type { MatrixOptions } from './run-matrix.ts';

/** What the worker of each cell of a host is given, by the cell's name, in the order of the plan. Makes their sockets' folders. */
export async function cellRuns(
  options: MatrixOptions,
  host: RunningHost,
  jobs: readonly Job[],
  programs: ReadonlyMap<string, EngineProgram>,
  imageFile: string,
): Promise<ReadonlyMap<string, CellRun>> {
  const { projectDir, cacheDir, runDir, reportDir, retries, repeat, seed } = options;
  const cells = new Map<string, CellRun>();
  for (const job of jobs) {
    const name = cellName(job.cell);
    const known = cells.get(name);
    const program = programs.get(job.cell.engine);
    if (program === undefined) throw new Error(`Cannot run ${name}: its engine is not installed`);
    const scenario = `${job.area}/${job.scenario}`;
    const socketDir = known?.socketDir ?? join(runDir, `s-${host.name}-${cells.size}`);
    await mkdir(socketDir, { recursive: true });
    cells.set(name, {
      projectDir,
      cacheDir,
      cell: job.cell,
      facts: host.facts,
      ssh: host.sshAddress,
      node: guestNode,
      program,
      scenarios: [...(known?.scenarios ?? []), scenario],
      repeat,
      seed,
      retries,
      imageFile,
      socketDir,
      reportDir,
    });
  }
  return cells;
}
