import { join } from 'node:path';
import type { Container } from '../containers/container.ts';
import { type Engine, logPathOf } from '../containers/engine.ts';
import type { ExecTable } from '../containers/exec-table.ts';
import { chooseModes } from '../containers/host-modes.ts';
import type { MountPoint } from '../containers/mounts/mount-point.ts';
import {
  type ContainerConfig,
  type ContainerRecord,
  type ContainerState,
  isAlive,
  lastRun,
  statusOf,
} from '../containers/record.ts';
import { hostnameOf } from '../containers/spec.ts';
import { findImage } from '../images/find-image.ts';
import { statusText } from './status-text.ts';

/** GET /containers/{id}/json. */
export function inspectView(engine: Engine, execs: ExecTable, container: Container): unknown {
  const { record, id, state } = container;
  const { config, image } = record;
  const { HostConfig, ...own } = config;
  const folder = engine.records.folder(id);
  const [path = '', ...args] = commandOf(config);
  const running = execs.of(container).filter((session) => session.state.kind !== 'exited');
  return {
    Id: id,
    Created: record.createdAt,
    Path: path,
    Args: args,
    State: stateView(state, record.error),
    Image: image.id,
    ResolvConfPath: join(folder, 'resolv.conf'),
    HostnamePath: join(folder, 'hostname'),
    HostsPath: join(folder, 'hosts'),
    LogPath: logPathOf(engine, id),
    Name: `/${record.name}`,
    RestartCount: record.restartCount,
    Driver: record.driver,
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: running.length > 0 ? running.map((session) => session.id) : null,
    HostConfig: {
      ...HostConfig,
      NetworkMode: networkOf(engine, config),
      LogConfig: { Type: 'hull', Config: {} },
    },
    GraphDriver: { Name: record.driver, Data: {} },
    Mounts: mountsView(record.mounts),
    Config: {
      ...own,
      Hostname: hostname(engine, id, config),
      Image: image.reference,
      Cmd: config.Cmd ?? null,
      Entrypoint: config.Entrypoint ?? null,
      Volumes: config.Volumes.length > 0 ? namesView(config.Volumes) : null,
      ExposedPorts: namesView(config.ExposedPorts),
    },
    NetworkSettings: { Ports: {}, Networks: networks(engine, config) },
  };
}

/** One entry of GET /containers/json. */
export function listView(
  engine: Engine,
  container: Container,
  now: number,
): Readonly<Record<string, unknown>> {
  const { record, id, state } = container;
  return {
    Id: id,
    Names: [`/${record.name}`],
    Image: imageName(engine, record),
    ImageID: record.image.id,
    Command: commandOf(record.config).join(' '),
    Created: Math.floor(Date.parse(record.createdAt) / 1000),
    Ports: [],
    Labels: record.config.Labels,
    State: statusOf(state),
    Status: statusText(state, now),
    HostConfig: { NetworkMode: networkOf(engine, record.config) },
    NetworkSettings: { Networks: networks(engine, record.config) },
    Mounts: mountsView(record.mounts),
  };
}

/** As Docker: what the user called it, as long as that is the image's name; its id where another has the name, or none. */
function imageName({ images }: Engine, { image: { reference, id } }: ContainerRecord): string {
  try {
    return id === '' || findImage(images.entries(), reference).entry.id === id ? reference : id;
  } catch {
    return id;
  }
}

function stateView(state: ContainerState, error: string): unknown {
  const run = lastRun(state);
  const alive = isAlive(state);
  const failed = state.kind === 'created' ? state.exitCode : 0;
  return {
    Status: statusOf(state),
    // Docker counts one that waits for its next automatic start as running.
    Running: alive || state.kind === 'restarting',
    Paused: state.kind === 'paused',
    Restarting: state.kind === 'restarting',
    OOMKilled: run?.oomKilled ?? false,
    Dead: state.kind === 'broken',
    Pid: alive ? state.pid : 0,
    ExitCode: run?.exitCode ?? failed,
    Error: error,
    StartedAt: alive ? state.startedAt : (run?.startedAt ?? never),
    FinishedAt: run?.finishedAt ?? never,
  };
}

/** Docker's fields: a volume has a name and a driver, a bind its propagation. */
function mountsView(mounts: readonly MountPoint[]): unknown[] {
  return mounts.map((point) => ({
    Type: point.type,
    ...(point.type === 'volume' ? { Name: point.name } : {}),
    Source: point.type === 'tmpfs' ? '' : point.source,
    Destination: point.destination,
    ...(point.type === 'volume' ? { Driver: 'local' } : {}),
    Mode: point.mode,
    RW: !point.readOnly,
    Propagation: point.type === 'bind' ? point.propagation : '',
  }));
}

/** As the API has sets of names. */
const namesView = (names: readonly string[]): unknown => Object.fromEntries(names.map((name) => [name, {}]));

function networks(engine: Engine, config: ContainerConfig): unknown {
  return {
    [networkOf(engine, config)]: {
      IPAMConfig: null,
      Links: null,
      Aliases: null,
      NetworkID: '',
      EndpointID: '',
      Gateway: '',
      IPAddress: '',
      IPPrefixLen: 0,
      IPv6Gateway: '',
      GlobalIPv6Address: '',
      GlobalIPv6PrefixLen: 0,
      MacAddress: '',
      DriverOpts: null,
    },
  };
}

function networkOf(engine: Engine, config: ContainerConfig): string {
  return chooseModes(config.HostConfig, engine.cgroups.mode).network;
}

function hostname(engine: Engine, id: string, config: ContainerConfig): string {
  return hostnameOf(id, config, chooseModes(config.HostConfig, engine.cgroups.mode)) ?? config.Hostname;
}

function commandOf(config: ContainerConfig): readonly string[] {
  return [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
}

const never = '0001-01-01T00:00:00Z';
