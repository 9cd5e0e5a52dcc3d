import { readFileSync } from 'node:fs';
import type { Spec } from '../base/oci.ts';
import type { CgroupManager } from '../cgroups/cgroup.ts';
import { annotatedProperties } from '../cgroups/systemd/annotated-properties.ts';
import { openSystemdCgroups } from '../cgroups/systemd/open-systemd-cgroups.ts';
import { checkBooted, type Manager, managerPath } from '../cgroups/systemd/systemctl.ts';
import { unitPath } from '../cgroups/systemd/unit-path.ts';
import type { GroupPlace } from './groups.ts';

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

/** Root in a user namespace, as podman calls us without privileges, is nobody to the machine's systemd. */
function isPrivileged(): boolean {
  if (process.geteuid?.() !== 0) return false;
  const [inside, outside, count] = readFileSync('/proc/self/uid_map', 'utf8').trim().split(/\s+/);
  return inside === '0' && outside === '0' && count === '4294967295';
}
