import { HullError } from '../base/errors.ts';
import type { Resources } from '../base/oci.ts';
import type { Setting } from './setting.ts';

/**
 * config-linux.md "Unified": files of v2 and what to write to them, after everything else; `misc.max` is reached in this
 * way, as the specification has no words of its own for it. The part before the first dot is the controller; `cgroup.*`
 * belongs to every group. The kernel takes one line a write.
 */
export function unifiedSettings({ unified = {} }: Resources): readonly Setting[] {
  return Object.entries(unified).flatMap(([file, content]) => {
    const [, controller] = /^([a-z_0-9]+)\.[A-Za-z0-9_.-]+$/.exec(file) ?? [];
    if (controller === undefined) {
      throw new HullError(
        `Cannot set unified resource ${JSON.stringify(file)}: wanted a file's name as "memory.high", without a folder`,
        { kind: 'invalid' },
      );
    }
    const lines = content.split('\n').filter((line) => line !== '');
    return lines.map((value) => ({ controller, file, value }));
  });
}
