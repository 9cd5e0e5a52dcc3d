import { createHash } from 'node:crypto';
import { access, constants, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { removeTemporaries } from '../../base/atomic-file.ts';
import { codeOf, HullError } from '../../base/errors.ts';
import { deviceMapper, probeDeviceMapper } from '../../kernel/device-mapper.ts';
import { findHolders, type HeldThing, holdersText } from '../../kernel/holders.ts';
import type { MountSpec } from '../../kernel/mount-spec.ts';
import { probeText } from '../../kernel/probe.ts';
import type { DriverCapabilities, DriverOptions, StorageDriver } from '../driver.ts';
import { sizeText } from '../driver-options.ts';
import type { LayerBackend, LayerChain } from '../layer-backend.ts';
import type { LayerRecord } from '../layer-records.ts';
import { type DriverInternals, RecordedDriver } from '../recorded-driver.ts';
import { makeBaseFileSystem, mkfsProgram, mountOptions } from './make-base.ts';
import {
  checkAgainstPool,
  type DevicemapperOptions,
  type PoolSettings,
  parseDevicemapperOptions,
  readPoolSettings,
  writePoolSettings,
} from './settings.ts';
import { ThinPool } from './thin-pool.ts';

/**
 * Layers as thin snapshots of block devices, each with a file system of its own.
 *
 *     <home>/pool.json          what the pool was made with
 *     <home>/data, metadata     sparse files, attached to loop devices while the pool is active
 *     <home>/records/<id>.json  layer → thin device number, and the pool transaction that makes it
 *
 * Device 0 has the empty file system that layers without a parent are snapshots of. A layer's record is on the disk before the
 * pool is told to make its device, so a crash leaves no device without a record; the pool's transaction id is
 * raised after the record says `ready`, so a pool that is older than the records is noticed.
 */
export async function openDevicemapper(
  options: DriverOptions,
  internals?: DriverInternals,
): Promise<StorageDriver> {
  const wanted = parseDevicemapperOptions(options.options);
  await requireDevicemapper(wanted);
  return RecordedDriver.open(
    options,
    async (records) => {
      const home = await realpath(options.home);
      await removeTemporaries(home);
      const settings = (await readPoolSettings(home)) ?? (await beginPool(home, wanted));
      checkAgainstPool(wanted.asked, settings);
      const backend = new DevicemapperBackend(home, settings, wanted);
      await backend.prepare(records);
      return backend;
    },
    internals,
  );
}

const baseDevice = 0;
/** How long a mkfs that lost its daemon may still run. */
const mkfsMs = 60_000;
/** Thin device numbers have 24 bits. */
const lastDevice = 2 ** 24 - 1;

class DevicemapperBackend implements LayerBackend {
  readonly name = 'devicemapper';
  readonly capabilities: DriverCapabilities = Object.freeze({ copies: false, hostWide: true });
  readonly #home: string;
  readonly #settings: PoolSettings;
  readonly #options: DevicemapperOptions;
  readonly #prefix: string;
  readonly #pool: ThinPool;
  readonly #devices = new Set<number>([baseDevice]);
  #transaction = 0;
  #nextTransaction = 1;
  #adopted = false;

  constructor(home: string, settings: PoolSettings, options: DevicemapperOptions) {
    this.#home = home;
    this.#settings = settings;
    this.#options = options;
    this.#prefix = `hull-${createHash('sha256').update(home).digest('hex').slice(0, 8)}`;
    this.#pool = new ThinPool(home, this.#prefix, settings);
  }

  async prepare(records: readonly LayerRecord[]): Promise<void> {
    if (this.#settings.state === 'creating') await this.#makePool(records);
    else this.#adopted = (await this.#pool.activate()) === 'adopted';
    const status = this.#pool.status();
    if (status.mode === 'Fail' || status.needsCheck) {
      throw new HullError(
        `Cannot use the pool ${this.#pool.name}: its metadata must be checked (mode ${status.mode})`,
        {
          kind: 'unavailable',
          hint: `Stop everything, then: thin_check --clear-needs-check-flag ${this.#pool.metadataFile}`,
        },
      );
    }
    for (const { key } of records) this.#devices.add(Number(key));
    this.#transaction = status.transaction;
    this.#catchUp(records);
  }

  newKey(): { readonly key: string; readonly transaction: number } {
    let device = Math.max(...this.#devices) + 1;
    if (device > lastDevice) {
      device = 1;
      while (this.#devices.has(device)) device++;
    }
    this.#devices.add(device);
    return { key: String(device), transaction: this.#nextTransaction++ };
  }

  async make(layer: LayerRecord, parent: LayerRecord | undefined): Promise<void> {
    this.#requireFreeSpace(layer);
    const device = Number(layer.key);
    const origin = parent ? Number(parent.key) : baseDevice;
    const snapshot = () =>
      this.#pool.createSnapshot(device, origin, parent ? this.#deviceName(parent) : this.#baseName());
    try {
      snapshot();
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      // No record but this one has the number: what is there belongs to nobody.
      this.#pool.deleteThin(device);
      snapshot();
    }
  }

  async made({ transaction }: LayerRecord): Promise<void> {
    if (transaction === undefined || transaction <= this.#transaction) return;
    this.#pool.setTransaction(this.#transaction, transaction);
    this.#transaction = transaction;
  }

  async lacksForSize(): Promise<string | undefined> {
    return 'TODO';
  }

  async whyNotRemovable(): Promise<undefined> {}

  async destroy(layer: LayerRecord): Promise<void> {
    if (!(await this.deactivate(layer))) {
      throw new HullError(
        `Cannot remove layer ${layer.id}: its device ${this.#deviceName(layer)} is in use`,
        {
          kind: 'busy',
        },
      );
    }
    this.#pool.deleteThin(Number(layer.key));
    this.#devices.delete(Number(layer.key));
  }

  async activate([layer]: LayerChain): Promise<readonly MountSpec[]> {
    const name = this.#deviceName(layer);
    const source = this.#pool.node(this.#pool.activateThin(name, Number(layer.key)));
    try {
      await access(source);
    } catch (cause) {
      deviceMapper.remove(name);
      throw new HullError(`Cannot acquire layer ${layer.id}: ${source} is not there for device ${name}`, {
        kind: 'unsupported',
        hint: '/dev must be a devtmpfs.',
        cause,
      });
    }
    const { fs } = this.#settings;
    return [{ type: fs, source, target: '', options: mountOptions(fs) }];
  }

  async deactivate(layer: LayerRecord): Promise<boolean> {
    return deviceMapper.remove(this.#deviceName(layer));
  }

  async deferDeactivation(layer: LayerRecord): Promise<boolean> {
    return this.#options.deferredRemoval && deviceMapper.removeDeferred(this.#deviceName(layer));
  }

  heldThing([layer]: LayerChain): HeldThing | undefined {
    const info = deviceMapper.info(this.#deviceName(layer));
    return info && { kind: 'device', major: info.major, minor: info.minor };
  }

  pinned([layer]: LayerChain): boolean {
    return (deviceMapper.info(this.#deviceName(layer))?.openCount ?? 0) > 0;
  }

  hiddenUser(): boolean {
    return false;
  }

  async status(): Promise<readonly (readonly [string, string])[]> {
    const { blockSize, baseSize, fs } = this.#settings;
    const { dataUsed, dataTotal, metadataUsed, metadataTotal, transaction } = this.#pool.status();
    const metadataBlock = 4096;
    return [
      ['Pool Name', this.#pool.name],
      ['Pool Blocksize', sizeText(blockSize)],
      ['Base Device Size', sizeText(baseSize)],
      ['Backing Filesystem', fs],
      ['Data file', this.#pool.dataFile],
      ['Metadata file', this.#pool.metadataFile],
      ['Data Space Used', sizeText(dataUsed * blockSize)],
      ['Data Space Total', sizeText(dataTotal * blockSize)],
      ['Metadata Space Used', sizeText(metadataUsed * metadataBlock)],
      ['Metadata Space Total', sizeText(metadataTotal * metadataBlock)],
      ['Transaction', String(transaction)],
      ['Deferred Removal Enabled', String(this.#options.deferredRemoval)],
    ];
  }

  async sweep(records: readonly LayerRecord[]): Promise<readonly string[]> {
    const did: string[] = this.#adopted ? [`Took over the active pool ${this.#pool.name}.`] : [];
    this.#adopted = false;
    const known = new Set([this.#pool.name, ...records.map((layer) => this.#deviceName(layer))]);
    for (const name of await deviceMapper.list()) {
      if (!name.startsWith(`${this.#prefix}-`) || known.has(name)) continue;
      did.push(
        deviceMapper.remove(name)
          ? `Removed device ${name}, which no layer record names.`
          : `Device ${name}, which no layer record names, is in use and stays.`,
      );
    }
    return did;
  }

  /** What is in use stays active: the next start takes it over. */
  async close(): Promise<void> {
    for (const name of await deviceMapper.list()) {
      if (name.startsWith(`${this.#prefix}-`) && name !== this.#pool.name) deviceMapper.remove(name);
    }
    this.#pool.deactivate();
  }

  #deviceName({ id }: LayerRecord): string {
    // Names have at most 127 characters; a long id is cut and told apart by a digest of the whole.
    const short =
      id.length <= 64
        ? id
        : `${id.slice(0, 40)}.${createHash('sha256').update(id).digest('hex').slice(0, 16)}`;
    return `${this.#prefix}-layer-${short}`;
  }

  #baseName(): string {
    return `${this.#prefix}-base`;
  }

  async #makePool(records: readonly LayerRecord[]): Promise<void> {
    if (records.length > 0) {
      throw new HullError(
        `Cannot make the pool ${this.#pool.name}: ${JSON.stringify(this.#home)} has ${records.length} layers of one that is gone`,
        { kind: 'conflict' },
      );
    }
    await this.#endEarlierAttempt();
    await this.#pool.wipe();
    await this.#pool.activate();
    this.#pool.createThin(baseDevice);
    const node = this.#pool.node(this.#pool.activateThin(this.#baseName(), baseDevice));
    try {
      await makeBaseFileSystem(node, this.#settings.fs, this.#settings.baseSize);
    } finally {
      deviceMapper.remove(this.#baseName());
    }
    await writePoolSettings(this.#home, { ...this.#settings, state: 'ready' });
  }

  // The mkfs of a daemon that was killed goes on for a moment, and holds its device.
  async #endEarlierAttempt(): Promise<void> {
    const deadline = Date.now() + mkfsMs;
    while (!deviceMapper.remove(this.#baseName()) || !this.#pool.deactivate()) {
      if (Date.now() < deadline) {
        await sleep(50);
        continue;
      }
      const name = deviceMapper.info(this.#baseName()) ? this.#baseName() : this.#pool.name;
      const info = deviceMapper.info(name);
      const holders = info ? holdersText(findHolders({ kind: 'device', ...info })) : 'it went away just now';
      throw new HullError(
        `Cannot make the pool ${this.#pool.name} anew: device ${name} is in use: ${holders}`,
        {
          kind: 'busy',
        },
      );
    }
  }

  // A crash between "record ready" and "transaction raised" leaves records ahead of the pool: their devices must be there.
  #catchUp(records: readonly LayerRecord[]): void {
    const ahead = records.filter(
      ({ state, transaction }) => state === 'ready' && (transaction ?? 0) > this.#transaction,
    );
    for (const layer of ahead) {
      const name = this.#deviceName(layer);
      if (deviceMapper.info(name)) continue;
      try {
        this.#pool.activateThin(name, Number(layer.key));
      } catch (cause) {
        throw new HullError(
          `Cannot use the pool ${this.#pool.name}: it is at transaction ${this.#transaction} and lacks device ${layer.key} of layer ${layer.id}, made by transaction ${layer.transaction}`,
          { kind: 'unavailable', hint: 'The metadata file is older than the layer records.', cause },
        );
      }
      deviceMapper.remove(name);
    }
    const latest = Math.max(this.#transaction, ...records.map(({ transaction }) => transaction ?? 0));
    if (ahead.length > 0) {
      this.#pool.setTransaction(this.#transaction, latest);
      this.#transaction = latest;
    }
    this.#nextTransaction = latest + 1;
  }

  #requireFreeSpace(layer: LayerRecord): void {
    const { dataUsed, dataTotal, metadataUsed, metadataTotal } = this.#pool.status();
    for (const [what, used, total] of [
      ['data', dataUsed, dataTotal],
      ['metadata', metadataUsed, metadataTotal],
    ] as const) {
      const free = 1 - used / total;
      if (free >= this.#options.minFree) continue;
      const percent = (part: number) => `${Math.floor(part * 100)}%`;
      throw new HullError(
        `Cannot create layer ${layer.id}: ${percent(free)} of the pool's ${what} blocks are free, wanted at least ${percent(this.#options.minFree)} (dm.min_free_space)`,
        { kind: 'exhausted' },
      );
    }
  }
}

async function beginPool(home: string, { pool }: DevicemapperOptions): Promise<PoolSettings> {
  const settings: PoolSettings = { version: 1, state: 'creating', ...pool };
  await writePoolSettings(home, settings);
  return settings;
}

async function requireDevicemapper({ pool }: DevicemapperOptions): Promise<void> {
  const probe = await probeDeviceMapper(['thin-pool', 'thin']);
  if (probe.answer !== 'supported') {
    throw new HullError(`Cannot use storage driver devicemapper: ${probeText(probe)}`, {
      kind: 'unsupported',
    });
  }
  const program = mkfsProgram(pool.fs);
  if (await isOnPath(program)) return;
  throw new HullError(`Cannot use storage driver devicemapper: missing is the program ${program}`, {
    kind: 'unsupported',
    hint: `Install it: apt-get install ${pool.fs === 'xfs' ? 'xfsprogs' : 'e2fsprogs'}.`,
  });
}

async function isOnPath(program: string): Promise<boolean> {
  for (const folder of (process.env['PATH'] ?? '').split(':').filter(Boolean)) {
    const found = await access(join(folder, program), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}
