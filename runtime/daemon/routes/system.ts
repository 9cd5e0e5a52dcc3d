import { readFile } from 'node:fs/promises';
import { cpus, hostname, release, totalmem } from 'node:os';
import { basename } from 'node:path';
import { ifExists } from '../../base/errors.ts';
import type { Engine } from '../../containers/engine.ts';
import { isAlive } from '../../containers/record.ts';
import type { Reply } from '../call.ts';
import { registryView } from '../registry-view.ts';
import { apiVersion, minimumApiVersion, type Route } from '../router.ts';
import { hullVersion } from '../version.ts';

export interface DaemonFacts {
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly debug: boolean;
  readonly startedAt: string;
}

/** Docker Engine API, "System", without events. */
export function systemRoutes(engine: Engine, facts: DaemonFacts): readonly Route[] {
  const pong: Reply = { status: 200, text: 'OK' };
  const headers = {
    'Cache-Control': 'no-cache, no-store, must-revalidate',
    Pragma: 'no-cache',
    Swarm: 'inactive',
  };
  const ping: Route['handle'] = ({ response }) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    return pong;
  };
  return [
    { method: 'GET', path: '/_ping', handle: ping },
    { method: 'HEAD', path: '/_ping', handle: ping },
    { method: 'GET', path: '/version', handle: () => ({ json: versionView(facts) }) },
    { method: 'GET', path: '/info', handle: async () => ({ json: await infoView(engine, facts) }) },
  ];
}

function versionView({ startedAt }: DaemonFacts): unknown {
  return {
    Platform: { Name: 'hull' },
    Components: [
      {
        Name: 'Engine',
        Version: hullVersion,
        Details: {
          ApiVersion: apiVersion,
          MinAPIVersion: minimumApiVersion,
          Arch: architecture(),
          Os: 'linux',
        },
      },
    ],
    Version: hullVersion,
    ApiVersion: apiVersion,
    MinAPIVersion: minimumApiVersion,
    GitCommit: '',
    GoVersion: '',
    NodeVersion: process.version,
    Os: 'linux',
    Arch: architecture(),
    KernelVersion: release(),
    BuildTime: startedAt,
  };
}

async function infoView(engine: Engine, facts: DaemonFacts): Promise<unknown> {
  const { cgroups, driver, containers, images } = engine;
  const [features, status, allImages, system] = await Promise.all([
    cgroups.features(),
    driver.status(),
    images.list(),
    systemName(),
  ]);
  const states = containers.list().map(({ state }) => state);
  const paused = states.filter(({ kind }) => kind === 'paused').length;
  const running = states.filter((state) => isAlive(state) || state.kind === 'restarting').length - paused;
  return {
    ID: basename(engine.cgroupParent),
    Name: hostname(),
    ServerVersion: hullVersion,
    Containers: states.length,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: states.length - running - paused,
    Images: allImages.length,
    Driver: driver.name,
    DriverStatus: status,
    DockerRootDir: facts.dataRoot,
    ExecRoot: facts.execRoot,
    CgroupDriver: cgroups.driver,
    // Docker knows 1 and 2; a hybrid host limits by its v1 controllers.
    CgroupVersion: cgroups.mode === 'v2' ? '2' : '1',
    CgroupMode: cgroups.mode,
    MemoryLimit: features.memoryLimit,
    SwapLimit: features.swapLimit,
    CpuCfsPeriod: features.cpuQuota,
    CpuCfsQuota: features.cpuQuota,
    CPUShares: features.cpuShares,
    CPUSet: features.cpuset,
    PidsLimit: features.pidsLimit,
    OomKillDisable: features.oomKillDisable,
    LoggingDriver: 'hull',
    Plugins: { Volume: ['local'], Network: ['none', 'host'], Authorization: null, Log: ['hull'] },
    KernelVersion: release(),
    OperatingSystem: system,
    OSType: 'linux',
    Architecture: machine(),
    NCPU: cpus().length,
    MemTotal: totalmem(),
    SystemTime: new Date().toISOString(),
    Debug: facts.debug,
    LiveRestoreEnabled: true,
    Runtimes: { hull: { path: 'built in' } },
    DefaultRuntime: 'hull',
    Swarm: { LocalNodeState: 'inactive' },
    SecurityOptions: ['name=seccomp,profile=builtin'],
    RegistryConfig: await registryView(engine),
    IndexServerAddress: 'https://index.docker.io/v1/',
    Labels: [],
    ExperimentalBuild: false,
    InitBinary: '',
    Warnings: [],
  };
}

async function systemName(): Promise<string> {
  const text = (await ifExists(readFile('/etc/os-release', 'utf8'))) ?? '';
  return /^PRETTY_NAME="?(.*?)"?$/m.exec(text)?.[1] ?? 'Linux';
}

/** Go's name, as Docker gives it. */
function architecture(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch;
}

/** uname -m's name. */
function machine(): string {
  if (process.arch === 'x64') return 'x86_64';
  return process.arch === 'arm64' ? 'aarch64' : process.arch;
}
