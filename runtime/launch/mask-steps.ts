import { MS } from '../kernel/mount-options.ts';
import { AT_FDCWD, MODE, named } from './constants.ts';
import { nullDescriptor } from './host-handles.ts';
import { mountFlags, quote, restrictMount } from './mount-steps.ts';
import { address, at, type ProgramBuilder } from './program-builder.ts';

/** A file is covered by the host's /dev/null (never the image's), a folder by an empty tmpfs. */
export function maskPath(p: ProgramBuilder, path: string): void {
  const done = p.label(`${path} masked`);
  const folder = p.label(`${path} is a folder`);
  const what = `mask ${quote(path)}`;
  // Not by the error of the mount: one that fails after it was made has the kernel wait for all readers (RCU).
  const status = p.buffer('statx', 256);
  p.call('statx', [AT_FDCWD, p.text(path), 0, named(1, 'STATX_TYPE'), address(status)], {
    what: `look at ${quote(path)}`,
    errors: { ENOENT: done, other: 'next' },
  });
  p.local(at(status, 28), { mask: 0xf000n, minus: MODE.DIR, zero: folder });
  p.call('mount', [p.text(String(nullDescriptor(p))), p.text(path), 0, mountFlags(MS.BIND), 0], {
    what,
    errors: { ENOENT: done, ENOTDIR: folder },
    zero: done,
  });
  p.place(folder);
  p.call('mount', [p.text('tmpfs'), p.text(path), p.text('tmpfs'), mountFlags(MS.RDONLY), 0], {
    what,
  });
  p.place(done);
}

export function makeReadonly(p: ProgramBuilder, path: string): void {
  const done = p.label(`${path} read-only`);
  const target = p.text(path);
  p.call('mount', [target, target, 0, mountFlags(MS.BIND | MS.REC), 0], {
    what: `bind ${quote(path)} to itself`,
    errors: { ENOENT: done },
  });
  restrictMount(p, path, MS.RDONLY, quote(path));
  p.place(done);
}
