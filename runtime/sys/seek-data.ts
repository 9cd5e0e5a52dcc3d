import { bindLibc, check } from './libc.ts';

const lseek = bindLibc<[number, number, number]>('int64_t lseek(int, int64_t, int)');
const seekData = 3;
const seekHole = 4;
const noData = 6; // ENXIO, the same on every architecture

/**
 * Where the first data at or behind `from` begin and end; undefined where only a hole is left, or the file ends. A file system
 * that knows no holes says that all is data. The descriptor's position is changed. lseek(2)
 */
export function nextData(
  fd: number,
  from: number,
): { readonly start: number; readonly end: number } | undefined {
  const outcome = lseek(fd, from, seekData);
  if (outcome.value === -1 && outcome.errno === noData) return undefined;
  const start = check(outcome, { syscall: 'lseek' });
  return { start, end: check(lseek(fd, start, seekHole), { syscall: 'lseek' }) };
}
