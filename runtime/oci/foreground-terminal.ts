import { masterOf } from '../launch/terminal-descriptors.ts';
import { takeDescriptor } from '../sys/pidfd.ts';

/** The master of the terminal that a first process opened and keeps until it starts; `record` is its record descriptor. */
export function openMaster(pid: number, record: number): number {
  return takeDescriptor(pid, masterOf(record));
}
