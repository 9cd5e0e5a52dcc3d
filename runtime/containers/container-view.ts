import { Cleanup } from '../base/cleanup.ts';
import { holdMounts } from '../launch/hold-mounts.ts';
import type { HeldTree } from '../storage/with-tree.ts';
import type { Container } from './container.ts';
import { openContainerTree, openStillTree, type TreeOptions } from './container-tree.ts';
import type { Engine } from './engine.ts';
import { prepareMounts } from './mounts/prepare-mounts.ts';
import { releaseVolumes } from './mounts/release-volumes.ts';

/**
 * The container's files as its processes see them, volumes and binds included, without /proc, /sys and /dev: for `docker cp`. With `write`
 * none of its processes runs meanwhile. Of one that does not run, the volumes are mounted for the time.
 */
export async function openContainerView(
  engine: Engine,
  container: Container,
  { write }: { readonly write: boolean },
): Promise<HeldTree> {
  const { mounts, config } = container.record;
  const mountPoints = [
    ...mounts.map(({ destination }) => destination),
    ...Object.keys(config.HostConfig.Tmpfs),
  ];
  const isPlain = !write && mounts.length === 0;
  const options: TreeOptions = isPlain
    ? {}
    : { mountPoints, openStopped: () => holdWithVolumes(engine, container) };
  const open = write ? openStillTree : openContainerTree;
  return await open(engine, container, options);
}

async function holdWithVolumes(engine: Engine, container: Container): Promise<HeldTree> {
  const undo = new Cleanup();
  try {
    undo.push(() => releaseVolumes(engine, container));
    const own = await prepareMounts(engine, container);
    undo.push(() => engine.driver.release(container.id));
    const { mounts, lockPath } = await engine.driver.acquire(container.id, { brief: true });
    const inside = own.filter(({ type }) => type === 'bind');
    const held = await holdMounts(mounts, { lockPath, inside });
    undo.push(() => held[Symbol.asyncDispose]());
    return { path: held.path, [Symbol.asyncDispose]: async () => await undo.run() };
  } catch (error) {
    await undo.run();
    throw error;
  }
}
