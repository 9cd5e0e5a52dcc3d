import { HullError } from '../base/errors.ts';
import type { StorageDriver } from './driver.ts';

export interface OpenDriverOptions {
  /** Lasting data; the driver uses `<dataRoot>/<driver name>`. */
  readonly dataRoot: string;
  /** On tmpfs; the driver uses `<execRoot>/<driver name>`. */
  readonly execRoot: string;
  /** `--storage-opt k=v`. */
  readonly options?: ReadonlyMap<string, string>;
}

export interface OpenedDriver {
  readonly driver: StorageDriver;
  /** One sentence for the log: `Storage driver overlay: the first of overlay, devicemapper, vfs that works here.` */
  readonly why: string;
}

/**
 * The named driver, or the first that works here. Where the data root already has one driver's layers, that one
 * is chosen and never silently another. Kinds: `invalid` (unknown name or option), `unsupported` (with what is
 * missing), `conflict` (another process has this storage; or layers of several drivers and no name given).
 */
export async function openDriver(
  name: string | undefined,
  options: OpenDriverOptions,
): Promise<OpenedDriver> {
  throw new HullError(
    `Cannot open storage driver ${name ?? 'by itself'} in ${options.dataRoot}: not here yet`,
    {
      kind: 'unsupported',
    },
  );
}
