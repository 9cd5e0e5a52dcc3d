import { closeSync } from 'node:fs';
import { HullError } from '../base/errors.ts';
import { bindLibc, check } from './libc.ts';

const socket = bindLibc<[number, number, number]>('int socket(int, int, int)');
const connect = bindLibc<[number, Uint8Array, number]>('int connect(int, const void *, unsigned int)');

/** A connected stream socket, close-on-exec, that blocks. unix(7), connect(2) */
export function connectUnix(path: string): number {
  const name = Buffer.from(path);
  if (name.length > 107)
    throw new HullError(`Cannot connect to ${JSON.stringify(path)}: wanted a path of at most 107 bytes`, {
      kind: 'invalid',
    });
  const [unix, stream, closeOnExec] = [1, 1, 0o2000000];
  const fd = check(socket(unix, stream | closeOnExec, 0), { syscall: 'socket' });
  const address = Buffer.alloc(110);
  address.writeUInt16LE(unix, 0);
  name.copy(address, 2);
  try {
    check(connect(fd, address, 2 + name.length + 1), { syscall: 'connect', path });
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return fd;
}
