import { expect } from 'vitest';
import { type ScenarioContext, scenario } from '../../harness/run/scenario.ts';
import { create, refusal, shell, startReady, startToEnd } from '../support/containers.ts';
import { sleepers, uniqueSeconds } from '../support/survivors.ts';

/**
 * A thin pool cannot be asked whether it has a device, so a deletion (or a snapshot) that a crash cut off is asked for
 * again, and the kernel writes down that it was done already.
 */
const repeatedInPool = [
  {
    kind: 'kernel-log',
    what: "Deletion of thin device|Creation of new snapshot|Couldn't open thin internal device|error adding target to table",
    because: 'a thin pool is asked again for what a crash cut off',
  },
] as const;

/** A moment after the request, in ms, another with every seed; the step's name tells it. */
function momentUpTo(milliseconds: number, { random }: ScenarioContext): number {
  return Math.floor(random() * milliseconds);
}

/** Sends a request and kills the daemon while it is at it. Whether the request was answered does not matter. */
async function crashDuring(
  t: ScenarioContext,
  what: string,
  request: () => Promise<unknown>,
  afterMs: number,
) {
  const answered = request().then(
    () => 'answered',
    () => 'cut off',
  );
  await t.step(`kill the daemon ${afterMs} ms into ${what}`, () => t.engine.crash({ afterMs }));
  await answered;
  await t.step('start the daemon again', () => t.engine.start());
}

/** CR-18: afterwards the container runs, once, or it does not run, and can be started. */
scenario(
  'a start cut off by a crash is whole or undone',
  { dependsOnDriver: true, allow: repeatedInPool },
  async (t) => {
    const seconds = uniqueSeconds(t);
    const container = await create(t, {
      command: shell(`trap 'exit 0' TERM; echo ready; sleep ${seconds} & wait`),
    });
    await crashDuring(t, 'the start', () => container.start(), momentUpTo(400, t));
    const { Running } = (await container.inspect()).State;
    await t.waitFor(
      Running ? 'its one process' : 'no process of it',
      async () => (await sleepers(t, seconds)) === (Running ? 1 : 0),
    );
    if (!Running) {
      await t.step('start what did not', () => container.start());
      await t.waitFor('its one process', async () => (await sleepers(t, seconds)) === 1);
    }
    await t.step('stop it', () => container.stop({ t: 2 }));
    expect(await sleepers(t, seconds)).toBe(0);
  },
);

/** CR-18: afterwards the container has ended, or runs and can be stopped; its exit code is its own. */
scenario('a stop cut off by a crash can be repeated', { dependsOnDriver: false }, async (t) => {
  const command = shell("trap 'sleep 0.3; exit 9' TERM; echo ready; sleep 1000 & wait");
  const { container } = await startReady(t, { command });
  await crashDuring(t, 'the stop', () => container.stop({ t: 10 }), momentUpTo(400, t));
  const { Running } = (await container.inspect()).State;
  if (Running) await container.stop({ t: 10 }).catch(alreadyStopped);
  expect((await container.inspect()).State).toMatchObject({ Status: 'exited', ExitCode: 9, Pid: 0 });
});

/** CR-30: afterwards the container is there and can be removed, or it is not. Its name is free in the end. */
scenario(
  'a removal cut off by a crash is finished',
  { dependsOnDriver: true, allow: repeatedInPool },
  async (t) => {
    const name = t.name('removed');
    const command = shell(
      'dd if=/dev/zero of=/ballast bs=64k count=32; mkdir -p /a/b/c/d; echo ready; sleep 1000',
    );
    const { container } = await startReady(t, { command, name });
    await crashDuring(t, 'the removal', () => container.remove({ force: true }), momentUpTo(300, t));
    const there = await container.inspect().then(
      () => true,
      () => false,
    );
    if (there) await container.remove({ force: true });
    expect((await refusal(container.inspect())).status).toBe(404);
    expect(await t.leaks()).toEqual([]);
    expect((await startToEnd(await create(t, { command: ['true'], name }))).exitCode).toBe(0);
  },
);

function alreadyStopped(error: Error): void {
  if (!('statusCode' in error) || error.statusCode !== 304) throw error;
}
