import { expect } from 'vitest';
import { scenario } from '../../harness/run/scenario.ts';
import { create, runToEnd, shell, startReady } from '../support/containers.ts';

/** ST: an empty volume gets what the image has there, once; containers share it; it is in no container's own files. */
scenario('an empty volume is filled from the image, and shared', { dependsOnDriver: false }, async (t) => {
  const name = t.name('volume');
  t.defer(
    async () =>
      await t.docker
        .getVolume(name)
        .remove()
        .catch(() => undefined),
  );
  const host = { Binds: [`${name}:/home/sailor`] };
  const command = shell("trap 'exit 0' TERM; touch /home/sailor/first; echo ready; sleep 1000 & wait");
  const { container } = await startReady(t, { command, host, user: 'sailor' });
  const script = 'stat -c "%a %U" /home/sailor; ls /home/sailor; touch /home/sailor/second 2>&1';
  const other = await runToEnd(t, { command: shell(script), host: { Binds: [`${name}:/home/sailor:ro`] } });
  expect(other.stdout.trim().split('\n')).toEqual([
    '750 sailor',
    'first',
    expect.stringContaining('Read-only file system'),
  ]);
  const changes: readonly { readonly Path: string }[] = (await container.changes()) ?? [];
  expect(changes.map(({ Path }) => Path)).not.toContain('/home/sailor/first');
  await container.stop({ t: 5 });
  for (const each of [container, other.container]) await each.remove();
  await t.step('remove the volume', () => t.docker.getVolume(name).remove());
});

/** LC: a volume that nobody named goes with a container that removes itself. */
scenario('an anonymous volume goes with its container', { dependsOnDriver: false }, async (t) => {
  const container = await create(t, {
    command: shell('touch /scratch/file'),
    host: { AutoRemove: true, Mounts: [{ Type: 'volume', Source: '', Target: '/scratch' }] },
  });
  const [mount] = (await container.inspect()).Mounts;
  const volume = t.docker.getVolume(mount?.Name ?? '');
  expect((await volume.inspect()).Driver).toBe('local');
  const gone = container.wait({ condition: 'removed' });
  await container.start();
  await gone;
  await t.waitFor('the volume to go, too', async () =>
    volume.inspect().then(
      () => false,
      (error: { statusCode?: number }) => error.statusCode === 404,
    ),
  );
});
