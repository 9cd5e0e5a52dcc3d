import { MS, parseMountOptions } from '../kernel/mount-options.ts';
import { AT_FDCWD, flagsOf, named, OPEN } from './constants.ts';
import { type MountCall, mountAt, mountFlags, quote } from './mount-steps.ts';
import { address, at, type ProgramBuilder } from './program-builder.ts';

/**
 * A tmpfs that begins with what the folder has (`tmpcopyup`): nothing is copied. The folder becomes the lower layer of an overlay
 * whose upper one is the tmpfs, so what is written costs memory and what is only read does not. The working folder is
 * /proc/self/fd, so layers are named by descriptors, and no link in the image can redirect them.
 */
export function mountCopyUp(
  p: ProgramBuilder,
  mount: MountCall,
  descriptors: readonly [lower: number, tmpfs: number],
): void {
  const place = quote(mount.target);
  const what = `mount "tmpfs" at ${place} with what is there`;
  const [lower, memory] = descriptors;
  const status = p.buffer('statx', 256);
  const open = (descriptor: number) => {
    const fd = p.cell('folder');
    p.call('openat', [AT_FDCWD, p.text(mount.target), flagsOf('O_', OPEN, ['PATH', 'CLOEXEC'])], {
      what,
      result: fd,
    });
    p.call('dup3', [fd, descriptor, flagsOf('O_', OPEN, ['CLOEXEC'])]);
    p.call('close', [fd]);
  };
  open(lower);
  const [emptyPath, basic] = [named(0x1000, 'AT_EMPTY_PATH'), named(0x7ff, 'STATX_BASIC_STATS')];
  p.call('statx', [lower, p.text(''), emptyPath, basic, address(status)], { what });
  mountAt(p, { ...mount, words: mount.words.filter((word) => word !== 'ro' && word !== 'tmpcopyup') });
  open(memory);
  for (const name of ['upper', 'work']) p.call('mkdirat', [memory, p.text(name), 0o755], { what });
  // The folder's own mode and owner, as the root of the mount has them.
  const [mode, uid, gid] = [p.cell('mode'), p.cell('uid'), p.cell('gid')];
  p.local(at(status, 28), { mask: 0o7777n, result: mode });
  p.local(at(status, 20), { mask: 0xffffffffn, result: uid });
  p.local(at(status, 24), { mask: 0xffffffffn, result: gid });
  p.call('fchownat', [memory, p.text('upper'), uid, gid, 0], { what });
  p.call('fchmodat', [memory, p.text('upper'), mode], { what });
  const layers = `lowerdir=${lower},upperdir=${memory}/upper,workdir=${memory}/work`;
  p.call(
    'mount',
    [p.text('tmpfs'), p.text(mount.target), p.text('overlay'), mountFlags(flagsFor(mount)), p.text(layers)],
    {
      what,
    },
  );
  for (const fd of descriptors) p.call('close', [fd]);
}

/** Of its options those that an overlay takes as well. */
function flagsFor({ words }: MountCall): number {
  return parseMountOptions(words).flags & (MS.RDONLY | MS.NOSUID | MS.NODEV | MS.NOEXEC);
}
