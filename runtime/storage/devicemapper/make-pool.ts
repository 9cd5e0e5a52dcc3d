import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, HullError } from '../../base/errors.ts';
import { deviceMapper } from '../../kernel/device-mapper.ts';
import { findHolders, holdersText } from '../../kernel/holders.ts';
import type { LayerRecord } from '../layer-records.ts';
import { makeBaseFileSystem } from './make-base.ts';
import type { PoolBacking } from './pool-backing.ts';
import type { PoolSettings } from './settings.ts';
import type { ThinPool } from './thin-pool.ts';

/** Number of the device that layers without a parent are snapshots of. */
export const baseDevice = 0;
/** How long a mkfs that lost its daemon may still run. */
const mkfsMs = 60_000;

export interface NewPool {
  readonly records: readonly LayerRecord[];
  readonly home: string;
  readonly pool: ThinPool;
  readonly backing: PoolBacking | undefined;
  readonly baseName: string;
  readonly settings: PoolSettings;
}

/** Afterwards the pool is active and has the base device with its file system; whatever an earlier attempt left is gone. */
export async function makePool({ records, home, pool, backing, baseName, settings }: NewPool): Promise<void> {
  if (records.length > 0) {
    throw new HullError(
      `Cannot make the pool ${pool.name}: ${JSON.stringify(home)} has ${records.length} layers of one that is gone`,
      { kind: 'conflict' },
    );
  }
  await endEarlierAttempt(pool, baseName);
  await backing?.wipe();
  await pool.activate();
  createBase(pool);
  const node = pool.node(pool.activateThin(baseName, baseDevice, settings.baseSize));
  try {
    await makeBaseFileSystem(node, settings.fs, settings.baseSize);
  } finally {
    deviceMapper.remove(baseName);
  }
}

// The mkfs of a daemon that was killed goes on for a moment, and holds its device.
async function endEarlierAttempt(pool: ThinPool, baseName: string): Promise<void> {
  const deadline = Date.now() + mkfsMs;
  while (!deviceMapper.remove(baseName) || !pool.deactivate()) {
    if (Date.now() < deadline) {
      await sleep(50);
      continue;
    }
    const name = deviceMapper.info(baseName) ? baseName : pool.name;
    const info = deviceMapper.info(name);
    const holders = info ? holdersText(findHolders({ kind: 'device', ...info })) : 'it went away just now';
    throw new HullError(`Cannot make the pool ${pool.name} anew: device ${name} is in use: ${holders}`, {
      kind: 'busy',
    });
  }
}

// In a pool that was given to us an earlier attempt may have made it already.
function createBase(pool: ThinPool): void {
  try {
    pool.createThin(baseDevice);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    pool.deleteThin(baseDevice);
    pool.createThin(baseDevice);
  }
}
