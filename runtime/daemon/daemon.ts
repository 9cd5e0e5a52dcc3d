import { createHash } from 'node:crypto';
import { mkdir, readFile, realpath, rm, rmdir } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { Cleanup } from '../base/cleanup.ts';
import { codeOf, HullError } from '../base/errors.ts';
import { errorText, type Log } from '../base/log.ts';
import { once } from '../base/once.ts';
import type { CgroupManager } from '../cgroups/cgroup.ts';
import { openCgroups } from '../cgroups/open-cgroups.ts';
import { boundingSet } from '../containers/capabilities.ts';
import { ContainerTable } from '../containers/container-table.ts';
import { defaultTiming, type Engine, type Timing } from '../containers/engine.ts';
import { EventBus } from '../containers/events.ts';
import { ExecTable } from '../containers/exec-table.ts';
import { neededVolumes } from '../containers/mounts/volume-use.ts';
import { reconcileContainers } from '../containers/reconcile.ts';
import { isAlive } from '../containers/record.ts';
import { RecordStore } from '../containers/record-store.ts';
import { stopContainer } from '../containers/stop.ts';
import { openImageStore } from '../images/open-image-store.ts';
import { parseInsecureRegistries } from '../images/registry/insecure.ts';
import { Partials } from '../images/registry/partials.ts';
import { LockFile, lockOwner } from '../kernel/lock-file.ts';
import { openDriver } from '../storage/open-driver.ts';
import { VolumeStore } from '../volumes/volume-store.ts';
import { allRoutes } from './routes/all-routes.ts';
import { makeServer } from './server.ts';
import { listenOn } from './socket.ts';
import { hullVersion } from './version.ts';

export interface DaemonOptions {
  readonly dataRoot: string;
  readonly execRoot: string;
  /** Path of the unix socket. */
  readonly socketPath: string;
  /** Undefined: the first that works here. */
  readonly storageDriver: string | undefined;
  /** Which are tried, in order, where none is named and none has layers. */
  readonly storageDriverOrder?: readonly string[] | undefined;
  readonly storageOptions: ReadonlyMap<string, string>;
  /** Hosts, host:port or networks whose registries need no certificate. */
  readonly insecureRegistries?: readonly string[];
  /** Who makes containers' cgroups; undefined is hull itself. */
  readonly cgroupDriver?: CgroupManager['driver'] | undefined;
  /**
   * The group that the containers' groups are made below, as `machine.slice/hull`; undefined: each hierarchy's root. With systemd a slice, and
   * `system.slice` where there is none.
   */
  readonly cgroupParent?: string | undefined;
  readonly pidfile: string | undefined;
  readonly debug: boolean;
  readonly log: Log;
  readonly timing?: Timing;
}

export interface Daemon {
  readonly engine: Engine;
  /** Stops the containers and gives back everything; may be called once. */
  shutDown(): Promise<void>;
}

/**
 * Brings the daemon up: lock, storage, images, containers as they are (reconciled), socket. Kind `conflict` where
 * another daemon has the data root. On an error nothing is left open.
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const undo = new Cleanup();
  try {
    const engine = await bringUp(options, undo);
    return { engine, shutDown: async () => await undo.run() };
  } catch (error) {
    await undo
      .run()
      .catch((later: unknown) => options.log.error('clean-up after a failed start', { error: later }));
    throw error;
  }
}

async function bringUp(options: DaemonOptions, undo: Cleanup): Promise<Engine> {
  const { dataRoot, execRoot, log, debug } = options;
  const began = performance.now();
  await mkdir(dataRoot, { recursive: true, mode: 0o711 });
  await mkdir(execRoot, { recursive: true, mode: 0o711 });
  const lock = await takeLock(join(dataRoot, 'daemon.lock'), dataRoot);
  undo.push(() => lock.release());
  undo.push(() => removeIfEmpty(execRoot));
  if (options.pidfile) await writePidfile(options.pidfile, undo);

  const managers = { cgroupfs: once(openCgroups), systemd: once(openUnits) };
  const cgroupsOf = (name: CgroupManager['driver']) => managers[name]();
  const [{ driver, why }, cgroups, kernel] = await Promise.all([
    openDriver(options.storageDriver, {
      dataRoot,
      execRoot,
      options: options.storageOptions,
      ...(options.storageDriverOrder ? { order: options.storageDriverOrder } : {}),
    }),
    cgroupsOf(options.cgroupDriver ?? 'cgroupfs'),
    readKernelFacts(),
  ]);
  undo.push(() => driver.close());
  leaveCgroupParents(cgroups, options);
  log.info('storage driver chosen', { driver: driver.name, why });
  const imageRoot = join(dataRoot, 'images', driver.name);
  const insecure = parseInsecureRegistries(options.insecureRegistries ?? []);
  const images = await openImageStore({ root: imageRoot, driver });
  const stopping = new AbortController();
  const closing = new AbortController();
  const engine: Engine = {
    driver,
    images,
    registry: once(async () => {
      const { Registry } = await import('../images/registry/registry.ts');
      return new Registry({ depot: images, partials: new Partials(imageRoot), insecure });
    }),
    volumes: await VolumeStore.open(join(dataRoot, 'volumes')),
    cgroups,
    cgroupsOf,
    records: new RecordStore(join(dataRoot, 'containers'), (path, error) =>
      log.error('record not flushed to the disk', { path, error }),
    ),
    containers: new ContainerTable(),
    events: new EventBus(),
    log,
    runRoot: join(execRoot, 'containers'),
    buildRoot: join(dataRoot, 'builds'),
    cgroupParent: await cgroupParentOf(options),
    ...kernel,
    accounts: new Map(),
    timing: options.timing ?? defaultTiming,
    stopping: stopping.signal,
    signal: closing.signal,
  };
  undo.push(() => removeIfEmpty(engine.runRoot));
  undo.push(() => engine.records.flush());
  // What builds have left whose daemon was killed.
  await rm(engine.buildRoot, { recursive: true, force: true });
  undo.push(() => closing.abort());
  await reconcileContainers(engine);
  for (const line of await engine.volumes.reconcile(neededVolumes(engine)))
    log.info('volumes reconciled', { line });
  for (const line of await images.reconcile()) log.info('images reconciled', { line });
  undo.push(() => stopAll(engine, stopping));

  const server = makeServer({
    routes: allRoutes(engine, new ExecTable(), {
      dataRoot,
      execRoot,
      debug,
      startedAt: new Date().toISOString(),
    }),
    log,
    version: hullVersion,
    signal: closing.signal,
  });
  await listenOn(server, options.socketPath);
  // Runs first: no new request while the containers are stopped. The open ones end with `closing`.
  undo.push(() => {
    server.close();
    server.closeIdleConnections();
  });
  log.info('hull is ready', {
    pid: process.pid,
    socket: options.socketPath,
    driver: driver.name,
    containers: engine.containers.list().length,
    ms: Math.round(performance.now() - began),
  });
  return engine;
}

async function takeLock(path: string, dataRoot: string): Promise<LockFile> {
  const lock = await LockFile.tryTake(path);
  if (lock) return lock;
  throw new HullError(
    `Cannot use data root ${JSON.stringify(dataRoot)}: ${lockOwner(path) ?? 'another process'} has it; one daemon per data root`,
    { kind: 'conflict' },
  );
}

/** A left-over pidfile means nothing: the lock on the data root says whether a daemon runs. */
async function writePidfile(path: string, undo: Cleanup): Promise<void> {
  undo.push(() => rm(path, { force: true }));
  await writeFileAtomic(path, `${process.pid}\n`, { mode: 0o644, durable: false });
}

async function readKernelFacts(): Promise<Pick<Engine, 'bootId' | 'capabilities' | 'machine'>> {
  const [bootId, status] = await Promise.all([
    readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    readFile('/proc/self/status', 'utf8'),
  ]);
  return {
    bootId: bootId.trim(),
    capabilities: boundingSet(status),
    machine: { arch: process.arch, kernel: release() },
  };
}

/** One folder of cgroups per data root: daemons on one host never take each other's for strays. */
async function cgroupParentOf({ dataRoot, cgroupDriver, cgroupParent = '' }: DaemonOptions): Promise<string> {
  const digest = createHash('sha256')
    .update(await realpath(dataRoot))
    .digest('hex');
  const above = cgroupDriver === 'systemd' ? await slicePathOf(cgroupParent || 'system.slice') : cgroupParent;
  return [...above.split('/').filter((name) => name !== ''), `hull-${digest.slice(0, 8)}`].join('/');
}

async function slicePathOf(slice: string): Promise<string> {
  const { slicePath } = await import('../cgroups/systemd/unit-path.ts');
  const path = slicePath(slice);
  if (path !== '') return path;
  throw new HullError(
    `Cannot put containers into ${JSON.stringify(slice)}: found the root of all slices, wanted one in it`,
    { kind: 'invalid' },
  );
}

/** Most daemons do without. */
async function openUnits(): Promise<CgroupManager> {
  const { openSystemdCgroups } = await import('../cgroups/systemd/open-systemd-cgroups.ts');
  return await openSystemdCgroups({ manager: 'system', watchOom: true });
}

/** On cgroup v2 a process in a group above the containers' would be in the way of their limits. */
function leaveCgroupParents(cgroups: CgroupManager, { cgroupParent = '', log }: DaemonOptions): void {
  const { group, movedTo, others } = cgroups.leaveParents(cgroupParent) ?? {};
  if (movedTo !== undefined) log.info('moved out of the way of containers’ limits', { cgroup: movedTo });
  else if (others !== undefined)
    log.warn('containers can have no limits of v2: the cgroup above them has processes, wanted groups only', {
      cgroup: group,
      others,
    });
}

/** Stops every container, all at once. One that does not stop is said and left. */
async function stopAll(engine: Engine, stopping: AbortController): Promise<void> {
  stopping.abort();
  const running = engine.containers
    .list()
    .filter(({ state }) => isAlive(state) || state.kind === 'restarting');
  await Promise.all(
    running.map(async (container) => {
      try {
        await stopContainer(engine, container, { forShutdown: true });
      } catch (error) {
        if (error instanceof HullError && error.kind === 'not-modified') return;
        engine.log.error('container not stopped', { id: container.id, error: errorText(error) });
      }
    }),
  );
}

async function removeIfEmpty(folder: string): Promise<void> {
  try {
    await rmdir(folder);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EBUSY'].includes(codeOf(error) ?? '')) throw error;
  }
}
