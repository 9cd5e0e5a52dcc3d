import type { SpecMount } from '../base/oci.ts';
import { compileContainer } from '../launch/compile-container.ts';
import { explain } from '../launch/explain.ts';
import type { CgroupEntry, LaunchRequest } from '../launch/types.ts';
import type { AcquiredLayer } from '../storage/driver.ts';
import { userOf } from './accounts.ts';
import type { Container } from './container.ts';
import { containerFiles } from './container-files.ts';
import { cgroupOf, type Engine, logPathOf, runDirOf } from './engine.ts';
import { hostDevices } from './host-devices.ts';
import { plainMounts } from './mounts/spec-mount.ts';
import { isAlive } from './record.ts';
import { requestedDevices } from './requested-devices.ts';
import { makeSpec } from './spec.ts';
import type { ResolvedUser } from './users.ts';

/** All that the start program is compiled from. */
export async function makeLaunchRequest(
  engine: Engine,
  container: Container,
  user: ResolvedUser,
  root: AcquiredLayer,
  entry: CgroupEntry,
  mounts: readonly SpecMount[],
  files: readonly SpecMount[],
): Promise<LaunchRequest> {
  const { id, record } = container;
  const { config } = record;
  const spec = makeSpec({
    id,
    config,
    user,
    cgroupPath: cgroupOf(engine, container).path,
    cgroupMode: engine.cgroups.mode,
    cgroupFeatures: await engine.cgroups.features(),
    capabilities: engine.capabilities,
    mounts,
    files,
    hostDevices: config.HostConfig.Privileged ? await hostDevices() : [],
    requestedDevices: await requestedDevices(config.HostConfig),
    machine: engine.machine,
  });
  return {
    id,
    spec,
    rootMounts: root.mounts,
    rootLockPath: root.lockPath,
    cgroup: entry,
    runDir: runDirOf(engine, id),
    logPath: logPathOf(engine, id),
    openStdin: config.OpenStdin,
  };
}

/** The container's start as text, one line a system call; nothing is started. */
export async function explainContainer(engine: Engine, container: Container): Promise<string> {
  using _ = await container.mutex.acquire();
  const { id, state } = container;
  const alive = isAlive(state);
  // The account files of a running container are reached elsewhere; its user does not change the steps, only a number.
  const user = alive ? { uid: 0, gid: 0, additionalGids: [], home: '/' } : await userOf(engine, container);
  const root = await engine.driver.acquire(id);
  try {
    const request = await makeLaunchRequest(
      engine,
      container,
      user,
      root,
      cgroupOf(engine, container).entry,
      plainMounts(container.record.mounts),
      containerFiles(engine, container).mounts,
    );
    return explain(compileContainer(request));
  } finally {
    if (!alive) await engine.driver.release(id);
  }
}
