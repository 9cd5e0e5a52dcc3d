import type Docker from 'dockerode';
import { expect } from 'vitest';
import { type ScenarioContext, scenario } from '../../harness/run/scenario.ts';
import { shell, startReady } from '../support/containers.ts';
import { rootOf } from '../support/root-of.ts';

/** Something of the host's that is mounted below the folders a container is made of. */
interface Intrusion {
  readonly container: Docker.Container;
  /** What an error must name: where it is mounted, or the end of that. */
  readonly named: string;
  /** What is in the file that nobody but the host may delete. */
  content(): Promise<string>;
  unmount(): Promise<unknown>;
}

/** A container that has ended, with a mount of the host in its files. */
async function intrude(t: ScenarioContext): Promise<Intrusion> {
  const { container, pid } = await startReady(t, { command: shell('mkdir /deck; echo ready; sleep 1000') });
  const { mountable, folder } = await rootOf(t, pid);
  const name = t.name('host');
  const base = `/tmp/${name}`;
  await t.host.ok([
    'sh',
    '-ec',
    `mkdir -p ${base}/view ${base}/precious; echo keep >${base}/precious/file
     ${mountable === undefined ? '' : `mount ${mountable} ${base}/view`}
     mount --bind ${base}/precious ${mountable === undefined ? folder : `${base}/view`}/deck`,
  ]);
  // By what is mounted, not where: an engine may have moved the folder aside.
  const script = `
    grep -F '/${name}/precious ' /proc/self/mountinfo | cut -d ' ' -f 5 | xargs -r umount
    umount ${base}/view 2>/dev/null; rm -rf --one-file-system ${base}`;
  const unmount = () => t.host.run(['sh', '-c', script]);
  t.defer(unmount);
  await t.step('kill the container', () => container.kill());
  const content = async () => (await t.host.readFile(`${base}/precious/file`)).trim();
  return { container, named: mountable === undefined ? '/deck' : `${base}/view`, content, unmount };
}

function removalOf(container: Docker.Container): Promise<string> {
  return container.remove().then(
    () => 'removed',
    (error: Error) => error.message,
  );
}

/** Also where the engine has finished the removal by itself. */
async function removed(t: ScenarioContext, container: Docker.Container): Promise<void> {
  await t.waitFor('it to be removed without the mount', () =>
    container.remove().then(
      () => true,
      (error: Error) => {
        if ('statusCode' in error && error.statusCode === 404) return true;
        throw error;
      },
    ),
  );
}

/**
 * UM-14: a removal never deletes through what the host has mounted below a container's folder: it is refused and says what
 * is in the way, or leaves that whole.
 */
scenario("a removal does not delete through the host's mount", { dependsOnDriver: true }, async (t) => {
  const { container, named, content, unmount } = await intrude(t);
  const answer = await t.step('remove it', () => removalOf(container));
  expect(await content(), `the answer was: ${answer}`).toBe('keep');
  if (answer !== 'removed') {
    t.holders([answer]);
    expect(answer).toContain(named);
    await unmount();
    await removed(t, container);
  }
});

/** UM-14 with CR-23: what cannot be removed yet is no reason for a daemon not to start. */
scenario('a daemon starts with a removal that is still refused', { dependsOnDriver: false }, async (t) => {
  const { container, content, unmount } = await intrude(t);
  const answer = await t.step('remove it', () => removalOf(container));
  await t.engine.crash();
  await t.step('start the daemon with the mount still there', () => t.engine.start());
  expect(await content(), `the answer was: ${answer}`).toBe('keep');
  await unmount();
  await removed(t, container);
});
