import type { StorageDriver } from '../storage/driver.ts';
import type { ImageStore } from './image-store.ts';

export interface ImageStoreOptions {
  /** `<data-root>/images`; made where absent. */
  readonly root: string;
  /** Image layers are unpacked into it. A store belongs to one driver: use one root per driver. */
  readonly driver: StorageDriver;
}

/** Opens (or makes) the store. Call `reconcile` once before anything else uses it. */
export async function openImageStore(_options: ImageStoreOptions): Promise<ImageStore> {
  throw new Error('Cannot open the image store: not written yet');
}
