import { codeOf, HullError } from '../base/errors.ts';
import type { Resources, Spec } from '../base/oci.ts';
import type { Cgroup } from '../cgroups/cgroup.ts';
import { defaultDeviceRules } from '../cgroups/devices/device-list.ts';
import { openCgroups } from '../cgroups/open-cgroups.ts';
import type { ContainerState } from './state-store.ts';

/**
 * Below the root of every hierarchy: `linux.cgroupsPath`, or the id. A systemd path (`slice:prefix:name`) needs systemd to
 * make it.
 */
export function cgroupPathOf(spec: Spec, id: string): string {
  const wanted = spec.linux.cgroupsPath;
  if (wanted === undefined || wanted === '') return id;
  if (/^[^/]*:[^/]*:[^/]*$/.test(wanted))
    throw new HullError(
      `Cannot use linux.cgroupsPath ${JSON.stringify(wanted)}: hull does not drive systemd, wanted a path`,
      { kind: 'unsupported' },
    );
  const names = wanted.split('/').filter((name) => name !== '' && name !== '.');
  return names.join('/') || id;
}

/**
 * A group that is there is taken, as with runc: callers prepare it. Undefined where we are not root, may not make one, and nobody has asked for a
 * path or limits: the container stays in the caller's.
 */
export async function createGroup(
  path: string,
  { linux: { resources = {}, cgroupsPath } }: Spec,
): Promise<{ readonly group: Cgroup; readonly found: number } | undefined> {
  try {
    return await (await openCgroups()).take(path, resourcesOf(resources));
  } catch (error) {
    if (process.geteuid?.() === 0 || !isDenied(error) || cgroupsPath) throw error;
    // Device rules are in every specification, and a user namespace opens no devices anyway.
    const limits = Object.entries(resources).filter(
      ([name, limit]) => name !== 'devices' && Object.keys(limit as object).length > 0,
    );
    if (limits.length === 0) return undefined;
    throw new HullError(
      `Cannot limit the container (linux.resources.${limits[0]?.[0]}): rootless needs no limits + no cgrouppath when no permission is granted for cgroups`,
      { kind: 'unsupported', cause: error },
    );
  }
}

/** Of an error, or of what caused it or came with it. */
function isDenied(error: unknown): boolean {
  if (['EACCES', 'EPERM', 'EROFS'].includes(codeOf(error) ?? '')) return true;
  if (error instanceof SuppressedError) return isDenied(error.error) || isDenied(error.suppressed);
  return error instanceof Error && error.cause !== undefined && isDenied(error.cause);
}

/** A container opens no device unless its specification, or every container's default, allows it. */
export function resourcesOf(resources: Resources): Resources {
  return {
    ...resources,
    devices: [{ allow: false, access: 'rwm' }, ...(resources.devices ?? []), ...defaultDeviceRules],
  };
}

export async function groupOf(state: ContainerState): Promise<Cgroup | undefined> {
  if (state.cgroup_path === undefined) return undefined;
  const cgroups = await openCgroups();
  return cgroups.open(state.cgroup_path);
}

export async function needGroup(state: ContainerState, action: string): Promise<Cgroup> {
  const group = await groupOf(state);
  if (group) return group;
  throw new HullError(`Cannot ${action} container ${state.id}: it has no cgroup`, { kind: 'unsupported' });
}
