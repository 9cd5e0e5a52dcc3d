import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileContainer } from './compile-container.ts';
import { callsOf } from './explain.ts';
import { startContainer } from './launch.ts';
import { LaunchError } from './launch-error.ts';
import { injectDeath, injectFailure, type Program } from './program.ts';
import {
  LaunchFixture,
  namespacesShowing,
  processes,
  readProc,
  titleSuffix,
  whyNoLaunches,
} from './test-fixture.ts';
import type { CgroupEntry, LaunchRequest } from './types.ts';
import { watchExit } from './watch-exit.ts';

/**
 * Every step of a start is made to fail, and to be the last thing its process does. The error must name the step, and
 * nothing may be left: no process, no mount, no descriptor of ours, nothing in the cgroup.
 */
const EIO = 5;

/** A group of our own in one hierarchy of each version that is mounted here. */
class Groups {
  readonly entry: CgroupEntry;
  readonly #folders: readonly string[];

  constructor(name: string) {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
    const find = (type: string, has: string) =>
      mounts.find((line) => line.includes(` - ${type} `) && line.includes(has))?.split(' ')[4];
    const v1 = find('cgroup', 'pids');
    const v2 = find('cgroup2', '');
    const folder = (root: string | undefined) => (root === undefined ? undefined : join(root, name));
    const [v1Folder, v2Folder] = [folder(v1), folder(v2)];
    this.#folders = [v1Folder, v2Folder].filter((path) => path !== undefined);
    for (const path of this.#folders) mkdirSync(path);
    this.entry = {
      v1Procs: v1Folder === undefined ? [] : [join(v1Folder, 'cgroup.procs')],
      ...(v2Folder === undefined ? {} : { v2Dir: v2Folder }),
    };
  }

  get processes(): string {
    return this.#folders.map((path) => readFileSync(join(path, 'cgroup.procs'), 'utf8')).join('');
  }

  remove(): void {
    for (const path of this.#folders) rmdirSync(path);
  }
}

describe.skipIf(whyNoLaunches !== undefined)(`launch, every step${titleSuffix}`, () => {
  let fixture: LaunchFixture;
  let groups: Groups;
  let request: LaunchRequest;
  let program: Program;

  beforeAll(async () => {
    if (whyNoLaunches !== undefined) return;
    fixture = await LaunchFixture.create();
    groups = new Groups(`hull-sweep-${fixture.id}`);
    request = fixture.request(['sh', '-c', 'cat /proc/self/cgroup; exit 3'], {
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
      request: { cgroup: groups.entry, openStdin: true },
    });
    program = compileContainer(request);
  });

  afterAll(async () => {
    groups?.remove();
    await fixture?.[Symbol.asyncDispose]();
  });

  async function outcomeOf(changed: Program): Promise<string> {
    const outcome = await startContainer(changed, request).then(
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
    const monitorAlone = callsOf(program).findIndex((step) => step.what === 'report to the daemon (pid)') + 1;
    for (const [position, step] of callsOf(program).entries()) {
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
      /make the process|enter cgroup|restrict ".*" to|look at the flags|mask "|make (file|folder) "\/data"|run "|exit_group|exit record|exit.tmp|read the clock/;
    expect(unreached.filter((line) => !known.test(line))).toEqual([]);
    expect(provided.length).toBeGreaterThan(10);
    expect(callsOf(program).length - provided.length - unreached.length).toBeGreaterThan(100);
  });

  it('a death at any step leaves nothing', async () => {
    const fds = readdirSync('/proc/self/fd').length;
    for (const [position, step] of callsOf(program).entries()) {
      const outcome = await outcomeOf(injectDeath(program, position + 1));
      expect(outcome, `${position + 1} ${step.what}`).toMatch(
        /^(exit 3|exit 137|lost|other: HullError: .*)$/,
      );
    }
    expect(readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(fds + 1);
    expect(existsSync(fixture.dir)).toBe(true);
  });
});
