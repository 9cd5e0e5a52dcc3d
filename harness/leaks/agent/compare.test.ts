import { expect, it } from 'vitest';
import type { LeakKind } from '../types.ts';
import { compare } from './compare.ts';
import { collect, type Thing } from './thing.ts';

function thing(kind: LeakKind, id: string, more: Partial<Thing> = {}): Thing {
  return { kind, id, like: id, what: id, ...more };
}

function mount(namespace: string, place: string, like = `${namespace} ${place}`): Thing {
  return thing('mount', `${namespace} ${place}`, { namespace, place, like });
}

function changes(before: readonly Thing[], after: readonly Thing[]): string[] {
  return compare(collect(before), collect(after)).map(({ change, thing }) => `${change} ${thing.what}`);
}

it('finds nothing between equal looks', () => {
  const things = [thing('process', '1@0'), thing('file', '/state/a', { size: 1 }), mount('mnt:[1]', '/')];
  expect(changes(things, things)).toEqual([]);
});

it('names what is there now and was not', () => {
  expect(changes([thing('loop', 'a')], [thing('loop', 'a'), thing('loop', 'b')])).toEqual(['added b']);
});

it.each(['mount', 'link', 'nft', 'sysctl'] as const)('names a %s that is gone', (kind) => {
  const host = mount('mnt:[1]', '/');
  const one = kind === 'mount' ? mount('mnt:[1]', '/mnt') : thing(kind, 'one');
  expect(changes([host, one], [host])).toEqual([`removed ${one.what}`]);
});

it.each(['process', 'namespace', 'cgroup', 'file'] as const)('does not mind a %s that is gone', (kind) => {
  expect(changes([thing(kind, 'one')], [])).toEqual([]);
});

it('takes one restarted process for another, but only one', () => {
  const was = [thing('process', '10@1', { like: 'daemon' })];
  const now = [thing('process', '20@2', { like: 'daemon' })];
  const twice = [...now, thing('process', '21@2', { like: 'daemon' })];
  expect(changes(was, now)).toEqual([]);
  expect(changes(was, twice)).toHaveLength(1);
});

it('matches replacements by their state', () => {
  const at = (id: string, state: string) => thing('mount', id, { like: 'daemon /proc', state });
  expect(changes([at('a1', 'rw'), at('a2', 'ro')], [at('b1', 'ro'), at('b2', 'rw')])).toEqual([]);
});

it('sees a process become a zombie', () => {
  const alive = thing('process', '10@1', { state: '' });
  expect(changes([alive], [{ ...alive, state: 'Z' }])).toEqual(['changed 10@1']);
});

it.each([
  [64 * 1024, []],
  [64 * 1024 + 1, ['changed /state/db']],
])('lets a file grow by %i bytes: %j', (growth, wanted) => {
  const file = thing('file', '/state/db', { size: 100 });
  expect(changes([file], [{ ...file, size: 100 + growth }])).toEqual(wanted);
});

it('tells of a new namespace only the mounts that were in none', () => {
  const host = [mount('mnt:[1]', '/'), mount('mnt:[1]', '/proc')];
  const copy = [mount('mnt:[2]', '/'), mount('mnt:[2]', '/proc'), mount('mnt:[2]', '/merged')];
  expect(changes(host, [...host, ...copy])).toEqual(['added mnt:[2] /merged']);
});

it('tells a mount that is new in a namespace that was there, though another had it', () => {
  const before = [mount('mnt:[1]', '/'), mount('mnt:[1]', '/merged'), mount('mnt:[2]', '/')];
  expect(changes(before, [...before, mount('mnt:[2]', '/merged')])).toEqual(['added mnt:[2] /merged']);
});

it('does not mind that mounts went with their namespace', () => {
  const host = mount('mnt:[1]', '/');
  expect(changes([host, mount('mnt:[2]', '/'), mount('mnt:[2]', '/x')], [host])).toEqual([]);
});
