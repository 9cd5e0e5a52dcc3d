import { expect } from 'vitest';
import { scenario } from '../../harness/run/scenario.ts';
import { create, refusal, runToEnd, shell } from '../support/containers.ts';

/** LC-02. */
scenario('exit codes are those of the command', { dependsOnDriver: false }, async (t) => {
  const codes = [0, 1, 42];
  const ended = await Promise.all(codes.map((code) => runToEnd(t, { command: shell(`exit ${code}`) })));
  expect(ended.map(({ exitCode }) => exitCode)).toEqual(codes);
  for (const { container, exitCode } of ended) {
    const { State } = await container.inspect();
    expect(State).toMatchObject({ Status: 'exited', Running: false, ExitCode: exitCode });
  }
});

/** LC-02, LC-09: 127 where there is no such command, 126 where it cannot be executed, and nothing is left of the attempt. */
scenario('a start that fails tells why and leaves nothing', { dependsOnDriver: true }, async (t) => {
  const rows = [
    { wish: { command: ['/no/such/command'] }, code: 127, says: /no such file|not found|ENOENT/i },
    { wish: { command: ['/etc/passwd'] }, code: 126, says: /permission denied|EACCES/i },
    {
      wish: { command: ['true'], workingDir: '/etc/passwd' },
      code: undefined,
      says: /not a directory|ENOTDIR/i,
    },
  ];
  for (const { wish, code, says } of rows) {
    const name = t.name('fails');
    const container = t.docker.getContainer(name);
    // A bad folder may be refused when the container is created already.
    const attempt = async () => {
      await create(t, { ...wish, name });
      await container.start();
    };
    const { message } = await t.step(`start ${wish.command}`, () => refusal(attempt()));
    expect(message).toMatch(says);
    if (code !== undefined) {
      expect((await container.inspect()).State).toMatchObject({ Running: false, Pid: 0, ExitCode: code });
    }
    await container.remove().catch(ignoreAbsent);
  }
});

function ignoreAbsent(error: Error): void {
  if (!('statusCode' in error) || error.statusCode !== 404) throw error;
}
