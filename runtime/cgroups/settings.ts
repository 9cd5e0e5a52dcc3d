import { HullError } from '../base/errors.ts';
import type { Resources } from '../base/oci.ts';
import { cpu } from './cpu.ts';
import { cpuset } from './cpuset.ts';
import { memory } from './memory.ts';
import { pids } from './pids.ts';
import type { Controller, CurrentLimits, Setting } from './setting.ts';

/** A further controller is one file like these and one word here. */
export const controllers: readonly Controller[] = [memory, cpu, cpuset, pids];

/**
 * All writes that give a group these limits, in order.
 * @param versionOf Which hierarchy a controller is in on this host; undefined where it is in none.
 * @throws HullError `unsupported` naming the controller that a wanted limit lacks; `invalid` for contradicting limits.
 */
export function settingsFor(
  resources: Resources,
  versionOf: (controller: string) => 1 | 2 | undefined,
  current: CurrentLimits = {},
): readonly Setting[] {
  return controllers.flatMap((controller) => {
    const version = versionOf(controller.name);
    if (version === 2) return controller.v2(resources);
    const settings = controller.v1(resources, current);
    if (version === undefined && settings[0]) throw absent(settings[0]);
    return settings;
  });
}

function absent({ controller, file, value }: Setting): HullError {
  return new HullError(
    `Cannot set ${file} to ${JSON.stringify(value)}: found no cgroup controller ${JSON.stringify(controller)} on this host, wanted it in a v1 or v2 hierarchy`,
    { kind: 'unsupported' },
  );
}
