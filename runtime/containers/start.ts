import { mkdirSync, rmSync } from 'node:fs';
import { Cleanup } from '../base/cleanup.ts';
import { HullError } from '../base/errors.ts';
import { errorText } from '../base/log.ts';
import type { SpecMount } from '../base/oci.ts';
import { launch } from '../launch/launch.ts';
import { LaunchError } from '../launch/launch-error.ts';
import { userOf } from './accounts.ts';
import { noteCgroup } from './cgroup-note.ts';
import type { Container } from './container.ts';
import { containerFiles } from './container-files.ts';
import { cgroupOf, type Engine, runDirOf } from './engine.ts';
import { makeLaunchRequest } from './launch-request.ts';
import { resourcesOf } from './limits.ts';
import { releaseVolumes } from './mounts/release-volumes.ts';
import { watchContainer } from './on-exit.ts';
import { publishContainer } from './publish.ts';
import { type ContainerState, isAlive, lastRun, type Run, type RunningState } from './record.ts';
import { releaseRoot, retryRelease } from './release-root.ts';
import { removeLocked } from './remove.ts';
import { requestedDevices } from './requested-devices.ts';

/**
 * Afterwards the container's command runs. Kinds: `not-modified` (it runs already), `busy` (the root is held: by whom),
 * `invalid` (no such command or user), `internal` with the launch step that failed.
 */
export async function startContainer(engine: Engine, container: Container): Promise<void> {
  using _ = await container.mutex.acquire();
  if (container.gone) throw new HullError(`No such container: ${container.id}`, { kind: 'not-found' });
  const { state } = container;
  if (isAlive(state)) {
    throw new HullError(`Container ${container.name} is already ${state.kind}`, { kind: 'not-modified' });
  }
  if (state.kind === 'removing' || state.kind === 'broken' || state.kind === 'creating') {
    throw new HullError(`Cannot start container ${container.name}: it is ${state.kind}`, {
      kind: 'conflict',
    });
  }
  await startLocked(engine, container, { attempt: 0, byUser: true });
}

export interface StartReason {
  /** How often in a row its restart policy has started it. */
  readonly attempt: number;
  /** Somebody asked: an earlier stop and the restarts so far are forgotten. */
  readonly byUser: boolean;
}

/** The same with the container's mutex held. */
export async function startLocked(
  engine: Engine,
  container: Container,
  { attempt, byUser }: StartReason,
): Promise<void> {
  const before = container.state;
  const last = lastRun(before);
  container.leftNothing = false;
  const news = {
    state: {
      kind: 'starting',
      bootId: engine.bootId,
      ...(last ? { last: outlineOf(last) } : {}),
    },
    ...(byUser ? { stoppedByUser: false, restartCount: 0 } : {}),
  } as const;
  // At a later start its record is of the run before.
  if (last) await container.update(news);
  else await container.tell(news);
  try {
    const run = await launchContainer(engine, container, attempt);
    publishContainer(engine, container, 'start');
    engine.log.info('container started', { id: container.id, name: container.name, pid: run.pid });
    watchContainer(engine, container, run);
  } catch (error) {
    await container.update(
      { state: afterFailure(last, error), error: errorText(error) },
      { evenIfFull: true },
    );
    // As in Docker: a client that waits for the removal would wait for ever.
    if (container.record.config.HostConfig.AutoRemove) await removeLocked(engine, container);
    throw toStartError(container, error);
  }
}

async function launchContainer(engine: Engine, container: Container, attempt: number): Promise<RunningState> {
  const { id } = container;
  await using undo = new Cleanup();
  undo.push(() => {
    container.run = undefined;
  });
  const runDir = runDirOf(engine, id);
  undo.push(() => rmSync(runDir, { recursive: true, force: true }));
  rmSync(runDir, { recursive: true, force: true });
  mkdirSync(runDir, { recursive: true, mode: 0o700 });
  // First of all: a parent that is none for this daemon's cgroup driver is found before there is anything to undo.
  noteCgroup(engine, container);
  const user = await userOf(engine, container);
  undo.push(async () => {
    const heldBy = await releaseRoot(engine, container);
    if (heldBy !== undefined) {
      await container.update({ heldBy }, { evenIfFull: true });
      retryRelease(engine, container);
    }
  });
  const root = await engine.driver.acquire(id);
  undo.push(() => cgroupOf(engine, container).remove());
  const host = container.record.config.HostConfig;
  const resources = resourcesOf(host, await engine.cgroups.features(), await requestedDevices(host));
  const { group: cgroup, finish } = await engine.cgroups.begin(cgroupOf(engine, container).path, resources);
  const startedAt = new Date().toISOString();
  undo.push(() => releaseVolumes(engine, container));
  const mounts = await mountsFor(engine, container);
  const files = containerFiles(engine, container);
  const request = await makeLaunchRequest(engine, container, user, root, cgroup.entry, mounts, files.mounts);
  const launched = await launch(request, async () => {
    files.write();
    await finish();
  });
  undo.push(() => cgroup.kill(AbortSignal.timeout(engine.timing.killTimeoutMs)));
  await cgroup.entered();
  const { pid, monitorPid, startTicks } = launched;
  const { bootId } = engine;
  const state: RunningState = { kind: 'running', pid, monitorPid, startTicks, startedAt, bootId, attempt };
  await container.update({ state, error: '', heldBy: undefined });
  undo.commit();
  return state;
}

/** Most containers have none, and need not load what prepares them. */
async function mountsFor(engine: Engine, container: Container): Promise<readonly SpecMount[]> {
  if (container.record.mounts.length === 0) return [];
  const { prepareMounts } = await import('./mounts/prepare-mounts.ts');
  return await prepareMounts(engine, container);
}

/** What the failed start leaves: never run yet, or the last run with the failure's exit code. */
function afterFailure(last: Run | undefined, error: unknown): ContainerState {
  const exitCode = findLaunchError(error)?.exitCode ?? 128;
  if (!last) return { kind: 'created', exitCode };
  return { kind: 'exited', ...outlineOf(last), exitCode, finishedAt: new Date().toISOString() };
}

/** Docker answers a command that cannot be run with 400 and the client makes 126 or 127 of the words. */
function toStartError(container: Container, error: unknown): unknown {
  const launchError = findLaunchError(error);
  if (!launchError) return error;
  const words = clientWords[launchError.code];
  const hint = launchError.exitCode === 128 || words === undefined ? '' : ` (${words})`;
  return new HullError(`Cannot start container ${container.name}: ${errorText(error)}${hint}`, {
    kind: launchError.exitCode === 128 ? 'internal' : 'invalid',
    cause: error,
  });
}

/** strerror(3)'s words: by these the docker client tells its exit codes 126 and 127. */
const clientWords: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
  ENOEXEC: 'exec format error',
};

function findLaunchError(error: unknown): LaunchError | undefined {
  if (error instanceof LaunchError) return error;
  if (error instanceof AggregateError) return error.errors.map(findLaunchError).find((found) => found);
  if (error instanceof SuppressedError)
    return findLaunchError(error.suppressed) ?? findLaunchError(error.error);
  return undefined;
}

function outlineOf({ exitCode, startedAt, finishedAt, oomKilled }: Run): Run {
  return { exitCode, startedAt, finishedAt, oomKilled };
}
