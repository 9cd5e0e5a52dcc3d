import { availableParallelism } from 'node:os';
import { HullError } from '../base/errors.ts';
import type { Process, Resources } from '../base/oci.ts';
import type { CgroupFeatures } from '../cgroups/cgroup.ts';
import { defaultDeviceRules } from '../cgroups/devices/device-list.ts';
import type { HostConfig } from './create-request.ts';
import { noDevices, type RequestedDevices } from './requested-devices.ts';

type Features = Pick<CgroupFeatures, 'swapLimit' | 'blkioWeight'>;

/** All that a container's cgroup gets: its limits, and the devices it may use. */
export function resourcesOf(
  host: HostConfig,
  features: Features,
  { rules, blockIO }: RequestedDevices = noDevices,
): Resources {
  return {
    // Without a rule of its own a group may open every device of the host, and CAP_MKNOD makes the nodes.
    devices: host.Privileged
      ? [{ allow: true, access: 'rwm' }]
      : [{ allow: false, access: 'rwm' }, ...defaultDeviceRules, ...rules],
    ...limitsOf(host, features, blockIO),
  };
}

/** HostConfig's limits under the OCI names. Kind `invalid` for values that contradict each other. */
export function limitsOf(
  host: HostConfig,
  features: Features,
  devices: RequestedDevices['blockIO'] = {},
): Resources {
  checkMemory(host);
  checkCpu(host);
  checkBlkio(host);
  const memory = compact({
    limit: host.Memory || undefined,
    // No wish for swap means as much again as memory, where the kernel can limit it; -1 means no limit on it.
    swap: host.MemorySwap || (host.Memory > 0 && features.swapLimit ? host.Memory * 2 : undefined),
    reservation: host.MemoryReservation || undefined,
    swappiness: (host.MemorySwappiness ?? -1) < 0 ? undefined : (host.MemorySwappiness ?? undefined),
    disableOOMKiller: host.OomKillDisable || undefined,
  });
  const cpu = compact({
    shares: host.CpuShares || undefined,
    ...(host.NanoCpus > 0
      ? { period: 100_000, quota: Math.round(host.NanoCpus / 10_000) }
      : { period: host.CpuPeriod || undefined, quota: host.CpuQuota || undefined }),
    realtimePeriod: host.CpuRealtimePeriod || undefined,
    realtimeRuntime: host.CpuRealtimeRuntime || undefined,
    cpus: host.CpusetCpus || undefined,
    mems: host.CpusetMems || undefined,
  });
  const { weightDevice, ...throttling } = devices;
  const blockIO = compact({
    // As Docker: a weight without a scheduler that has weights is left out, with a warning.
    ...(features.blkioWeight ? { weight: host.BlkioWeight || undefined, weightDevice } : {}),
    ...throttling,
  });
  return {
    ...(memory ? { memory } : {}),
    ...(cpu ? { cpu } : {}),
    ...(blockIO ? { blockIO } : {}),
    ...(host.PidsLimit > 0 ? { pids: { limit: host.PidsLimit } } : {}),
  };
}

/** HostConfig.Ulimits as OCI rlimits: `nofile` is RLIMIT_NOFILE. */
export function rlimitsOf(host: HostConfig): NonNullable<Process['rlimits']> {
  return host.Ulimits.map(({ Name, Soft, Hard }) => {
    if (!ulimitNames.includes(Name)) {
      throw invalid(
        'Ulimits',
        `found the name ${JSON.stringify(Name)}, wanted one of ${ulimitNames.join(', ')}`,
      );
    }
    if (Hard >= 0 && (Soft > Hard || Soft < 0)) {
      throw invalid('Ulimits', `found ${Name} with soft limit ${Soft} above hard limit ${Hard}`);
    }
    return { type: `RLIMIT_${Name.toUpperCase()}`, soft: Soft, hard: Hard };
  });
}

function checkMemory({ Memory, MemorySwap, MemoryReservation }: HostConfig): void {
  if (Memory !== 0 && Memory < minimumMemory) {
    throw invalid('Memory', `found ${Memory}, wanted at least ${minimumMemory} bytes (6 MB)`);
  }
  if (Memory === 0 && MemorySwap > 0) throw invalid('MemorySwap', 'it needs Memory to be set as well');
  if (MemorySwap > 0 && MemorySwap < Memory) {
    throw invalid('MemorySwap', `found ${MemorySwap}, wanted at least Memory (${Memory})`);
  }
  if (Memory > 0 && MemoryReservation > Memory) {
    throw invalid('MemoryReservation', `found ${MemoryReservation}, wanted at most Memory (${Memory})`);
  }
}

function checkBlkio({ BlkioWeight, BlkioWeightDevice }: HostConfig): void {
  for (const weight of [BlkioWeight, ...BlkioWeightDevice.map(({ Weight }) => Weight)]) {
    if (weight !== 0 && (weight < 10 || weight > 1000)) {
      throw invalid('BlkioWeight', `found ${weight}, wanted 10 to 1000, or 0 for none`);
    }
  }
}

function checkCpu({ NanoCpus, CpuPeriod, CpuQuota, CpuShares }: HostConfig): void {
  if (NanoCpus < 0) throw invalid('NanoCpus', `found ${NanoCpus}, wanted 0 or more`);
  const available = NanoCpus > 0 ? availableParallelism() : 0;
  if (NanoCpus > available * 1e9) {
    throw invalid(
      'NanoCpus',
      `found ${NanoCpus / 1e9} CPUs, wanted 0.01 to ${available}: there are only ${available} CPUs available`,
    );
  }
  if (NanoCpus > 0 && (CpuPeriod > 0 || CpuQuota > 0)) {
    throw invalid('NanoCpus', 'it cannot be set together with CpuPeriod or CpuQuota');
  }
  if (CpuPeriod !== 0 && (CpuPeriod < 1000 || CpuPeriod > 1_000_000)) {
    throw invalid('CpuPeriod', `found ${CpuPeriod}, wanted 1000 to 1000000 µs`);
  }
  if (CpuQuota > 0 && CpuQuota < 1000)
    throw invalid('CpuQuota', `found ${CpuQuota}, wanted at least 1000 µs`);
  if (CpuShares < 0) throw invalid('CpuShares', `found ${CpuShares}, wanted 0 or more`);
}

function invalid(field: string, reason: string): HullError {
  return new HullError(`Cannot use HostConfig.${field}: ${reason}`, { kind: 'invalid' });
}

/** What the host cannot limit and the container therefore goes without: for the answer to create and update. */
export function limitWarnings(host: HostConfig, features: Features): readonly string[] {
  const weight = host.BlkioWeight !== 0 || host.BlkioWeightDevice.length > 0;
  return weight && !features.blkioWeight
    ? ['Your kernel does not support Block I/O weight: it is discarded (no disk scheduler with weights)']
    : [];
}

/** Without the undefined ones; undefined when nothing is left. */
function compact<T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } | undefined {
  const kept = Object.entries(fields).filter(([, value]) => value !== undefined);
  return kept.length === 0 ? undefined : (Object.fromEntries(kept) as { [K in keyof T]?: NonNullable<T[K]> });
}

const minimumMemory = 6 * 1024 * 1024;
const ulimitNames =
  'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(
    ' ',
  );
