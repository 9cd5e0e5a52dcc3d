import { HullError } from '../base/errors.ts';
import type { Resources } from '../base/oci.ts';
import type { Container } from './container.ts';
import type { HostConfig } from './create-request.ts';
import { cgroupOf, type Engine } from './engine.ts';
import { limitsOf, limitWarnings } from './limits.ts';
import { publishContainer } from './publish.ts';
import { isAlive } from './record.ts';
import { requestedDevices } from './requested-devices.ts';
import { parseUpdateRequest, type ResourceUpdate } from './update-request.ts';

/**
 * Afterwards the given limits hold, at once where the container runs (a paused one stays paused), and are in its record;
 * or, on an error, none does. Answers warnings. Kinds: `invalid`, `unsupported`, `conflict`, `busy` (a limit below what is used).
 */
export async function updateContainer(
  engine: Engine,
  container: Container,
  body: unknown,
): Promise<readonly string[]> {
  const wanted = parseUpdateRequest(body);
  using _ = await container.mutex.acquire();
  const { record, state } = container;
  if (container.gone || state.kind === 'removing' || state.kind === 'broken') {
    throw new HullError(`Cannot update container ${container.name}: it is being removed`, {
      kind: 'conflict',
    });
  }
  const before = record.config.HostConfig;
  const host = mergeUpdate(before, wanted);
  const features = await engine.cgroups.features();
  const all = limitsOf(host, features, (await requestedDevices(host)).blockIO);
  const resources = changedOnly(all, wanted, host);
  const group = isAlive(state) ? cgroupOf(engine, container) : undefined;
  if (Object.keys(resources).length > 0) await group?.update(resources);
  try {
    await container.update({ config: { ...record.config, HostConfig: host } });
  } catch (error) {
    const old = limitsOf(before, features, (await requestedDevices(before)).blockIO);
    await group?.update(changedOnly(old, wanted, before)).catch(() => undefined);
    throw error;
  }
  publishContainer(engine, container, 'update');
  return limitWarnings(host, features);
}

/** Pure. Kind `conflict` where an old limit contradicts a new one and the client has to say which it means. */
export function mergeUpdate(before: HostConfig, wanted: ResourceUpdate): HostConfig {
  const { Memory = 0, MemorySwap = 0, NanoCpus = 0, CpuPeriod = 0, CpuQuota = 0 } = wanted;
  if (Memory > 0 && MemorySwap === 0 && before.MemorySwap > 0 && Memory > before.MemorySwap) {
    throw conflict(
      `found a memory limit of ${Memory} above the limit of ${before.MemorySwap} for memory plus swap, which it has already; wanted MemorySwap as well`,
    );
  }
  if (NanoCpus > 0 && (before.CpuPeriod > 0 || before.CpuQuota > 0)) {
    throw conflict('NanoCpus cannot be set, as CpuPeriod or CpuQuota are set already');
  }
  if ((CpuPeriod > 0 || CpuQuota > 0) && before.NanoCpus > 0) {
    throw conflict('CpuPeriod and CpuQuota cannot be set, as NanoCpus is set already');
  }
  if (wanted.RestartPolicy && wanted.RestartPolicy.Name !== 'no' && before.AutoRemove) {
    throw conflict('its restart policy cannot be changed, as it removes itself (AutoRemove)');
  }
  return { ...before, ...wanted };
}

/** Which fields of HostConfig a limit is made from. */
const sources = {
  'memory.limit': ['Memory', 'MemorySwap'],
  'memory.swap': ['Memory', 'MemorySwap'],
  'memory.reservation': ['MemoryReservation'],
  'cpu.shares': ['CpuShares'],
  'cpu.period': ['NanoCpus', 'CpuPeriod', 'CpuQuota'],
  'cpu.quota': ['NanoCpus', 'CpuPeriod', 'CpuQuota'],
  'cpu.realtimePeriod': ['CpuRealtimePeriod', 'CpuRealtimeRuntime'],
  'cpu.realtimeRuntime': ['CpuRealtimePeriod', 'CpuRealtimeRuntime'],
  'cpu.cpus': ['CpusetCpus'],
  'cpu.mems': ['CpusetMems'],
  'blockIO.weight': ['BlkioWeight'],
  'blockIO.weightDevice': ['BlkioWeightDevice'],
  'blockIO.throttleReadBpsDevice': ['BlkioDeviceReadBps'],
  'blockIO.throttleWriteBpsDevice': ['BlkioDeviceWriteBps'],
  'blockIO.throttleReadIOPSDevice': ['BlkioDeviceReadIOps'],
  'blockIO.throttleWriteIOPSDevice': ['BlkioDeviceWriteIOps'],
} as const satisfies Readonly<Record<string, readonly (keyof ResourceUpdate)[]>>;

/** Of all limits those that the given fields are about: the kernel is told nothing else. Pure. */
export function changedOnly(all: Resources, wanted: ResourceUpdate, host: HostConfig): Resources {
  const given = (name: string) =>
    Object.entries(sources).some(
      ([limit, fields]) => limit === name && fields.some((field) => field in wanted),
    );
  const part = <T extends object>(section: string, fields: T | undefined) => {
    const kept = Object.entries(fields ?? {}).filter(([field]) => given(`${section}.${field}`));
    return kept.length === 0 ? {} : { [section]: Object.fromEntries(kept) };
  };
  return {
    ...part('memory', all.memory),
    ...part('cpu', all.cpu),
    ...part('blockIO', all.blockIO),
    ...(wanted.PidsLimit === undefined ? {} : { pids: { limit: host.PidsLimit || -1 } }),
  };
}

const conflict = (reason: string): HullError =>
  new HullError(`Cannot update a container: ${reason}`, { kind: 'conflict' });
