import { expect } from 'vitest';
import { scenario } from '../../harness/run/scenario.ts';
import { idle, shell, start, startReady } from '../support/containers.ts';
import { hold } from '../support/holders.ts';

/** UM-03, UM-05: a service with private mounts is started while a container runs. It must not pin anything of it. */
scenario(
  "a copy of the host's mount table holds nothing of a container",
  { dependsOnDriver: false },
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
