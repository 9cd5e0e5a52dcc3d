import { expect, it } from 'vitest';
import { type MachinePaths, qemuArguments } from './command-line.ts';

const shape = { accelerator: 'tcg', cpus: 2, memoryMiB: 512, kernelArgs: ['a=b'] } as const;
const paths: MachinePaths = {
  label: 'seatrial-run-host',
  kernel: '/k',
  initrd: '/i',
  disk: '/with,comma',
  memory: { path: '/m', shared: true },
  console: '/c',
  incoming: false,
};

it('carries the label as its own words, for the reaper', () => {
  expect(qemuArguments(shape, paths).slice(0, 2)).toEqual(['-name', 'seatrial-run-host']);
});

it('asks for a free port and never guesses one', () => {
  expect(qemuArguments(shape, paths)).toContain('user,id=net,hostfwd=tcp:127.0.0.1:0-:22');
});

it('escapes commas in paths', () => {
  expect(qemuArguments(shape, paths).join(' ')).toContain('file=/with,,comma');
});

it('differs between a template and its clones only in sharing and waiting, as a saved state wants', () => {
  const template = qemuArguments(shape, paths);
  const clone = qemuArguments(shape, { ...paths, memory: { path: '/m', shared: false }, incoming: true });
  expect(clone.slice(-2)).toEqual(['-incoming', 'defer']);
  expect(clone.slice(0, -2).map((word) => word.replace('share=off', 'share=on'))).toEqual(template);
});

it('adds the host’s words to the kernel’s', () => {
  const args = qemuArguments(shape, paths);
  expect(args[args.indexOf('-append') + 1]).toMatch(/^root=\/dev\/vda rw .* a=b$/);
});

it('tells an emulated kernel what it need not do, and a real processor’s nothing', () => {
  const words = (accelerator: 'kvm' | 'tcg') => {
    const args = qemuArguments({ ...shape, accelerator }, paths);
    return args[args.indexOf('-append') + 1];
  };
  expect(words('tcg')).toContain('init_on_alloc=0');
  expect(words('kvm')).not.toContain('init_on_alloc=0');
});
