import { closeSync, openSync, readFileSync } from 'node:fs';
import { codeOf, HullError } from '../base/errors.ts';
import { parseStartTicks } from './records.ts';
import type { ExecRequest } from './types.ts';

/**
 * A descriptor of /proc/<pid>, checked to be the process that is meant: it never comes to mean another one. Kind `conflict` where
 * that one has ended; `action` is for the message, as "run a command in".
 */
export function openTarget({ pid, startTicks }: ExecRequest['target'], action: string): number {
  const gone = (cause?: unknown) =>
    new HullError(`Cannot ${action} process ${pid}: it has ended`, { kind: 'conflict', cause });
  let fd: number;
  try {
    fd = openSync(`/proc/${pid}`, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') throw gone(error);
    throw error;
  }
  try {
    const found = parseStartTicks(readFileSync(`/proc/self/fd/${fd}/stat`, 'latin1'));
    if (found !== startTicks) throw gone();
    return fd;
  } catch (error) {
    closeSync(fd);
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') throw gone(error);
    throw error;
  }
}
