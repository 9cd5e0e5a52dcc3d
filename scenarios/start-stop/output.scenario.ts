import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { scenario } from '../../harness/run/scenario.ts';
import { exec, idle, outputOf, refusal, runToEnd, shell, start } from '../support/containers.ts';

/** LC-32: every byte that a container wrote before it ended is in its log, in order, each stream by itself. */
scenario('logs are complete', { dependsOnDriver: false }, async (t) => {
  // One MiB, nearly.
  const lines = 160_000;
  const { stdout, stderr, container } = await runToEnd(t, {
    command: shell(`seq ${lines}; echo the end >&2; printf 'no newline'`),
  });
  const wanted = Array.from({ length: lines }, (_, index) => `${index + 1}\n`);
  const digest = (text: string) => createHash('sha256').update(text).digest('hex');
  const whole = `${wanted.join('')}no newline`;
  expect(stdout.length).toBe(whole.length);
  expect(digest(stdout)).toBe(digest(whole));
  expect(stderr).toBe('the end\n');
  // And they stay what they were.
  expect(digest((await outputOf(container)).stdout)).toBe(digest(stdout));
});

/** LC-02, LC-21. */
scenario(
  'exec gives the status of its command, and none after the end',
  { dependsOnDriver: false },
  async (t) => {
    const { container } = await start(t, { command: idle });
    expect(await exec(container, shell('echo out; echo err >&2; exit 42'))).toEqual({
      exitCode: 42,
      stdout: 'out\n',
      stderr: 'err\n',
    });
    expect((await exec(container, ['id', '-un'], { user: 'sailor' })).stdout).toBe('sailor\n');
    // The same namespaces as the container's own: its process 1 is seen as 1.
    expect((await exec(container, shell('tr "\\0" " " </proc/1/cmdline'))).stdout).toContain('sleep 1000');
    const missing = await exec(container, ['/no/such/command']).catch((error: Error) => error);
    if (missing instanceof Error) expect(missing.message).toMatch(/no such file|not found|ENOENT/i);
    else expect([126, 127]).toContain(missing.exitCode);
    await container.stop({ t: 5 });
    expect((await refusal(exec(container, ['true']))).status).toBe(409);
  },
);
