import { HullError } from '../base/errors.ts';
import {
  type Attributes,
  type MountOptions,
  MS,
  mountAttributes,
  mountFlagsText,
  parseMountOptions,
} from '../kernel/mount-options.ts';
import type { MountSpec } from '../kernel/mount-spec.ts';
import { words } from './common-steps.ts';
import { AT_FDCWD, CLONE, flagsOf, named, OPEN } from './constants.ts';
import type { Arg, Cell, Label, Target } from './program.ts';
import { address, at, type ProgramBuilder } from './program-builder.ts';

/**
 * The folder that a private tmpfs is mounted over while a root is put together. It is there on every host, and no
 * source of a mount is below it.
 */
export const stagingRoot = '/sys';
export const stagedRoot = `${stagingRoot}/root`;

export const quote = (text: string): string => JSON.stringify(text);

/**
 * From the start of a private mount namespace to the root file system mounted on `stagedRoot`. The host's tree becomes a
 * slave: what is mounted here never shows there, and what is unmounted there goes here too.
 */
export function stageRoot(p: ProgramBuilder, mounts: readonly MountSpec[] | MountedRoot): void {
  keepMounts(p);
  // The tmpfs hides it.
  const sys = 'mountedAt' in mounts ? undefined : openSys(p, mounts);
  p.call('mount', [p.text('hull'), p.text(stagingRoot), p.text('tmpfs'), 0, p.text('mode=0700')], {
    what: 'mount a private tmpfs',
  });
  for (const name of ['root', 'old'])
    p.call('mkdirat', [AT_FDCWD, p.text(`${stagingRoot}/${name}`), 0o700], {
      what: `make staging folder ${name}`,
    });
  if ('mountedAt' in mounts) {
    p.call('mount', [p.text(mounts.mountedAt), p.text(stagedRoot), 0, mountFlags(MS.MOVE), 0], {
      what: 'move the root below it',
    });
    return;
  }
  mountRoot(p, mounts, stagedRoot, sys);
}

/** A root that is mounted already, at a path of this mount namespace. */
export interface MountedRoot {
  readonly mountedAt: string;
}

function keepMounts(p: ProgramBuilder): void {
  p.call('mount', [0, p.text('/'), 0, mountFlags(MS.REC | MS.SLAVE), 0], {
    what: 'keep mounts from reaching the host',
  });
}

/**
 * Whether the root has to be mounted before the container's cgroup is entered: mounting a block device is an access that its
 * device rules deny.
 */
export function needsEarlyMount(mounts: readonly MountSpec[]): boolean {
  return mounts.some(({ type, source }) => type !== 'bind' && source.startsWith('/dev/'));
}

/**
 * Mounts the root at a folder of a mount namespace made for it, where whoever is cloned next finds a copy of it. Answers what goes
 * back to the namespace from before: nothing stays mounted for its sake.
 */
export function mountRootEarly(p: ProgramBuilder, mounts: readonly MountSpec[], folder: string): () => void {
  const before = p.cell('mount namespace');
  p.call('openat', [AT_FDCWD, p.text('/proc/self/ns/mnt'), flagsOf('O_', OPEN, ['RDONLY', 'CLOEXEC'])], {
    what: 'open the mount namespace',
    result: before,
  });
  p.call('unshare', [newMountNamespace], { what: 'make a mount namespace for the root' });
  keepMounts(p);
  mountRoot(p, mounts, folder, openSys(p, mounts));
  return () => {
    p.call('setns', [before, newMountNamespace], { what: 'go back to the mount namespace' });
    p.call('close', [before]);
  };
}

function openSys(p: ProgramBuilder, mounts: readonly MountSpec[]): Cell | undefined {
  if (!mounts.some(({ tuning = [] }) => tuning.length > 0)) return undefined;
  const sys = p.cell('/sys');
  p.call('openat', [AT_FDCWD, p.text('/sys'), flagsOf('O_', OPEN, ['PATH', 'CLOEXEC'])], {
    what: 'open /sys',
    result: sys,
  });
  return sys;
}

function mountRoot(p: ProgramBuilder, mounts: readonly MountSpec[], folder: string, sys?: Cell): void {
  if (mounts.length === 0) throw new HullError('Cannot mount a root: found no mounts', { kind: 'invalid' });
  for (const mount of mounts) {
    if (mount.target !== '')
      throw new HullError(
        `Cannot mount the root: found target ${quote(mount.target)} from the storage driver, wanted ''`,
        { kind: 'unsupported' },
      );
    rootMount(p, mount, folder);
    if (sys) for (const { file, value } of mount.tuning ?? []) writeTuning(p, sys, file, value);
  }
  if (sys) p.call('close', [sys]);
}

/** An older kernel may lack the file, and /sys may be for reading only: then nothing is written. */
function writeTuning(p: ProgramBuilder, sys: Cell, file: string, value: string): void {
  const fd = p.cell(file);
  const done = p.label(`after ${file}`);
  p.call('openat', [sys, p.text(file), flagsOf('O_', OPEN, ['WRONLY', 'CLOEXEC'])], {
    what: `open /sys/${file}`,
    result: fd,
    errors: { ENOENT: done, EROFS: done },
  });
  p.call('write', [fd, p.text(value), value.length], { what: `write ${quote(value)} to /sys/${file}` });
  p.call('close', [fd]);
  p.place(done);
}

function rootMount(p: ProgramBuilder, { type, source, options, cwd }: MountSpec, folder: string): void {
  if (cwd !== undefined) p.call('chdir', [p.text(cwd)], { what: `enter ${quote(cwd)}` });
  const bind = type === 'bind' ? ['bind'] : [];
  mountAt(p, {
    type,
    source: p.text(source),
    sourceText: source,
    words: [...bind, ...options],
    target: folder,
    targetText: '/',
  });
}

export interface MountCall {
  readonly type: string;
  readonly source: Arg;
  readonly sourceText: string;
  readonly words: readonly string[];
  readonly target: string;
  /** As the messages name it; default: the target. */
  readonly targetText?: string;
}

/**
 * One mount(2) with everything that must follow it: flags of a bind mount, attributes of the tree, propagation. `instead` may mount
 * in another way, and then goes to its label.
 */
export function mountAt(p: ProgramBuilder, mount: MountCall, instead?: (mounted: Label) => void): void {
  const options = parseMountOptions(mount.words);
  const { flags, data } = options;
  const place = quote(mount.targetText ?? mount.target);
  const pageSize = 4096;
  if (Buffer.byteLength(data) >= pageSize)
    throw new HullError(
      `Cannot mount ${quote(mount.type)} at ${place}: found ${Buffer.byteLength(data)} bytes of options, wanted fewer than ${pageSize}`,
      { kind: 'invalid', hint: 'Use shorter names below a common working folder (cwd).' },
    );
  const bind = (flags & MS.BIND) !== 0;
  const target = p.text(mount.target);
  const mounted = p.label(`${place} mounted`);
  instead?.(mounted);
  p.call(
    'mount',
    bind
      ? [mount.source, target, 0, mountFlags(flags & (MS.BIND | MS.REC)), 0]
      : [mount.source, target, p.text(mount.type), mountFlags(flags), data === '' ? 0 : p.text(data)],
    { what: `mount ${quote(bind ? mount.sourceText : mount.type)} at ${place}` },
  );
  p.place(mounted);
  afterMount(p, mount.target, place, options, bind);
}

/** What a mount at a path still lacks of its options. */
export function afterMount(
  p: ProgramBuilder,
  target: string,
  place: string,
  { flags, cleared, recursive, propagation }: MountOptions,
  isBind: boolean,
): void {
  if (isBind) restrictMount(p, target, flags & ~(MS.BIND | MS.REC), place, { cleared });
  if (recursive.set !== 0 || recursive.clear !== 0) {
    const attributes = attributesOf(p, recursive);
    p.call(
      'mount_setattr',
      [AT_FDCWD, p.text(target), named(0x8000, 'AT_RECURSIVE'), address(attributes), 32],
      {
        what: `restrict ${place} with all that is mounted in it (Linux 5.12)`,
      },
    );
  }
  for (const change of propagation) setPropagation(p, target, change, place);
}

export function setPropagation(p: ProgramBuilder, target: string, change: number, place: string): void {
  p.call('mount', [0, p.text(target), 0, mountFlags(change), 0], { what: `set the propagation of ${place}` });
}

/**
 * Adds flags (ro, nosuid …) to the mount at a path, and takes off those that are `cleared`. mount_setattr(2), since 5.12, leaves the
 * others alone. Before it a remount says all that shall hold: the flags that statfs(2) shows are repeated, as those of a mount that came
 * into a user namespace may not be dropped.
 */
export function restrictMount(
  p: ProgramBuilder,
  target: string,
  flags: number,
  place: string,
  options: { readonly cleared?: number; readonly missing?: Target } = {},
): void {
  const cleared = options.cleared ?? 0;
  const change = mountAttributes(flags, cleared);
  if (change.set === 0 && change.clear === 0) return;
  const done = p.label(`${place} restricted`);
  const what = `restrict ${place} to ${mountFlagsText(flags)}`;
  const missing = options.missing ? { ENOENT: options.missing } : {};
  p.call('mount_setattr', [AT_FDCWD, p.text(target), 0, address(attributesOf(p, change)), 32], {
    what,
    errors: { ...missing, other: 'next' },
    zero: done,
  });
  const status = p.buffer('statfs', 120);
  const all = p.cell('remount flags');
  const wanted = MS.REMOUNT | MS.BIND | flags;
  const kept = (MS.RDONLY | MS.NOSUID | MS.NODEV | MS.NOEXEC) & ~flags & ~cleared;
  p.call('statfs', [p.text(target), address(status)], {
    what: `look at the flags of ${place}`,
    errors: missing,
  });
  p.local(at(status, 80), { mask: BigInt(kept), minus: -wanted, result: all });
  p.call('mount', [0, p.text(target), 0, all, 0], { what, errors: missing });
  p.place(done);
}

/** struct mount_attr. */
export function attributesOf(p: ProgramBuilder, { set, clear }: Attributes, userns?: Cell) {
  const text = `mount_attr {set: 0x${set.toString(16)}, clear: 0x${clear.toString(16)}}`;
  const attributes = words(p, text, [set, clear, 0, 0]);
  if (userns) p.copy(userns, at(attributes, 24));
  return attributes;
}

export function mountFlags(flags: number): Arg {
  return named(flags, mountFlagsText(flags));
}

export const newMountNamespace = named(CLONE.NEWNS, 'CLONE_NEWNS');
