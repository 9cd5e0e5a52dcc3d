import { readFile } from 'node:fs/promises';
import { codeOf } from '../base/errors.ts';

/** SIGKILL; a process that is gone already is fine. */
export function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}

/** `4711 (sleep, state D, freezer /frozen)` for error texts: who it is and what it may hang in. */
export async function describeProcess(pid: number): Promise<string> {
  try {
    const [stat, groups] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile(`/proc/${pid}/cgroup`, 'utf8'),
    ]);
    // proc_pid_stat(5): the name is in parentheses and may hold any character, so look from the end.
    const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
    const state = stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
    const freezer = groups.split('\n').find((line) => line.split(':')[1] === 'freezer');
    const place = freezer ? `, freezer ${freezer.split(':')[2]}` : '';
    return `${pid} (${name}, state ${state}${place})`;
  } catch {
    return `${pid} (gone while looking)`;
  }
}

export async function describeProcesses(pids: readonly number[]): Promise<string> {
  const shown = await Promise.all(pids.slice(0, 10).map(describeProcess));
  return [...shown, ...(pids.length > 10 ? [`and ${pids.length - 10} more`] : [])].join(', ');
}
