import { closeSync, constants, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { errnoName } from '../base/errors.ts';
import { bindLibc, check } from './libc.ts';

const socket = bindLibc<[number, number, number]>('int socket(int, int, int)');
const bind = bindLibc<[number, Uint8Array, number]>('int bind(int, const void *, unsigned int)');
const recv = bindLibc<[number, Uint8Array, number, number]>('long recv(int, void *, unsigned long, int)');
const sendto = bindLibc<[number, Uint8Array, number, number, Uint8Array, number]>(
  'long sendto(int, const void *, unsigned long, int, const void *, unsigned int)',
);

const unix = 1;

/** A datagram socket at a path of any length, close-on-exec, that never blocks. unix(7) */
export function bindDatagram(path: string): number {
  const folder = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  const fd = openDatagram();
  try {
    const [address, size] = addressOf(`/proc/self/fd/${folder}/${basename(path)}`);
    check(bind(fd, address, size), { syscall: 'bind', path });
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  } finally {
    closeSync(folder);
  }
}

/** recv(2): undefined where nothing has come. */
export function receiveDatagram(fd: number): Buffer | undefined {
  const data = Buffer.alloc(4096);
  const outcome = recv(fd, data, data.length, 0);
  if (outcome.value === -1 && errnoName(outcome.errno) === 'EAGAIN') return undefined;
  return data.subarray(0, check(outcome, { syscall: 'recv' }));
}

/** sendto(2), one datagram each; a path with `@` before it is an abstract name. */
export function sendDatagrams(path: string, messages: readonly string[]): void {
  const fd = openDatagram();
  try {
    const [address, size] = addressOf(path);
    for (const message of messages) {
      const data = Buffer.from(message);
      check(sendto(fd, data, data.length, 0, address, size), { syscall: 'sendto', path });
    }
  } finally {
    closeSync(fd);
  }
}

function openDatagram(): number {
  const [datagram, nonBlocking, closeOnExec] = [2, 0o4000, 0o2000000];
  return check(socket(unix, datagram | nonBlocking | closeOnExec, 0), { syscall: 'socket' });
}

/** A struct sockaddr_un and how much of it counts: with the NUL behind a path, without one behind an abstract name. */
function addressOf(path: string): readonly [address: Buffer, size: number] {
  const isAbstract = path.startsWith('@');
  const name = Buffer.from(isAbstract ? `\0${path.slice(1)}` : `${path}\0`);
  const address = Buffer.alloc(Math.max(110, 2 + name.length));
  address.writeUInt16LE(unix, 0);
  name.copy(address, 2);
  return [address, 2 + name.length];
}
