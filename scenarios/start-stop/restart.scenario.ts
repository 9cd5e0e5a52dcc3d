import { expect } from 'vitest';
import { scenario } from '../../harness/run/scenario.ts';
import { create, idle, refusal, runToEnd, shell, startToEnd } from '../support/containers.ts';

/** LC-06: the files of a container are its own from its first start to its removal. */
scenario('a container keeps its files from start to start', { dependsOnDriver: true }, async (t) => {
  const command = shell('echo run >>/runs; rm -f /etc/motd; wc -l </runs; ls /etc/motd');
  const first = await runToEnd(t, { command });
  const second = await startToEnd(first.container);
  expect(second.stdout.trim().split('\n')).toEqual(['1', '2']);
  expect(second.stderr.match(/No such file/g)).toHaveLength(2);
  await first.container.restart({ t: 1 });
  await first.container.wait();
  expect((await startToEnd(first.container)).stdout.trim().split('\n')).toEqual(['1', '2', '3', '4']);
});

/** LC-03, LC-07: a name is taken from create to remove, and a container that never ran leaves nothing. */
scenario('a container that was never started can be removed', { dependsOnDriver: true }, async (t) => {
  const name = t.name('once');
  const container = await create(t, { command: idle, name });
  const { status, message } = await refusal(create(t, { command: ['true'], name }));
  expect(status).toBe(409);
  expect(message).toContain(name);
  expect((await container.inspect()).Config.Cmd).toEqual(idle);
  await container.remove();
  expect(await t.leaks()).toEqual([]);
  await (await create(t, { command: ['true'], name })).remove();
});
