import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { Resources } from '../base/oci.ts';
import { findHierarchies } from './hierarchies.ts';
import { openCgroups } from './open-cgroups.ts';
import { testParent } from './test-parent.ts';

const v2 = (await findHierarchies().catch(() => [])).find(({ version }) => version === 2);
/** A limit of a controller that this v2 hierarchy has and that is not threaded. */
const limits: Readonly<Record<string, Resources>> = {
  memory: { memory: { limit: 64 << 20 } },
  hugetlb: { hugepageLimits: [{ pageSize: '2MB', limit: 0 }] },
};
const controller = Object.keys(limits).find((name) => v2?.controllers.includes(name));
const reason =
  v2 === undefined
    ? 'no cgroup v2'
    : controller === undefined
      ? 'no memory or hugetlb in v2'
      : whyNot(v2.root);

function whyNot(root: string): string {
  try {
    accessSync(join(root, 'cgroup.subtree_control'), constants.W_OK);
    return '';
  } catch {
    return 'cgroups not writable, needs root';
  }
}

describe.skipIf(reason)(
  `a v2 group with processes of its own${reason && ` (skipped: ${reason})`}`,
  async () => {
    const cgroups = await openCgroups({ hierarchies: v2 ? [v2] : [] });
    const above = `${testParent}-occupied`;
    const folder = join(v2?.root ?? '', above);
    const child = `${above}/child`;
    const resources = limits[controller ?? ''] ?? {};
    let sleeper: ChildProcess | undefined;

    async function occupy(): Promise<number> {
      // Its folder by the manager, which enables the controllers above it.
      await cgroups.create(above, resources);
      sleeper = spawn('sleep', ['1000']);
      writeFileSync(join(folder, 'cgroup.procs'), String(sleeper.pid));
      return sleeper.pid ?? 0;
    }

    afterEach(async () => {
      if (sleeper) {
        const ended = once(sleeper, 'exit');
        sleeper.kill('SIGKILL');
        await ended;
      }
      await cgroups.open(above).remove();
    });

    test('can have no limits below it, and the error names them', async () => {
      const pid = await occupy();
      await expect(cgroups.create(child, resources)).rejects.toMatchObject({
        kind: 'busy',
        message: `Cannot enable cgroup controller "${controller}" below ${JSON.stringify(folder)}: EBUSY, as the group has processes of its own (no-internal-process rule): ${pid} (sleep); wanted it to have groups only`,
      });
    });

    test('can have groups without limits, which processes can enter', async () => {
      await occupy();
      const group = await cgroups.create(child, {});
      expect(readFileSync(join(folder, 'child/cgroup.type'), 'utf8')).toBe('domain\n');
      writeFileSync(join(group.entry.v2Dir ?? '', 'cgroup.procs'), String(sleeper?.pid));
      expect(await group.pids()).toEqual([sleeper?.pid]);
      // Now that nobody is in it, the same with limits.
      await cgroups.create(`${above}/second`, resources);
    });

    test('is left by a daemon alone in it, and not by one among others', async () => {
      const home = join(
        v2?.root ?? '',
        readFileSync('/proc/self/cgroup', 'utf8').match(/^0::(.*)$/m)?.[1] ?? '',
      );
      const enter = (group: string) => writeFileSync(join(group, 'cgroup.procs'), String(process.pid));
      expect(cgroups.leaveParents(child)).toBe(undefined);
      mkdirSync(folder);
      try {
        enter(folder);
        expect(cgroups.leaveParents(child)).toEqual({
          group: above,
          movedTo: `${above}/hull-daemon`,
          others: '',
        });
        expect(readFileSync('/proc/self/cgroup', 'utf8')).toContain(`0::/${above}/hull-daemon\n`);
        enter(folder);
        rmdirSync(join(folder, 'hull-daemon'));
        sleeper = spawn('sleep', ['1000']);
        writeFileSync(join(folder, 'cgroup.procs'), String(sleeper.pid));
        expect(cgroups.leaveParents(child)).toEqual({ group: above, others: `${sleeper.pid} (sleep)` });
      } finally {
        enter(home);
      }
    });
  },
);
