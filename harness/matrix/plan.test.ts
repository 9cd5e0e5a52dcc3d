import { expect, it } from 'vitest';
import { jobName } from './cell.ts';
import { parseHosts } from './load-hosts.ts';
import { plan, type Selection, SelectionError } from './plan.ts';

const hosts = parseHosts(
  `hosts:
  a: { provider: qemu, distribution: debian, release: 11, engines: &e [{ name: hull, drivers: [{ name: overlay }, { name: vfs }, { name: btrfs, onDemand: true, fileSystem: btrfs }] }] }
  b: { provider: qemu, distribution: debian, release: 13, engines: *e }
`,
  'hosts.yaml',
);
const scenarios = [
  { area: 'crash', scenario: 'starts-again', dependsOnDriver: true },
  { area: 'start', scenario: 'stops', dependsOnDriver: false, notOn: ['docker'] },
];
const names = (selection: Selection) => plan(hosts, scenarios, selection).map(jobName);

it('runs every scenario in every cell, and one that does not depend on the driver once per host and engine', () => {
  expect(names({})).toEqual([
    'a/hull/overlay:crash/starts-again',
    'a/hull/overlay:start/stops',
    'a/hull/vfs:crash/starts-again',
    'b/hull/overlay:crash/starts-again',
    'b/hull/overlay:start/stops',
    'b/hull/vfs:crash/starts-again',
  ]);
});

it.each<[string, Selection, readonly string[]]>([
  [
    'hosts and drivers',
    { hosts: ['b'], drivers: ['vfs'] },
    ['b/hull/vfs:crash/starts-again', 'b/hull/vfs:start/stops'],
  ],
  ['text', { text: 'art/st', hosts: ['a'] }, ['a/hull/overlay:start/stops']],
  ['a regular expression', { text: '/^START/i', hosts: ['a'] }, ['a/hull/overlay:start/stops']],
  ['a whole job', { patterns: ['a/hull/vfs:start/stops'] }, ['a/hull/vfs:start/stops']],
  ['a driver', { patterns: ['b/hull/vfs'] }, ['b/hull/vfs:crash/starts-again', 'b/hull/vfs:start/stops']],
  [
    'an area everywhere',
    { patterns: [':start'] },
    ['a/hull/overlay:start/stops', 'b/hull/overlay:start/stops'],
  ],
  [
    'a star',
    { patterns: ['*/hull/vfs:crash'] },
    ['a/hull/vfs:crash/starts-again', 'b/hull/vfs:crash/starts-again'],
  ],
  [
    'two patterns',
    { patterns: ['a:start', 'b:start/stops'] },
    ['a/hull/overlay:start/stops', 'b/hull/overlay:start/stops'],
  ],
  [
    'a driver on demand',
    { drivers: ['btrfs'], hosts: ['b'], text: 'crash' },
    ['b/hull/btrfs:crash/starts-again'],
  ],
  [
    'a driver on demand, by a job',
    { patterns: ['*/hull/btrfs:start'] },
    ['a/hull/btrfs:start/stops', 'b/hull/btrfs:start/stops'],
  ],
  [
    'an engine on demand',
    { engines: ['docker'], hosts: ['a'] },
    ['a/docker/overlay2:crash/starts-again', 'a/docker/vfs:crash/starts-again'],
  ],
])('selects by %s', (_, selection, expected) => {
  expect(names(selection)).toEqual(expected);
});

it.each<[string, Selection, RegExp]>([
  ['host', { hosts: ['c'] }, /host "c": unknown, the known are a, b/],
  [
    'driver',
    { drivers: ['overlai'] },
    /driver "overlai": unknown, the known are overlay, vfs, btrfs. Did you mean "overlay"\?/,
  ],
  ['scenario', { patterns: ['a/hull/vfs:start/stop'] }, /scenario "stop": unknown.*Did you mean "stops"\?/],
  ['form', { patterns: ['a/b/c/d'] }, /found another form than host\/engine\/driver/],
  ['expression', { text: '/(/' }, /Cannot filter by/],
  ['nothing', { text: 'nowhere' }, /Cannot select anything by text nowhere/],
])('names an unknown %s in one sentence', (_, selection, expected) => {
  expect(() => names(selection)).toThrow(SelectionError);
  expect(() => names(selection)).toThrow(expected);
});
