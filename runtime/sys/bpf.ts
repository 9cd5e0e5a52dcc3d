import { constants } from 'node:os';
import koffi from 'koffi';
import { SystemError } from '../base/errors.ts';
import { bindLibc, check, type Outcome } from './libc.ts';

const bpfCall = bindLibc<[number, number, Uint8Array, number]>(
  'long syscall(long, int, void *, unsigned int)',
);
const prlimit = bindLibc<[number, number, Uint8Array | null, Uint8Array | null]>(
  'int prlimit(int, int, const void *, void *)',
);

// linux/bpf.h, the same on every architecture; only the number of the call is not.
const numbers: Readonly<Record<string, number>> = { x64: 321, arm64: 280 };
const PROG_LOAD = 5;
const PROG_ATTACH = 8;
const PROG_DETACH = 9;
const PROG_GET_FD_BY_ID = 13;
const PROG_QUERY = 16;
const PROG_TYPE_CGROUP_DEVICE = 15;
const CGROUP_DEVICE = 6;
const F_ALLOW_MULTI = 2;
const F_REPLACE = 4;
const attributeSize = 128;

/** Loads a device program and answers its descriptor (close-on-exec). The kernel's own reason is in the error. bpf(2) */
export function loadDeviceProgram(instructions: Uint8Array): number {
  const license = Buffer.from('Apache-2.0\0'.padEnd(128, '\0'));
  const log = Buffer.alloc(65_536);
  const load = (logged: boolean) =>
    bpf(PROG_LOAD, (attributes) => {
      attributes.writeUInt32LE(PROG_TYPE_CGROUP_DEVICE, 0);
      attributes.writeUInt32LE(instructions.byteLength / 8, 4);
      attributes.writeBigUInt64LE(koffi.address(instructions), 8);
      attributes.writeBigUInt64LE(koffi.address(license), 16);
      if (!logged) return;
      attributes.writeUInt32LE(1, 24);
      attributes.writeUInt32LE(log.length, 28);
      attributes.writeBigUInt64LE(koffi.address(log), 32);
    });
  try {
    return load(false);
  } catch (first) {
    if (!(first instanceof SystemError)) throw first;
    // Before Linux 5.11 programs count as locked memory, of which a daemon may have little (and the answer is EPERM).
    if (first.code === 'EPERM') return withLockedMemory(() => load(false));
    if (first.code !== 'EINVAL' && first.code !== 'EACCES') throw first;
    try {
      return load(true);
    } catch {
      const reason = log.subarray(0, log.indexOf(0)).toString('utf8').trim();
      throw new SystemError(
        { errno: -first.errno, syscall: 'bpf', op: `load a device program${reason && ` (${reason})`}` },
        first,
      );
    }
  }
}

/** Ids of the device programs that are attached to this very group. */
export function queryDevicePrograms(group: number): readonly number[] {
  const ids = Buffer.alloc(64 * 4); // the kernel lets 64 be attached
  let count = 0;
  bpf(PROG_QUERY, (attributes) => {
    attributes.writeUInt32LE(group, 0);
    attributes.writeUInt32LE(CGROUP_DEVICE, 4);
    attributes.writeBigUInt64LE(koffi.address(ids), 16);
    attributes.writeUInt32LE(64, 24);
    return () => {
      count = attributes.readUInt32LE(24);
    };
  });
  return Array.from({ length: count }, (_, index) => ids.readUInt32LE(index * 4));
}

/** The descriptor of a loaded program. ENOENT where it is gone. */
export function openProgram(id: number): number {
  return bpf(PROG_GET_FD_BY_ID, (attributes) => {
    attributes.writeUInt32LE(id, 0);
  });
}

/** Attaches beside what is there or, at once, in place of one (Linux 5.6; EINVAL before). */
export function attachDeviceProgram(group: number, program: number, insteadOf?: number): void {
  bpf(PROG_ATTACH, (attributes) => {
    attributes.writeUInt32LE(group, 0);
    attributes.writeUInt32LE(program, 4);
    attributes.writeUInt32LE(CGROUP_DEVICE, 8);
    attributes.writeUInt32LE(F_ALLOW_MULTI | (insteadOf === undefined ? 0 : F_REPLACE), 12);
    attributes.writeUInt32LE(insteadOf ?? 0, 16);
  });
}

export function detachDeviceProgram(group: number, program: number): void {
  bpf(PROG_DETACH, (attributes) => {
    attributes.writeUInt32LE(group, 0);
    attributes.writeUInt32LE(program, 4);
    attributes.writeUInt32LE(CGROUP_DEVICE, 8);
  });
}

/** One bpf(2); `fill` writes union bpf_attr and may answer what reads it afterwards. */
function bpf(command: number, fill: (attributes: Buffer) => (() => void) | undefined): number {
  const number = numbers[process.arch];
  const op = `${names[command]} for cgroup devices`;
  if (number === undefined) throw new SystemError({ errno: constants.errno.ENOSYS, syscall: 'bpf', op });
  const attributes = Buffer.alloc(attributeSize);
  const read = fill(attributes);
  let outcome = bpfCall(number, command, attributes, attributeSize);
  // The verifier gives up for any signal, a garbage collector's among them; it is asked again, as libbpf does.
  for (let attempt = 1; isInterrupted(outcome) && attempt < 50; attempt++) {
    outcome = bpfCall(number, command, attributes, attributeSize);
  }
  const value = check(outcome, { syscall: 'bpf', op });
  read?.();
  return value;
}

const isInterrupted = ({ value, errno }: Outcome): boolean =>
  value === -1 && errno === constants.errno.EAGAIN;

const names: Readonly<Record<number, string>> = {
  [PROG_LOAD]: 'load a BPF program',
  [PROG_ATTACH]: 'attach a BPF program',
  [PROG_DETACH]: 'detach a BPF program',
  [PROG_GET_FD_BY_ID]: 'open a BPF program',
  [PROG_QUERY]: 'list BPF programs',
};

const RLIMIT_MEMLOCK = 8;

/** Lifts the limit on locked memory meanwhile: children, a container among them, must not inherit the lifted one. prlimit(2) */
function withLockedMemory<T>(action: () => T): T {
  const before = Buffer.alloc(16);
  const unlimited = Buffer.alloc(16, 0xff);
  check(prlimit(0, RLIMIT_MEMLOCK, unlimited, before), { syscall: 'prlimit', op: 'lift RLIMIT_MEMLOCK' });
  try {
    return action();
  } finally {
    check(prlimit(0, RLIMIT_MEMLOCK, before, null), { syscall: 'prlimit', op: 'restore RLIMIT_MEMLOCK' });
  }
}
