import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Cleanup } from '../../base/cleanup.ts';
import { codeOf, HullError } from '../../base/errors.ts';
import { type DmInfo, deviceMapper, deviceNode } from '../../kernel/device-mapper.ts';
import { attachLoop, findLoops } from '../../kernel/loop.ts';
import type { PoolSettings } from './settings.ts';
import { type PoolStatus, parsePoolStatus, poolTable, thinTable } from './tables.ts';

/**
 * A thin-provisioning pool on two sparse files through loop devices
 * (Documentation/admin-guide/device-mapper/thin-provisioning.rst). The pool lives in the kernel and outlasts its
 * maker: `activate` finds it and takes it over, with whatever devices of it are in use.
 */
export class ThinPool {
  readonly name: string;
  readonly dataFile: string;
  readonly metadataFile: string;
  readonly #settings: Omit<PoolSettings, 'state'>;
  readonly #prefix: string;

  /** `prefix` names the owner, as `hull-1a2b3c4d`: all devices' names begin with it. */
  constructor(home: string, prefix: string, settings: Omit<PoolSettings, 'state'>) {
    this.name = `${prefix}-pool`;
    this.dataFile = join(home, 'data');
    this.metadataFile = join(home, 'metadata');
    this.#settings = settings;
    this.#prefix = prefix;
  }

  /** Afterwards the files are there, empty and sparse: whatever was in them is gone. The pool must be inactive. */
  async wipe(): Promise<void> {
    const { dataSize, metadataSize } = this.#settings;
    for (const [path, size] of [
      [this.dataFile, dataSize],
      [this.metadataFile, metadataSize],
    ] as const) {
      await rm(path, { force: true });
      const file = await open(path, 'wx', 0o600);
      try {
        await file.truncate(size);
        await file.sync();
      } finally {
        await file.close();
      }
    }
  }

  /** Afterwards the pool is active on our files. Answers whether it was already: a process before this one left it. */
  async activate(): Promise<'made' | 'adopted'> {
    const found = deviceMapper.info(this.name);
    // Made and then no table loaded: its maker died in between.
    if (found && !found.liveTable) deviceMapper.remove(this.name);
    else if (found) {
      await this.#checkFiles();
      if (found.suspended) deviceMapper.resume(this.name);
      return 'adopted';
    }
    await using undo = new Cleanup();
    const metadata = await attachLoop(this.metadataFile);
    undo.push(() => metadata.handle.close());
    const data = await attachLoop(this.dataFile);
    undo.push(() => data.handle.close());
    // From here on the table holds the loop devices, and our handles can go: autoclear detaches them with the pool.
    deviceMapper.create(this.name, `${this.#prefix}-pool`.toUpperCase(), [
      poolTable(this.#settings, metadata, data),
    ]);
    return 'made';
  }

  /** Answers false where thin devices of it are in use. */
  deactivate(): boolean {
    return deviceMapper.remove(this.name);
  }

  status(): PoolStatus {
    return parsePoolStatus(this.name, deviceMapper.status(this.name)[0]?.params ?? '');
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

  /** Afterwards the thin device is active under that name; ENODATA where the pool has no such device. */
  activateThin(name: string, device: number): DmInfo {
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
    return deviceMapper.create(name, name.toUpperCase(), [thinTable(pool, device, this.#settings.baseSize)]);
  }

  node(info: DmInfo): string {
    return deviceNode(info);
  }

  async #checkFiles(): Promise<void> {
    const params = deviceMapper.table(this.name)[0]?.params ?? '';
    const [metadata = '', data = ''] = params.split(' ');
    for (const [file, device] of [
      [this.metadataFile, metadata],
      [this.dataFile, data],
    ] as const) {
      const loops = await findLoops(file);
      if (loops.some(({ major, minor }) => `${major}:${minor}` === device)) continue;
      throw new HullError(
        `Cannot take over the pool ${this.name}: its table has device ${device || 'none'} where ${JSON.stringify(file)} was wanted`,
        { kind: 'conflict', hint: `Look at "dmsetup table ${this.name}" and "losetup -l".` },
      );
    }
  }
}
