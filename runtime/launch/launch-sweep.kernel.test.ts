import { existsSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileContainer } from './compile-container.ts';
import { callsOf } from './explain.ts';
import { startContainer } from './launch.ts';
import { LaunchError } from './launch-error.ts';
import { injectDeath, injectFailure, type Program } from './program.ts';
import { prepareProgram } from './program-cache.ts';
import { hasMountSetattr, requestWithEverything } from './test-everything.ts';
import {
  LaunchFixture,
  namespacesShowing,
  processes,
  readProc,
  titleSuffix,
  whyNoLaunches,
} from './test-fixture.ts';
import { TestGroups } from './test-groups.ts';
import type { LaunchRequest } from './types.ts';
import { watchExit } from './watch-exit.ts';

/**
 * Every step of a start is made to fail, and to be the last thing its process does. The error must name the step, and
 * nothing may be left: no process, no mount, no descriptor of ours, nothing in the cgroup.
 */
const EIO = 5;

/** All steps take a minute and more; every third one, from another one on each day, is the sample. */
const every = process.env['HULL_SWEEP'] === 'all' ? 1 : 3;
const firstOne = Math.floor(Date.now() / 86_400_000) % every;
const isSampled = (position: number) => position % every === firstOne;

const forms: readonly (readonly [name: string, userNamespace: boolean | undefined])[] = [
  ['Docker’s defaults', undefined],
  ['everything', false],
  ['everything, in a user namespace', true],
];

describe.skipIf(whyNoLaunches !== undefined).each(forms)(
  `launch, steps of a start with %s${titleSuffix}`,
  (_, userNamespace) => {
    let fixture: LaunchFixture;
    let groups: TestGroups;
    let request: LaunchRequest;
    let program: Program;

    beforeAll(async () => {
      if (whyNoLaunches !== undefined) return;
      fixture = await LaunchFixture.create();
      groups = new TestGroups(`hull-sweep-${fixture.id}`);
      const command = ['sh', '-c', 'cat /proc/self/cgroup; exit 3'];
      if (userNamespace !== undefined) {
        request = await requestWithEverything(fixture, command, {
          cgroup: groups.entry,
          userNamespace,
          mountSetattr: hasMountSetattr,
        });
        program = compileContainer(request);
        return;
      }
      request = fixture.request(command, {
        process: {
          capabilities: { bounding: ['CAP_CHOWN'], permitted: ['CAP_CHOWN'], effective: ['CAP_CHOWN'] },
          user: { uid: 7, gid: 7, additionalGids: [8] },
          noNewPrivileges: true,
        },
        spec: {
          mounts: [
            ...(fixture.request([]).spec.mounts ?? []),
            { destination: '/data', type: 'bind', source: fixture.dir, options: ['rbind', 'ro'] },
          ],
          root: { path: '/', readonly: true },
        },
        linux: {
          maskedPaths: ['/proc/kcore'],
          readonlyPaths: ['/proc/sys'],
          sysctl: { 'net.ipv4.ip_forward': '1' },
        },
        request: { cgroup: { ...groups.entry, readyDescriptor: 4 }, openStdin: true },
      });
      program = compileContainer(request);
    });

    afterAll(async () => {
      groups?.[Symbol.dispose]();
      await fixture?.[Symbol.asyncDispose]();
    });

    async function outcomeOf(changed: Program): Promise<string> {
      const finish = request.cgroup.readyDescriptor === undefined ? undefined : async () => undefined;
      const outcome = await startContainer(prepareProgram(changed), request, finish).then(
        async () => {
          const exit = await watchExit(fixture.runDir);
          return exit === 'lost' ? 'lost' : `exit ${exit.exitCode}`;
        },
        (error: unknown) =>
          error instanceof LaunchError ? `${error.code} at ${error.step.index}` : `other: ${String(error)}`,
      );
      await expectNothingLeft();
      return outcome;
    }

    async function expectNothingLeft(): Promise<void> {
      // The first process of a monitor that died is killed by the kernel, and reaped by init.
      for (let tries = 0; groups.processes !== '' && tries < 200; tries += 1) await sleep(5);
      expect(groups.processes).toBe('');
      const ours = processes().filter((pid) =>
        readProc(pid, 'cmdline').startsWith(`hull-monitor ${fixture.id}`),
      );
      expect(ours).toEqual([]);
      expect(namespacesShowing(fixture.dir)).toEqual([]);
    }

    it('starts in its cgroups when nothing fails', async () => {
      expect(await outcomeOf(program)).toBe('exit 3');
      const { stdout } = await fixture.output();
      // Its cgroup namespace was made after it had entered.
      expect(stdout).toMatch(/:pids:\/$|^0::\/$/m);
    });

    it('an error at any step is that step’s, or is provided for', async () => {
      const provided: string[] = [];
      const unreached: string[] = [];
      // From there on the monitor has nobody to tell. Where it fails before the first process has executed its command, it
      // takes that one with it, and the start ends without a word.
      const monitorAlone =
        callsOf(program).findIndex((step) => step.what === 'report to the daemon (pid)') + 1;
      for (const [position, step] of callsOf(program).entries()) {
        if (!isSampled(position)) continue;
        const index = position + 1;
        const outcome = await outcomeOf(injectFailure(program, index, EIO));
        if (outcome === `EIO at ${index}`) continue;
        const line = `${index} ${step.what}: ${outcome}`;
        if (step.negative !== 'fail') provided.push(line);
        else unreached.push(line);
        if (index > monitorAlone && /without a word|monitor was lost/.test(outcome)) continue;
        expect(outcome, line).toMatch(/^(exit 3|lost|exit 137)$|^EIO at/);
      }
      // Steps of branches that this kernel does not need, and of the monitor once nobody listens to it any more.
      const known =
        /make the process|enter cgroup|restrict ".*" to|look at the flags|mask "|make (file|folder) "|descriptors for names|deny setgroups|map the group ids|^\d+ close:|run "|must be mounted on|beyond reach|the copy of|the device made for|mount "tmpfs" at "\/srv\/seed"|exit_group|exit record|exit.tmp|read the clock/;
      expect(unreached.filter((line) => !known.test(line))).toEqual([]);
      expect(provided.length).toBeGreaterThan(10 / every);
      const tried = callsOf(program).filter((_, position) => isSampled(position)).length;
      expect(tried - provided.length - unreached.length).toBeGreaterThan(90 / every);
    });

    it('a death at any step leaves nothing', async () => {
      const fds = readdirSync('/proc/self/fd').length;
      for (const [position, step] of callsOf(program).entries()) {
        if (!isSampled(position)) continue;
        // EPIPE: the one that waits for ids, or for the helper, finds nobody there.
        const outcome = await outcomeOf(injectDeath(program, position + 1));
        expect(outcome, `${position + 1} ${step.what}`).toMatch(
          /^(exit 3|exit 137|lost|EPIPE at \d+|other: HullError: .*)$/,
        );
      }
      expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(fds + 1);
      expect(existsSync(fixture.dir)).toBe(true);
    });
  },
);
