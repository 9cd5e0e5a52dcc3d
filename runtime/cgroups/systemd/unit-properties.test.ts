import { describe, expect, test } from 'vitest';
import type { Resources } from '../../base/oci.ts';
import type { CurrentLimits } from '../setting.ts';
import { settingsFor } from '../settings.ts';
import { annotatedProperties } from './annotated-properties.ts';
import { deviceProperties } from './device-properties.ts';
import { unitProperties } from './unit-properties.ts';

const MiB = 1024 * 1024;

function properties(resources: Resources, version: 1 | 2, current: CurrentLimits = {}): readonly string[] {
  return unitProperties(
    settingsFor(resources, () => version, current),
    () => version,
    current,
  );
}

describe('unitProperties', () => {
  test.each<[title: string, Resources, v1: readonly string[], v2: readonly string[]]>([
    [
      'memory',
      { memory: { limit: 64 * MiB, swap: 96 * MiB, reservation: 32 * MiB } },
      ['MemoryLimit=67108864'],
      ['MemorySwapMax=33554432', 'MemoryMax=67108864', 'MemoryLow=33554432'],
    ],
    [
      'memory without a limit',
      { memory: { limit: -1, swap: -1 } },
      ['MemoryLimit=infinity'],
      ['MemorySwapMax=infinity', 'MemoryMax=infinity'],
    ],
    ['cpu shares', { cpu: { shares: 1024 } }, ['CPUShares=1024'], ['CPUWeight=100']],
    [
      'a quota, rounded up to percent',
      { cpu: { quota: 33_333, period: 50_000 } },
      ['CPUQuota=67%', 'CPUQuotaPeriodSec=50000us'],
      ['CPUQuota=67%', 'CPUQuotaPeriodSec=50000us'],
    ],
    [
      'a quota alone',
      { cpu: { quota: 150_000 } },
      ['CPUQuota=150%', 'CPUQuotaPeriodSec=100000us'],
      ['CPUQuota=150%', 'CPUQuotaPeriodSec=100000us'],
    ],
    [
      'no quota',
      { cpu: { quota: -1 } },
      ['CPUQuota=', 'CPUQuotaPeriodSec=100000us'],
      ['CPUQuota=', 'CPUQuotaPeriodSec=100000us'],
    ],
    ['a cpuset', { cpu: { cpus: '0-2,7', mems: '0' } }, [], ['AllowedCPUs=0-2,7', 'AllowedMemoryNodes=0']],
    ['pids', { pids: { limit: 20 } }, ['TasksMax=20'], ['TasksMax=20']],
    ['any number of pids', { pids: { limit: 0 } }, ['TasksMax=infinity'], ['TasksMax=infinity']],
    ['a weight of block devices', { blockIO: { weight: 10 } }, ['BlockIOWeight=10'], ['IOWeight=1']],
    ['one of a single device', { blockIO: { weightDevice: [{ major: 8, minor: 0, weight: 10 }] } }, [], []],
    ['what systemd does not know', { hugepageLimits: [{ pageSize: '2MB', limit: 4096 }] }, [], []],
  ])('%s', (_, resources, v1, v2) => {
    expect(properties(resources, 1)).toEqual(v1);
    expect(properties(resources, 2)).toEqual(v2);
  });

  test('files of version 2 by name', () => {
    const unified = {
      'memory.high': '512M',
      'memory.min': 'max',
      'cpu.max': '20000 100000',
      'cpu.weight': 'idle',
      'misc.max': 'a 1',
    };
    expect(properties({ unified }, 2)).toEqual([
      'MemoryHigh=512M',
      'MemoryMin=infinity',
      'CPUQuota=20%',
      'CPUQuotaPeriodSec=100000us',
    ]);
  });

  test('half of a pair has the other from the group', () => {
    const both = ['CPUQuota=50%', 'CPUQuotaPeriodSec=200000us'];
    for (const version of [1, 2] as const) {
      expect(properties({ cpu: { quota: 100_000 } }, version, { quota: -1, period: 200_000 })).toEqual(both);
      expect(properties({ cpu: { period: 200_000 } }, version, { quota: 100_000, period: 1000 })).toEqual(
        both,
      );
    }
  });
});

test('device rules as systemd has them', () => {
  const devices = 'Character devices:\n  1 mem\n136 pts\n\nBlock devices:\n  7 loop\n259 blkext\n';
  const deny = { allow: false, access: 'rwm' };
  expect(
    deviceProperties(
      [
        deny,
        { allow: true, type: 'c', access: 'm' },
        { allow: true, type: 'b', major: 7, access: 'rw' },
        { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
        { allow: true, type: 'c', major: 136, access: 'rwm' },
        { allow: true, type: 'c', major: 250, access: 'rwm' },
      ],
      devices,
    ),
  ).toEqual([
    'DevicePolicy=strict',
    'DeviceAllow=char-* m',
    'DeviceAllow=block-loop rw',
    'DeviceAllow=/dev/char/1:3 rwm',
    'DeviceAllow=char-pts rwm',
  ]);
  expect(deviceProperties([deny, { allow: true, access: 'rwm' }], devices)).toEqual([]);
});

describe('annotatedProperties', () => {
  test.each([
    ['TimeoutStopUSec', 'uint64 5000000', 'TimeoutStopSec=5000000us'],
    ['TimeoutStopSec', '2.5', 'TimeoutStopSec=2.5'],
    ['KillSignal', '37', 'KillSignal=37'],
    ['SendSIGHUP', 'true', 'SendSIGHUP=true'],
    ['CollectMode', "'inactive-or-failed'", 'CollectMode=inactive-or-failed'],
    ['Before', '[\'a.service\', "b.service"]', 'Before=a.service b.service'],
  ])('%s: %s', (name, text, assignment) => {
    expect(annotatedProperties({ [`org.systemd.property.${name}`]: text, other: 'x' })).toEqual([assignment]);
  });

  test.each([
    ['KillSignal', 'nonsense'],
    ['KillSignal', "'a\nb'"],
    ['x', '1'],
    ['Kill=Signal', '1'],
    ['Before', '[1, 2]'],
  ])('refuses %s: %j', (name, text) => {
    expect(() => annotatedProperties({ [`org.systemd.property.${name}`]: text })).toThrow(
      `annotation org.systemd.property.${name}: found`,
    );
  });
});
