import { HullError } from '../base/errors.ts';
import type { LayerId } from './driver.ts';

/** Kind `invalid` for what is no id: it becomes a file's name, a device's and a dataset's. */
export function checkId(id: LayerId): void {
  if (/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(id)) return;
  throw new HullError(
    `Cannot create layer ${JSON.stringify(id)}: wanted 1 to 128 letters, digits, "_", "." or "-", not beginning with a sign`,
    { kind: 'invalid' },
  );
}
