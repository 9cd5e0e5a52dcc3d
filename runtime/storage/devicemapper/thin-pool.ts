import { Cleanup } from '../../base/cleanup.ts';
import { codeOf, HullError } from '../../base/errors.ts';
import { nodeOfNumber } from '../../kernel/block-device.ts';
import { type DmInfo, deviceMapper, deviceNode } from '../../kernel/device-mapper.ts';
import type { PoolBacking } from './pool-backing.ts';
import { type PoolStatus, parsePoolStatus, poolTable, thinTable } from './tables.ts';

/**
 * A thin-provisioning pool (Documentation/admin-guide/device-mapper/thin-provisioning.rst). The pool lives in the kernel
 * and outlasts its maker: `activate` finds it and takes it over, with whatever devices of it are in use.
 */
export class ThinPool {
  readonly name: string;
  readonly #blockSize: number;
  readonly #backing: PoolBacking | undefined;

  /** Without a backing the pool is the host's: it is used, and neither made nor removed. */
  constructor(name: string, blockSize: number, backing: PoolBacking | undefined) {
    this.name = name;
    this.#blockSize = blockSize;
    this.#backing = backing;
  }

  /** Afterwards the pool is active on our files. Answers whether it was already: a process before this one left it. */
  async activate(): Promise<'made' | 'adopted' | 'given'> {
    const found = deviceMapper.info(this.name);
    const backing = this.#backing;
    if (!backing) {
      if (found?.liveTable) return 'given';
      throw new HullError(`Cannot use the pool ${this.name}: it is not active`, {
        kind: 'unavailable',
        hint: 'dm.thinpooldev names a thin pool that the host keeps active.',
      });
    }
    // Made and then no table loaded: its maker died in between.
    if (found && !found.liveTable) deviceMapper.remove(this.name);
    else if (found) {
      await this.#checkDevices(backing);
      if (found.suspended) deviceMapper.resume(this.name);
      return 'adopted';
    }
    await using undo = new Cleanup();
    const { metadata, data } = await backing.attach(undo);
    const dataSize = await backing.dataSize();
    // From here on the table holds the devices, and our handles can go: autoclear detaches loop devices with the pool.
    deviceMapper.create(this.name, this.name.toUpperCase(), [
      poolTable({ dataSize, blockSize: this.#blockSize }, metadata, data),
    ]);
    return 'made';
  }

  /** Answers false where thin devices of it are in use. A given pool stays. */
  deactivate(): boolean {
    return !this.#backing || deviceMapper.remove(this.name);
  }

  status(): PoolStatus {
    return parsePoolStatus(this.name, deviceMapper.status(this.name)[0]?.params ?? '');
  }

  /** Bytes. By the pool's table: a given pool has its own. */
  blockSize(): number {
    const [, , sectors] = deviceMapper.table(this.name)[0]?.params.split(' ') ?? [];
    return Number(sectors ?? this.#blockSize / 512) * 512;
  }

  /** A thin device of its own; EEXIST where the pool has that number. */
  createThin(device: number): void {
    deviceMapper.message(this.name, `create_thin ${device}`);
  }

  /** A snapshot of `origin`. An active origin is held still meanwhile, its file system frozen, so that the copy is whole. */
  createSnapshot(device: number, origin: number, originName: string): void {
    const active = deviceMapper.info(originName) !== undefined;
    if (active) deviceMapper.suspend(originName);
    try {
      deviceMapper.message(this.name, `create_snap ${device} ${origin}`);
    } finally {
      if (active) deviceMapper.resume(originName);
    }
  }

  /** Afterwards the pool has no such device. It must be inactive. */
  deleteThin(device: number): void {
    try {
      deviceMapper.message(this.name, `delete ${device}`);
    } catch (error) {
      if (codeOf(error) !== 'ENODATA') throw error;
    }
  }

  setTransaction(from: number, to: number): void {
    deviceMapper.message(this.name, `set_transaction_id ${from} ${to}`);
  }

  /** Afterwards the pool keeps its metadata as it is now for programs to read, until it is released. EBUSY where it has one already. */
  reserveMetadata(): void {
    deviceMapper.message(this.name, 'reserve_metadata_snap');
  }

  releaseMetadata(): void {
    deviceMapper.message(this.name, 'release_metadata_snap');
  }

  /** The node of the device that the metadata is on. */
  async metadataNode(): Promise<string> {
    const [metadata = ''] = deviceMapper.table(this.name)[0]?.params.split(' ') ?? [];
    return await nodeOfNumber(metadata);
  }

  /** Afterwards the thin device is active under that name, with so many bytes; ENODATA where the pool has no such device. */
  activateThin(name: string, device: number, size: number): DmInfo {
    const pool = deviceMapper.info(this.name);
    if (!pool)
      throw new HullError(`Cannot activate ${name}: the pool ${this.name} is not active`, {
        kind: 'unavailable',
      });
    const found = deviceMapper.info(name);
    if (found?.liveTable) {
      if (found.deferredRemove) deviceMapper.cancelDeferredRemove(name);
      if (found.suspended) deviceMapper.resume(name);
      return found;
    }
    if (found) deviceMapper.remove(name);
    return deviceMapper.create(name, name.toUpperCase(), [thinTable(pool, device, size)]);
  }

  node(info: DmInfo): string {
    return deviceNode(info);
  }

  async #checkDevices(backing: PoolBacking): Promise<void> {
    const params = deviceMapper.table(this.name)[0]?.params ?? '';
    const [metadata = '', data = ''] = params.split(' ');
    for (const [what, device] of [
      ['metadata', metadata],
      ['data', data],
    ] as const) {
      if (await backing.isOn(device, what)) continue;
      throw new HullError(
        `Cannot take over the pool ${this.name}: its table has device ${device || 'none'} where ${JSON.stringify(backing[what])} was wanted`,
        { kind: 'conflict', hint: `Look at "dmsetup table ${this.name}" and "losetup -l".` },
      );
    }
  }
}
