import { expect } from 'vitest';
import { scenario } from '../../harness/run/scenario.ts';
import { idle, refusal, shell, start, startReady } from '../support/containers.ts';

/** LC-24: SIGKILL after the grace time, not before it, and a stop of what has stopped is no error. */
scenario(
  'a container that ignores the stop signal is killed after its grace time',
  { dependsOnDriver: false },
  async (t) => {
    const { container } = await startReady(t, { command: shell("trap '' TERM; echo ready; sleep 1000") });
    const started = performance.now();
    await container.stop({ t: 1 });
    expect(performance.now() - started).toBeGreaterThan(1000);
    expect((await container.inspect()).State).toMatchObject({ Status: 'exited', ExitCode: 137, Pid: 0 });
    // 304: dockerode makes an error of every answer that is not 2xx.
    expect((await refusal(container.stop())).status).toBe(304);
  },
);

/** LC-25: by name or number; one that does not exist is refused and harms nothing. */
scenario('the stop signal of a container is used', { dependsOnDriver: false }, async (t) => {
  const command = shell("trap 'exit 7' USR1; trap 'exit 8' TERM; echo ready; sleep 1000 & wait");
  const [named, numbered] = await Promise.all([
    startReady(t, { command, stopSignal: 'SIGUSR1' }),
    startReady(t, { command, stopSignal: '10' }),
  ]);
  expect((await refusal(numbered.container.kill({ signal: 'SIGNOSUCH' }))).status).toBe(400);
  expect((await numbered.container.inspect()).State.Running).toBe(true);
  for (const { container } of [named, numbered]) {
    await container.stop({ t: 5 });
    expect((await container.inspect()).State.ExitCode).toBe(7);
  }
});

/** LC-28: daemonised grandchildren end with the container's first process. */
scenario('what a container left in the background ends with it', { dependsOnDriver: false }, async (t) => {
  const seconds = 86_000 + Math.floor(Math.random() * 1000);
  const command = shell(
    `(setsid sleep ${seconds} &) ; (setsid sh -c 'sleep ${seconds} & sleep ${seconds}' &); sleep 0.2`,
  );
  const { container } = await start(t, { command });
  expect(await container.wait()).toMatchObject({ StatusCode: 0 });
  const survivors = await t.host.run(['pgrep', '-af', `sleep ${seconds}`]);
  expect(survivors.stdout).toBe('');
});

/** LC-04: refused without force, and the container goes on as if nothing had been; force kills and removes. */
scenario('removing a running container takes force', { dependsOnDriver: true }, async (t) => {
  const { container, pid } = await start(t, { command: idle });
  expect((await refusal(container.remove())).status).toBe(409);
  expect((await container.inspect()).State).toMatchObject({ Running: true, Pid: pid });
  await container.remove({ force: true });
  expect((await refusal(container.inspect())).status).toBe(404);
});
