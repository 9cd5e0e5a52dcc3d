import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DeviceRule } from '../../base/oci.ts';
import type { Cgroup } from '../cgroup.ts';
import { findHierarchies } from '../hierarchies.ts';
import { openCgroups } from '../open-cgroups.ts';
import { testParent } from '../test-parent.ts';
import { defaultDeviceRules } from './device-list.ts';

const denyAll: DeviceRule = { allow: false, access: 'rwm' };
const zero = (access: string): DeviceRule => ({ allow: true, type: 'c', major: 1, minor: 5, access });
const found = await findHierarchies().catch(() => []);
const isRoot = process.getuid?.() === 0;

// Each way by itself: a hybrid host has both.
for (const version of [1, 2] as const) {
  const hierarchies = found.filter(
    (each) => each.version === version && (version === 2 || each.controllers.includes('devices')),
  );
  const reason = !isRoot
    ? 'not root'
    : hierarchies.length === 0
      ? `no v${version} hierarchy for devices`
      : '';
  describe.skipIf(reason !== '')(
    `devices by ${version === 1 ? 'the v1 list' : 'a v2 program'}${reason && ` (skipped: ${reason})`}`,
    () => {
      let folder = '';
      let group: Cgroup;

      beforeEach(async () => {
        folder = mkdtempSync(join(tmpdir(), 'hull-devices-'));
        spawnSync('mknod', [join(folder, 'zero'), 'c', '1', '5']);
        spawnSync('mknod', [join(folder, 'full'), 'c', '1', '7']);
        const cgroups = await openCgroups({ hierarchies });
        group = await cgroups.create(`${testParent}/devices`, { devices: [denyAll] });
      });
      afterEach(async () => {
        rmSync(folder, { recursive: true });
        await group.kill(AbortSignal.timeout(5000));
        await group.remove();
      });

      /** Runs a script inside the group; answers its exit code. A shell opens nothing by itself. */
      function inside(script: string): string {
        const files = [
          ...group.entry.v1Procs,
          ...(group.entry.v2Dir ? [join(group.entry.v2Dir, 'cgroup.procs')] : []),
        ];
        const enter = files.map((file) => `echo 0 > ${file} && `).join('');
        const { stderr, status } = spawnSync('sh', ['-c', `${enter}cd ${folder} && { ${script}; }`], {
          encoding: 'utf8',
        });
        return status === 0 ? 'works' : /not permitted/.test(stderr) ? 'EPERM' : stderr;
      }
      const read = (name: string) => inside(`head -c 1 ${name} | wc -c | grep -q 1`);
      const write = (name: string) => inside(`: > ${name}`);
      const make = (kind: string) => inside(`rm -f made; mknod made ${kind}`);

      test('nothing, then what is allowed, then all', async () => {
        expect([write('zero'), make('c 1 5')]).toEqual(['EPERM', 'EPERM']);
        await group.update({ devices: [denyAll, zero('w')] });
        expect([write('zero'), inside(': < zero'), write('full'), make('c 1 5')]).toEqual([
          'works',
          'EPERM',
          'EPERM',
          'EPERM',
        ]);
        await group.update({ devices: [denyAll, ...defaultDeviceRules] });
        expect([write('zero'), read('zero'), write('full') === 'EPERM', make('b 8 0')]).toEqual([
          'works',
          'works',
          false,
          'works',
        ]);
        expect(inside(': < made')).toBe('EPERM');
        await group.update({ devices: [{ allow: true }] });
        expect(inside(': < made')).not.toBe('EPERM');
      });

      test('everything but one', async () => {
        await group.update({ devices: [{ allow: true }, { ...zero('rw'), allow: false }] });
        expect([read('full'), write('zero'), make('c 1 5')]).toEqual(['works', 'EPERM', 'works']);
      });

      test('a hundred updates never deny what is always allowed, and leave one list', async () => {
        await group.update({ devices: [denyAll, zero('rwm')] });
        const files = [
          ...group.entry.v1Procs,
          ...(group.entry.v2Dir ? [join(group.entry.v2Dir, 'cgroup.procs')] : []),
        ];
        const { spawn } = await import('node:child_process');
        const loop = spawn('sh', [
          '-c',
          `${files.map((file) => `echo 0 > ${file} && `).join('')}while : < ${folder}/zero; do :; done; exit 9`,
        ]);
        for (let round = 0; round < 100; round++) {
          const extra: DeviceRule[] = round % 2 ? [{ allow: true, type: 'c', major: 1, minor: 7 }] : [];
          await group.update({ devices: [denyAll, zero('rwm'), ...extra] });
          if (round % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
        }
        expect([loop.exitCode, read('zero'), write('full')]).toEqual([null, 'works', 'works']);
        loop.kill('SIGKILL');
      });
    },
  );
}
