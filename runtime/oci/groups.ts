import { codeOf, HullError } from '../base/errors.ts';
import type { Resources, Spec } from '../base/oci.ts';
import type { Cgroup, CgroupManager } from '../cgroups/cgroup.ts';
import { defaultDeviceRules } from '../cgroups/devices/device-list.ts';
import { openCgroups } from '../cgroups/open-cgroups.ts';
import type { Manager } from '../cgroups/systemd/systemctl.ts';
import type { Context } from './context.ts';
import { isPrivileged } from './privileges.ts';
import type { ContainerState } from './state-store.ts';

/** Where a container's cgroup is, and whose systemd makes it, if one does. */
export interface GroupPlace {
  /** Below the root of every hierarchy. */
  readonly path: string;
  readonly systemd?: Manager;
}

/** Undefined where the container is to have none. */
export async function groupPlaceOf(
  cgroups: Context['cgroups'],
  spec: Spec,
  id: string,
): Promise<GroupPlace | undefined> {
  if (cgroups === 'disabled') return undefined;
  if (cgroups === 'cgroupfs') return { path: cgroupPathOf(spec, id) };
  const { unitPlaceOf } = await import('./systemd.ts');
  return await unitPlaceOf(spec, id);
}

/** `linux.cgroupsPath`, or the id. */
function cgroupPathOf(spec: Spec, id: string): string {
  const wanted = spec.linux.cgroupsPath;
  if (wanted === undefined || wanted === '') return id;
  if (/^[^/]*:[^/]*:[^/]*$/.test(wanted))
    throw new HullError(
      `Cannot use linux.cgroupsPath ${JSON.stringify(wanted)}: found a path of systemd, wanted one of folders, or --systemd-cgroup`,
      { kind: 'unsupported' },
    );
  const names = wanted.split('/').filter((name) => name !== '' && name !== '.');
  return names.join('/') || id;
}

/**
 * A group that is there is taken, as with runc: callers prepare it. Undefined where we are not root of the machine, may not make one, and nobody has asked for a
 * path or limits: the container stays in the caller's.
 */
export async function createGroup(
  place: GroupPlace,
  { annotations, linux: { resources = {}, cgroupsPath } }: Spec,
): Promise<{ readonly group: Cgroup; readonly found: number } | undefined> {
  try {
    const cgroups = await cgroupsOf(place.systemd, annotations);
    // A user may load no program for devices, and opens none in a user namespace that it could not open anyway.
    const { devices: _, ...withoutDevices } = resources;
    return await cgroups.take(place.path, isPrivileged() ? resourcesOf(resources) : withoutDevices);
  } catch (error) {
    if (place.systemd) throw error;
    if (isPrivileged() || !isDenied(error) || cgroupsPath) throw error;
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

export async function groupOf({ cgroup_path: path, systemd }: ContainerState): Promise<Cgroup | undefined> {
  return path === undefined ? undefined : (await cgroupsOf(systemd)).open(path);
}

async function cgroupsOf(
  systemd: Manager | undefined,
  annotations?: Readonly<Record<string, string>>,
): Promise<CgroupManager> {
  if (systemd === undefined) return await openCgroups();
  const { openUnits } = await import('./systemd.ts');
  return await openUnits(systemd, annotations);
}

export async function needGroup(state: ContainerState, action: string): Promise<Cgroup> {
  const group = await groupOf(state);
  if (group) return group;
  throw new HullError(`Cannot ${action} container ${state.id}: it has no cgroup`, { kind: 'unsupported' });
}
