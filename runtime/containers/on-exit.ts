import { setTimeout as sleep } from 'node:timers/promises';
import { errorText } from '../base/log.ts';
import type { ExitRecord } from '../launch/types.ts';
import { watchExit } from '../launch/watch-exit.ts';
import type { Container } from './container.ts';
import { cgroupOf, type Engine, runDirOf } from './engine.ts';
import { releaseVolumes } from './mounts/release-volumes.ts';
import { publishContainer } from './publish.ts';
import { type ExitedState, isAlive, type RunningState } from './record.ts';
import { releaseRoot, retryRelease } from './release-root.ts';
import { endRun, removeLocked } from './remove.ts';

/** Follows a running container to its end, also one that an earlier daemon started. Returns at once. */
export function watchContainer(engine: Engine, container: Container, run: RunningState): void {
  void (async () => {
    const outcome = await watchExit(runDirOf(engine, container.id), engine.signal);
    if (engine.signal.aborted) return;
    using _ = await container.mutex.acquire();
    if (isAlive(container.state) && container.state.pid === run.pid) {
      await finishLocked(engine, container, container.state, outcome);
    }
  })().catch((error: unknown) => {
    if (!engine.signal.aborted) engine.log.error('end of container not handled', { id: container.id, error });
  });
}

/**
 * Afterwards nothing of the run is left but its record: processes killed, root released (or its holder recorded),
 * cgroup and run folder removed; then removed or started again as its policy says. Mutex held.
 */
export async function finishLocked(
  engine: Engine,
  container: Container,
  run: RunningState,
  outcome: ExitRecord | 'lost',
): Promise<void> {
  const troubles: string[] = [];
  if (outcome === 'lost') troubles.push(`monitor lost: process ${run.monitorPid} left no exit record`);
  const oomKilled = await endCgroup(engine, container, run, troubles);
  const heldBy = await releaseRoot(engine, container);
  if (heldBy !== undefined) troubles.push(heldBy);
  await releaseVolumes(engine, container).catch((error: unknown) => troubles.push(errorText(error)));
  const ended: ExitedState = {
    kind: 'exited',
    exitCode: outcome === 'lost' ? 137 : outcome.exitCode,
    startedAt: run.startedAt,
    finishedAt: outcome === 'lost' ? new Date().toISOString() : outcome.exitedAt,
    oomKilled,
  };
  container.leftNothing = troubles.length === 0;
  await settle(engine, container, ended, { attempt: run.attempt, error: troubles.join('; '), heldBy });
  // Not earlier: with the exit record gone and the end not written down yet, a daemon killed here would call the monitor lost.
  if (!container.gone) endRun(engine, container);
}

/** Records an end and applies what follows from it. Mutex held. */
export async function settle(
  engine: Engine,
  container: Container,
  ended: ExitedState,
  { attempt, error, heldBy }: { attempt: number; error: string; heldBy?: string | undefined },
): Promise<void> {
  const removesItself = container.record.config.HostConfig.AutoRemove && !container.staysForRestart;
  const again = shouldRestart(engine, container, ended);
  const lived = Date.parse(ended.finishedAt) - Date.parse(ended.startedAt);
  const next = lived >= engine.timing.restartResetMs ? 0 : attempt;
  const { kind: _, ...run } = ended;
  const news = {
    state: again ? ({ kind: 'restarting', ...run, attempt: next } as const) : ended,
    error,
    heldBy,
  };
  if (heldBy === undefined && removesItself) await container.tell(news, { evenIfFull: true });
  else await container.update(news, { evenIfFull: true });
  engine.log.info('container ended', {
    id: container.id,
    name: container.name,
    exitCode: ended.exitCode,
    error: error || undefined,
  });
  if (ended.oomKilled) publishContainer(engine, container, 'oom');
  publishContainer(engine, container, 'die', {
    exitCode: String(ended.exitCode),
    execDuration: String(Math.max(0, Math.round(lived / 1000))),
  });
  if (heldBy !== undefined) retryRelease(engine, container);
  if (again) scheduleRestart(engine, container, next);
  else if (removesItself) {
    await removeLocked(engine, container).catch((failure: unknown) =>
      engine.log.error('automatic removal failed', { id: container.id, error: failure }),
    );
  }
}

/** Starts a `restarting` container after its pause, unless somebody stopped or removed it meanwhile. */
export function scheduleRestart(engine: Engine, container: Container, attempt: number): void {
  const { restartFirstMs, restartMaxMs } = engine.timing;
  const pause = Math.min(restartFirstMs * 2 ** attempt, restartMaxMs);
  void (async () => {
    await sleep(pause, undefined, { signal: engine.stopping, ref: false });
    using _ = await container.mutex.acquire();
    if (container.gone || container.state.kind !== 'restarting') return;
    await container.update({ restartCount: container.record.restartCount + 1 });
    const { startLocked } = await import('./start.ts');
    await startLocked(engine, container, { attempt: attempt + 1, byUser: false });
  })().catch((error: unknown) => {
    if (!engine.stopping.aborted)
      engine.log.error('automatic restart failed', { id: container.id, error: errorText(error) });
  });
}

function shouldRestart(engine: Engine, container: Container, { exitCode }: ExitedState): boolean {
  const { stoppedByUser, restartCount, config } = container.record;
  const { Name, MaximumRetryCount } = config.HostConfig.RestartPolicy;
  if (engine.stopping.aborted || stoppedByUser) return false;
  switch (Name) {
    case 'always':
    case 'unless-stopped':
      return true;
    case 'on-failure':
      return exitCode !== 0 && (MaximumRetryCount === 0 || restartCount < MaximumRetryCount);
    default:
      return false;
  }
}

/** Removes the cgroup, and before that kills whoever is left in it; answers whether the OOM killer struck in it. */
async function endCgroup(
  engine: Engine,
  container: Container,
  { pid }: RunningState,
  troubles: string[],
): Promise<boolean> {
  const cgroup = cgroupOf(engine, container);
  const oomKilled = await cgroup.oomKilled({ pid, at: container.run?.logMark });
  try {
    // Most have nobody left, and go at once; so does the empty parent that a daemon killed in a removal may have left.
    if (!(await cgroup.removeEmpty())) {
      await cgroup.kill(AbortSignal.timeout(engine.timing.killTimeoutMs));
      await cgroup.remove();
    }
  } catch (error) {
    troubles.push(errorText(error));
  }
  return oomKilled;
}
