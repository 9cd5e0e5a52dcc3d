import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { StorageDriver } from '../storage/driver.ts';
import { Blobs } from './blobs.ts';
import { Catalogue } from './catalogue.ts';
import type { ImageStore } from './image-store.ts';
import { Layers } from './layers.ts';
import { LayoutImageStore } from './layout-image-store.ts';
import type { ImageDepot } from './registry/depot.ts';
import { Partials } from './registry/partials.ts';
import { Reserve } from './reserve.ts';

export interface ImageStoreOptions {
  /** `<data-root>/images/<driver>`; made where absent. */
  readonly root: string;
  /** Image layers are unpacked into it. A store belongs to one driver: use one root per driver. */
  readonly driver: StorageDriver;
}

/** Opens (or makes) the store. Call `reconcile` once before anything else uses it. */
export async function openImageStore({ root, driver }: ImageStoreOptions): Promise<ImageStore & ImageDepot> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  const blobs = new Blobs(root);
  const reserve = new Reserve(join(root, 'reserve'));
  const layers = new Layers(root, driver, reserve);
  const catalogue = new Catalogue(root, blobs);
  const partials = new Partials(root);
  await Promise.all([
    blobs.prepare(),
    layers.prepare(),
    catalogue.writeLayoutMark(),
    reserve.fill(),
    partials.prepare(),
  ]);
  return new LayoutImageStore(blobs, layers, catalogue, reserve, partials);
}
