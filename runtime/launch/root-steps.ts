import { HullError } from '../base/errors.ts';
import { MS, parseMountOptions } from '../kernel/mount-options.ts';
import { sysctlFile } from './check-sysctls.ts';
import { writeText } from './common-steps.ts';
import { fillDev, makeDevice } from './device-steps.ts';
import { type HostHandles, isBind } from './host-handles.ts';
import { LinkedTargets } from './linked-target-steps.ts';
import { makeReadonly, maskPath } from './mask-steps.ts';
import { quote, restrictMount, setPropagation } from './mount-steps.ts';
import { attachNodes } from './outside-handles.ts';
import type { ProgramBuilder } from './program-builder.ts';
import { changeRoot, type RootRequest } from './root-change-steps.ts';
import { specMount } from './spec-mount-steps.ts';
import { makeFolderTarget } from './target-steps.ts';

/**
 * # The root, in the order that must hold
 *
 * 1. Everything of the host that is needed later is opened, as descriptors: sources of bind mounts, /proc, /dev/null.
 * 2. The root is mounted below a private tmpfs, the *staging* root; pivot_root makes that tmpfs `/`, with the container's
 *    root as `/root` and the host's as `/old`. chroot to `/root`: from here on a path of the image, with all its links and
 *    dots, cannot lead out of the container.
 * 3. Mounts, devices, masked paths. Bind sources are named by descriptor: the host's own `/proc/self/fd` is the
 *    working folder, and the source is a number in it.
 * 4. Hooks of creation see the host's tree, and in it the root with its mounts at its own place.
 * 5. Back to the staging root, pivot_root again into the container's, and the staging root is detached with
 *    the host's tree in it.
 *
 * Without a mount namespace of its own the container is confined by chroot alone, and its mounts stay where they were made.
 */
export interface RootForm {
  /** The mount namespace is the container's own, new one. */
  readonly ownMounts: boolean;
  /** Confined to the root, its mounts and devices made. */
  readonly inRoot?: (() => void) | undefined;
  /** After that, with the host's tree as `/` and the root, which is the working folder, at its place in it. */
  readonly hooks?: (() => void) | undefined;
}

/** Steps 2 to 5 of the order above. */
export function buildRoot(p: ProgramBuilder, request: RootRequest, host: HostHandles, form: RootForm): void {
  const { spec } = request;
  p.call('umask', [0]);
  const root = changeRoot(p, request, form.ownMounts);
  if (host.nodes) attachNodes(p, host.nodes);
  const confine = () => {
    root.confine();
    p.call('fchdir', [host.descriptors], { what: 'enter /proc/self/fd of the host' });
  };
  confine();
  const linked = new LinkedTargets(p);
  for (const mount of spec.mounts ?? []) specMount(p, mount, host, linked);
  if ((spec.mounts ?? []).some((mount) => mount.destination === '/dev' && !isBind(mount))) fillDev(p, host);
  for (const device of spec.linux.devices ?? []) makeDevice(p, device, host);
  for (const [name, value] of Object.entries(spec.linux.sysctl ?? {}))
    writeText(p, host.proc, `sys/${sysctlFile(name)}`, value, {
      what: `set sysctl ${name} to ${value}`,
    });
  form.inRoot?.();
  if (form.hooks) {
    root.visitHost(form.hooks);
    confine();
  }
  for (const path of spec.linux.maskedPaths ?? []) maskPath(p, path);
  for (const path of spec.linux.readonlyPaths ?? []) makeReadonly(p, path);
  if (spec.process.cwd !== '/') makeFolderTarget(p, linked, spec.process.cwd);
  linked.place();

  root.enter();
  p.call('chdir', [p.text('/')], { what: 'enter "/"' });
  for (const { destination, options = [], type } of spec.mounts ?? [])
    if (destination === '/dev' && type !== 'bind' && options.includes('ro'))
      restrictMount(p, '/dev', MS.RDONLY, '"/dev"');
  if (spec.root.readonly) restrictMount(p, '/', MS.RDONLY, '"/"');
  const { rootfsPropagation } = spec.linux;
  if (rootfsPropagation) setPropagation(p, '/', rootPropagation(rootfsPropagation), '"/"');
  p.call('chdir', [p.text(spec.process.cwd)], { what: `enter working folder ${quote(spec.process.cwd)}` });
}

function rootPropagation(word: string): number {
  const [change, ...others] = parseMountOptions([word]).propagation;
  if (change !== undefined && others.length === 0) return change;
  throw new HullError(
    `Cannot set linux.rootfsPropagation: found ${quote(word)}, wanted private, slave, shared or unbindable, or one of them with "r" before it`,
    { kind: 'invalid' },
  );
}
