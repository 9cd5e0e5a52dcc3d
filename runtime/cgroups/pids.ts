import type { Resources } from '../base/oci.ts';
import type { Controller, Setting } from './setting.ts';

/** config-linux.md "PIDs": 0 and below mean "no limit". The file is the same in v1 and v2. */
export const pids: Controller = { name: 'pids', v1: settings, v2: settings };

function settings({ pids: wanted }: Resources): readonly Setting[] {
  if (!wanted) return [];
  const value = wanted.limit > 0 ? String(wanted.limit) : 'max';
  return [{ controller: 'pids', file: 'pids.max', value }];
}
