import { sizeText } from '../driver-options.ts';
import { currentBaseSize, type DevicemapperOptions, type PoolSettings } from './settings.ts';
import type { PoolStatus } from './tables.ts';

/** What the pool's metadata device counts in, thin-provisioning.rst. */
const metadataBlock = 4096;

export interface PoolFacts {
  readonly name: string;
  readonly data: string;
  readonly metadata: string;
  readonly blockSize: number;
  readonly settings: PoolSettings;
  readonly options: DevicemapperOptions;
  /** How layers are compared with their parents. */
  readonly comparison: string;
}

/** Labels and values as Docker's `docker info` has them. */
export function poolStatusText(
  { name, data, metadata, blockSize, settings, options, comparison }: PoolFacts,
  { dataUsed, dataTotal, metadataUsed, metadataTotal, transaction }: PoolStatus,
): readonly (readonly [string, string])[] {
  return [
    ['Pool Name', name],
    ['Pool Blocksize', sizeText(blockSize)],
    ['Base Device Size', sizeText(currentBaseSize(settings))],
    ['Backing Filesystem', settings.fs],
    ['Data file', data],
    ['Metadata file', metadata],
    ['Data Space Used', sizeText(dataUsed * blockSize)],
    ['Data Space Total', sizeText(dataTotal * blockSize)],
    ['Metadata Space Used', sizeText(metadataUsed * metadataBlock)],
    ['Metadata Space Total', sizeText(metadataTotal * metadataBlock)],
    ['Transaction', String(transaction)],
    ['Deferred Removal Enabled', String(options.deferredRemoval)],
    ['Deferred Deletion Enabled', String(options.deferredDeletion)],
    ['Diff', comparison],
  ];
}
