import { HullError } from '../base/errors.ts';
import type { Route } from './router.ts';

export interface FoundRoute {
  readonly route: Route;
  /** Decoded: `a/b` for `/images/a%2Fb/json`. */
  readonly params: Readonly<Record<string, string>>;
}

/**
 * A finder of the route for a method and a path; `:name` stands for one segment, a literal segment goes before it. A table
 * this small is read from top to bottom. A radix router compiles functions for it as the daemon starts, which under
 * emulation took longer than all requests of a day.
 */
export function makeRouteFinder(
  routes: readonly Route[],
): (method: string, path: string) => FoundRoute | undefined {
  // This character sorts after every literal, so `/images/json` is asked before `/images/:name`.
  const order = ({ path }: Route) => path.replaceAll(/:\w+/g, '\uffff');
  const table = routes
    .map((route) => ({ route, segments: route.path.split('/') }))
    .sort((a, b) => (order(a.route) < order(b.route) ? -1 : 1));
  return (method, path) => {
    const asked = path.replace(/\/$/, '').split('/');
    const found = table.find(({ route, segments }) => route.method === method && fits(segments, asked));
    if (!found) return undefined;
    const params = found.segments.flatMap((segment, index) =>
      segment.startsWith(':') ? [[segment.slice(1), decode(asked[index] ?? '')] as const] : [],
    );
    return { route: found.route, params: Object.fromEntries(params) };
  };
}

function fits(segments: readonly string[], asked: readonly string[]): boolean {
  return (
    segments.length === asked.length &&
    segments.every(
      (segment, index) => segment === asked[index] || (segment.startsWith(':') && asked[index] !== ''),
    )
  );
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new HullError(`Cannot read ${JSON.stringify(text)} in the path: it is not percent-encoded UTF-8`, {
      kind: 'invalid',
      cause,
    });
  }
}
