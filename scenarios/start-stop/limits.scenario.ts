import { expect } from 'vitest';
import { scenario } from '../../harness/run/scenario.ts';
import { runToEnd, shell } from '../support/containers.ts';

const mebibyte = 1024 * 1024;

/** CG: the kernel's OOM killer ends what uses more than its limit, and the engine says that it was that. */
scenario(
  'a memory limit is in force',
  {
    dependsOnDriver: false,
    allow: [{ kind: 'kernel-log', what: 'oom-kill|[Oo]ut of memory', because: 'provoked' }],
  },
  async (t) => {
    const { container, exitCode } = await runToEnd(t, {
      // tail keeps everything up to the last line, and there never is a line.
      command: shell('tail /dev/zero'),
      host: { Memory: 24 * mebibyte, MemorySwap: 24 * mebibyte },
    });
    expect(exitCode).toBe(137);
    expect((await container.inspect()).State.OOMKilled).toBe(true);
  },
);

/** CG: no more processes than the limit, and the host's others are not the worse for it. */
scenario(
  'a limit on processes is in force',
  {
    dependsOnDriver: false,
    allow: [{ kind: 'kernel-log', what: 'fork rejected', because: 'provoked' }],
  },
  async (t) => {
    const script = 'i=0; while [ $i -lt 20 ]; do sleep 1000 & i=$((i + 1)); done; echo not limited';
    const { stdout, stderr } = await runToEnd(t, { command: shell(script), host: { PidsLimit: 8 } });
    expect(stdout).not.toContain('not limited');
    expect(stderr).toMatch(/can't fork|cannot fork|Resource temporarily unavailable/i);
  },
);
