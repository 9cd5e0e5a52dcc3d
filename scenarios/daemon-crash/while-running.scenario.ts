import { expect } from 'vitest';
import { scenario } from '../../harness/run/scenario.ts';
import { exec, outputOf, pidOf, said, shell, startReady } from '../support/containers.ts';

/**
 * CR-04, CR-35: containers outlive their daemon, and the next one takes them over: same process, nothing of the output
 * lost, exec and stop work. On Docker: with `live-restore` only.
 */
scenario(
  'containers run on when the daemon is killed and are taken over',
  { dependsOnDriver: false },
  async (t) => {
    const command = shell(
      "trap 'echo stopped; exit 5' TERM; echo ready; i=0; while :; do i=$((i + 1)); echo line $i; sleep 0.2 & wait; done",
    );
    const { container, pid } = await startReady(t, { command });
    await t.step('kill the daemon', () => t.engine.crash());
    const before = (await t.host.readFile(`/proc/${pid}/cmdline`)).length;
    expect(before).toBeGreaterThan(0);
    await t.step('start the daemon again', () => t.engine.start());
    expect(await pidOf(container)).toBe(pid);
    const marker = (await outputOf(container)).stdout.trim().split('\n').length + 1;
    await said(t, container, `line ${marker}`);
    expect((await exec(container, ['cat', '/etc/motd'])).stdout).toBe('The third layer.\n');
    await t.step('stop what was taken over', () => container.stop({ t: 5 }));
    expect((await container.inspect()).State).toMatchObject({ Status: 'exited', ExitCode: 5, Pid: 0 });
    const lines = (await outputOf(container)).stdout.trim().split('\n');
    const numbers = lines.slice(1, -1).map((line) => Number(line.replace('line ', '')));
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
    expect(lines.at(-1)).toBe('stopped');
  },
);
