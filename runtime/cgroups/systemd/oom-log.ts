import { readlinkSync } from 'node:fs';
import { KernelLog } from '../../kernel/kernel-log.ts';
import type { RunMark } from '../cgroup.ts';

export interface Kill {
  /** As the kernel numbers processes in its first namespace. */
  readonly pid: number;
  /** The cgroup it was in: `/system.slice/hull-1a2b.scope`; undefined where that line was left out. */
  readonly group: string | undefined;
}

/** More than a kernel's log holds. */
const remembered = 4096;

/**
 * Whom the OOM killer has killed, by the kernel's log: a scope's own count is gone with it, as soon as its last process is. The kernel says each kill twice,
 * with the victim's group and without; the first it leaves out where there are many (ten in five seconds).
 */
export class OomLog {
  readonly #kills: (Kill & { readonly at: number })[] = [];
  #log: KernelLog | undefined | 'not opened' = 'not opened';
  #last = -1;

  /** All that is said from now on is after it. Undefined where the log cannot be read. */
  mark(): number | undefined {
    return this.#read() ? this.#last : undefined;
  }

  /** Whether it has struck in the unit in this run; without a mark it is known only of the run's first process. */
  struck(unit: string, { at, pid }: RunMark): boolean {
    if (!this.#read()) return false;
    return this.#kills.some((kill) => {
      if (at !== undefined && kill.at <= at) return false;
      if (kill.group === undefined) return kill.pid === pid && isInFirstPidNamespace();
      return kill.group.split('/').includes(unit) && (at !== undefined || kill.pid === pid);
    });
  }

  #read(): boolean {
    if (this.#log === 'not opened') this.#log = KernelLog.open();
    if (!this.#log) return false;
    for (const { sequence, text } of this.#log.read()) {
      this.#last = sequence;
      const kill = parseKill(text);
      if (kill) this.#kills.push({ ...kill, at: sequence });
    }
    this.#kills.splice(0, this.#kills.length - remembered);
    return true;
  }
}

/** mm/oom_kill.c: `oom-kill:constraint=…,task_memcg=<group>,task=<name>,pid=<pid>,uid=<uid>`, and `… Killed process <pid> (<name>) …`. Pure. */
export function parseKill(text: string): Kill | undefined {
  // A group's name may hold anything, also a comma.
  const [, group, victim] = /task_memcg=(\/.*),task=.*,pid=(\d+),uid=\d+$/.exec(text) ?? [];
  if (victim !== undefined) return { group, pid: Number(victim) };
  const [, pid] = /\bKilled process (\d+) \(/.exec(text) ?? [];
  return pid === undefined ? undefined : { group: undefined, pid: Number(pid) };
}

/** Elsewhere processes have other numbers than in the log. */
function isInFirstPidNamespace(): boolean {
  // PROC_PID_INIT_INO of the kernel.
  return readlinkSync('/proc/self/ns/pid') === `pid:[${0xeffffffc}]`;
}
