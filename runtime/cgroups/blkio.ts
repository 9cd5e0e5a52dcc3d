import type { Resources, ThrottleDevice } from '../base/oci.ts';
import { onlyV1 } from './only-v1.ts';
import type { Controller, Setting } from './setting.ts';

/**
 * config-linux.md "Block IO": v1's blkio, v2's io. Which scheduler a disk has decides which weight there is: CFQ (before
 * Linux 5.0) and v2's cost model have their own, BFQ its. Kernel: admin-guide/cgroup-v1/blkio-controller.rst,
 * admin-guide/cgroup-v2.rst "IO", block/bfq-iosched.rst.
 */
export const blkio: Controller = {
  name: 'blkio',
  nameV2: 'io',

  v1({ blockIO: wanted }) {
    if (!wanted) return [];
    return [
      ...(wanted.weight ? [weightV1('', String(wanted.weight))] : []),
      ...(wanted.leafWeight ? [set('blkio.leaf_weight', String(wanted.leafWeight))] : []),
      ...(wanted.weightDevice ?? []).flatMap(({ major, minor, weight, leafWeight }) => [
        ...(weight ? [weightV1('_device', `${major}:${minor} ${weight}`)] : []),
        ...(leafWeight ? [set('blkio.leaf_weight_device', `${major}:${minor} ${leafWeight}`)] : []),
      ]),
      ...throttles(wanted).flatMap(({ fileV1, devices }) =>
        devices.map(({ major, minor, rate }) =>
          set(`blkio.throttle.${fileV1}_device`, `${major}:${minor} ${rate}`),
        ),
      ),
    ];
  },

  v2({ blockIO: wanted }) {
    if (!wanted) return [];
    refuseLeafWeight(wanted);
    return [
      ...(wanted.weight ? [weightV2('', wanted.weight)] : []),
      ...(wanted.weightDevice ?? []).flatMap(({ major, minor, weight }) =>
        weight ? [weightV2(`${major}:${minor} `, weight)] : [],
      ),
      ...throttles(wanted).flatMap(({ keyV2, devices }) =>
        devices.map(({ major, minor, rate }) =>
          set('io.max', `${major}:${minor} ${keyV2}=${rate || 'max'}`, 'io'),
        ),
      ),
    ];
  },
};

/** blkio's 10–1000 to io.weight's 1–10000 as every OCI runtime documents it: 1 + (weight − 10) · 9999 / 990. */
export function ioWeight(weight: number): number {
  return 1 + Math.trunc(((weight - 10) * 9999) / 990);
}

const weightV1 = (suffix: string, value: string): Setting => ({
  ...set(`blkio.weight${suffix}`, value),
  otherwise: { file: `blkio.bfq.weight${suffix}`, value },
});

/** BFQ takes blkio's own range. */
const weightV2 = (device: string, weight: number): Setting => ({
  ...set('io.bfq.weight', `${device}${weight}`, 'io'),
  otherwise: { file: 'io.weight', value: `${device}${ioWeight(weight)}` },
});

function throttles(wanted: NonNullable<Resources['blockIO']>): readonly {
  readonly fileV1: string;
  readonly keyV2: string;
  readonly devices: readonly ThrottleDevice[];
}[] {
  return [
    { fileV1: 'read_bps', keyV2: 'rbps', devices: wanted.throttleReadBpsDevice ?? [] },
    { fileV1: 'write_bps', keyV2: 'wbps', devices: wanted.throttleWriteBpsDevice ?? [] },
    { fileV1: 'read_iops', keyV2: 'riops', devices: wanted.throttleReadIOPSDevice ?? [] },
    { fileV1: 'write_iops', keyV2: 'wiops', devices: wanted.throttleWriteIOPSDevice ?? [] },
  ];
}

function refuseLeafWeight({ leafWeight, weightDevice = [] }: NonNullable<Resources['blockIO']>): void {
  if (leafWeight || weightDevice.some((device) => device.leafWeight)) {
    throw onlyV1('blockIO.leafWeight', 'a group has no processes beside its children');
  }
}

const set = (file: string, value: string, controller = 'blkio'): Setting => ({ controller, file, value });
