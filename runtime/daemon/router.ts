import { HullError } from '../base/errors.ts';
import { once } from '../base/once.ts';
import type { Handler } from './call.ts';
import { makeRouteFinder } from './find-route.ts';

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'HEAD';
  /** Without the version, as `/containers/:id/json`. */
  readonly path: string;
  readonly handle: Handler;
}

/**
 * The first word of a path, as `containers`, to all routes that begin with it. Their files are loaded by the first request
 * for one of them: the daemon starts without.
 */
export type RouteTable = ReadonlyMap<string, () => Promise<readonly Route[]>>;

export interface Match {
  readonly handle: Handler;
  readonly params: Readonly<Record<string, string | undefined>>;
  readonly query: URLSearchParams;
}

export const apiVersion = '1.43';
export const minimumApiVersion = '1.24';

/** Finds the handler of a request. Kinds: `not-found`, `invalid` (API version). */
export function makeFinder(table: RouteTable): (method: string, url: string) => Promise<Match> {
  const finders = new Map(
    [...table].map(([word, load]) => [word, once(async () => makeRouteFinder(await load()))]),
  );
  return async (method, url) => {
    const at = url.indexOf('?');
    const path = foldImageName(stripVersion(at < 0 ? url : url.slice(0, at)));
    const find = await finders.get(path.split('/')[1] ?? '')?.();
    const found = find?.(method, path);
    if (!found) throw new HullError(`page not found: ${method} ${path}`, { kind: 'not-found' });
    return {
      handle: found.route.handle,
      params: found.params,
      query: new URLSearchParams(at < 0 ? '' : url.slice(at)),
    };
  };
}

function stripVersion(path: string): string {
  const match = /^\/v(\d+)\.(\d+)(\/.*)$/.exec(path);
  if (!match) return path;
  const [, major, minor, rest = '/'] = match;
  const asked = `${major}.${minor}`;
  if (compareVersions(asked, apiVersion) > 0) {
    throw new HullError(
      `client version ${asked} is too new. Maximum supported API version is ${apiVersion}`,
      { kind: 'invalid' },
    );
  }
  if (compareVersions(asked, minimumApiVersion) < 0) {
    throw new HullError(
      `client version ${asked} is too old. Minimum supported API version is ${minimumApiVersion}`,
      { kind: 'invalid' },
    );
  }
  return rest;
}

function compareVersions(a: string, b: string): number {
  const [majorA = 0, minorA = 0] = a.split('.').map(Number);
  const [majorB = 0, minorB = 0] = b.split('.').map(Number);
  return majorA - majorB || minorA - minorB;
}

/** An image's name has slashes that clients leave as they are; here it becomes one path segment. */
function foldImageName(path: string): string {
  const match =
    /^\/images\/(.+)\/(json|tag|history|get|push)$/.exec(path) ??
    /^\/distribution\/(.+)\/(json)$/.exec(path) ??
    /^\/images\/((?!(?:json|load|create|get|search|prune)$).+)$/.exec(path);
  if (!match?.[1]) return path;
  const name = encodeURIComponent(decodeURIComponent(match[1]));
  const start = path.startsWith('/distribution/') ? '/distribution' : '/images';
  return match[2] === undefined ? `${start}/${name}` : `${start}/${name}/${match[2]}`;
}
