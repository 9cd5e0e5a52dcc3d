import type { FixtureEntry } from './tar-fixture.ts';

/** For tests: a layer of three files, and one that takes the second away. */
export const base: FixtureEntry[] = [
  { name: 'etc/motd', data: 'hello' },
  { name: 'etc/old', data: 'old' },
  { name: 'bin/tool', mode: 0o4755, data: 'x'.repeat(100_000) },
];
export const upper: FixtureEntry[] = [{ name: 'etc/.wh.old' }, { name: 'etc/new', data: 'new' }];
