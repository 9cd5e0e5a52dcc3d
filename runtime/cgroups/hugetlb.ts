import type { Resources } from '../base/oci.ts';
import { type Controller, type Setting, unlimitedV2 } from './setting.ts';

/**
 * config-linux.md "Huge page limits": of pages in use and, where the kernel counts them (5.7), of reserved ones as well: a
 * process beyond the first limit alone dies of SIGBUS. Kernel: admin-guide/cgroup-v1/hugetlb.rst, cgroup-v2.rst "HugeTLB".
 */
export const hugetlb: Controller = {
  name: 'hugetlb',
  v1: (resources) => settings(resources, 'limit_in_bytes', String),
  v2: (resources) => settings(resources, 'max', unlimitedV2),
};

function settings(
  { hugepageLimits = [] }: Resources,
  suffix: string,
  text: (limit: number) => string,
): readonly Setting[] {
  return hugepageLimits.flatMap(({ pageSize, limit }): Setting[] => [
    { controller: 'hugetlb', file: `hugetlb.${pageSize}.${suffix}`, value: text(limit) },
    { controller: 'hugetlb', file: `hugetlb.${pageSize}.rsvd.${suffix}`, value: text(limit), optional: true },
  ]);
}
