import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Spec, SpecMount } from '../base/oci.ts';
import { giveGroup } from './group-owner.ts';
import { defaultSpec } from './spec-template.ts';

const isRoot = process.geteuid?.() === 0;
const maps = { uidMappings: [{ containerID: 0, hostID: 100_000, size: 65_536 }] };
const inUserNamespace = {
  ...maps,
  namespaces: [...defaultSpec.linux.namespaces, { type: 'user' as const }],
};
const mount = (change: Partial<SpecMount> = {}): SpecMount => ({
  destination: '/sys/fs/cgroup',
  type: 'cgroup',
  source: 'cgroup',
  options: ['nosuid', 'rw'],
  ...change,
});

/** `linux`, the user and the mount of cgroups, and whose the group is then. */
const cases: readonly (readonly [string, Partial<Spec['linux']>, number, SpecMount, number])[] = [
  ['root of a user namespace', inUserNamespace, 0, mount(), 100_000],
  ['another user of it', inUserNamespace, 1000, mount(), 101_000],
  ['a user whom it does not have', inUserNamespace, 65_536, mount(), 0],
  ['a user of the host', {}, 1000, mount(), 1000],
  ['what may only be read', inUserNamespace, 0, mount({ options: ['ro'] }), 0],
  ['another place', inUserNamespace, 0, mount({ destination: '/mnt' }), 0],
  [
    'the cgroup namespace of the host',
    { ...inUserNamespace, namespaces: inUserNamespace.namespaces.filter(({ type }) => type !== 'cgroup') },
    0,
    mount(),
    0,
  ],
];

describe.skipIf(!isRoot)(`whose a container's group is${isRoot ? '' : ' (skipped: not root)'}`, () => {
  let folder: string;
  const files = ['cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads', 'memory.max'];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'hull-group-owner-'));
    for (const name of files) writeFileSync(join(folder, name), '');
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const owners = () => ['.', ...files].map((name) => statSync(join(folder, name)).uid);
  const specOf = (linux: Partial<Spec['linux']>, uid: number, cgroups: SpecMount): Spec => ({
    ...defaultSpec,
    process: { ...defaultSpec.process, user: { uid, gid: 0 } },
    mounts: [cgroups],
    linux: { ...defaultSpec.linux, ...linux },
  });

  it.each(cases)('%s', (_, linux, uid, cgroups, owner) => {
    giveGroup({ v1Procs: [], v2Dir: folder }, specOf(linux, uid, cgroups));
    // Limits stay the host's.
    expect(owners()).toEqual([owner, owner, owner, owner, 0]);
  });

  it('stays as it is where there is version 1', () => {
    giveGroup({ v1Procs: ['/none'], v2Dir: folder }, specOf(inUserNamespace, 0, mount()));
    expect(owners()).toEqual([0, 0, 0, 0, 0]);
  });
});
