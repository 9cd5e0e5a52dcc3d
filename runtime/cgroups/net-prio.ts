import { onlyV1 } from './only-v1.ts';
import type { Controller } from './setting.ts';

/** config-linux.md "Network", `priorities`: one line an interface. v1 only. Kernel: cgroup-v1/net_prio.rst */
export const netPrio: Controller = {
  name: 'net_prio',
  v1: ({ network }) =>
    (network?.priorities ?? []).map(({ name, priority }) => ({
      controller: 'net_prio',
      file: 'net_prio.ifpriomap',
      value: `${name} ${priority}`,
    })),
  v2({ network }) {
    if (network?.priorities?.length)
      throw onlyV1('network.priorities', 'interfaces have no priority by group');
    return [];
  },
};
