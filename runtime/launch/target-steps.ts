import { dirname } from 'node:path/posix';
import { AT_FDCWD, MODE, named } from './constants.ts';
import type { BindSource } from './host-handles.ts';
import type { LinkedTargets } from './linked-target-steps.ts';
import { quote } from './mount-steps.ts';
import { address, at, type ProgramBuilder } from './program-builder.ts';

const passedOver = { EEXIST: 'next', EROFS: 'next', ENOENT: 'next' } as const;

/** mkdir -p; what is there already, or cannot be made on a read-only tree or behind a link to nothing, shows at the mount. */
export function makeFolders(p: ProgramBuilder, path: string): void {
  const parts = path.split('/').filter(Boolean);
  for (const index of parts.keys()) {
    const folder = `/${parts.slice(0, index + 1).join('/')}`;
    p.call('mkdirat', [AT_FDCWD, p.text(folder), 0o755], {
      what: `make folder ${quote(folder)}`,
      errors: passedOver,
    });
  }
}

/** The same, and what links in it lead to. */
export function makeFolderTarget(p: ProgramBuilder, linked: LinkedTargets, path: string): void {
  makeFolders(p, path);
  linked.complete(path);
}

/** A link at the place of /proc or /sys would have the masks of paths below it end elsewhere. */
export function requireFolder(p: ProgramBuilder, path: string): void {
  const status = p.buffer('statx', 256);
  const folder = p.label(`${path} is a folder`);
  const what = `mount at ${quote(path)} (it must be mounted on ordinary directory)`;
  const [type, noFollow] = [named(1, 'STATX_TYPE'), named(0x100, 'AT_SYMLINK_NOFOLLOW')];
  p.call('statx', [AT_FDCWD, p.text(path), noFollow, type, address(status)], { what });
  p.local(at(status, 28), { mask: 0xf000n, minus: MODE.DIR, zero: folder });
  const ENOTDIR = 20;
  p.call('exit_group', [1], { what, forcedErrno: ENOTDIR });
  p.place(folder);
}

/** A folder for a folder, an empty file for anything else; which of them it is, is known only at run time. */
export function makeTarget(
  p: ProgramBuilder,
  linked: LinkedTargets,
  source: BindSource,
  destination: string,
): void {
  const isFile = p.cell('source is no folder');
  const status = p.buffer('statx', 256);
  const folder = p.label(`${destination} is a folder`);
  const done = p.label(`${destination} is there`);
  makeFolders(p, dirname(destination));
  const type = named(1, 'STATX_TYPE');
  p.call('statx', [source.descriptor, p.text(''), named(0x1000, 'AT_EMPTY_PATH'), type, address(status)], {
    what: `look at the source of ${quote(destination)}`,
  });
  p.local(at(status, 28), { mask: 0xf000n, minus: MODE.DIR, result: isFile, zero: folder });
  p.call('mknodat', [AT_FDCWD, p.text(destination), named(MODE.FILE | 0o644, 'S_IFREG|0644'), 0], {
    what: `make file ${quote(destination)}`,
    errors: passedOver,
  });
  p.goto(done);
  p.place(folder);
  p.call('mkdirat', [AT_FDCWD, p.text(destination), 0o755], {
    what: `make folder ${quote(destination)}`,
    errors: passedOver,
  });
  p.place(done);
  linked.complete(destination, isFile);
}
