import type { Spec } from '../base/oci.ts';
import type { CgroupManager } from '../cgroups/cgroup.ts';
import { annotatedProperties } from '../cgroups/systemd/annotated-properties.ts';
import { openSystemdCgroups } from '../cgroups/systemd/open-systemd-cgroups.ts';
import { checkBooted, type Manager, managerPath } from '../cgroups/systemd/systemctl.ts';
import { unitPath } from '../cgroups/systemd/unit-path.ts';
import type { GroupPlace } from './groups.ts';
import { isPrivileged } from './privileges.ts';

/** Without privileges the user's own systemd makes the unit, as that of the machine would refuse it. */
export async function unitPlaceOf(spec: Spec, id: string): Promise<GroupPlace> {
  checkBooted();
  const systemd = isPrivileged() ? 'system' : 'user';
  const slice = systemd === 'user' ? 'user.slice' : 'system.slice';
  const below = unitPath(spec.linux.cgroupsPath, { slice, prefix: 'hull', name: id });
  const base = await managerPath(systemd);
  return { path: base === '' ? below : `${base}/${below}`, systemd };
}

export async function openUnits(
  manager: Manager,
  annotations?: Readonly<Record<string, string>>,
): Promise<CgroupManager> {
  return await openSystemdCgroups({ manager, properties: annotatedProperties(annotations) });
}
