import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';

import { setTimeout as sleep } from 'node:timers/promises';
import { errorText } from '../base/log.ts';
import type { ExitRecord } from '../launch/types.ts';
import { watchExit } from '../launch/watch-exit.ts';
import { brokenRecord } from './broken-record.ts';
import { findCgroup } from './cgroup-note.ts';
import { Container } from './container.ts';
import { cgroupOf, type Engine, runDirOf } from './engine.ts';
import { removeAnonymousVolumes } from './mounts/release-volumes.ts';
import { finishLocked, scheduleRestart, settle, watchContainer } from './on-exit.ts';
import { isSameProcess } from './processes.ts';
import { type ContainerRecord, isAlive, isTransient, lastRun, type RunningState } from './record.ts';
import type { StoredContainer } from './record-files.ts';
import { releaseRoot, retryRelease } from './release-root.ts';
import { removeContainer, removeLocked } from './remove.ts';
import { removeOrphans, removeStrays, removeUnborn } from './remove-strays.ts';

/**
 * # The one path from disk to daemon
 *
 * Runs at every start, after a clean end, a SIGKILL at any moment, and a reboot alike: every record is compared with
 * what the kernel has, and one of the two is corrected. Containers that run are taken over; runs that ended meanwhile
 * are finished with the record that their monitor left; what was half made or half removed is undone or completed;
 * cgroups, run folders and layers' host-wide parts that no record owns are removed; restart policies are applied.
 */
export async function reconcileContainers(engine: Engine): Promise<void> {
  await mkdir(engine.runRoot, { recursive: true, mode: 0o711 });
  const stored = await engine.records.readAll();
  for (const one of stored) await adopt(engine, one);
  const containers = engine.containers.list();
  const alive = containers.filter(({ state }) => mayHaveProcesses(engine, state));
  for (const container of alive) {
    await findCgroup(engine, container).catch((error: unknown) =>
      engine.log.error('cgroup of container not found', { id: container.id, error: errorText(error) }),
    );
  }
  await removeStrays(engine, alive);
  const said = await engine.driver.reconcile(new Set(alive.map(({ id }) => id)));
  for (const line of said) engine.log.info('storage reconciled', { driver: engine.driver.name, line });
  for (const one of stored) if ('unborn' in one) await removeUnborn(engine, one.id);
  await removeOrphans(engine, new Set(stored.map(({ id }) => id)));
  await Promise.all(
    containers.map(async (container) => {
      try {
        await reconcileOne(engine, container);
        if (container.record.forBuild && !container.gone) {
          await removeContainer(engine, container, { force: true, volumes: true });
        }
      } catch (error) {
        // One container's trouble is not the daemon's: it is shown on it, and the others go on.
        engine.log.error('container not reconciled', { id: container.id, name: container.name, error });
      }
    }),
  );
}

/** Puts a stored container into the table, a damaged one as `broken`. */
async function adopt(engine: Engine, stored: StoredContainer): Promise<void> {
  if ('unborn' in stored) return;
  if ('damage' in stored) {
    engine.log.error('container record is damaged', { id: stored.id, error: stored.damage });
    engine.containers.add(
      new Container(brokenRecord(engine.driver.name, stored.id, stored.damage), engine.records),
    );
    return;
  }
  const { record } = stored;
  if (record.driver !== engine.driver.name) {
    engine.log.warn('container left alone: it belongs to another storage driver', {
      id: record.id,
      driver: record.driver,
    });
    engine.containers.setAside.push(record);
    return;
  }
  engine.containers.add(new Container(asFound(engine, record), engine.records));
}

/** Of a transient container's start only the run folder tells, which is gone with the boot. */
function asFound(engine: Engine, record: ContainerRecord): ContainerRecord {
  const begun =
    isTransient(record) && record.state.kind === 'created' && existsSync(runDirOf(engine, record.id));
  return begun ? { ...record, state: { kind: 'starting', bootId: engine.bootId } } : record;
}

async function reconcileOne(engine: Engine, container: Container): Promise<void> {
  using _ = await container.mutex.acquire();
  const { state, record, id } = container;
  switch (state.kind) {
    case 'creating':
      await engine.driver.remove(id);
      await removeAnonymousVolumes(engine, container);
      await engine.records.remove(id);
      engine.containers.remove(container);
      container.markGone();
      engine.log.info('half-made container removed', { id, name: record.name });
      return;
    case 'removing':
      await removeLocked(engine, container);
      return;
    case 'starting':
      await undoStart(engine, container);
      return;
    case 'running':
    case 'paused':
      await takeOver(engine, container, state);
      return;
    case 'restarting':
      scheduleRestart(engine, container, state.attempt);
      return;
    case 'created':
    case 'exited':
      if (record.heldBy !== undefined) retryRelease(engine, container);
      if (record.config.HostConfig.AutoRemove) await removeLocked(engine, container);
      else if (state.kind === 'exited' && wantsStart(record, state.exitCode)) startSoon(engine, container);
      return;
    case 'broken':
      return;
    default:
      state satisfies never;
  }
}

/** A run that an earlier daemon recorded: goes on, has ended, or was cut by a reboot. */
async function takeOver(engine: Engine, container: Container, run: RunningState): Promise<void> {
  if (run.bootId !== engine.bootId) {
    await settle(
      engine,
      container,
      {
        kind: 'exited',
        exitCode: 255,
        startedAt: run.startedAt,
        finishedAt: new Date().toISOString(),
        oomKilled: false,
      },
      { attempt: run.attempt, error: 'the host was restarted while it ran' },
    );
    return;
  }
  if (!(await isSameProcess(run))) {
    const outcome = await monitorOutcome(engine, container, engine.timing.killTimeoutMs);
    await finishLocked(engine, container, run, outcome ?? 'lost');
    return;
  }
  const kind = (await isFrozen(engine, container)) ? 'paused' : 'running';
  const now: RunningState = { ...run, kind };
  if (kind !== run.kind) await container.update({ state: now }, { evenIfFull: true });
  await cgroupOf(engine, container).entered();
  engine.log.info('container taken over', { id: container.id, name: container.name, pid: run.pid });
  watchContainer(engine, container, now);
}

/** A start that nobody was told about: whatever came of it is ended, and it can be started again. */
async function undoStart(engine: Engine, container: Container): Promise<void> {
  const { state, id } = container;
  const last = lastRun(state);
  if (state.kind === 'starting' && state.bootId === engine.bootId) {
    const deadline = Date.now() + engine.timing.killTimeoutMs;
    for (;;) {
      const cgroup = cgroupOf(engine, container);
      if (await cgroup.exists()) await cgroup.kill(AbortSignal.timeout(engine.timing.killTimeoutMs));
      // A monitor may be there whose first process has not entered the cgroup yet.
      if ((await monitorOutcome(engine, container, monitorPollMs)) !== undefined) break;
      if (Date.now() > deadline) throw new Error(`the monitor of a broken start is still there: ${id}`);
    }
    await cgroupOf(engine, container).remove();
  }
  await rm(runDirOf(engine, id), { recursive: true, force: true });
  container.run = undefined;
  const heldBy = await releaseRoot(engine, container);
  await container.update(
    {
      state: last ? { ...last, kind: 'exited' } : { kind: 'created', exitCode: 0 },
      error: heldBy ?? 'the daemon ended while it was being started',
      heldBy,
    },
    { evenIfFull: true },
  );
  if (heldBy !== undefined) retryRelease(engine, container);
  engine.log.info('half-done start undone', { id, name: container.name });
  if (container.record.config.HostConfig.AutoRemove) await removeLocked(engine, container);
  else if (wantsStart(container.record, 0)) startSoon(engine, container);
}

/** How the monitor ended, or undefined where it is still there after `ms`. */
async function monitorOutcome(
  engine: Engine,
  container: Container,
  ms: number,
): Promise<ExitRecord | 'lost' | undefined> {
  const over = new AbortController();
  const timer = sleep(ms, undefined, { signal: over.signal, ref: false }).catch(() => undefined);
  try {
    return await Promise.race([watchExit(runDirOf(engine, container.id), over.signal), timer]);
  } finally {
    over.abort();
  }
}

/** As Docker at its start: `always` even after a stop by hand; the others by how the last run ended. */
function wantsStart(record: ContainerRecord, exitCode: number): boolean {
  const { Name, MaximumRetryCount } = record.config.HostConfig.RestartPolicy;
  switch (Name) {
    case 'always':
      return true;
    case 'unless-stopped':
      return !record.stoppedByUser;
    case 'on-failure':
      return (
        exitCode !== 0 &&
        !record.stoppedByUser &&
        (MaximumRetryCount === 0 || record.restartCount < MaximumRetryCount)
      );
    default:
      return false;
  }
}

/** After its turn, so that the daemon's readiness does not wait for it. */
function startSoon(engine: Engine, container: Container): void {
  void (async () => {
    using _ = await container.mutex.acquire();
    const { kind } = container.state;
    if (container.gone || (kind !== 'exited' && kind !== 'created')) return;
    const { startLocked } = await import('./start.ts');
    await startLocked(engine, container, { attempt: 0, byUser: false });
  })().catch((error: unknown) => engine.log.error('restart policy failed', { id: container.id, error }));
}

function mayHaveProcesses(engine: Engine, state: ContainerRecord['state']): boolean {
  return (isAlive(state) || state.kind === 'starting') && state.bootId === engine.bootId;
}

async function isFrozen(engine: Engine, container: Container): Promise<boolean> {
  const cgroup = cgroupOf(engine, container);
  return (await cgroup.exists()) && (await cgroup.frozen());
}

const monitorPollMs = 200;
