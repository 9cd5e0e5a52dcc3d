import { readFile } from 'node:fs/promises';
import { codeOf } from '../base/errors.ts';

/** Whether the pid still belongs to the process that was started then, and not to a later one or a zombie's heir. */
export async function isSameProcess(process: {
  readonly pid: number;
  readonly startTicks: string;
}): Promise<boolean> {
  const found = await readStat(process.pid);
  return found !== undefined && found.startTicks === process.startTicks && found.state !== 'Z';
}

/** Fields of /proc/<pid>/stat (proc_pid_stat(5)), or undefined where there is no such process. */
export async function readStat(
  pid: number,
): Promise<{ readonly state: string; readonly parent: number; readonly startTicks: string } | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The command name before the last parenthesis may contain anything.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const [state = '', parent = '0'] = fields;
    return { state, parent: Number(parent), startTicks: fields[19] ?? '' };
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return undefined;
    throw error;
  }
}

/** kill(2); a process that has just gone is no error. */
export function sendSignal(pid: number, signal: number): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (codeOf(error) !== 'ESRCH') throw error;
  }
}
