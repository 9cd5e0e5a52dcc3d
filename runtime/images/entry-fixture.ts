import type { CatalogueEntry } from './catalogue.ts';
import { mediaTypes } from './documents.ts';

/** For tests: an image of no layers whose id starts so. */
export const entryOf = (start: string, ...references: string[]): CatalogueEntry => ({
  id: `sha256:${start.padEnd(64, '0')}`,
  manifest: { mediaType: mediaTypes.manifest, digest: `sha256:${start.padEnd(64, 'f')}`, size: 1 },
  config: { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } },
  layerBlobs: [],
  references,
  repoDigests: [],
});

/** It has two names. */
export const first = entryOf('abc1', 'busybox:latest', 'busybox:1.36');
export const second = entryOf('abd2', 'team/name:v1');
/** Its name looks like the start of an id. */
export const third = entryOf('9', 'cafe:latest');
export const images = [first, second, third];
