import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findResctrl, makeResctrl, placeResctrl, removeResctrl, resctrlStats } from './resctrl.ts';
import { missingSchemata, planResctrl } from './resctrl-plan.ts';

it.each([
  ['nothing: a group of its own', {}, { group: 'c1', kind: 'own', schemata: [], counters: [] }],
  [
    'a class: it must be there',
    { closID: 'gold' },
    { group: 'gold', kind: 'existing', schemata: [], counters: [] },
  ],
  [
    'both schemas are written together',
    { closID: 'gold', l3CacheSchema: 'L3:0=7f0', memBwSchema: 'MB:0=20' },
    { group: 'gold', kind: 'shared', schemata: ['L3:0=7f0\nMB:0=20\n'], counters: [] },
  ],
  [
    'of bandwidth the one schema, where both have it',
    { l3CacheSchema: 'L3:0=7f0\nMB:0=10', memBwSchema: 'MB:0=20' },
    { group: 'c1', kind: 'own', schemata: ['L3:0=7f0\nMB:0=20\n'], counters: [] },
  ],
  [
    'schemata come last',
    { l3CacheSchema: 'L3:0=7f0', schemata: ['L2:0=f', 'MB:0=30'] },
    { group: 'c1', kind: 'own', schemata: ['L3:0=7f0\n', 'L2:0=f\nMB:0=30\n'], counters: [] },
  ],
  [
    'who shares a class is counted on its own',
    { closID: 'gold', enableCMT: true, enableMBM: true },
    {
      group: 'gold',
      kind: 'existing',
      schemata: [],
      monitor: 'c1',
      counters: [
        ['enableCMT', 'llc_occupancy'],
        ['enableMBM', 'mbm_total_bytes'],
      ],
    },
  ],
])('intelRdt, %s', (_, rdt, plan) => {
  expect(planResctrl(rdt, 'c1')).toEqual(plan);
});

it.each(['', '.', '..', 'a/b', 'info', 'mon_groups'])('closID %j is refused', (closID) => {
  expect(() => planResctrl({ closID }, 'c1')).toThrow('linux.intelRdt.closID');
});

it('a group has schemata in whatever way it writes them', () => {
  const found = '    MB:0=  20;1=  70\n    L3:0=0007f0;1=00001f\n';
  expect(missingSchemata(found, ['L3:0=7f0;1=0x1F\nMB:1=70\n'])).toEqual([]);
  expect(missingSchemata(found, ['L3:0=7f0;1=3f\n'])).toEqual(['L3:0=7f0;1=3f']);
});

it('finds the mount, wherever it is', () => {
  const table = '30 1 0:25 / /sys/fs/re\\040sctrl rw,relatime - resctrl resctrl rw\n';
  expect(findResctrl(table)).toBe('/sys/fs/re sctrl');
  expect(findResctrl('30 1 0:25 / /resctrl rw - tmpfs resctrl rw\n')).toBeUndefined();
});

// The order of the steps, on plain files: no machine of ours has the hardware.
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'hull-resctrl-'));
  mkdirSync(join(root, 'info/L3_MON'), { recursive: true });
  writeFileSync(join(root, 'info/L3_MON/mon_features'), 'llc_occupancy\n');
});
afterEach(() => rmSync(root, { recursive: true }));

it('says which field asks for what there is not', () => {
  expect(() => placeResctrl(planResctrl({ enableMBM: true }, 'c1'), root)).toThrow(
    /^Cannot use linux.intelRdt.enableMBM: .* has no mbm_total_bytes$/,
  );
  expect(() => placeResctrl(planResctrl({ closID: 'gold' }, 'c1'), root)).toThrow('found no group');
  expect(() => placeResctrl(planResctrl({}, 'c1'), undefined)).toThrow(
    'linux.intelRdt: found no mounted resctrl',
  );
});

it('a class that is there is entered if it has the schemata, and stays', () => {
  mkdirSync(join(root, 'gold/mon_groups'), { recursive: true });
  mkdirSync(join(root, 'gold/mon_data/mon_L3_00'), { recursive: true });
  writeFileSync(join(root, 'gold/schemata'), 'L3:0=0f\n');
  const plan = planResctrl({ closID: 'gold', l3CacheSchema: 'L3:0=f', enableCMT: true }, 'c1');
  const place = placeResctrl(plan, root);
  const monitor = join(root, 'gold/mon_groups/c1');
  expect(place).toEqual({
    path: monitor,
    made: [monitor],
    tasks: [join(root, 'gold/tasks'), join(monitor, 'tasks')],
  });
  makeResctrl(plan, place);
  mkdirSync(join(monitor, 'mon_data/mon_L3_00'), { recursive: true });
  writeFileSync(join(monitor, 'mon_data/mon_L3_00/llc_occupancy'), '4096\n');
  expect(resctrlStats(place)).toEqual({
    l3_cache_schema: 'L3:0=0f',
    mbm_stats: [{}],
    cmt_stats: [{ llc_occupancy: 4096 }],
  });
  rmSync(join(monitor, 'mon_data'), { recursive: true });
  removeResctrl(place);
  removeResctrl(place);
  expect(readdirSync(join(root, 'gold/mon_groups'))).toEqual([]);
  const other = planResctrl({ closID: 'gold', l3CacheSchema: 'L3:0=3' }, 'c1');
  expect(() => makeResctrl(other, placeResctrl(other, root))).toThrow('is there without "L3:0=3"');
  expect(readFileSync(join(root, 'gold/schemata'), 'utf8')).toBe('L3:0=0f\n');
});
