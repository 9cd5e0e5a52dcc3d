import { HullError } from '../base/errors.ts';
import { type Digest, digestPattern } from './digest.ts';
import type { ImageReference } from './image-store.ts';

/** A name with a tag or a digest. */
export interface ParsedReference extends ImageReference {
  readonly digest?: Digest;
}

const part = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*';
const pathPattern = new RegExp(`^${part}(?:/${part})*$`);
const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?';
const hostPattern = new RegExp(`^(?:${label}(?:\\.${label})*|\\[[a-fA-F0-9:]+\\])(?::([0-9]+))?$`);
const tagPattern = /^\w[\w.-]{0,127}$/;

/**
 * `name[:tag][@digest]` as Docker's users write it; the tag is `latest` where none is said. Docker Hub's full names come out short:
 * `docker.io/library/busybox` is `busybox`.
 * @throws HullError `invalid` naming the part.
 */
export function parseReference(text: string): ParsedReference {
  const at = text.indexOf('@');
  const name = at < 0 ? text : text.slice(0, at);
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const colon = name.indexOf(':', name.lastIndexOf('/') + 1);
  const { host, path } = splitRepository(colon < 0 ? name : name.slice(0, colon));
  const tag = colon < 0 ? 'latest' : name.slice(colon + 1);
  const port = hostPattern.exec(host);
  if (!port || Number(port[1] ?? 0) > 65_535) {
    throw invalid(text, `registry ${JSON.stringify(host)}`, 'a host as "example.org" or "localhost:5000"');
  }
  checkPath(text, path, host);
  if (!tagPattern.test(tag))
    throw invalid(text, `tag ${JSON.stringify(tag)}`, '1 to 128 letters, digits, "_", "." and "-"');
  const repository = joinRepository(host, path);
  if (digest === undefined) return { repository, tag };
  if (!digestPattern.test(digest))
    throw invalid(text, `digest ${JSON.stringify(digest)}`, '"sha256:" and 64 hex digits');
  return { repository, tag, digest };
}

export const formatReference = ({ repository, tag }: ImageReference): string => `${repository}:${tag}`;

export const defaultRegistry = 'docker.io';

/**
 * A repository's registry and its path there, as Docker tells them apart: what stands before the first slash is a registry where it has a
 * dot, a colon or a capital letter, or is `localhost`. `busybox` is `library/busybox` of `docker.io`.
 */
export function splitRepository(repository: string): { readonly host: string; readonly path: string } {
  const slash = repository.indexOf('/');
  const first = repository.slice(0, Math.max(slash, 0));
  const isHost = slash > 0 && (/[.:[]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  const host = isHost ? first.replace(/^index\.docker\.io$/, defaultRegistry) : defaultRegistry;
  const path = isHost ? repository.slice(slash + 1) : repository;
  return { host, path: host === defaultRegistry && !path.includes('/') ? `library/${path}` : path };
}

function joinRepository(host: string, path: string): string {
  if (host !== defaultRegistry) return `${host}/${path}`;
  return path.replace(/^library\/([^/]+)$/, '$1');
}

function checkPath(text: string, path: string, host: string): void {
  const shown = JSON.stringify(joinRepository(host, path));
  if (path !== path.toLowerCase()) throw invalid(text, `repository ${shown}`, 'it in lower case');
  if (!pathPattern.test(path)) {
    throw invalid(text, `repository ${shown}`, 'lower-case words, as "host:5000/team/name"');
  }
  const length = host.length + 1 + path.length;
  if (length > 255) throw invalid(text, `a repository of ${length} characters`, 'at most 255');
  if (/^library\/[0-9a-f]{64}$/.test(path)) {
    throw invalid(text, `repository ${shown}`, 'a name that cannot be taken for an image id');
  }
}

function invalid(text: string, found: string, wanted: string): HullError {
  return new HullError(
    `Cannot read image reference ${JSON.stringify(text)}: found ${found}, wanted ${wanted}`,
    {
      kind: 'invalid',
    },
  );
}
