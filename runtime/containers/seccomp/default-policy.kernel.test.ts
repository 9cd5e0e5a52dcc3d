import { release } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import type { Seccomp } from '../../base/oci-seccomp.ts';
import { launch } from '../../launch/launch.ts';
import { launchExec } from '../../launch/launch-exec.ts';
import { readLogFrames } from '../../launch/log-frames.ts';
import { readTriedCalls, type TriedCall, writeTryCalls } from '../../launch/test-calls.ts';
import { LaunchFixture, titleSuffix, whyNoLaunches } from '../../launch/test-fixture.ts';
import { watchExit } from '../../launch/watch-exit.ts';
import { defaultCapabilities } from '../capabilities.ts';
import { defaultSeccomp } from './default-policy.ts';

const EPERM = -1;
const ENOSYS = -38;
const newUser = 0x10000000;

/** Calls that a default container has no business with, each with arguments that make it harmless where it is allowed. */
const forbidden: readonly TriedCall[] = [
  { call: 'unshare', args: [newUser] },
  { call: 'mount', args: [0, 0, 0, 0, 0] },
  { call: 'umount2', args: [0, 0] },
  { call: 'setns', args: [-1, 0] },
  { call: 'keyctl', args: [0, 0, 0, 0, 0] },
  { call: 'bpf', args: [0, 0, 0] },
  { call: 'kexec_load', args: [0, 0, 0, 0] },
  { call: 'open_by_handle_at', args: [-1, 0, 0] },
  { call: 'clone', args: [newUser | 17, 0, 0, 0, 0] },
  { call: 'socket', args: [40, 1, 0] },
  { call: 'personality', args: [0x0040000] },
];
const allowed: readonly TriedCall[] = [
  { call: 'getpid', args: [] },
  { call: 'personality', args: [0xffffffff] },
];

const policy = defaultSeccomp({ capabilities: defaultCapabilities, arch: process.arch, kernel: release() });
const capabilities = {
  bounding: defaultCapabilities,
  effective: defaultCapabilities,
  permitted: defaultCapabilities,
};

async function resultsOf(
  fixture: LaunchFixture,
  calls: readonly TriedCall[],
  options: { readonly seccomp?: Seccomp; readonly uid?: number; readonly noNewPrivileges?: boolean },
): Promise<readonly number[]> {
  await writeTryCalls(join(fixture.dir, 'root/bin/try'), calls);
  const { seccomp, uid = 0, noNewPrivileges = false } = options;
  const user = { uid, gid: uid };
  const request = fixture.request(['/bin/try'], {
    process: {
      capabilities: uid === 0 ? capabilities : { bounding: defaultCapabilities },
      user,
      noNewPrivileges,
    },
    linux: seccomp ? { seccomp } : {},
  });
  await launch(request);
  const exit = await watchExit(fixture.runDir);
  expect(exit).toMatchObject({ exitCode: 0 });
  const frames: Buffer[] = [];
  for await (const { data } of readLogFrames(join(fixture.dir, 'log'))) frames.push(data);
  return readTriedCalls(Buffer.concat(frames));
}

describe.skipIf(whyNoLaunches !== undefined)(`the default seccomp policy${titleSuffix}`, () => {
  it.each([
    ['root', {}],
    ['root without new privileges', { noNewPrivileges: true }],
    ['a user', { uid: 1000 }],
    ['a user without new privileges', { uid: 1000, noNewPrivileges: true }],
  ])('keeps %s from the kernel’s dangerous calls', async (_, options) => {
    await using fixture = await LaunchFixture.create();
    const results = await resultsOf(fixture, [...forbidden, { call: 'clone3', args: [0, 0] }, ...allowed], {
      ...options,
      seccomp: policy,
    });
    expect(results.slice(0, forbidden.length)).toEqual(forbidden.map(() => EPERM));
    expect(results.slice(forbidden.length)).toEqual([ENOSYS, 1, 0]);
  });

  it('is what keeps them: without it the same container makes a user namespace', async () => {
    await using fixture = await LaunchFixture.create();
    expect(await resultsOf(fixture, [{ call: 'unshare', args: [newUser] }], { uid: 1000 })).toEqual([0]);
  });

  it('does not leave CAP_SYS_ADMIN, which loading it takes, to the command', async () => {
    for (const user of [
      { uid: 0, gid: 0 },
      { uid: 1000, gid: 1000 },
    ]) {
      await using fixture = await LaunchFixture.create();
      const request = fixture.request(['cat', '/proc/self/status'], {
        process: { capabilities, user },
        linux: { seccomp: policy },
      });
      await launch(request);
      expect(await watchExit(fixture.runDir)).toMatchObject({ exitCode: 0 });
      const { stdout } = await fixture.output();
      const held = user.uid === 0 ? '00000000a80425fb' : '0000000000000000';
      expect(stdout).toContain(`CapPrm:\t${held}\nCapEff:\t${held}\nCapBnd:\t00000000a80425fb\n`);
      expect(stdout).toContain('NoNewPrivs:\t0\nSeccomp:\t2\n');
    }
  });

  it('holds for commands in the container as well', async () => {
    await using fixture = await LaunchFixture.create();
    await writeTryCalls(join(fixture.dir, 'root/bin/try'), forbidden);
    const target = await launch(fixture.request(['sleep', '60'], { linux: { seccomp: policy } }));
    try {
      const command = await launchExec({
        target,
        cgroup: { v1Procs: [] },
        process: fixture.process(['/bin/try'], { capabilities, user: { uid: 1000, gid: 1000 } }),
        seccomp: policy,
        openStdin: false,
      });
      command.stderr.resume();
      const results = readTriedCalls(await buffer(Readable.from(command.stdout)));
      expect(results).toEqual(forbidden.map(() => EPERM));
      expect(await command.exited).toEqual({ exitCode: 0 });
    } finally {
      process.kill(target.pid, 'SIGKILL');
      await watchExit(fixture.runDir);
    }
  });

  it('leaves what other capabilities open', async () => {
    const capabilitiesOf = [...defaultCapabilities, 'CAP_SYS_ADMIN'];
    const wide = defaultSeccomp({ capabilities: capabilitiesOf, arch: process.arch, kernel: release() });
    await using fixture = await LaunchFixture.create();
    const results = await resultsOf(
      fixture,
      [
        { call: 'unshare', args: [newUser] },
        { call: 'keyctl', args: [0, 0, 0, 0, 0] },
      ],
      { seccomp: wide, uid: 1000 },
    );
    expect(results).toEqual([0, EPERM]);
  });
});
