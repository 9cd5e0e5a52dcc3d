import { HullError } from '../base/errors.ts';
import { parseSize } from '../storage/driver-options.ts';

/** HostConfig.StorageOpt (`--storage-opt size=2G`) in bytes; undefined where there is no limit. Kind `invalid` for anything else. */
export function layerSize(options: Readonly<Record<string, string>>): number | undefined {
  const [unknown] = Object.keys(options).filter((key) => key !== 'size');
  if (unknown !== undefined) {
    throw new HullError(
      `Cannot create a container: HostConfig.StorageOpt: found ${JSON.stringify(unknown)}, wanted "size"`,
      { kind: 'invalid' },
    );
  }
  const { size } = options;
  if (size === undefined) return undefined;
  const bytes = parseSize('size', size);
  if (bytes > 0) return bytes;
  throw new HullError('Cannot create a container: HostConfig.StorageOpt.size: found 0, wanted more', {
    kind: 'invalid',
  });
}
