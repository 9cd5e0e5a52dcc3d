import { describe, expect, it, vi } from 'vitest';
import { productionPackages } from './modules-disk.ts';
import { parseOptions } from './options.ts';

describe('options', () => {
  it('are filters of files, hosts and what the guests have', () => {
    const words = [
      '--hosts',
      'debian-11,debian-13',
      '--drivers',
      'zfs',
      '--disk',
      '4G',
      '--disk',
      '512M',
      'cgroups',
      '-t',
      'freeze',
    ];
    expect(parseOptions(words)).toEqual({
      hosts: ['debian-11', 'debian-13'],
      drivers: ['zfs'],
      memory: 2048,
      cpus: 2,
      disks: [4 * 2 ** 30, 512 * 2 ** 20],
      text: 'freeze',
      files: ['cgroups'],
    });
  });

  it.each([
    [['--memory', '12'], /found "12", wanted a whole number from 512/i],
    [['--cpus', 'many'], /found "many", wanted a whole number/i],
    [['--disk', '0G'], /found "0G", wanted a size such as/i],
    [['--disk', '4'], /found "4", wanted a size such as/i],
    [['--hosts', 'a,'], /wanted names separated by commas/i],
    [['--host', 'a'], /unknown option '--host'/],
  ])('%j are refused', (words, message) => {
    const printed = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    try {
      expect(() => parseOptions(words)).toThrow(message);
    } finally {
      printed.mockRestore();
    }
  });
});

it('a guest gets the packages of production, whole, and not Node', () => {
  const packages = {
    '': {},
    'node_modules/node': {},
    'node_modules/vitest': {},
    'node_modules/vitest/node_modules/x': {},
    'node_modules/@vitest/runner': {},
    'node_modules/typescript': { dev: true },
  };
  expect(productionPackages(JSON.stringify({ packages }))).toEqual([
    'node_modules/vitest',
    'node_modules/@vitest/runner',
  ]);
});
