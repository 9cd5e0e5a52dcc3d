import { expect } from 'vitest';
import { scenario } from '../../harness/run/scenario.ts';
import { refusal, runToEnd, shell, startReady } from '../support/containers.ts';

/**
 * CR, ST: who uses a volume is known after a crash as before it; it stays, with its files, when the container goes, and
 * goes when it is told to.
 */
scenario("a volume outlives its container and the daemon's crash", { dependsOnDriver: false }, async (t) => {
  const name = t.name('volume');
  const host = { Binds: [`${name}:/home/sailor`] };
  const command = shell(
    "trap 'exit 0' TERM; echo kept >/home/sailor/note; sync; echo ready; sleep 1000 & wait",
  );
  const { container } = await startReady(t, { command, host });
  const volume = t.docker.getVolume(name);
  t.defer(async () => await volume.remove().catch(() => undefined));
  await t.step('kill the daemon', () => t.engine.crash());
  await t.step('start the daemon again', () => t.engine.start());
  const answer = await refusal(volume.remove());
  expect(answer).toMatchObject({ status: 409, message: expect.stringContaining(container.id) });
  await t.step('remove the container', () => container.remove({ force: true, v: true }));
  const look = { command: shell('cat /home/sailor/note; stat -c "%a %U" /home/sailor'), host };
  const reader = await runToEnd(t, look);
  expect(reader.stdout).toBe('kept\n750 sailor\n');
  await reader.container.remove();
  await t.step('remove the volume', () => volume.remove());
  expect((await refusal(volume.inspect())).status).toBe(404);
});
