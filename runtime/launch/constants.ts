import type { Named } from './program.ts';

/** Numbers of the kernel's interface that both architectures share (linux/*.h); O_DIRECTORY, O_NOFOLLOW and O_DIRECT are not among them. */
export const AT_FDCWD: Named = { kind: 'named', value: -100, text: 'AT_FDCWD' };
export const CLONE = {
  NEWTIME: 0x80,
  NEWNS: 0x20000,
  NEWCGROUP: 0x2000000,
  NEWUTS: 0x4000000,
  NEWIPC: 0x8000000,
  NEWUSER: 0x10000000,
  NEWPID: 0x20000000,
  NEWNET: 0x40000000,
} as const;
export const OPEN = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0o100,
  EXCL: 0o200,
  TRUNC: 0o1000,
  NOCTTY: 0o400,
  NONBLOCK: 0o4000,
  CLOEXEC: 0o2000000,
  PATH: 0o10000000,
} as const;
export const MODE = { FIFO: 0o10000, CHAR: 0o20000, DIR: 0o40000, BLOCK: 0o60000, FILE: 0o100000 } as const;
/** For move_mount(2): what the descriptor is goes where links of the target lead, as with mount(2). */
export const MOVE_MOUNT: Named = {
  kind: 'named',
  value: 0x14,
  text: 'MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_SYMLINKS',
};
export const SIGCHLD = 17;
export const SIGKILL = 9;
export const PRCTL = {
  SET_PDEATHSIG: 1,
  SET_DUMPABLE: 4,
  SET_KEEPCAPS: 8,
  CAPBSET_DROP: 24,
  SET_NO_NEW_PRIVS: 38,
  CAP_AMBIENT: 47,
} as const;

/** A number and its words: `flags({ MS_BIND: 4096 })` → `MS_BIND`. */
export function named(value: number | bigint, text: string): Named {
  return { kind: 'named', value, text };
}

/** Flags by their names in a table: `flagsOf('O_', OPEN, ['WRONLY', 'CREAT'])`. */
export function flagsOf<Table extends Readonly<Record<string, number>>>(
  prefix: string,
  table: Table,
  names: readonly (keyof Table & string)[],
): Named {
  const value = names.reduce((sum, name) => sum | (table[name] ?? 0), 0);
  return named(value >>> 0, names.map((name) => prefix + name).join('|') || '0');
}
