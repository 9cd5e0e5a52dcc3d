import { basename, dirname } from 'node:path';
import { expect } from 'vitest';
import type { CellRun } from './cell-run.ts';
import { CellSession } from './cell-session.ts';

/** The scenario file that this worker is importing or running, and its area. */
export function scenarioFile(): { readonly area: string; readonly file: string } {
  const file = expect.getState().testPath;
  if (file === undefined) throw new Error('Cannot tell the scenario file: not inside a vitest worker');
  return { area: basename(dirname(file)), file };
}

/** The one session of this worker's cell: a worker lives for a cell, and so does its SSH connection. */
export function cellSession(run: CellRun): Promise<CellSession> {
  const open = sessions.get(run.socketDir) ?? CellSession.open(run);
  sessions.set(run.socketDir, open);
  return open;
}

const sessions = new Map<string, Promise<CellSession>>();
