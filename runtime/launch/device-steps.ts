import { dirname } from 'node:path/posix';
import type { Device } from '../base/oci.ts';
import { MS } from '../kernel/mount-options.ts';
import { AT_FDCWD, MODE, named } from './constants.ts';
import type { HostHandles } from './host-handles.ts';
import { mountFlags, quote } from './mount-steps.ts';
import type { ProgramBuilder } from './program-builder.ts';
import { makeFolders } from './target-steps.ts';

export const defaultDevices = {
  '/dev/null': [1, 3],
  '/dev/zero': [1, 5],
  '/dev/full': [1, 7],
  '/dev/random': [1, 8],
  '/dev/urandom': [1, 9],
  '/dev/tty': [5, 0],
} as const;

/** What every container finds in /dev (config-linux.md, "Default Devices"). */
export function fillDev(p: ProgramBuilder, host: HostHandles): void {
  for (const [path, [major, minor]] of Object.entries(defaultDevices))
    makeDevice(p, { type: 'c', path, major, minor, fileMode: 0o666 }, host);
  const links = {
    fd: '/proc/self/fd',
    stdin: '/proc/self/fd/0',
    stdout: '/proc/self/fd/1',
    stderr: '/proc/self/fd/2',
    ptmx: 'pts/ptmx',
  };
  for (const [name, target] of Object.entries(links))
    p.call('symlinkat', [p.text(target), AT_FDCWD, p.text(`/dev/${name}`)], {
      what: `link ${quote(`/dev/${name}`)} to ${quote(target)}`,
      errors: { EEXIST: 'next' },
    });
}

export function makeDevice(p: ProgramBuilder, device: Device, host: HostHandles): void {
  const bound = host.devices.get(device.path);
  if (bound !== undefined) {
    const file = named(MODE.FILE | 0o644, 'S_IFREG|0644');
    makeFolders(p, dirname(device.path));
    p.call('mknodat', [AT_FDCWD, p.text(device.path), file, 0], {
      what: `make file ${quote(device.path)}`,
      errors: { EEXIST: 'next' },
    });
    p.call('mount', [p.text(String(bound)), p.text(device.path), 0, mountFlags(MS.BIND), 0], {
      what: `bind device ${quote(device.path)}`,
    });
    return;
  }
  const { uid = 0, gid = 0 } = device;
  const { mode, number } = nodeOf(device);
  makeFolders(p, dirname(device.path));
  p.call('mknodat', [AT_FDCWD, p.text(device.path), mode, number], {
    what: `make device ${quote(device.path)}`,
    errors: { EEXIST: 'next' },
  });
  if (uid !== 0 || gid !== 0)
    p.call('fchownat', [AT_FDCWD, p.text(device.path), uid, gid, 0], {
      what: `give device ${quote(device.path)} to ${uid}:${gid}`,
    });
}

/** For mknod(2). */
export function nodeOf({ type, major = 0, minor = 0, fileMode = 0o666 }: Device) {
  const bits = fileMode & 0o7777;
  const kind = type === 'b' ? MODE.BLOCK : type === 'p' ? MODE.FIFO : MODE.CHAR;
  const number = (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12);
  return {
    mode: named(kind | bits, `${type}|0${bits.toString(8)}`),
    number: named(number >>> 0, `makedev(${major}, ${minor})`),
  };
}
