import { bindLibc, check } from './libc.ts';

const renameat2 = bindLibc<[number, string, number, string, number]>(
  'int renameat2(int, const char *, int, const char *, unsigned int)',
);

const atFdcwd = -100;
const renameExchange = 2;

/** renameat2(2), RENAME_EXCHANGE: afterwards, at once, either name is of the other's file. False where the file system cannot. */
export function exchangeNames(one: string, other: string): boolean {
  const outcome = renameat2(atFdcwd, one, atFdcwd, other, renameExchange);
  if (outcome.errno === einval || outcome.errno === enosys) return false;
  check(outcome, { syscall: 'renameat2', path: one, dest: other });
  return true;
}

const einval = 22;
const enosys = 38;
