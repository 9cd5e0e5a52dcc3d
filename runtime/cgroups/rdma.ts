import type { Resources } from '../base/oci.ts';
import type { Controller, Setting } from './setting.ts';

/** config-linux.md "RDMA": one line a device, the same file in v1 and v2. Kernel: cgroup-v2.rst "RDMA". */
export const rdma: Controller = { name: 'rdma', v1: settings, v2: settings };

function settings({ rdma: devices = {} }: Resources): readonly Setting[] {
  return Object.entries(devices).flatMap(([name, { hcaHandles, hcaObjects }]) => {
    const words = [
      ...(hcaHandles === undefined ? [] : [`hca_handle=${hcaHandles}`]),
      ...(hcaObjects === undefined ? [] : [`hca_object=${hcaObjects}`]),
    ];
    return words.length === 0
      ? []
      : [{ controller: 'rdma', file: 'rdma.max', value: [name, ...words].join(' ') }];
  });
}
