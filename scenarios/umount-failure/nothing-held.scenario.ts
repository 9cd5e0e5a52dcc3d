import { expect } from 'vitest';
import { scenario } from '../../harness/run/scenario.ts';
import { idle, shell, start, startReady } from '../support/containers.ts';
import { hold } from '../support/holders.ts';
import { rootOf } from '../support/root-of.ts';

/** UM-03, UM-05: a service with private mounts is started while a container runs. It must not pin anything of it. */
scenario(
  "a copy of the host's mount table holds nothing of a container",
  { dependsOnDriver: true },
  async (t) => {
    const { container } = await startReady(t, { command: idle });
    await hold(t, 'cd /', ['unshare', '--mount', '--propagation', 'private']);
    await container.restart({ t: 5 });
    await container.stop({ t: 5 });
    await t.step('remove it while the copy exists', () => container.remove());
    const left = await t.host.run(['sh', '-c', `grep -l ${container.id} /proc/[0-9]*/mountinfo`]);
    expect(left.stdout).toBe('');
  },
);

/** UM-16: mounts that a container made end with it, however it ends. */
scenario('mounts made inside a container die with it', { dependsOnDriver: true }, async (t) => {
  const script = `
    mkdir -p /mnt/a /mnt/b && mount -t tmpfs inside /mnt/a && mkdir /mnt/a/deep && mount -t tmpfs inside /mnt/a/deep &&
    mount -o bind /mnt/b /mnt/b && mount -o bind / /mnt/b && echo ready
    sleep 1000`;
  const { container } = await startReady(t, {
    command: shell(script),
    host: { CapAdd: ['SYS_ADMIN'], SecurityOpt: ['apparmor=unconfined', 'seccomp=unconfined'] },
  });
  expect((await t.host.run(['grep', '-c', 'inside', '/proc/1/mountinfo'])).stdout.trim()).toBe('0');
  await container.kill();
  await t.step('start it again', () => container.start());
  await container.kill();
  await t.step('remove it', () => container.remove());
  expect(await t.leaks()).toEqual([]);
});

/** UM-11, UM-12: the host's other file systems are not in a container, so it cannot keep them from being unmounted. */
scenario("a container does not hold the host's other mounts", { dependsOnDriver: false }, async (t) => {
  const folder = `/tmp/${t.name('unrelated')}`;
  await t.host.ok(['sh', '-c', `mkdir ${folder} && mount -t tmpfs unrelated-fs ${folder}`]);
  t.defer(() => t.host.run(['sh', '-c', `umount ${folder} 2>/dev/null; rmdir ${folder} 2>/dev/null`]));
  await start(t, { command: idle });
  await t.step('unmount it while the container runs', () => t.host.ok(['umount', folder]));
  const left = await t.host.run(['sh', '-c', 'grep -l unrelated-fs /proc/[0-9]*/mountinfo']);
  expect(left.stdout).toBe('');
});

/**
 * UM-14: the host has mounted something below a container's folder. A removal never deletes through it: it is refused, or
 * what was mounted is left whole.
 */
scenario("a removal does not delete through the host's mount", { dependsOnDriver: true }, async (t) => {
  const { container, pid } = await startReady(t, { command: shell('mkdir /deck; echo ready; sleep 1000') });
  const { device, folder } = await rootOf(t, pid);
  const base = `/tmp/${t.name('host')}`;
  const view = device === undefined ? folder : `${base}/view`;
  await t.host.ok([
    'sh',
    '-ec',
    `mkdir -p ${base}/view ${base}/precious; echo keep >${base}/precious/file
     ${device === undefined ? '' : `mount ${device} ${base}/view`}
     mount --bind ${base}/precious ${view}/deck`,
  ]);
  // By what is mounted, not where: an engine may have moved the folder aside.
  const unmount = () =>
    t.host.run([
      'sh',
      '-c',
      `grep -F ' ${base}/precious ' /proc/self/mountinfo | cut -d ' ' -f 5 | xargs -r umount
       umount ${base}/view 2>/dev/null; rm -rf --one-file-system ${base}`,
    ]);
  t.defer(unmount);
  await container.kill();
  const removal = await t.step('remove it', () =>
    container.remove().then(
      () => 'removed',
      (error: Error) => error.message,
    ),
  );
  const kept = (await t.host.readFile(`${base}/precious/file`)).trim();
  expect(kept, `the answer was: ${removal}`).toBe('keep');
  if (removal !== 'removed') {
    t.holders([removal]);
    expect(removal).toContain(device === undefined ? '/deck' : `${base}/view`);
    await t.step('start the daemon again with the mount still there', async () => {
      await t.engine.crash();
      await t.engine.start();
    });
    expect((await t.host.readFile(`${base}/precious/file`)).trim()).toBe('keep');
  }
  await unmount();
  if (removal !== 'removed') {
    await t.waitFor('it to be removed without the mount', () =>
      container.remove().then(() => true, ifAbsent),
    );
  }
  expect(await t.leaks()).toEqual([]);
});

/** The daemon may have finished the removal by itself. */
function ifAbsent(error: Error): boolean {
  if ('statusCode' in error && error.statusCode === 404) return true;
  throw error;
}
