import { HullError } from '../../base/errors.ts';
import type { Digest } from '../digest.ts';
import { parseReference, splitRepository } from '../reference.ts';

/** An image, or with neither tag nor digest a repository, in a registry. */
export interface RemoteName {
  /** `docker.io`, `localhost:5000`. */
  readonly host: string;
  /** In the registry: `library/busybox`. */
  readonly path: string;
  /** As users write it: `busybox`, `localhost:5000/busybox`. */
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/**
 * `name`, `name:tag`, `name@digest`; `tagOrDigest` as the API has it beside a bare name, it wins over a tag in the name.
 * @throws HullError `invalid` naming the part.
 */
export function parseRemoteName(text: string, tagOrDigest = ''): RemoteName {
  const bare = text.replace(/:$/, '');
  const isDigest = /^[a-z0-9+._-]+:/i.test(tagOrDigest);
  if (isDigest && bare.includes('@')) {
    throw new HullError(
      `Cannot read image reference ${JSON.stringify(text)}: found a second digest ${JSON.stringify(tagOrDigest)}, wanted one`,
      { kind: 'invalid' },
    );
  }
  const name = isDigest ? `${bare}@${tagOrDigest}` : bare;
  const parsed = parseReference(name);
  const { repository, digest } = parsed;
  const remote = { ...splitRepository(repository), repository };
  // A digest says which image; a tag beside it says nothing more.
  if (digest !== undefined) return { ...remote, digest };
  if (tagOrDigest !== '') return { ...remote, tag: parseReference(`${repository}:${tagOrDigest}`).tag };
  return hasTag(name) ? { ...remote, tag: parsed.tag } : remote;
}

/** As users write it. */
export function formatRemoteName({ repository, tag, digest }: RemoteName): string {
  if (digest !== undefined) return `${repository}@${digest}`;
  return tag === undefined ? repository : `${repository}:${tag}`;
}

const hasTag = (name: string): boolean => name.indexOf(':', name.lastIndexOf('/') + 1) >= 0;
