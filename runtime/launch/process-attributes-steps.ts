import { existsSync, readFileSync } from 'node:fs';
import { HullError } from '../base/errors.ts';
import type { Process, Scheduler, Spec } from '../base/oci.ts';
import { writeText } from './common-steps.ts';
import { named } from './constants.ts';
import { quote } from './mount-steps.ts';
import type { Cell } from './program.ts';
import { address, type ProgramBuilder } from './program-builder.ts';
import type { CgroupEntry } from './types.ts';

/** How the process is scheduled: while it still has the rights to ask for that. */
export function setScheduling(p: ProgramBuilder, { ioPriority, scheduler }: Process): void {
  if (ioPriority) {
    const number = pick('process.ioPriority.class', ioPriority.class, ioClasses);
    const { priority = 0 } = ioPriority;
    if (!Number.isInteger(priority) || priority < 0 || priority > 7)
      throw invalid(`Cannot set process.ioPriority: found priority ${priority}, wanted 0 to 7`);
    const value = named((number << 13) | priority, `${ioPriority.class}:${priority}`);
    p.call('ioprio_set', [named(1, 'IOPRIO_WHO_PROCESS'), 0, value], {
      what: `set the I/O priority to ${ioPriority.class}:${priority}`,
    });
  }
  if (scheduler) {
    const text = `sched_attr {${scheduler.policy}}`;
    p.call('sched_setattr', [0, address(p.bytes(text, schedulerAttributes(scheduler))), 0], {
      what: `set the scheduler to ${scheduler.policy}`,
    });
  }
}

/** personality(2); inherited through execve. */
export function setPersonality(p: ProgramBuilder, { linux }: Pick<Spec, 'linux'>): void {
  if (!linux.personality) return;
  const { domain, flags = [] } = linux.personality;
  if (flags.length > 0)
    throw new HullError(`Cannot set linux.personality: found flags ${flags.join(', ')}, hull has none`, {
      kind: 'unsupported',
    });
  const number = pick('linux.personality.domain', domain, { LINUX: 0, LINUX32: 8 });
  p.call('personality', [named(number, domain)], { what: `set the personality to ${domain}` });
}

/** What the security modules are to call the command, at its execve. `proc` is the host's /proc. */
export function setLabels(p: ProgramBuilder, { apparmorProfile, selinuxLabel }: Process, proc: Cell): void {
  if (apparmorProfile) {
    requireModule('AppArmor', `process.apparmorProfile ${quote(apparmorProfile)}`, hasApparmor());
    const own = existsSync('/proc/self/attr/apparmor/exec') ? 'apparmor/exec' : 'exec';
    writeText(p, proc, `thread-self/attr/${own}`, `exec ${apparmorProfile}`, {
      what: `choose the AppArmor profile ${quote(apparmorProfile)}`,
    });
  }
  if (selinuxLabel) {
    requireModule('SELinux', `process.selinuxLabel ${quote(selinuxLabel)}`, hasSelinux());
    writeText(p, proc, 'thread-self/attr/exec', selinuxLabel, {
      what: `choose the SELinux label ${quote(selinuxLabel)}`,
    });
  }
}

/** Parts of the specification that hull does not have: each is named before anything is started. */
export function refuseUnsupported({ linux }: Spec, { resctrl }: CgroupEntry): void {
  // Making the group is the caller's; the program enters it.
  if (linux.intelRdt && !resctrl)
    throw new HullError('Cannot use linux.intelRdt: found no group of resctrl to enter', {
      kind: 'unsupported',
    });
  if (!linux.mountLabel || !hasSelinux()) return;
  throw new HullError('Cannot use linux.mountLabel: hull sets no SELinux contexts on mounts', {
    kind: 'unsupported',
  });
}

function requireModule(name: string, wanted: string, present: boolean): void {
  if (present) return;
  throw new HullError(`Cannot use ${wanted}: ${name} is not enabled in this kernel`, { kind: 'unsupported' });
}

function hasApparmor(): boolean {
  const file = '/sys/module/apparmor/parameters/enabled';
  return existsSync(file) && readFileSync(file, 'utf8').startsWith('Y');
}

/** Where not, the kernel gives no file a label. */
export const hasSelinux = (): boolean => existsSync('/sys/fs/selinux/enforce');

/** linux/ioprio.h */
const ioClasses = { IOPRIO_CLASS_RT: 1, IOPRIO_CLASS_BE: 2, IOPRIO_CLASS_IDLE: 3 };

/** linux/sched.h */
const policies = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_ISO: 4,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
};
const schedulerFlags = {
  SCHED_FLAG_RESET_ON_FORK: 0x1,
  SCHED_FLAG_RECLAIM: 0x2,
  SCHED_FLAG_DL_OVERRUN: 0x4,
  SCHED_FLAG_KEEP_POLICY: 0x8,
  SCHED_FLAG_KEEP_PARAMS: 0x10,
  SCHED_FLAG_UTIL_CLAMP_MIN: 0x20,
  SCHED_FLAG_UTIL_CLAMP_MAX: 0x40,
};

/** struct sched_attr, in its first version (48 bytes). */
function schedulerAttributes(scheduler: Scheduler): Buffer {
  const { policy, flags = [], nice = 0, priority = 0, runtime = 0, deadline = 0, period = 0 } = scheduler;
  const bytes = Buffer.alloc(48);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt32LE(pick('process.scheduler.policy', policy, policies), 4);
  const all = flags.reduce((sum, flag) => sum | pick('process.scheduler.flags', flag, schedulerFlags), 0);
  bytes.writeBigUInt64LE(BigInt(all), 8);
  bytes.writeInt32LE(nice, 16);
  bytes.writeUInt32LE(priority, 20);
  for (const [index, time] of [runtime, deadline, period].entries())
    bytes.writeBigUInt64LE(BigInt(time), 24 + index * 8);
  return bytes;
}

function pick(field: string, found: string, table: Readonly<Record<string, number>>): number {
  const number = Object.hasOwn(table, found) ? table[found] : undefined;
  if (number !== undefined) return number;
  throw invalid(`Cannot set ${field}: found ${quote(found)}, wanted ${Object.keys(table).join(', ')}`);
}

function invalid(message: string): HullError {
  return new HullError(message, { kind: 'invalid' });
}
