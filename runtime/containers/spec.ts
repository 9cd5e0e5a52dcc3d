import { hostname as hostName } from 'node:os';
import type { Device, NamespaceType, Process, Spec, SpecMount } from '../base/oci.ts';
import type { Seccomp } from '../base/oci-seccomp.ts';
import type { CgroupFeatures } from '../cgroups/cgroup.ts';
import { chooseCapabilities } from './capabilities.ts';
import { toWindowSize } from './console-size.ts';
import { chooseModes, type HostModes } from './host-modes.ts';
import { resourcesOf, rlimitsOf } from './limits.ts';
import { mergeEnvironment } from './merge-config.ts';
import type { ContainerConfig } from './record.ts';
import type { RequestedDevices } from './requested-devices.ts';
import { chooseSeccomp } from './seccomp/read-profile.ts';
import { readSecurityOptions } from './security-options.ts';
import { mountsOf } from './spec-mounts.ts';
import type { ResolvedUser } from './users.ts';

export interface SpecInput {
  readonly id: string;
  readonly config: ContainerConfig;
  readonly user: ResolvedUser;
  readonly cgroupPath: string;
  readonly cgroupMode: 'v1' | 'v2' | 'hybrid';
  readonly cgroupFeatures: Pick<CgroupFeatures, 'swapLimit' | 'blkioWeight'>;
  /** The daemon's own: all that there is to give. */
  readonly capabilities: readonly string[];
  /** Its volumes, binds and tmpfs. */
  readonly mounts: readonly SpecMount[];
  /** Bind mounts of what hull writes per container: /etc/hostname, /etc/hosts, /etc/resolv.conf. */
  readonly files: readonly SpecMount[];
  /** The host's device nodes, for a privileged container. */
  readonly hostDevices: readonly Device[];
  /** What it asks for by path, looked up. */
  readonly requestedDevices: RequestedDevices;
  readonly machine: Machine;
}

/** What a seccomp policy depends on: Node's name of the architecture, and `uname -r`. */
export interface Machine {
  readonly arch: string;
  readonly kernel: string;
}

/**
 * The OCI runtime spec (1.2) of a container, with Docker's defaults: mounts, masked paths, capabilities. Pure.
 * Error kinds: `invalid` for contradicting wishes, `unsupported` for what hull does not have.
 */
export function makeSpec(input: SpecInput): Spec {
  const { id, config, cgroupMode } = input;
  const host = config.HostConfig;
  const modes = chooseModes(host, cgroupMode);
  const hostname = hostnameOf(id, config, modes);
  const seccomp = seccompOf(input);
  return {
    ociVersion: '1.2.0',
    process: processOf(input, modes, hostname),
    root: { path: 'rootfs', readonly: host.ReadonlyRootfs },
    ...(hostname === undefined ? {} : { hostname }),
    ...(config.Domainname === '' || modes.uts === 'host' ? {} : { domainname: config.Domainname }),
    // On version 1 and hybrid hosts the launch program has no cgroup mount to offer.
    mounts: mountsOf(host, modes, {
      own: input.mounts,
      files: input.files,
      showCgroups: cgroupMode === 'v2',
    }),
    linux: {
      namespaces: namespacesOf(modes),
      devices: [...input.requestedDevices.nodes, ...(host.Privileged ? input.hostDevices : [])],
      cgroupsPath: input.cgroupPath,
      resources: resourcesOf(host, input.cgroupFeatures, input.requestedDevices),
      sysctl: host.Sysctls,
      maskedPaths: host.Privileged ? [] : (host.MaskedPaths ?? defaultMaskedPaths),
      readonlyPaths: host.Privileged ? [] : (host.ReadonlyPaths ?? defaultReadonlyPaths),
      ...(seccomp ? { seccomp } : {}),
    },
  };
}

export interface ExecInput {
  readonly config: ContainerConfig;
  readonly user: ResolvedUser;
  readonly hostname: string;
  readonly capabilities: readonly string[];
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly privileged: boolean;
  readonly terminal: boolean;
  readonly consoleSize: readonly [number, number];
}

/** The process of an exec: the container's own, with what differs. */
export function makeExecProcess(input: ExecInput): Process {
  const { config, user, args, cwd } = input;
  const host = config.HostConfig;
  const modes = chooseModes(host, 'v1');
  return {
    cwd: cwd || config.WorkingDir || '/',
    args,
    ...(input.terminal ? { terminal: true } : {}),
    ...sizeOf(input.consoleSize),
    env: environmentOf(input.hostname, user, input.terminal, [...config.Env, ...input.env]),
    user: idsOf(user),
    capabilities: capabilitySets(user, {
      add: host.CapAdd,
      drop: host.CapDrop,
      privileged: host.Privileged || input.privileged,
      own: input.capabilities,
    }),
    rlimits: rlimitsOf(host),
    noNewPrivileges: modes.security.noNewPrivileges,
    ...apparmorOf(modes, host.Privileged || input.privileged),
  };
}

/** The container's seccomp policy, for its commands too; none where it is privileged. */
export function seccompOf({
  config,
  machine,
  capabilities,
}: Pick<SpecInput, 'config' | 'machine' | 'capabilities'>): Seccomp | undefined {
  const { SecurityOpt, CapAdd, CapDrop, Privileged } = config.HostConfig;
  if (Privileged) return undefined;
  const wish = { add: CapAdd, drop: CapDrop, privileged: false, own: capabilities };
  return chooseSeccomp(readSecurityOptions(SecurityOpt).seccomp, {
    ...machine,
    capabilities: chooseCapabilities(wish),
  });
}

function apparmorOf(modes: HostModes, privileged: boolean): Pick<Process, 'apparmorProfile'> {
  const { apparmorProfile } = modes.security;
  return privileged || apparmorProfile === undefined ? {} : { apparmorProfile };
}

/** The name the container sees, or undefined where it shares the host's. */
export function hostnameOf(id: string, config: ContainerConfig, modes: HostModes): string | undefined {
  if (modes.uts === 'host') return undefined;
  return config.Hostname || (modes.network === 'host' ? hostName() : id.slice(0, 12));
}

function processOf(
  { config, user, capabilities }: SpecInput,
  modes: HostModes,
  hostname: string | undefined,
): Process {
  const host = config.HostConfig;
  const { CapAdd, CapDrop, Privileged, OomScoreAdj } = host;
  return {
    terminal: config.Tty,
    ...sizeOf(host.ConsoleSize),
    cwd: config.WorkingDir || '/',
    args: [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])],
    env: environmentOf(hostname, user, config.Tty, config.Env),
    user: idsOf(user),
    capabilities: capabilitySets(user, {
      add: CapAdd,
      drop: CapDrop,
      privileged: Privileged,
      own: capabilities,
    }),
    rlimits: rlimitsOf(host),
    noNewPrivileges: modes.security.noNewPrivileges,
    ...apparmorOf(modes, Privileged),
    ...(typeof OomScoreAdj === 'number' ? { oomScoreAdj: OomScoreAdj } : {}),
  };
}

function sizeOf(size: readonly [number, number]): Pick<Process, 'consoleSize'> {
  const consoleSize = toWindowSize(size);
  return consoleSize ? { consoleSize } : {};
}

function environmentOf(
  hostname: string | undefined,
  user: ResolvedUser,
  terminal: boolean,
  own: readonly string[],
): readonly string[] {
  const defaults = [
    defaultPath,
    ...(hostname === undefined ? [] : [`HOSTNAME=${hostname}`]),
    ...(terminal ? ['TERM=xterm'] : []),
    `HOME=${user.home}`,
  ];
  return mergeEnvironment(defaults, own);
}

function idsOf({ uid, gid, additionalGids }: ResolvedUser): Process['user'] {
  return { uid, gid, additionalGids };
}

/** Only root gets them at once: for others the kernel clears the permitted set at exec anyway (capabilities(7)). */
function capabilitySets(
  user: ResolvedUser,
  wish: Parameters<typeof chooseCapabilities>[0],
): NonNullable<Process['capabilities']> {
  const chosen = chooseCapabilities(wish);
  const held = user.uid === 0 ? chosen : [];
  return { bounding: chosen, effective: held, permitted: held, inheritable: [], ambient: [] };
}

function namespacesOf(modes: HostModes): { readonly type: NamespaceType }[] {
  const types: NamespaceType[] = ['mount'];
  if (modes.pid === 'private') types.push('pid');
  if (modes.network === 'none') types.push('network');
  if (modes.ipc !== 'host') types.push('ipc');
  if (modes.uts === 'private') types.push('uts');
  if (modes.cgroup === 'private') types.push('cgroup');
  return types.map((type) => ({ type }));
}

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const defaultMaskedPaths: readonly string[] = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const defaultReadonlyPaths: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];
