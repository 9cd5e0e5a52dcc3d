import { describe, expect, it } from 'vitest';
import { compileContainer } from './compile-container.ts';
import { encodeProgram } from './encode.ts';
import { callsOf, explain } from './explain.ts';
import type { LaunchRequest } from './types.ts';

const request: LaunchRequest = {
  id: 'c1',
  rootMounts: [
    {
      type: 'overlay',
      source: 'overlay',
      target: '',
      options: ['lowerdir=l', 'upperdir=u', 'workdir=w'],
      cwd: '/layers',
    },
  ],
  rootLockPath: '/layers/lock',
  cgroup: { v1Procs: ['/sys/fs/cgroup/pids/c1/cgroup.procs'], v2Dir: '/sys/fs/cgroup/unified/c1' },
  runDir: '/run/hull/c1',
  logPath: '/var/lib/hull/c1/log',
  openStdin: false,
  spec: {
    ociVersion: '1.2.0',
    process: {
      cwd: '/srv',
      args: ['serve'],
      env: ['PATH=/usr/bin:/bin'],
      user: { uid: 5, gid: 6 },
      capabilities: { bounding: ['CAP_CHOWN'] },
    },
    root: { path: '/' },
    hostname: 'deck',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/data', type: 'bind', source: '/srv/volume', options: ['rbind', 'ro'] },
    ],
    linux: {
      namespaces: [
        { type: 'mount' },
        { type: 'pid' },
        { type: 'uts' },
        { type: 'network', path: '/proc/1/ns/net' },
      ],
      maskedPaths: ['/proc/kcore'],
    },
  },
};

const withSpec = (spec: Partial<LaunchRequest['spec']>): LaunchRequest => ({
  ...request,
  spec: { ...request.spec, ...spec },
});

describe('compileContainer', () => {
  const calls = callsOf(compileContainer(request));
  const position = (what: RegExp) => calls.findIndex((step) => what.test(step.what));

  it('keeps the order that must hold', () => {
    const order = [
      /^lock "\/layers\/lock"/,
      /^make the process/,
      /^enter cgroup ".*pids/,
      /^join network namespace/,
      /^open "\/srv\/volume"/,
      /^keep mounts from reaching the host/,
      /^mount "overlay" at "\/"/,
      /^make the staging root "\/"/,
      /^confine paths to the root/,
      /^mount "proc" at "\/proc"/,
      /^mount "\/srv\/volume" at "\/data"/,
      /^mask "\/proc\/kcore"/,
      /^make the root "\/"/,
      /^let go of the host's tree/,
      /^enter working folder "\/srv"/,
      /^drop CAP_DAC_OVERRIDE/,
      /^set the groups/,
      /^become group 6/,
      /^become user 5/,
      /^set the capabilities/,
      /^tell the daemon of the start/,
      /^run "serve"/,
      /^wait for output/,
      /^put the exit record in place/,
    ];
    const found = order.map(position);
    expect(found).not.toContain(-1);
    expect(found).toEqual([...found].sort((a, b) => a - b));
  });

  it('touches no path of the image before it is confined', () => {
    const confined = position(/^confine paths/);
    const early = calls
      .slice(0, confined)
      .filter((step) => step.call === 'mkdirat' || step.call === 'mknodat');
    expect(early.map((step) => step.what)).toEqual([
      'make FIFO "/run/hull/c1/alive"',
      'make FIFO "/run/hull/c1/control"',
      'make staging folder root',
      'make staging folder old',
    ]);
  });

  it('has the older call behind each newer one', () => {
    const names = calls.map((step) => step.call);
    for (const [newer, older] of [
      ['close_range', 'close'],
      ['clone3', 'clone'],
      ['mount_setattr', 'statfs'],
    ] as const)
      expect(names[names.indexOf(newer) + 1]).toBe(older);
  });

  it('is pure, a few ten kilobytes, and explains itself', () => {
    const file = encodeProgram(compileContainer(request), 'x64');
    expect(file.equals(encodeProgram(compileContainer(request), 'x64'))).toBe(true);
    expect(file.length).toBeLessThan(64_000);
    expect(explain(compileContainer(request))).toContain(
      'mount("overlay", "/sys/root", "overlay", 0, "lowerdir=l,upperdir=u,workdir=w")',
    );
  });

  it.each<[string, LaunchRequest, string]>([
    [
      'a user namespace without maps',
      withSpec({ linux: { namespaces: [{ type: 'mount' }, { type: 'user' }] } }),
      'Cannot make a user namespace: found none, wanted linux.uidMappings and linux.gidMappings',
    ],
    [
      'no command',
      withSpec({ process: { ...request.spec.process, args: [] } }),
      'Cannot start a container: found no command, wanted args[0]',
    ],
    [
      'an unknown capability',
      withSpec({ process: { ...request.spec.process, capabilities: { bounding: ['CAP_FLY'] } } }),
      'Cannot set capabilities: found "CAP_FLY", wanted a name as "CAP_CHOWN"',
    ],
    [
      'an unknown limit',
      withSpec({ process: { ...request.spec.process, rlimits: [{ type: 'RLIMIT_X', soft: 1, hard: 1 }] } }),
      'Cannot set limit "RLIMIT_X": found an unknown name, wanted one as "RLIMIT_NOFILE"',
    ],
    [
      'a relative target',
      withSpec({ mounts: [{ destination: 'data', type: 'tmpfs' }] }),
      'Cannot mount at "data": wanted an absolute path',
    ],
    [
      'options above a page',
      {
        ...request,
        rootMounts: [
          { type: 'overlay', source: 'o', target: '', options: [`lowerdir=${'l:'.repeat(2100)}`] },
        ],
      },
      'Cannot mount "overlay" at "/": found 4209 bytes of options, wanted fewer than 4096',
    ],
    [
      'a host name where the host has it',
      withSpec({ linux: { namespaces: [{ type: 'mount' }] } }),
      'Cannot set the hostname: the container has no uts namespace of its own',
    ],
    [
      'a sysctl of the machine',
      withSpec({ linux: { ...request.spec.linux, sysctl: { 'vm.swappiness': '1' } } }),
      'Cannot set sysctl "vm.swappiness": it is of the whole machine, wanted one of a namespace',
    ],
    [
      'a sysctl of a namespace that is shared',
      withSpec({ linux: { ...request.spec.linux, sysctl: { 'kernel.msgmax': '1' } } }),
      'Cannot set sysctl "kernel.msgmax": the container has no ipc namespace of its own',
    ],
    [
      'resctrl without a group',
      withSpec({ linux: { ...request.spec.linux, intelRdt: {} } }),
      'Cannot use linux.intelRdt: found no group of resctrl to enter',
    ],
  ])('refuses %s', (_, bad, message) => {
    expect(() => compileContainer(bad)).toThrow(message);
  });
});
