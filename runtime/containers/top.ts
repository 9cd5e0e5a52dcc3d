import { run } from '../base/command.ts';
import { HullError } from '../base/errors.ts';
import type { Container } from './container.ts';
import { cgroupOf, type Engine } from './engine.ts';
import { requireAlive } from './kill.ts';

export interface Top {
  readonly Titles: readonly string[];
  readonly Processes: readonly (readonly string[])[];
}

/** The container's processes as the host's ps shows them; `psArguments` has to leave a PID column. */
export async function topContainer(engine: Engine, container: Container, psArguments: string): Promise<Top> {
  requireAlive(container, 'list the processes of');
  const pids = new Set((await cgroupOf(engine, container).pids()).map(String));
  const { stdout } = await run('ps', psArguments.split(/\s+/).filter(Boolean));
  const [head = '', ...rows] = stdout.split('\n');
  const titles = head.split(/\s+/).filter(Boolean);
  const pidAt = titles.indexOf('PID');
  if (pidAt < 0) {
    throw new HullError(`Cannot list processes: found no PID column in the output of "ps ${psArguments}"`, {
      kind: 'invalid',
    });
  }
  const processes = rows
    .map((row) => splitRow(row, titles.length))
    .filter((columns) => pids.has(columns[pidAt] ?? ''));
  return { Titles: titles, Processes: processes };
}

/** The last column may hold spaces. */
function splitRow(row: string, columns: number): string[] {
  const words = row.trim().split(/\s+/);
  return [...words.slice(0, columns - 1), words.slice(columns - 1).join(' ')];
}
