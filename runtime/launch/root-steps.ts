import { HullError } from '../base/errors.ts';
import { MS, parseMountOptions } from '../kernel/mount-options.ts';
import { sysctlFile } from './check-sysctls.ts';
import { writeText } from './common-steps.ts';
import { named } from './constants.ts';
import { fillDev, makeDevice } from './device-steps.ts';
import { type HostHandles, isBind, openPath } from './host-handles.ts';
import { makeReadonly, maskPath } from './mask-steps.ts';
import {
  type MountedRoot,
  mountFlags,
  quote,
  restrictMount,
  setPropagation,
  stagedRoot,
  stageRoot,
  stagingRoot,
} from './mount-steps.ts';
import type { Cell } from './program.ts';
import type { ProgramBuilder } from './program-builder.ts';
import { specMount } from './spec-mount-steps.ts';
import { makeFolders } from './target-steps.ts';
import type { LaunchRequest } from './types.ts';

/**
 * # The root, in the order that must hold
 *
 * 1. Everything of the host that is needed later is opened, as descriptors: sources of bind mounts, /proc, /dev/null.
 * 2. The root is mounted below a private tmpfs, the *staging* root; pivot_root makes that tmpfs `/`, with the container's
 *    root as `/root` and the host's as `/old`. chroot to `/root`: from here on a path of the image, with all its links and
 *    dots, cannot lead out of the container.
 * 3. Mounts, devices, masked paths. Bind sources are named by descriptor: the host's own `/proc/self/fd` is the
 *    working folder, and the source is a number in it.
 * 4. Back to the staging root, pivot_root again into the container's, and the staging root is detached with
 *    the host's tree in it.
 */
export type RootRequest = Pick<LaunchRequest, 'spec' | 'cgroup' | 'noPivot'> & {
  readonly rootMounts: LaunchRequest['rootMounts'] | MountedRoot;
};

/** Steps 2 to 4 of the order above. */
export function buildRoot(
  p: ProgramBuilder,
  request: RootRequest,
  host: HostHandles,
  { inRoot }: { readonly inRoot?: (() => void) | undefined } = {},
): void {
  const { spec } = request;
  p.call('umask', [0]);
  stageRoot(p, request.rootMounts);
  const outside = request.noPivot ? '/' : stagingRoot;
  const staging = openPath(p, 'staging', outside, `open ${quote(outside)}`);
  if (!request.noPivot)
    p.call('pivot_root', [p.text(stagingRoot), p.text(`${stagingRoot}/old`)], {
      what: 'make the staging root "/"',
    });
  const confined = request.noPivot ? stagedRoot : '/root';
  p.call('chroot', [p.text(confined)], { what: 'confine paths to the root' });
  p.call('fchdir', [host.descriptors], { what: 'enter /proc/self/fd of the host' });

  for (const mount of spec.mounts ?? []) specMount(p, mount, host);
  if ((spec.mounts ?? []).some((mount) => mount.destination === '/dev' && !isBind(mount))) fillDev(p, host);
  for (const device of spec.linux.devices ?? []) makeDevice(p, device, host);
  for (const [name, value] of Object.entries(spec.linux.sysctl ?? {}))
    writeText(p, host.proc, `sys/${sysctlFile(name)}`, value, {
      what: `set sysctl ${name} to ${value}`,
    });
  inRoot?.();
  for (const path of spec.linux.maskedPaths ?? []) maskPath(p, path);
  for (const path of spec.linux.readonlyPaths ?? []) makeReadonly(p, path);
  makeFolders(p, spec.process.cwd);

  if (request.noPivot) moveRoot(p, staging);
  else pivotInto(p, staging);
  p.call('chdir', [p.text('/')], { what: 'enter "/"' });
  if (spec.root.readonly) restrictMount(p, '/', MS.RDONLY, '"/"');
  const { rootfsPropagation } = spec.linux;
  if (rootfsPropagation) setPropagation(p, '/', rootPropagation(rootfsPropagation), '"/"');
  p.call('chdir', [p.text(spec.process.cwd)], { what: `enter working folder ${quote(spec.process.cwd)}` });
}

function pivotInto(p: ProgramBuilder, staging: Cell): void {
  p.call('fchdir', [staging], { what: 'go back to the staging root' });
  p.call('chroot', [p.text('.')], { what: 'leave the confinement' });
  p.call('chdir', [p.text('/root')], { what: 'enter the root' });
  p.call('pivot_root', [p.text('.'), p.text('.')], { what: 'make the root "/"' });
  p.call('umount2', [p.text('.'), named(2, 'MNT_DETACH')], { what: "let go of the host's tree" });
}

/** Over the host's root, which stays below and out of reach: on an initramfs, which cannot be put away. */
function moveRoot(p: ProgramBuilder, hostRoot: Cell): void {
  p.call('fchdir', [hostRoot], { what: "go back to the host's root" });
  p.call('chroot', [p.text('.')], { what: 'leave the confinement' });
  p.call('chdir', [p.text(stagedRoot)], { what: 'enter the root' });
  p.call('mount', [p.text('.'), p.text('/'), 0, mountFlags(MS.MOVE), 0], {
    what: 'move the root to "/"',
  });
  p.call('chroot', [p.text('.')], { what: 'make the root "/"' });
}

function rootPropagation(word: string): number {
  const [change, ...others] = parseMountOptions([word]).propagation;
  if (change !== undefined && others.length === 0) return change;
  throw new HullError(
    `Cannot set linux.rootfsPropagation: found ${quote(word)}, wanted private, slave, shared or unbindable, or one of them with "r" before it`,
    { kind: 'invalid' },
  );
}
