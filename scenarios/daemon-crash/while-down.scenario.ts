import { expect } from 'vitest';
import { scenario } from '../../harness/run/scenario.ts';
import {
  idle,
  pidOf,
  said,
  shell,
  start,
  startReady,
  startToEnd,
  waitForExit,
} from '../support/containers.ts';

/**
 * CR-06, CR-10: what ends while there is no daemon has ended with its own exit code when there is one again; what
 * was killed is not "running" with a dead pid.
 */
scenario(
  'containers that end while the daemon is dead have their exit codes',
  {
    dependsOnDriver: true,
    notOn: { docker: 'has the exit codes, and loses what a container wrote when nobody read its pipes' },
  },
  async (t) => {
    const [ending, killed, living] = await Promise.all([
      startReady(t, {
        command: shell("trap 'echo last words; exit 23' USR1; echo ready; sleep 1000 & wait"),
      }),
      startReady(t, { command: idle }),
      startReady(t, { command: idle }),
    ]);
    await t.engine.crash();
    await t.step('end two containers', () =>
      t.host.ok(['sh', '-c', `kill -USR1 ${ending.pid}; kill -KILL ${killed.pid}`]),
    );
    await t.engine.start();
    expect(await waitForExit(ending.container)).toBe(23);
    expect(await waitForExit(killed.container)).toBe(137);
    await said(t, ending.container, 'last words');
    for (const { container } of [ending, killed]) {
      const { State } = await container.inspect();
      expect(State).toMatchObject({ Status: 'exited', Pid: 0 });
      expect(Date.parse(State.FinishedAt)).toBeGreaterThan(Date.parse(State.StartedAt));
    }
    expect(await pidOf(living.container)).toBe(living.pid);
    await t.step('start one that had ended', () => killed.container.start());
    expect(await pidOf(killed.container)).toBeGreaterThan(0);
  },
);

/** CR-02, CR-07: as after a power cut, without the reboot. */
scenario(
  'daemon and containers killed together leave containers that can be started',
  { dependsOnDriver: false },
  async (t) => {
    const command = shell('echo run >>/runs; wc -l </runs; test $(wc -l </runs) -gt 1 || sleep 1000');
    const { container, pid } = await start(t, { command });
    await said(t, container, '1');
    // The process that holds the container, whatever an engine calls it, is its parent.
    const parent = (await t.host.ok(['sh', '-c', `awk '/^PPid/ {print $2}' /proc/${pid}/status`])).trim();
    await t.engine.crash();
    await t.host.ok([
      'sh',
      '-c',
      `test ${parent} -gt 1 && kill -KILL ${parent}; kill -KILL ${pid} 2>/dev/null || true`,
    ]);
    await t.engine.start();
    await t.waitFor(
      'the container to be reported as ended',
      async () => !(await container.inspect()).State.Running,
    );
    expect((await container.inspect()).State).toMatchObject({ Status: 'exited', Pid: 0 });
    expect((await container.inspect()).State.ExitCode).not.toBe(0);
    const again = await t.step('start it again', () => startToEnd(container));
    expect(again.exitCode).toBe(0);
    expect(again.stdout.trim().split('\n').at(-1)).toBe('2');
  },
);

/** CR-19: the process that holds a container is killed, the daemon lives. */
scenario(
  'a container whose holding process is killed does not stay running',
  { dependsOnDriver: false },
  async (t) => {
    const { container, pid } = await startReady(t, { command: idle });
    await t.host.ok(['sh', '-c', `kill -KILL $(awk '/^PPid/ {print $2}' /proc/${pid}/status)`]);
    await t.waitFor(
      'the container to be reported as ended',
      async () => !(await container.inspect()).State.Running,
    );
    expect((await container.inspect()).State.ExitCode).not.toBe(0);
    expect((await t.host.run(['test', '-e', `/proc/${pid}`])).exitCode).toBe(1);
    await t.step('start it again', () => container.start());
    expect(await pidOf(container)).not.toBe(pid);
  },
);
