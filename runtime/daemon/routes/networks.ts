import type { Route } from '../router.ts';

/** Docker Engine API, "Networks": there are none yet beside `none` and `host`, which are nobody's to remove. */
export function networkRoutes(): readonly Route[] {
  return [
    { method: 'GET', path: '/networks', handle: () => ({ json: [] }) },
    { method: 'POST', path: '/networks/prune', handle: () => ({ json: { NetworksDeleted: null } }) },
  ];
}
