import { MS, parseMountOptions } from '../kernel/mount-options.ts';
import { AT_FDCWD, named } from './constants.ts';
import { mountCopyUp } from './copy-up-steps.ts';
import { type MountCall, mountAt, quote, restrictMount } from './mount-steps.ts';
import { address, at, type ProgramBuilder } from './program-builder.ts';

/**
 * A tmpfs whose options say no mode has that of the folder that it covers, as with runc; the kernel's 1777 where there is none, and then there is
 * nothing to copy up either.
 */
export function mountTmpfs(
  p: ProgramBuilder,
  mount: MountCall,
  descriptors: readonly [number, number],
  makeTarget: () => void,
): void {
  const { copyUp, data } = parseMountOptions(mount.words);
  const words = mount.words.filter((word) => word !== 'tmpcopyup');
  if (/(^|,)mode=/.test(data) && !copyUp) {
    makeTarget();
    mountAt(p, mount);
    return;
  }
  const [absent, done] = [p.label(`no ${mount.target}`), p.label(`${mount.target} is a tmpfs`)];
  const status = p.buffer('statx', 256);
  const look = named(0x3, 'STATX_TYPE|STATX_MODE');
  p.call('statx', [AT_FDCWD, p.text(mount.target), 0, look, address(status)], {
    what: `look at ${quote(mount.target)}`,
    errors: absent,
  });
  if (copyUp) mountCopyUp(p, mount, descriptors);
  else {
    const mode = p.cell('mode');
    p.local(at(status, 28), { mask: 0o7777n, result: mode });
    mountAt(p, { ...mount, words: words.filter((word) => word !== 'ro') });
    p.call('fchmodat', [AT_FDCWD, p.text(mount.target), mode], {
      what: `give ${quote(mount.target)} the mode of the folder it covers`,
    });
    if (words.includes('ro')) restrictMount(p, mount.target, MS.RDONLY, quote(mount.target));
  }
  p.goto(done);
  p.place(absent);
  makeTarget();
  mountAt(p, { ...mount, words });
  p.place(done);
}
