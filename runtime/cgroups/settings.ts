import { HullError } from '../base/errors.ts';
import type { Resources } from '../base/oci.ts';
import { blkio } from './blkio.ts';
import { cpu } from './cpu.ts';
import { cpuset } from './cpuset.ts';
import { hugetlb } from './hugetlb.ts';
import { memory } from './memory.ts';
import { netCls } from './net-cls.ts';
import { netPrio } from './net-prio.ts';
import { pids } from './pids.ts';
import { rdma } from './rdma.ts';
import type { Controller, CurrentLimits, Setting } from './setting.ts';
import { unifiedSettings } from './unified.ts';

/** A further controller is one file like these and one word here. Devices, which are no numbers, are in `devices/`. */
export const controllers: readonly Controller[] = [
  memory,
  cpu,
  cpuset,
  pids,
  blkio,
  hugetlb,
  netCls,
  netPrio,
  rdma,
];

/** Which hierarchy a controller is in on this host; undefined where it is in none. */
export type VersionOf = (controller: string) => 1 | 2 | undefined;

/**
 * All writes that give a group these limits, in order.
 * @throws HullError `unsupported` naming the controller that a wanted limit lacks; `invalid` for contradicting limits.
 */
export function settingsFor(
  resources: Resources,
  versionOf: VersionOf,
  current: CurrentLimits = {},
): readonly Setting[] {
  return [
    ...controllers.flatMap((controller) => controllerSettings(controller, resources, versionOf, current)),
    ...unifiedSettings(resources).map((setting) => onV2(setting, versionOf)),
  ];
}

function controllerSettings(
  { name, nameV2 = name, v1, v2 }: Controller,
  resources: Resources,
  versionOf: VersionOf,
  current: CurrentLimits,
): readonly Setting[] {
  if (versionOf(name) === 1) return v1(resources, current);
  if (versionOf(nameV2) === 2) return v2(resources, current);
  const [first] = v1(resources, current);
  if (first) throw absent(first);
  return [];
}

function onV2(setting: Setting, versionOf: VersionOf): Setting {
  if (setting.controller === 'cgroup' || versionOf(setting.controller) === 2) return setting;
  if (versionOf(setting.controller) === undefined) throw absent(setting);
  throw new HullError(
    `Cannot set unified resource ${setting.file} to ${JSON.stringify(setting.value)}: invalid configuration: found controller ${JSON.stringify(setting.controller)} in a v1 hierarchy, wanted it in v2`,
    { kind: 'unsupported' },
  );
}

function absent({ controller, file, value }: Setting): HullError {
  return new HullError(
    `Cannot set ${file} to ${JSON.stringify(value)}: found no cgroup controller ${JSON.stringify(controller)} on this host, wanted it in a v1 or v2 hierarchy`,
    { kind: 'unsupported' },
  );
}
