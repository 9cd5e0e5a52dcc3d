import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, HullError } from '../../base/errors.ts';
import { discardDevice } from '../../kernel/block-device.ts';
import { deviceMapper } from '../../kernel/device-mapper.ts';
import { growFileSystem } from '../../kernel/grow-file-system.ts';
import type { MountSpec } from '../../kernel/mount-spec.ts';
import { holdMounts } from '../../launch/hold-mounts.ts';
import type { LayerRecord } from '../layer-records.ts';
import type { BaseFileSystem } from './settings.ts';
import type { ThinPool } from './thin-pool.ts';

/** A device of a pool: its name while it is active, its number in the pool, its bytes. */
export interface ThinDevice {
  readonly name: string;
  readonly device: number;
  readonly size: number;
}

/** Afterwards its file system fills it: `size` is larger than what it was made with. */
export async function growDevice(
  pool: ThinPool,
  { name, device, size }: ThinDevice,
  fs: BaseFileSystem,
  mountOf: (source: string) => MountSpec,
): Promise<void> {
  const source = pool.node(pool.activateThin(name, device, size));
  try {
    await using root = await holdMounts([mountOf(source)]);
    await growFileSystem(root.path, fs, size);
  } finally {
    await removeSoon(name);
  }
}

/** Deleting tells the pool alone: what is below it (a sparse file) would keep the blocks. Those that others share stay. */
export async function discardBlocks(pool: ThinPool, { name, device, size }: ThinDevice): Promise<void> {
  try {
    await discardDevice(pool.node(pool.activateThin(name, device, size)));
  } catch (error) {
    // Half made: there is no device to give anything back.
    if (codeOf(error) !== 'ENODATA') throw error;
  } finally {
    await removeSoon(name);
  }
}

/**
 * A crash between "record ready" and "transaction raised" leaves records ahead of the pool: their devices must be there. Answers the
 * transaction that the pool has afterwards.
 */
export function catchUp(
  pool: ThinPool,
  records: readonly LayerRecord[],
  deviceOf: (layer: LayerRecord) => ThinDevice,
): number {
  const { transaction: current } = pool.status();
  const ahead = records.filter(({ state, transaction = 0 }) => state === 'ready' && transaction > current);
  for (const layer of ahead) {
    const { name, device, size } = deviceOf(layer);
    if (deviceMapper.info(name)) continue;
    try {
      pool.activateThin(name, device, size);
    } catch (cause) {
      throw new HullError(
        `Cannot use the pool ${pool.name}: it is at transaction ${current} and lacks device ${layer.key} of layer ${layer.id}, made by transaction ${layer.transaction}`,
        { kind: 'unavailable', hint: 'The metadata file is older than the layer records.', cause },
      );
    }
    deviceMapper.remove(name);
  }
  if (ahead.length === 0) return current;
  const latest = Math.max(current, ...records.map(({ transaction = 0 }) => transaction));
  pool.setTransaction(current, latest);
  return latest;
}

// A mount that is just going, or a look by udev, holds the device for a moment.
async function removeSoon(name: string): Promise<void> {
  for (let attempt = 0; !deviceMapper.remove(name); attempt++) {
    if (attempt === 40)
      throw new HullError(`Cannot remove device ${name}: it stays in use`, { kind: 'busy' });
    await sleep(25);
  }
}
