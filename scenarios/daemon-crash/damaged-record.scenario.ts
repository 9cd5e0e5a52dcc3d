import { expect } from 'vitest';
import { scenario } from '../../harness/run/scenario.ts';
import { create, idle, runToEnd, shell, startToEnd } from '../support/containers.ts';

/**
 * CR-21: a container's records are empty after a crash. The daemon starts, the other containers are usable, and the damaged one is
 * there as what it is, or gone; it can be removed either way.
 */
scenario(
  'a damaged container does not keep the daemon from starting',
  {
    dependsOnDriver: false,
    notOn: { docker: 'leaves such a container out, with its files where they are, and cannot remove it' },
  },
  async (t) => {
    const good = await runToEnd(t, { command: shell('echo run >>/runs; wc -l </runs') });
    const damaged = await create(t, { command: idle });
    await t.engine.crash();
    const emptied = await t.host.ok([
      'sh',
      '-c',
      `find ${t.engine.dataRoot} ${t.engine.execRoot} -type f -path '*${damaged.id}*' -name '*.json' -size +0 -print -exec truncate -s 0 {} +`,
    ]);
    expect(emptied.trim(), 'no record of the container was found to be damaged').not.toBe('');
    await t.step('start the daemon on the damaged record', () => t.engine.start());
    expect((await startToEnd(good.container)).stdout.trim().split('\n')).toEqual(['1', '2']);
    await t.step('remove the damaged container', async () => {
      const removal = await damaged.remove({ force: true }).then(
        () => 200,
        (error: { statusCode?: number }) => error.statusCode,
      );
      expect([200, 404]).toContain(removal);
    });
    const listed = await t.docker.listContainers({ all: true });
    expect(listed.map(({ Id }) => Id)).toEqual([good.container.id]);
  },
);
