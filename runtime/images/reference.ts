import { HullError } from '../base/errors.ts';
import { type Digest, digestPattern } from './digest.ts';
import type { ImageReference } from './image-store.ts';

/** A name with a tag or a digest. */
export interface ParsedReference extends ImageReference {
  readonly digest?: Digest;
}

const part = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const host = '(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?';
const repositoryPattern = new RegExp(`^(?:${host}/)?${part}(?:/${part})*$`);
const tagPattern = /^\w[\w.-]{0,127}$/;

/**
 * `name[:tag][@digest]` as Docker's users write it; the tag is `latest` where none is said. Docker Hub's full names come out short:
 * `docker.io/library/busybox` is `busybox`.
 * @throws HullError `invalid` naming the part.
 */
export function parseReference(text: string): ParsedReference {
  const [name = '', digest] = text.split('@', 2);
  const colon = name.indexOf(':', name.lastIndexOf('/') + 1);
  const repository = shorten(colon < 0 ? name : name.slice(0, colon));
  const tag = colon < 0 ? 'latest' : name.slice(colon + 1);
  if (!repositoryPattern.test(repository) || repository.length > 255) {
    throw invalid(
      text,
      `repository ${JSON.stringify(repository)}`,
      'lower-case words, as "host:5000/team/name"',
    );
  }
  if (!tagPattern.test(tag))
    throw invalid(text, `tag ${JSON.stringify(tag)}`, '1 to 128 letters, digits, "_", "." and "-"');
  if (digest === undefined) return { repository, tag };
  if (!digestPattern.test(digest))
    throw invalid(text, `digest ${JSON.stringify(digest)}`, '"sha256:" and 64 hex digits');
  return { repository, tag, digest };
}

export const formatReference = ({ repository, tag }: ImageReference): string => `${repository}:${tag}`;

function shorten(repository: string): string {
  const local = repository.replace(/^(index\.)?docker\.io\//, '');
  return local === repository ? repository : local.replace(/^library\//, '');
}

function invalid(text: string, found: string, wanted: string): HullError {
  return new HullError(
    `Cannot read image reference ${JSON.stringify(text)}: found ${found}, wanted ${wanted}`,
    {
      kind: 'invalid',
    },
  );
}
