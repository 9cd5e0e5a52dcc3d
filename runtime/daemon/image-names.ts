import type { ImageReference } from '../images/image-store.ts';

/** A name with its tag as the API gives them: apart, or together. */
export function makeReference(name: string, tag: string | null): ImageReference {
  // A colon after the last slash separates the tag; one before it is a registry's port.
  const colon = name.indexOf(':', name.lastIndexOf('/') + 1);
  if (colon < 0) return { repository: name, tag: tag || 'latest' };
  return { repository: name.slice(0, colon), tag: tag || name.slice(colon + 1) };
}
