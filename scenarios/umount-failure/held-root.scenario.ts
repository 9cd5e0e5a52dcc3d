import type Docker from 'dockerode';
import { expect } from 'vitest';
import { type ScenarioContext, scenario } from '../../harness/run/scenario.ts';
import { idle, pidOf, startReady } from '../support/containers.ts';
import {
  type Holder,
  hold,
  holdMountNamespace,
  holdMountNamespaceCopy,
  holdOpen,
} from '../support/holders.ts';
import { rootOf } from '../support/root-of.ts';

/**
 * UM-01, UM-03: somebody outside keeps the root file system of a container that has ended. The engine says who,
 * by pid and command, loses nothing, and goes on when the holder is gone.
 */
async function refusedUntilReleased(t: ScenarioContext, container: Docker.Container, holder: Holder) {
  await t.step('stop it', () => container.stop({ t: 5 }));
  expect((await container.inspect()).State).toMatchObject({ Status: 'exited', ExitCode: 0 });

  const refused = await t.step('start it while its root is held', () =>
    container.start().then(
      () => 'started',
      (error: Error) => error.message,
    ),
  );
  t.holders(await holdersNamed(container, refused));
  expect(refused).toMatch(new RegExp(`\\b${holder.pid}\\b.*\\bsleep\\b`));
  expect((await container.inspect()).State.Running).toBe(false);

  await holder.end();
  await startsAgain(t, container);
}

async function startsAgain(t: ScenarioContext, container: Docker.Container): Promise<void> {
  await t.waitFor('it to start now that nobody holds it', () => container.start().then(() => true));
  expect(await pidOf(container)).toBeGreaterThan(0);
}

async function holdersNamed(container: Docker.Container, refused: string): Promise<string[]> {
  const { Error: stateError } = (await container.inspect()).State;
  return [refused, stateError].filter((text) => text !== '');
}

const notOn = {
  docker: 'starts it again on folders in use; the kernel warns that what then happens is undefined',
};

scenario(
  'a process that stays in the mount namespace is named',
  { dependsOnDriver: true, notOn },
  async (t) => {
    const { container, pid } = await startReady(t, { command: idle });
    await refusedUntilReleased(t, container, await holdMountNamespace(t, pid));
  },
);

scenario('a copy of the mount namespace is named', { dependsOnDriver: false, notOn }, async (t) => {
  const { container, pid } = await startReady(t, { command: idle });
  await refusedUntilReleased(t, container, await holdMountNamespaceCopy(t, pid));
});

/**
 * UM-02: an open file pins the file system it is on, in no mount table at all. Where the root is a folder of the data
 * root's file system, nothing is pinned and the start must work.
 */
scenario(
  'a file held open through /proc is named where it pins the root',
  { dependsOnDriver: true, notOn },
  async (t) => {
    const { container, pid } = await startReady(t, { command: idle });
    const { ownFileSystem } = await rootOf(t, pid);
    const holder = await holdOpen(t, `/proc/${pid}/root/etc/motd`);
    if (ownFileSystem) return refusedUntilReleased(t, container, holder);
    await container.stop({ t: 5 });
    await t.step('start it with a file of its held', () => container.start());
  },
);

/**
 * UM-13: the block device below a root is held open by another process, the dataset is mounted once more by the host, or the folder
 * below it is somebody's working directory. Who holds a device and where a dataset is mounted is named; a folder cannot be held.
 */
scenario(
  'who keeps what is below the root is named where it matters',
  { dependsOnDriver: true },
  async (t) => {
    const { container, pid } = await startReady(t, { command: idle });
    const { device, mountable, folder } = await rootOf(t, pid);
    if (device !== undefined) {
      const holder = await holdOpen(t, device);
      await container.stop({ t: 5 });
      const refused = await t.step('remove it while its device is held', () =>
        container.remove().then(
          () => 'removed',
          (error: Error) => error.message,
        ),
      );
      t.holders(await holdersNamed(container, refused));
      expect(refused).toMatch(new RegExp(`\\b${holder.pid}\\b.*\\bsleep\\b`));
      await holder.end();
      await t.waitFor('it to be removed now that nobody holds it', () => container.remove().then(() => true));
    } else if (mountable !== undefined) {
      const view = `/tmp/${t.name('view')}`;
      t.defer(() => t.host.run(['sh', '-c', `umount ${view}; rmdir ${view}`]));
      await t.host.ok(['sh', '-ec', `mkdir ${view}; mount ${mountable} ${view}`]);
      await container.stop({ t: 5 });
      const refused = await t.step('remove it while the host sees it', () =>
        container.remove().then(
          () => 'removed',
          (error: Error) => error.message,
        ),
      );
      expect(refused).toContain(view);
      await t.host.ok(['umount', view]);
      await t.waitFor('it to be removed now that nobody sees it', () => container.remove().then(() => true));
    } else {
      const holder = await hold(t, `cd '${folder}'`);
      await container.stop({ t: 5 });
      await t.step('remove it with its folder in use', () => container.remove());
      await holder.end();
    }
  },
);

/** UM-01 with a crash: who could not release it then does so at the next start, or when the holder goes. */
scenario(
  'a release that was pending is finished by the next daemon',
  { dependsOnDriver: false },
  async (t) => {
    const { container, pid } = await startReady(t, { command: idle });
    const holder = await holdMountNamespace(t, pid);
    await container.stop({ t: 5 });
    await t.engine.crash();
    await t.step('start the daemon while the root is still held', () => t.engine.start());
    expect((await container.inspect()).State).toMatchObject({ Status: 'exited', ExitCode: 0 });
    await holder.end();
    await t.waitFor('it to be removed now that nobody holds it', () => container.remove().then(() => true));
  },
);
