import { rmSync } from 'node:fs';
import { HullError } from '../base/errors.ts';
import { errorText } from '../base/log.ts';
import type { Cgroup } from '../cgroups/cgroup.ts';
import type { Container } from './container.ts';
import { cgroupOf, type Engine, runDirOf } from './engine.ts';
import { killAndWait } from './kill.ts';
import { removeAnonymousVolumes } from './mounts/release-volumes.ts';
import { publishContainer } from './publish.ts';
import { type ContainerState, isAlive, isTransient, lastRun } from './record.ts';

/** Afterwards the container is absent, and with `volumes` those of its volumes that nobody named and no other uses. Kinds: `conflict` (it runs, and no force), `busy` (who holds its root). */
export async function removeContainer(
  engine: Engine,
  container: Container,
  { force, volumes = false }: { readonly force: boolean; readonly volumes?: boolean },
): Promise<void> {
  if (isAlive(container.state)) {
    if (!force) {
      throw new HullError(
        `Cannot remove container ${container.name}: it is ${container.state.kind}; stop it before, or use force`,
        { kind: 'conflict' },
      );
    }
    {
      using _ = await container.mutex.acquire();
      if (!container.gone) await container.update({ stoppedByUser: true }, { evenIfFull: true });
    }
    await killAndWait(engine, container);
  }
  using _ = await container.mutex.acquire();
  // Whoever asked first has done it, or it removed itself: absent is what was wanted.
  if (container.gone) return;
  if (isAlive(container.state)) {
    throw new HullError(`Cannot remove container ${container.name}: it was started meanwhile`, {
      kind: 'conflict',
    });
  }
  await removeLocked(engine, container, { volumes });
}

/**
 * The same for one that does not run, mutex held. On `busy` it stays, as exited, with the holder in its error. One that removes itself takes
 * its nameless volumes along, as in Docker.
 */
export async function removeLocked(
  engine: Engine,
  container: Container,
  wish: { readonly volumes: boolean } = { volumes: false },
): Promise<void> {
  const { id, state, record } = container;
  const last = lastRun(state);
  const volumes =
    wish.volumes ||
    record.config.HostConfig.AutoRemove ||
    (state.kind === 'removing' && state.volumes === true);
  await container.tell(
    { state: { kind: 'removing', volumes, ...(last ? { last: { ...last } } : {}) } },
    { evenIfFull: true },
  );
  try {
    if (!container.leftNothing) {
      await endLeftovers(engine, container);
      await engine.driver.release(id);
    }
    await engine.driver.remove(id);
    if (volumes) await removeAnonymousVolumes(engine, container);
    await engine.records.remove(id, { transient: isTransient(record) });
    endRun(engine, container);
  } catch (error) {
    const text = errorText(error);
    const back: ContainerState = state.kind === 'removing' ? afterRemoval(last) : state;
    await container.update({ state: back, error: text }, { evenIfFull: true });
    engine.log.error('container not removed', { id, name: record.name, error: text });
    if (error instanceof HullError && error.kind === 'busy') {
      throw new HullError(`Cannot remove container ${record.name}: ${error.message}`, {
        kind: 'busy',
        cause: error,
        ...(error.hint === undefined ? {} : { hint: error.hint }),
      });
    }
    throw error;
  }
  engine.containers.remove(container);
  container.markGone();
  publishContainer(engine, container, 'destroy');
  engine.log.info('container removed', { id, name: record.name });
  await sweepImages(engine);
}

/** Layers that were only the container's any more go with it: its image may have been removed by force. */
async function sweepImages({ images, log }: Engine): Promise<void> {
  try {
    await images.sweep();
  } catch (error) {
    log.warn('layers of removed images kept', { error: errorText(error) });
  }
}

async function endLeftovers(engine: Engine, container: Container): Promise<void> {
  const cgroup = leftCgroup(engine, container);
  if (await cgroup?.exists()) await cgroup?.kill(AbortSignal.timeout(engine.timing.killTimeoutMs));
  // Also without the group: a daemon killed in a removal may have left the empty parent.
  await cgroup?.remove();
  endRun(engine, container);
}

/** Afterwards nothing tells of a run under way. */
export function endRun(engine: Engine, container: Container): void {
  rmSync(runDirOf(engine, container.id), { recursive: true, force: true });
  container.run = undefined;
}

/** Undefined where it can have left none: its CgroupParent is nothing for this daemon's cgroup driver. */
function leftCgroup(engine: Engine, container: Container): Cgroup | undefined {
  try {
    return cgroupOf(engine, container);
  } catch (error) {
    if (error instanceof HullError && error.kind === 'invalid') return undefined;
    throw error;
  }
}

function afterRemoval(last: ReturnType<typeof lastRun>): ContainerState {
  return last ? { kind: 'exited', ...last } : { kind: 'created', exitCode: 0 };
}
