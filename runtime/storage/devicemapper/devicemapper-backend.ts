import { access } from 'node:fs/promises';
import { codeOf, HullError } from '../../base/errors.ts';
import { deviceMapper } from '../../kernel/device-mapper.ts';
import type { HeldThing } from '../../kernel/holders.ts';
import type { MountSpec } from '../../kernel/mount-spec.ts';
import type { ChangeHint, DriverCapabilities } from '../driver.ts';
import { sizeText } from '../driver-options.ts';
import type { LayerBackend, LayerChain } from '../layer-backend.ts';
import type { LayerRecord } from '../layer-records.ts';
import { DeviceNames } from './device-names.ts';
import { LayerComparison } from './layer-comparison.ts';
import { mountOf } from './make-base.ts';
import { baseDevice, makePool } from './make-pool.ts';
import { MetadataSnapshot } from './metadata-snapshot.ts';
import { DeviceBacking, LoopBacking, type PoolBacking } from './pool-backing.ts';
import { requireFreeSpace, requireWorkingPool } from './pool-health.ts';
import { poolStatusText } from './pool-status-text.ts';
import {
  currentBaseSize,
  type DevicemapperOptions,
  type PoolSettings,
  writePoolSettings,
} from './settings.ts';
import { catchUp, discardBlocks, growDevice, type ThinDevice } from './thin-devices.ts';
import { ThinPool } from './thin-pool.ts';

/** Thin device numbers have 24 bits. */
const lastDevice = 2 ** 24 - 1;

/** openDevicemapper tells how it works. */
export class DevicemapperBackend implements LayerBackend {
  readonly name = 'devicemapper';
  readonly capabilities: DriverCapabilities = Object.freeze({ copies: false, hostWide: true });
  readonly defersRemoval: boolean;
  readonly #home: string;
  readonly #options: DevicemapperOptions;
  readonly #names: DeviceNames;
  readonly #backing: PoolBacking | undefined;
  readonly #pool: ThinPool;
  readonly #snapshot: MetadataSnapshot;
  readonly #comparison: LayerComparison;
  readonly #devices = new Set<number>([baseDevice]);
  #settings: PoolSettings;
  #transaction = 0;
  #nextTransaction = 1;
  readonly #found: string[] = [];

  constructor(home: string, settings: PoolSettings, options: DevicemapperOptions) {
    const { thinPool, devices, dataSize, metadataSize, blockSize } = settings;
    this.defersRemoval = options.deferredDeletion;
    this.#home = home;
    this.#settings = settings;
    this.#options = options;
    this.#names = new DeviceNames(home);
    const onLoops = () => new LoopBacking(home, { data: dataSize, metadata: metadataSize });
    this.#backing = thinPool === undefined ? (devices ? new DeviceBacking(devices) : onLoops()) : undefined;
    this.#pool = new ThinPool(thinPool ?? this.#names.pool, blockSize, this.#backing);
    this.#snapshot = new MetadataSnapshot(this.#pool, { home, isOurs: thinPool === undefined });
    this.#comparison = new LayerComparison(this.#pool, this.#snapshot);
  }

  /** Before the first use of what the host gave us. Kind `conflict` where somebody has used it. */
  async refuseUnlessNew(): Promise<void> {
    if (this.#backing) return this.#backing.refuseUnlessNew();
    await this.#pool.activate();
    const { transaction, dataUsed } = this.#pool.status();
    if (transaction === 0 && dataUsed === 0) return;
    throw new HullError(
      `Cannot use the pool ${this.#pool.name}: found ${dataUsed} used blocks and transaction ${transaction}, wanted a new pool`,
      { kind: 'conflict' },
    );
  }

  async prepare(records: readonly LayerRecord[]): Promise<void> {
    if (this.#settings.state === 'creating') {
      await makePool({
        records,
        home: this.#home,
        pool: this.#pool,
        backing: this.#backing,
        baseName: this.#names.base,
        settings: this.#settings,
      });
      this.#settings = { ...this.#settings, state: 'ready' };
      await writePoolSettings(this.#home, this.#settings);
    } else {
      await this.#growPool();
      if ((await this.#pool.activate()) === 'adopted')
        this.#found.push(`Took over the active pool ${this.#pool.name}.`);
    }
    const status = this.#pool.status();
    requireWorkingPool({ name: this.#pool.name, metadata: this.#metadata }, status);
    if (await this.#snapshot.releaseLeft())
      this.#found.push(`Released the metadata snapshot of pool ${this.#pool.name}, which a crash left.`);
    for (const { key } of records) this.#devices.add(Number(key));
    this.#transaction = catchUp(this.#pool, records, (layer) => this.#deviceOf(layer));
    this.#nextTransaction =
      1 + Math.max(this.#transaction, ...records.map(({ transaction = 0 }) => transaction));
    await this.#growBase();
  }

  newKey(
    _id: string,
    parent: LayerRecord | undefined,
  ): { readonly key: string; readonly transaction: number; readonly size: number } {
    let device = Math.max(...this.#devices) + 1;
    if (device > lastDevice) {
      device = 1;
      while (this.#devices.has(device)) device++;
    }
    this.#devices.add(device);
    return { key: String(device), transaction: this.#nextTransaction++, size: this.#sizeBelow(parent) };
  }

  async make(layer: LayerRecord, parent: LayerRecord | undefined): Promise<void> {
    const status = this.#pool.status();
    requireWorkingPool({ name: this.#pool.name, metadata: this.#metadata }, status);
    requireFreeSpace(layer.id, this.#options.minFree, status);
    const device = Number(layer.key);
    const origin = parent ? Number(parent.key) : baseDevice;
    const snapshot = () =>
      this.#pool.createSnapshot(device, origin, parent ? this.#names.layer(parent) : this.#names.base);
    try {
      snapshot();
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      // No record but this one has the number: what is there belongs to nobody.
      this.#pool.deleteThin(device);
      snapshot();
    }
    if (this.#sizeOf(layer) > this.#sizeBelow(parent)) await this.#grow(this.#deviceOf(layer));
  }

  async made({ transaction }: LayerRecord): Promise<void> {
    if (transaction === undefined || transaction <= this.#transaction) return;
    this.#pool.setTransaction(this.#transaction, transaction);
    this.#transaction = transaction;
  }

  async lacksForSize(size: number, parent: LayerRecord | undefined): Promise<string | undefined> {
    const below = this.#sizeBelow(parent);
    if (size >= below) return undefined;
    return `a way to make a file system smaller: found ${sizeText(size)}, wanted at least the ${sizeText(below)} of what it starts from`;
  }

  async whyNotRemovable(): Promise<undefined> {}

  async destroy(layer: LayerRecord): Promise<void> {
    if (!(await this.deactivate(layer))) {
      throw new HullError(
        `Cannot remove layer ${layer.id}: its device ${this.#names.layer(layer)} is in use`,
        {
          kind: 'busy',
        },
      );
    }
    if (this.#options.discardBlocks) await discardBlocks(this.#pool, this.#deviceOf(layer));
    this.#pool.deleteThin(Number(layer.key));
    this.#devices.delete(Number(layer.key));
  }

  async activate([layer]: LayerChain): Promise<readonly MountSpec[]> {
    requireWorkingPool({ name: this.#pool.name, metadata: this.#metadata }, this.#pool.status());
    const name = this.#names.layer(layer);
    const source = this.#pool.node(this.#pool.activateThin(name, Number(layer.key), this.#sizeOf(layer)));
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
    return [this.#mount(source)];
  }

  async deactivate(layer: LayerRecord): Promise<boolean> {
    return deviceMapper.remove(this.#names.layer(layer));
  }

  async deferDeactivation(layer: LayerRecord): Promise<boolean> {
    return this.#options.deferredRemoval && deviceMapper.removeDeferred(this.#names.layer(layer));
  }

  heldThing([layer]: LayerChain): HeldThing | undefined {
    const info = deviceMapper.info(this.#names.layer(layer));
    return info && { kind: 'device', major: info.major, minor: info.minor };
  }

  pinned([layer]: LayerChain): boolean {
    return (deviceMapper.info(this.#names.layer(layer))?.openCount ?? 0) > 0;
  }

  hiddenUser(): boolean {
    return false;
  }

  async changeHint(layer: LayerRecord, parent: LayerRecord): Promise<ChangeHint | undefined> {
    if (this.#settings.fs !== 'ext4') return undefined;
    return await this.#comparison.hint(this.#deviceOf(layer), this.#deviceOf(parent));
  }

  async status(): Promise<readonly (readonly [string, string])[]> {
    return poolStatusText(
      {
        name: this.#pool.name,
        data: this.#backing?.data ?? `pool ${this.#pool.name}`,
        metadata: this.#metadata,
        blockSize: this.#pool.blockSize(),
        settings: this.#settings,
        options: this.#options,
        comparison: this.#settings.fs === 'ext4' ? await this.#comparison.describe() : 'both trees',
      },
      this.#pool.status(),
    );
  }

  async sweep(records: readonly LayerRecord[]): Promise<readonly string[]> {
    const did = this.#found.splice(0);
    const known = new Set([this.#pool.name, ...records.map((layer) => this.#names.layer(layer))]);
    for (const name of await deviceMapper.list()) {
      if (!this.#names.isOurs(name) || known.has(name)) continue;
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
      if (this.#names.isOurs(name) && name !== this.#pool.name) deviceMapper.remove(name);
    }
    if (this.#pool.deactivate()) await this.#backing?.freed();
  }

  get #metadata(): string {
    return this.#backing?.metadata ?? `pool ${this.#pool.name}`;
  }

  /** Of what a layer starts from. Records from before sizes were recorded are of the first size. */
  #sizeBelow(parent: LayerRecord | undefined): number {
    return parent ? this.#sizeOf(parent) : currentBaseSize(this.#settings);
  }

  #sizeOf({ size }: LayerRecord): number {
    return size ?? this.#settings.baseSize;
  }

  #deviceOf(layer: LayerRecord): ThinDevice {
    return { name: this.#names.layer(layer), device: Number(layer.key), size: this.#sizeOf(layer) };
  }

  #mount(source: string): MountSpec {
    return mountOf(source, this.#settings.fs, this.#options);
  }

  /** Larger files first, then their sizes: a crash in between repeats it. */
  async #growPool(): Promise<void> {
    const { dataSize, metadataSize } = { ...this.#settings, ...this.#options.asked };
    if (dataSize === this.#settings.dataSize && metadataSize === this.#settings.metadataSize) return;
    if (deviceMapper.info(this.#pool.name)) {
      throw new HullError(`Cannot make the pool ${this.#pool.name} larger: it is in use`, {
        kind: 'busy',
        hint: 'Stop all containers, then start the daemon again with the larger size.',
      });
    }
    await this.#backing?.grow({ data: dataSize, metadata: metadataSize });
    this.#settings = { ...this.#settings, dataSize, metadataSize };
    await writePoolSettings(this.#home, this.#settings);
  }

  // A crash before the larger size is recorded repeats this, which changes nothing the second time.
  async #growBase(): Promise<void> {
    const wanted = this.#options.asked.baseSize ?? 0;
    if (wanted <= currentBaseSize(this.#settings)) return;
    await this.#grow({ name: this.#names.base, device: baseDevice, size: wanted });
    this.#settings = { ...this.#settings, grownTo: wanted };
    await writePoolSettings(this.#home, this.#settings);
  }

  async #grow(device: ThinDevice): Promise<void> {
    await growDevice(this.#pool, device, this.#settings.fs, (source) => this.#mount(source));
  }
}
