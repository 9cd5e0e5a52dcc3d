import { HullError } from '../base/errors.ts';
import { MS, mountAttributes, mountFlagsText, parseMountOptions } from '../kernel/mount-options.ts';
import type { MountSpec } from '../kernel/mount-spec.ts';
import { words } from './common-steps.ts';
import { AT_FDCWD, CLONE, named } from './constants.ts';
import type { Arg, Target } from './program.ts';
import { address, type ProgramBuilder } from './program-builder.ts';

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
export function stageRoot(p: ProgramBuilder, mounts: readonly MountSpec[]): void {
  p.call('mount', [0, p.text('/'), 0, mountFlags(MS.REC | MS.SLAVE), 0], {
    what: 'keep mounts from reaching the host',
  });
  p.call('mount', [p.text('hull'), p.text(stagingRoot), p.text('tmpfs'), 0, p.text('mode=0700')], {
    what: 'mount a private tmpfs',
  });
  for (const name of ['root', 'old'])
    p.call('mkdirat', [AT_FDCWD, p.text(`${stagingRoot}/${name}`), 0o700], {
      what: `make staging folder ${name}`,
    });
  if (mounts.length === 0) throw new HullError('Cannot mount a root: found no mounts', { kind: 'invalid' });
  for (const mount of mounts) {
    if (mount.target !== '')
      throw new HullError(
        `Cannot mount the root: found target ${quote(mount.target)} from the storage driver, wanted ''`,
        { kind: 'unsupported' },
      );
    rootMount(p, mount);
  }
}

function rootMount(p: ProgramBuilder, { type, source, options, cwd }: MountSpec): void {
  if (cwd !== undefined) p.call('chdir', [p.text(cwd)], { what: `enter ${quote(cwd)}` });
  const bind = type === 'bind' ? ['bind'] : [];
  mountAt(p, {
    type,
    source: p.text(source),
    sourceText: source,
    words: [...bind, ...options],
    target: stagedRoot,
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

/** One mount(2) with everything that must follow it: flags of a bind mount, propagation. */
export function mountAt(p: ProgramBuilder, mount: MountCall): void {
  const { flags, propagation, data } = parseMountOptions(mount.words);
  const place = quote(mount.targetText ?? mount.target);
  const pageSize = 4096;
  if (Buffer.byteLength(data) >= pageSize)
    throw new HullError(
      `Cannot mount ${quote(mount.type)} at ${place}: found ${Buffer.byteLength(data)} bytes of options, wanted fewer than ${pageSize}`,
      { kind: 'invalid', hint: 'Use shorter names below a common working folder (cwd).' },
    );
  const bind = (flags & MS.BIND) !== 0;
  const target = p.text(mount.target);
  p.call(
    'mount',
    bind
      ? [mount.source, target, 0, mountFlags(flags & (MS.BIND | MS.REC)), 0]
      : [mount.source, target, p.text(mount.type), mountFlags(flags), data === '' ? 0 : p.text(data)],
    { what: `mount ${quote(bind ? mount.sourceText : mount.type)} at ${place}` },
  );
  if (bind) restrictMount(p, mount.target, flags & ~(MS.BIND | MS.REC), place);
  for (const change of propagation)
    p.call('mount', [0, target, 0, mountFlags(change), 0], { what: `set the propagation of ${place}` });
}

/**
 * Adds flags (ro, nosuid …) to the mount at a path. mount_setattr(2), since 5.12, leaves the others alone; before it,
 * a remount says all that shall hold, so `kept` names what must not be lost.
 */
export function restrictMount(
  p: ProgramBuilder,
  target: string,
  flags: number,
  place: string,
  options: { readonly kept?: number; readonly missing?: Target } = {},
): void {
  if (flags === 0) return;
  const { set, clear } = mountAttributes(flags);
  const attributes = words(p, `mount_attr {set: 0x${set.toString(16)}, clear: 0x${clear.toString(16)}}`, [
    set,
    clear,
    0,
    0,
  ]);
  const done = p.label(`${place} restricted`);
  const what = `restrict ${place} to ${mountFlagsText(flags)}`;
  const missing = options.missing ? { ENOENT: options.missing } : {};
  p.call('mount_setattr', [AT_FDCWD, p.text(target), 0, address(attributes), 32], {
    what,
    errors: { ...missing, other: 'next' },
    zero: done,
  });
  const all = MS.REMOUNT | MS.BIND | flags | (options.kept ?? 0);
  p.call('mount', [0, p.text(target), 0, mountFlags(all), 0], { what, errors: { ...missing } });
  p.place(done);
}

export function mountFlags(flags: number): Arg {
  return named(flags, mountFlagsText(flags));
}

export const newMountNamespace = named(CLONE.NEWNS, 'CLONE_NEWNS');
