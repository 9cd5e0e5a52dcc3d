import { expect, it } from 'vitest';
import { compileContainer } from './compile-container.ts';
import { compileExec } from './compile-exec.ts';
import { encodeProgram } from './encode.ts';
import { stepOf } from './explain.ts';
import { KeptPrograms } from './kept-programs.ts';
import { blank } from './program-cache.ts';
import type { ExecRequest, LaunchRequest } from './types.ts';

/** As the daemon has it for a container on overlay. */
function request(digit: string, change: Partial<LaunchRequest['spec']['process']> = {}): LaunchRequest {
  const id = digit.repeat(64);
  const layer = `/var/lib/hull/overlay/l/${digit.toUpperCase().repeat(8)}`;
  const host = id.slice(0, 12);
  const env = ['PATH=/bin', `HOSTNAME=${host}`];
  const user = { uid: 0, gid: 0 };
  return {
    id,
    spec: {
      ociVersion: '1.2.0',
      root: { path: 'rootfs' },
      hostname: host,
      process: { args: ['true'], cwd: '/', user, env, ...change },
      mounts: [
        { destination: '/proc', type: 'proc', source: 'proc' },
        { destination: '/etc/hosts', type: 'bind', source: `/var/lib/hull/${id}/hosts`, options: ['bind'] },
      ],
      linux: {
        namespaces: [{ type: 'mount' }, { type: 'pid' }, { type: 'uts' }],
        cgroupsPath: `hull/${id}`,
        seccomp: { defaultAction: 'SCMP_ACT_ALLOW' },
      },
    },
    rootMounts: [
      {
        type: 'overlay',
        source: 'overlay',
        target: '',
        options: ['lowerdir=IMAGE/diff', `upperdir=${layer}/diff`, `workdir=${layer}/work`],
        cwd: '/var/lib/hull/overlay/l',
      },
    ],
    rootLockPath: `/run/hull/locks/${id}.lock`,
    cgroup: { path: `hull/${id}`, v1Procs: [`/sys/fs/cgroup/pids/hull/${id}/cgroup.procs`] },
    runDir: `/run/hull/containers/${id}`,
    logPath: `/var/lib/hull/containers/${id}/log`,
    openStdin: false,
  };
}

it('a kept program filled in for another container is the one compiled for it, byte for byte', () => {
  const programs = new KeptPrograms();
  const kept = programs.forContainer(request('a'));
  const filled = programs.forContainer(request('b'));
  const compiled = compileContainer(request('b'));
  expect(filled.program).toBe(kept.program);
  expect(filled.image.equals(encodeProgram(compiled))).toBe(true);
  const mount = compiled.steps
    .filter(({ kind }) => kind === 'call')
    .findIndex((step) => step.kind === 'call' && step.what.startsWith('mount "overlay"'));
  expect(filled.step(mount + 1)).toEqual(stepOf(compiled, mount + 1));
});

it.each([
  ['another command', { args: ['false'] }],
  ['a word that is the id of the container before', { args: ['echo', 'a'.repeat(64)] }],
  ['a word that looks like a blank', { args: ['echo', blank(2, 64)] }],
])('%s has a program of its own', (_, change) => {
  const programs = new KeptPrograms();
  programs.forContainer(request('a'));
  const wanted = request('b', change);
  expect(programs.forContainer(wanted).image.equals(encodeProgram(compileContainer(wanted)))).toBe(true);
});

it('an id that is too short for a blank is compiled as it is', () => {
  const wanted = { ...request('a'), id: 'short' };
  expect(new KeptPrograms().forContainer(wanted).image.equals(encodeProgram(compileContainer(wanted)))).toBe(
    true,
  );
});

it('a policy that is equal is the same, another one is not', () => {
  const programs = new KeptPrograms();
  const one = request('a');
  const first = programs.forContainer(one);
  expect(programs.forContainer(structuredClone(one)).program).toBe(first.program);
  const { spec } = one;
  const seccomp = { defaultAction: 'SCMP_ACT_LOG' } as const;
  const other = { ...one, spec: { ...spec, linux: { ...spec.linux, seccomp } } };
  expect(programs.forContainer(other).image.equals(encodeProgram(compileContainer(other)))).toBe(true);
});

it('a command in another container is the same program but for the group', () => {
  const exec = (digit: string): ExecRequest => ({
    target: { pid: Number(digit), startTicks: digit },
    cgroup: request(digit).cgroup,
    process: request(digit).spec.process,
    seccomp: { defaultAction: 'SCMP_ACT_ALLOW' },
    openStdin: false,
  });
  const programs = new KeptPrograms();
  const one = { ...exec('1'), process: { ...exec('2').process } };
  const kept = programs.forExec(one);
  const filled = programs.forExec(exec('2'));
  expect(filled.program).toBe(kept.program);
  expect(filled.image.equals(encodeProgram(compileExec(exec('2'))))).toBe(true);
});
