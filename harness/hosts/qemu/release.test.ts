import { expect, it } from 'vitest';
import { debianSuite } from './release.ts';

it.each([
  ['11', 'bullseye'],
  ['trixie', 'trixie'],
  ['sid', 'sid'],
])('knows release %s as %s', (release, suite) => {
  expect(debianSuite(release)).toBe(suite);
});

it('names the releases it knows', () => {
  expect(() => debianSuite('focal')).toThrow(/found release "focal", wanted one of .*11.*bullseye/);
});
