import { onlyV1 } from './only-v1.ts';
import type { Controller } from './setting.ts';

/** config-linux.md "Network", `classID`: the tag for tc(8). v1 only; v2 matches by path in nftables. Kernel: cgroup-v1/net_cls.rst */
export const netCls: Controller = {
  name: 'net_cls',
  v1: ({ network }) =>
    network?.classID === undefined
      ? []
      : [{ controller: 'net_cls', file: 'net_cls.classid', value: String(network.classID) }],
  v2({ network }) {
    if (network?.classID) throw onlyV1('network.classID', 'packets have no class by group');
    return [];
  },
};
