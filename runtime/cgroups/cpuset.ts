import type { Resources } from '../base/oci.ts';
import type { Controller, Setting } from './setting.ts';

/** config-linux.md "CPU", `cpus` and `mems`: lists as `0-2,7`. The files have the same names in v1 and v2. */
export const cpuset: Controller = { name: 'cpuset', v1: settings, v2: settings };

function settings({ cpu }: Resources): readonly Setting[] {
  return [...optional('cpuset.cpus', cpu?.cpus), ...optional('cpuset.mems', cpu?.mems)];
}

const optional = (file: string, value: string | undefined): Setting[] =>
  value ? [{ controller: 'cpuset', file, value }] : [];
