import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { holdContainerRoot } from './hold-container-root.ts';
import { launch } from './launch.ts';
import {
  dockerMounts,
  LaunchFixture,
  processes,
  readProc,
  titleSuffix,
  whyNoLaunches,
} from './test-fixture.ts';
import { watchExit } from './watch-exit.ts';

const helpers = () => processes().filter((pid) => readProc(pid, 'cmdline') === 'hull-hold\0');

describe.skipIf(whyNoLaunches !== undefined)(`holdContainerRoot${titleSuffix}`, () => {
  it.each(['overlay', 'bind'] as const)(
    'shows the bare %s root: what is mounted in it is not there',
    async (root) => {
      await using fixture = await LaunchFixture.create();
      const volume = join(fixture.dir, 'volume');
      await mkdir(volume);
      await writeFile(join(volume, 'secret'), 'of the host');
      const bind = { destination: '/data', type: 'bind', source: volume, options: ['bind'] };
      const script = 'echo own > /note; echo hidden > /data/of-volume; exec sleep 60';
      const target = await launch(
        fixture.request(['sh', '-c', script], { root, spec: { mounts: [...dockerMounts, bind] } }),
      );
      try {
        const before = helpers();
        {
          await using held = await holdContainerRoot(target);
          await expect.poll(() => readdir(held.path)).toContain('note');
          expect(await readFile(join(held.path, 'note'), 'utf8')).toBe('own\n');
          for (const name of ['data', 'proc', 'sys'])
            expect(await readdir(join(held.path, name))).toEqual([]);
          await writeFile(join(held.path, 'from-outside'), 'x');
          expect(readProc(target.pid, 'root/from-outside')).toBe('x');
          // The container itself sees no mount more.
          expect(readProc(target.pid, 'mountinfo').match(/^\S+ \S+ \S+ \S+ \/ /gm)).toHaveLength(1);
        }
        expect(helpers()).toEqual(before);
      } finally {
        process.kill(target.pid, 'SIGKILL');
        await watchExit(fixture.runDir);
      }
    },
  );

  it('knows a process that has ended, also under a number that is used again', async () => {
    const self = { pid: process.pid, startTicks: '1' };
    await expect(holdContainerRoot(self)).rejects.toMatchObject({ kind: 'conflict' });
    const none = { pid: 2 ** 22 + 1, startTicks: '1' };
    await expect(holdContainerRoot(none)).rejects.toMatchObject({ kind: 'conflict' });
  });
});
