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

/** The one session of this worker's cell: a worker lives for a cell, and so does its SSH connection. A lost one is opened anew. */
export async function cellSession(run: CellRun): Promise<CellSession> {
  const known = await sessions.get(run.socketDir)?.catch(() => undefined);
  if (known !== undefined && !known.ssh.lost.aborted) return known;
  const opened = CellSession.open(run);
  sessions.set(run.socketDir, opened);
  return opened;
}

const sessions = new Map<string, Promise<CellSession>>();
