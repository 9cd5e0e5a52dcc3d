import { basename, dirname } from 'node:path/posix';
import { HullError } from '../base/errors.ts';
import type { Process } from '../base/oci.ts';
import { AT_FDCWD, flagsOf, MODE, named, OPEN } from './constants.ts';
import { mountFlags, quote } from './mount-steps.ts';
import type { Cell, Target } from './program.ts';
import { address, at, type ProgramBuilder } from './program-builder.ts';
import { windowSize } from './window-size.ts';

/** Fixed descriptors, above the record pipe's: the slave is named by it as the source of /dev/console. */
export const slaveDescriptor = (p: ProgramBuilder): number => p.recordDescriptor + 94;
export const masterDescriptor = (p: ProgramBuilder): number => p.recordDescriptor + 95;

/**
 * Opens a new pseudo-terminal of the container's own devpts (pty(7), ioctl_tty(2)), makes it our controlling terminal and our
 * three streams. The master stays open as `masterDescriptor`. We lead a session already.
 */
export function openTerminal(p: ProgramBuilder, process: Process): void {
  const master = p.cell('master');
  const slave = p.cell('slave');
  const path = '/dev/ptmx';
  p.call('openat', [AT_FDCWD, p.text(path), flagsOf('O_', OPEN, ['RDWR', 'CLOEXEC', 'NOCTTY'])], {
    what: 'open a terminal ("/dev/ptmx")',
    result: master,
  });
  const unlocked = p.buffer('unlocked', 8);
  p.call('ioctl', [master, named(0x40045431, 'TIOCSPTLCK'), address(unlocked)], {
    what: 'unlock the terminal',
  });
  const readWrite = flagsOf('O_', OPEN, ['RDWR', 'CLOEXEC', 'NOCTTY']);
  p.call('ioctl', [master, named(0x5441, 'TIOCGPTPEER'), readWrite], {
    what: "open the terminal's slave",
    result: slave,
  });
  moveTo(p, master, masterDescriptor(p));
  moveTo(p, slave, slaveDescriptor(p));
  const { consoleSize, user } = process;
  if (consoleSize && (consoleSize.height > 0 || consoleSize.width > 0)) {
    const size = windowSize(consoleSize);
    const text = `winsize {${consoleSize.height}, ${consoleSize.width}}`;
    p.call('ioctl', [slaveDescriptor(p), named(0x5414, 'TIOCSWINSZ'), address(p.bytes(text, size))], {
      what: 'set the size of the terminal',
    });
  }
  // The group stays devpts's gid= option's.
  p.call('fchown', [slaveDescriptor(p), user.uid, -1], {
    what: `give the terminal to user ${user.uid}`,
    errors: 'next',
  });
  for (const fd of [0, 1, 2])
    p.call('dup3', [slaveDescriptor(p), fd, 0], { what: `make the terminal descriptor ${fd}` });
  p.call('ioctl', [0, named(0x540e, 'TIOCSCTTY'), 0], { what: 'make it the controlling terminal' });
}

/** The slave as /dev/console (config-linux.md, "Default Devices"); the working folder is the host's /proc/self/fd. */
export function mountConsole(p: ProgramBuilder): void {
  const console = '/dev/console';
  p.call('mknodat', [AT_FDCWD, p.text(console), named(MODE.FILE | 0o600, 'S_IFREG|0600'), 0], {
    what: `make file ${quote(console)}`,
    errors: { EEXIST: 'next', EROFS: 'next' },
  });
  p.call('mount', [p.text(String(slaveDescriptor(p))), p.text(console), 0, mountFlags(4096), 0], {
    what: `mount the terminal at ${quote(console)}`,
  });
}

function moveTo(p: ProgramBuilder, fd: Cell, descriptor: number): void {
  p.call('dup3', [fd, descriptor, flagsOf('O_', OPEN, ['CLOEXEC'])]);
  p.call('close', [fd]);
}

/** Connects to a unix socket of the host. By its folder: sun_path takes 107 bytes. unix(7) */
export function connectConsoleSocket(p: ProgramBuilder, path: string): Cell {
  const name = basename(path);
  if (Buffer.byteLength(name) > 107)
    throw new HullError(`Cannot connect to ${quote(path)}: wanted a name of at most 107 bytes`, {
      kind: 'invalid',
    });
  const what = `connect to console socket ${quote(path)}`;
  const socket = p.cell('console socket');
  p.call('socket', [named(1, 'AF_UNIX'), named(0o2000001, 'SOCK_STREAM|SOCK_CLOEXEC'), 0], {
    what,
    result: socket,
  });
  const sun = Buffer.alloc(110);
  sun.writeUInt16LE(1, 0);
  sun.write(name, 2);
  p.call('chdir', [p.text(dirname(path))], { what });
  p.call(
    'connect',
    [socket, address(p.bytes(`sockaddr_un {${quote(name)}}`, sun)), 2 + Buffer.byteLength(name) + 1],
    { what },
  );
  p.call('chdir', [p.text('/')]);
  return socket;
}

/** Sends a descriptor over a unix socket: SCM_RIGHTS, the data is the terminal's name as runc has it. cmsg(3) */
export function sendDescriptor(p: ProgramBuilder, socket: Cell | number, descriptor: number): void {
  const control = p.bytes('cmsghdr {SCM_RIGHTS}', controlMessage(descriptor));
  const text = '/dev/ptmx';
  const data = p.linked('iovec', lengthAt(16, 8, text.length), [{ offset: 0, to: p.text(text) }]);
  const message = Buffer.alloc(56);
  message.writeBigUInt64LE(1n, 24);
  message.writeBigUInt64LE(20n, 40);
  const header = p.linked('msghdr', message, [
    { offset: 16, to: address(data) },
    { offset: 32, to: address(control) },
  ]);
  p.call('sendmsg', [socket, address(header), named(0x4000, 'MSG_NOSIGNAL')], {
    what: "hand on the terminal's master",
  });
}

function controlMessage(descriptor: number): Buffer {
  const bytes = Buffer.alloc(24);
  bytes.writeBigUInt64LE(20n, 0);
  bytes.writeInt32LE(1, 8);
  bytes.writeInt32LE(1, 12);
  bytes.writeInt32LE(descriptor, 16);
  return bytes;
}

function lengthAt(size: number, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(size);
  bytes.writeBigUInt64LE(BigInt(length), offset);
  return bytes;
}

/** Waits for a descriptor. `ended`: the other side has closed without sending one. */
export function receiveDescriptor(
  p: ProgramBuilder,
  socket: Cell,
  what: string,
  ended: Target = 'next',
): Cell {
  const control = p.buffer('received cmsghdr', 24);
  const data = p.buffer('received data', 16);
  const vector = p.linked('iovec', lengthAt(16, 8, 16), [{ offset: 0, to: address(data) }]);
  const message = Buffer.alloc(56);
  message.writeBigUInt64LE(1n, 24);
  message.writeBigUInt64LE(24n, 40);
  const header = p.linked('msghdr', message, [
    { offset: 16, to: address(vector) },
    { offset: 32, to: address(control) },
  ]);
  p.call('recvmsg', [socket, address(header), named(0x40000000, 'MSG_CMSG_CLOEXEC')], {
    what,
    zero: ended,
  });
  const fd = p.cell('received descriptor');
  p.local(at(control, 16), { mask: 0xffffffffn, result: fd });
  return fd;
}
