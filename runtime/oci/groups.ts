import { HullError } from '../base/errors.ts';
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

/** A group that is there is taken, as with runc: callers prepare it. */
export async function createGroup(
  path: string,
  resources: Resources = {},
): Promise<{ readonly group: Cgroup; readonly found: number }> {
  const cgroups = await openCgroups();
  return await cgroups.take(path, resourcesOf(resources));
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
