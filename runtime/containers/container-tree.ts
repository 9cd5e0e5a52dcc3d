import { HullError } from '../base/errors.ts';
import { holdContainerRoot } from '../launch/hold-container-root.ts';
import { type HeldTree, openTree } from '../storage/with-tree.ts';
import type { Container } from './container.ts';
import { cgroupOf, type Engine } from './engine.ts';
import { isAlive } from './record.ts';

/** What of the container's mounts is in the tree, where that is anything. */
export interface TreeOptions {
  /** Of one that runs: the mount points of those that are seen. */
  readonly mountPoints?: readonly string[];
  /** Opens the tree of one that does not run; default: for reading only, and without mounts. */
  readonly openStopped?: () => Promise<HeldTree>;
}

/**
 * The container's root file system, as a rule without what is mounted in it, until it is disposed. Of a running container it is the live tree, which
 * may change meanwhile: walk it by descriptors. One that does not run cannot be started or removed meanwhile.
 */
export async function openContainerTree(
  engine: Engine,
  container: Container,
  options: TreeOptions = {},
): Promise<HeldTree> {
  const openStopped = options.openStopped ?? (() => openTree(engine.driver, container.id));
  for (;;) {
    const turn = await container.mutex.acquire();
    const { state } = container;
    try {
      refuseGone(container);
      if (!isAlive(state)) return withTurn(await openStopped(), turn);
    } catch (error) {
      turn[Symbol.dispose]();
      throw error;
    }
    turn[Symbol.dispose]();
    const live = await liveTree(state, options);
    if (live) return live;
    // It has just ended: what follows from that takes the mutex, and then the tree is there as a stopped one's.
    await container.until(({ state: now, gone }) => gone || !isAlive(now), engine.signal);
  }
}

/** The same with no process of the container running meanwhile: a running one is frozen, and no verb gets at it. */
export async function openStillTree(
  engine: Engine,
  container: Container,
  options: TreeOptions = {},
): Promise<HeldTree> {
  const openStopped = options.openStopped ?? (() => openTree(engine.driver, container.id));
  const turn = await container.mutex.acquire();
  try {
    refuseGone(container);
    const { state } = container;
    if (!isAlive(state)) return withTurn(await openStopped(), turn);
    const cgroup = cgroupOf(engine, container);
    const thaw = async () => (state.kind === 'paused' ? undefined : cgroup.thaw());
    if (state.kind === 'running') await cgroup.freeze();
    try {
      const live = await holdContainerRoot(state, options);
      return {
        path: live.path,
        async [Symbol.asyncDispose]() {
          try {
            await live[Symbol.asyncDispose]();
          } finally {
            await thaw();
            turn[Symbol.dispose]();
          }
        },
      };
    } catch (error) {
      await thaw();
      throw error;
    }
  } catch (error) {
    turn[Symbol.dispose]();
    throw error;
  }
}

/** The tree that the container's was made from, also where its image is gone; undefined where that has no layers. */
export async function openImageTree({ driver }: Engine, { id }: Container): Promise<HeldTree | undefined> {
  const below = driver.parentOf(id);
  return below === undefined ? undefined : await openTree(driver, below);
}

async function liveTree(
  target: { pid: number; startTicks: string },
  options: TreeOptions,
): Promise<HeldTree | undefined> {
  try {
    return await holdContainerRoot(target, options);
  } catch (error) {
    if (error instanceof HullError && error.kind === 'conflict') return undefined;
    throw error;
  }
}

function withTurn(tree: HeldTree, turn: Disposable): HeldTree {
  return {
    path: tree.path,
    async [Symbol.asyncDispose]() {
      try {
        await tree[Symbol.asyncDispose]();
      } finally {
        turn[Symbol.dispose]();
      }
    },
  };
}

function refuseGone(container: Container): void {
  if (container.gone) throw new HullError(`No such container: ${container.id}`, { kind: 'not-found' });
  const { kind } = container.state;
  if (kind !== 'removing' && kind !== 'broken' && kind !== 'creating') return;
  throw new HullError(`Cannot read container ${container.name}: it is ${kind}`, { kind: 'conflict' });
}
