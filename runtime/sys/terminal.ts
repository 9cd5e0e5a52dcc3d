import { bindLibc, check } from './libc.ts';

const ioctl = bindLibc<[number, number, Uint8Array]>('int ioctl(int, unsigned long, void *)');
const setWindowSize = 0x5414;
const setNonBlocking = 0x5421;

/** ioctl_tty(2) TIOCSWINSZ. */
export function resizeTerminal(fd: number, rows: number, columns: number): void {
  const size = Buffer.alloc(8);
  size.writeUInt16LE(rows, 0);
  size.writeUInt16LE(columns, 2);
  check(ioctl(fd, setWindowSize, size), { syscall: 'ioctl', op: 'set the size of a terminal' });
}

/** ioctl_tty(2) FIONBIO, of the open file: whoever else has it has it so too. */
export function stopBlocking(fd: number): void {
  const yes = Buffer.alloc(4);
  yes.writeInt32LE(1);
  check(ioctl(fd, setNonBlocking, yes), { syscall: 'ioctl', op: `make descriptor ${fd} non-blocking` });
}
